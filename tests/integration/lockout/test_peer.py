# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same mistake, made with community.general.iptables_state and with privileged_ips: who gets in again?

Needs PyPI's ansible package, in a venv of its own; ``make soak`` runs it.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from benchmarks import peers
from lab.ansible_run import AnsibleRunner
from lab.errors import LabError
from tests.integration.lockout import table
from tests.integration.privileged_ips.conftest import PACKAGES

#: Seconds to wait for the confirmation. The first two are multiples of five, which matters to the peer.
WAITS = (10, 20, 21)
#: Seconds for a playbook of one task: the roll-back of either is over by then, with a machine to spare.
PATIENCE = 150
#: Where ten seconds are over before the rules are applied, the machine is busy.
TRIES = 6
#: Notes that the door was shut at some time.
WATCH = (
    "while :; do { iptables -S INPUT; nft list table inet infogerance_perimeter; } 2>/dev/null"
    " | grep -qE 'INPUT DROP|policy drop|198.51.100.7' && touch /root/was-shut; sleep 0.3; done"
)
RULES = "*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"
PEER = [
    {
        "name": "Drop everything",
        "community.general.iptables_state": {"state": "restored", "path": "/root/drop.rules"},
        "async": "{{ wait | int }}", "poll": 0,
    }
]  # fmt: skip
OURS = [
    {
        "name": "Drop everything but somebody else",
        "infogerance.perimeter.privileged_ips": {
            "addresses": ["198.51.100.7"], "sinks": [{"backend": "nftables", "ports": [22]}], "controller": "ignore",
            "confirm_timeout": "{{ wait }}",
        },
    }
]  # fmt: skip


def outcome(runner: AnsibleRunner, hosts: dict[int, Any], tasks: list[dict[str, Any]]) -> dict[int, str]:
    """Run on each host, wait until every timer must be over, then try to log in."""

    def run(item: tuple[int, Any]) -> bool:
        """Whether it came to an end. A playbook that waits for a host that is shut may never do so."""
        wait, host = item
        variables = {**host.inventory_vars(), "wait": wait, "ansible_timeout": 30}
        play = [{"hosts": "all", "gather_facts": False, "tasks": tasks}]
        ended, said = True, ""
        for _try in range(TRIES):
            try:
                said = runner.playbook([host], play, inventory_vars=variables, timeout=PATIENCE).stdout
            except LabError as error:
                if not str(error).startswith("no end after"):
                    raise
                ended = False
            # A job that is killed before it did anything has locked nobody out, and shows nothing: once more.
            if not ended or host.exists("/root/was-shut"):
                return ended
        raise AssertionError(f"{wait} s: nothing was ever applied, the machine is too busy: {said}")

    for host in hosts.values():
        host.spawn(WATCH)
    with ThreadPoolExecutor(len(hosts)) as pool:
        ended = dict(zip(hosts, pool.map(run, hosts.items()), strict=True))
    time.sleep(max(WAITS) + 20)
    told = {}
    for wait, host in hosts.items():
        done = host.ssh("deploy", "sudo -n id -u", timeout=60)
        assert host.exists("/root/was-shut")
        told[wait] = "rolled back, logs in" if done.stdout.strip() == "0" else "LOCKED OUT"
        if not ended[wait]:
            told[wait] += f", the task has not ended after {PATIENCE} s"
    return told


@pytest.mark.soak
@pytest.mark.skipif(not os.environ.get("LOCKOUT_PEER"), reason="needs the peer's package: make soak")
def test_ours_comes_back_where_the_peer_stays_locked_out(make_host: Any, runner: AnsibleRunner) -> None:
    binaries = peers.environment("bench-peers")
    theirs = {wait: make_host(f"peer{wait}", extra_packages=PACKAGES) for wait in WAITS}
    for host in theirs.values():
        host.write("/root/drop.rules", RULES, 0o600)
    with AnsibleRunner(Path(peers.ROOT)) as other:
        other.bin = binaries
        peer = outcome(other, theirs, PEER)
    for wait, host in theirs.items():
        # Whatever it told: a host that is shut has the rules, one that is open has not.
        shut = "-P INPUT DROP" in host.run("iptables -S INPUT").stdout
        assert shut is peer[wait].startswith("LOCKED OUT"), (wait, peer)
    ours = outcome(runner, {wait: make_host(f"ours{wait}", extra_packages=PACKAGES) for wait in WAITS}, OURS)
    assert set(ours.values()) == {"rolled back, logs in"}
    lines = [
        "| Seconds to wait | community.general.iptables_state | infogerance.perimeter.privileged_ips |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {wait} | {peer[wait]} | {ours[wait]} |" for wait in WAITS]
    table.check("peer", lines, write=bool(os.environ.get("LOCKOUT_WRITE_DOCS")))
