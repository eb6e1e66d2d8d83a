# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same mistake, made with community.general.iptables_state and with privileged_ips: who gets in again?

Needs PyPI's ansible package, in a venv of its own; ``make soak`` runs it.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks import peers
from lab.ansible_run import AnsibleRunner
from tests.integration.lockout import table
from tests.integration.privileged_ips.conftest import PACKAGES

#: Seconds to wait for the confirmation. The first two are multiples of five, which matters to the peer.
WAITS = (10, 20, 21)
RULES = "*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"
PEER = [
    {
        "name": "Drop everything",
        "community.general.iptables_state": {"state": "restored", "path": "/root/drop.rules"},
        "async": "{{ wait | int }}", "poll": 0, "ignore_errors": True, "ignore_unreachable": True,
    }
]  # fmt: skip
OURS = [
    {
        "name": "Drop everything but somebody else",
        "infogerance.perimeter.privileged_ips": {
            "addresses": ["198.51.100.7"], "sinks": [{"backend": "nftables", "ports": [22]}], "controller": "ignore",
            "confirm_timeout": "{{ wait }}",
        },
        "ignore_errors": True, "ignore_unreachable": True,
    }
]  # fmt: skip


def outcome(runner: AnsibleRunner, hosts: dict[int, Any], tasks: list[dict[str, Any]]) -> dict[int, str]:
    """Run, wait until every timer must be over, then try to log in."""
    inventory = {
        "all": {"hosts": {h.name: {**h.inventory_vars(), "wait": w, "ansible_timeout": 30} for w, h in hosts.items()}}
    }
    path = runner.work / "peer.json"
    path.write_text(json.dumps(inventory))
    runner.inventory = lambda *_a, **_k: path  # type: ignore[method-assign]
    play = [{"hosts": "all", "gather_facts": False, "strategy": "free", "tasks": tasks}]
    run = runner.playbook(list(hosts.values()), play, timeout=300)
    assert len(run.tasks) == len(hosts), run.stdout + run.stderr
    time.sleep(max(WAITS) + 20)
    told = {}
    for wait, host in hosts.items():
        done = host.ssh("deploy", "sudo -n id -u", timeout=60)
        told[wait] = "rolled back, logs in" if done.stdout.strip() == "0" else "LOCKED OUT"
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
    for host in theirs.values():
        # That the rules were applied at all, and not refused, shows in the answer of a host that stays shut.
        assert "INPUT" in host.run("iptables -S INPUT").stdout
    ours = outcome(runner, {wait: make_host(f"ours{wait}", extra_packages=PACKAGES) for wait in WAITS}, OURS)
    assert set(ours.values()) == {"rolled back, logs in"}
    lines = [
        "| Seconds to wait | community.general.iptables_state | infogerance.perimeter.privileged_ips |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {wait} | {peer[wait]} | {ours[wait]} |" for wait in WAITS]
    table.check("peer", lines, write=bool(os.environ.get("LOCKOUT_WRITE_DOCS")))
