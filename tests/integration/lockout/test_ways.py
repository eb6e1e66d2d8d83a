# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lock oneself out in every way that ways.py knows, each on a host of its own, and get in again.

All runs are made by one playbook, side by side: most of their time is spent waiting for a login that can't come.
``LOCKOUT_WRITE_DOCS=1`` writes the measured table into docs/lockout.md; without it the table must be true.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab import Host
from lab.podman import inspect_container
from tests.integration.lockout import table
from tests.integration.lockout.looking import PENDING, login_key, state
from tests.integration.lockout.ways import GUARD, ROLL_BACK, VALIDATION, WAYS, Place, Way
from tests.integration.privileged_ips.conftest import PACKAGES
from tests.integration.privileged_ips.test_firewalld import PACKAGES as FIREWALLD_PACKAGES

#: Fifty hosts and roll-backs that are waited for: a long run.
pytestmark = pytest.mark.soak

#: Rules in their order within a chain; the order of chains and ipset's random seed mean nothing.
FIREWALL = (
    "nft list table inet infogerance_perimeter 2>/dev/null;"
    " for p in iptables ip6tables; do $p -S 2>/dev/null | LC_ALL=C sort -s -k2,2; done;"
    " ipset save 2>/dev/null | sed 's/ initval [^ ]*//' | sort;"
    " if firewall-cmd -q --state 2>/dev/null; then firewall-cmd --list-all-zones;"
    " for s in $(firewall-cmd --get-ipsets); do firewall-cmd --info-ipset=$s; done; fi; true"
)
FILES = (
    "/etc/nftables.conf",
    "/etc/nftables.d",
    "/etc/iptables",
    "/etc/ufw",
    "/etc/default/minifirewall",
    "/etc/firewalld",
    "/etc/cron.d",
)
TIMEOUT = 15
#: LOCKOUT_ONLY=name,name tries some; the table needs them all.
ONLY = os.environ.get("LOCKOUT_ONLY", "")
CHOSEN = [way for way in WAYS if not ONLY or way.name in ONLY.split(",")]


@dataclass
class Tried:
    way: Way
    host: Host
    place: Place
    reach: dict[str, Any]
    before: dict[str, object]
    firewall: str
    result: dict[str, Any]
    by: str = ""

    def logs_in(self) -> bool:
        """A login over a channel of its own, and root by sudo."""
        argv = self.host.ssh_argv("deploy", "sudo -n id -u")
        if self.reach:
            argv[argv.index("--") - 1] = str(self.reach["ansible_host"])
            argv = [*argv[:1], *shlex.split(self.reach["ansible_ssh_extra_args"]), *argv[1:]]
            argv[argv.index("-p") + 1] = "22"
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
        return done.stdout.strip() == "0"


def judge(way: Way, result: dict[str, Any]) -> str:
    """Who stopped it, read from the module's answer alone."""
    status = str(result.get("confirmation", {}).get("status"))
    if status == "rolled back" or str(result.get("msg")).endswith("rolled back"):
        return ROLL_BACK
    if result.get("failed"):
        return GUARD if result.get("refused") else VALIDATION
    kept = any("carries this connection" in str(row) or "carry this" in str(row) for row in result["protected"])
    return GUARD if kept else f"nobody ({status})"


def reach_of(way: Way, number: int, host: Host, jump: Host | None) -> tuple[dict[str, Any], str]:
    """How to get there, and our address as the host sees it."""
    if jump is None:
        return {}, host.run("ip -4 route show default").stdout.split()[2]
    target, us = host.address, jump.address
    if way.reach == "ipv6":
        target, us = f"2001:db8:77::{number + 16:x}", "2001:db8:77::1"
        _add_ipv6(host, target)
    command = (
        f"ssh -F /dev/null -i {jump.key} -p {jump.port} -o UserKnownHostsFile={jump.known_hosts} "
        "-o IdentitiesOnly=yes -o BatchMode=yes -W [%h]:%p deploy@127.0.0.1"
    )
    key = host.known_hosts.read_text().split(" ", 1)[1]
    host.known_hosts.write_text(f"[127.0.0.1]:{host.port} {key}{target} {key}")
    extra = f"-o ProxyCommand={shlex.quote(command)}"
    return {"ansible_host": target, "ansible_port": 22, "ansible_ssh_extra_args": extra}, us


def _add_ipv6(host: Host, address: str) -> None:
    found = inspect_container(host.container)
    assert found is not None
    # The host may not write its own kernel settings; this machine may, in the host's network.
    enter = ["nsenter", "--target", str(found["State"]["Pid"]), "--net", "sh", "-c"]
    switch = "for n in all default eth0; do echo 0 > /proc/sys/net/ipv6/conf/$n/disable_ipv6; done"
    subprocess.run([*enter, f"{switch}; ip -6 addr add {address}/64 dev eth0 nodad"], check=True, capture_output=True)


@pytest.fixture(scope="module")
def tried(module_hosts: Any, runner: Any) -> dict[str, Tried]:
    """Every way, tried at once. One playbook, one task for all hosts."""
    jump = module_hosts("jump")
    _add_ipv6(jump, "2001:db8:77::1")
    rows: dict[str, Tried] = {}

    def prepare(item: tuple[int, Way]) -> Tried:
        number, way = item
        packages = {"plain": (), "firewalld": FIREWALLD_PACKAGES}.get(way.host, PACKAGES)
        # iptables asks ipset by a raw socket.
        capabilities = ("NET_RAW",) if packages else ()
        flavour = "systemd" if way.host == "firewalld" else "plain"
        host = module_hosts(way.name, flavour=flavour, extra_packages=packages, capabilities=capabilities)
        reach, us = reach_of(way, number, host, jump if way.host == "jump" else None)
        place = Place(login_key(host), us)
        if "minifirewall" in way.setup:
            script = Path(__file__).parent.parent / "privileged_ips" / "minifirewall_modern.sh"
            host.copy_in(script, "/usr/local/sbin/minifirewall", 0o755)
        if way.setup:
            host.run(way.setup % {"us": us} if "%(us)s" in way.setup else way.setup, timeout=180)
        if way.reads_sshd:
            host.restart_sshd()
        before = state(host, *FILES)
        return Tried(way, host, place, reach, before, host.run(FIREWALL).stdout, {})

    with ThreadPoolExecutor(3) as pool:
        for row in pool.map(prepare, enumerate(CHOSEN)):
            rows[row.host.name] = row
    inventory: dict[str, Any] = {"all": {"hosts": {}}}
    for row in rows.values():
        arguments = _filled(row.way.arguments(row.place), row.place)
        inventory["all"]["hosts"][row.host.name] = {
            **row.host.inventory_vars(), **row.reach, "ansible_timeout": 10,
            "way_module": row.way.module, "way_arguments": {**arguments, "confirm_timeout": TIMEOUT},
        }  # fmt: skip
    run = _play(runner, rows, inventory)
    for task in run.tasks:
        if task.status != "skipped":
            rows[task.host].result = {**task.result, "failed": task.status in ("failed", "unreachable")}
    _await_all(rows)
    return {row.way.name: row for row in rows.values()}


def _filled(value: Any, place: Place) -> Any:
    if isinstance(value, dict):
        return {k: _filled(v, place) for k, v in value.items()}
    if isinstance(value, list):
        return [_filled(v, place) for v in value]
    return value.replace("%(us)s", place.us) if isinstance(value, str) else value


def _play(runner: Any, rows: dict[str, Tried], inventory: dict[str, Any]) -> Any:
    tasks = [
        {
            "name": module, f"infogerance.perimeter.{module}": {}, "args": "{{ way_arguments }}",
            "when": f"way_module == '{module}'", "ignore_errors": True, "ignore_unreachable": True,
        }
        for module in ("ssh_accounts", "privileged_ips")
    ]  # fmt: skip
    play = [{"hosts": "all", "gather_facts": False, "strategy": "free", "tasks": tasks}]
    kept = runner.inventory
    import json

    path = runner.work / "ways.json"
    path.write_text(json.dumps(inventory))
    runner.inventory = lambda *_a, **_k: path
    try:
        # Long enough for the slow; few enough at once that no login is late for want of a processor.
        return runner.playbook([r.host for r in rows.values()], play, arguments=["--forks", "12"], timeout=550)
    finally:
        runner.inventory = kept


def _await_all(rows: dict[str, Tried]) -> None:
    end = time.monotonic() + 60
    for row in rows.values():
        look = f"ls {PENDING}/*/armed {PENDING}/*/rolling-back 2>/dev/null"
        while row.host.run(look, check=False).stdout and time.monotonic() < end:
            time.sleep(0.5)


@pytest.mark.parametrize("way", CHOSEN, ids=lambda way: way.name)
@pytest.mark.slow
def test_nobody_is_locked_out(way: Way, tried: dict[str, Tried]) -> None:
    row = tried[way.name]
    assert row.result, "no answer"
    row.by = judge(way, row.result)
    assert row.by == way.by, row.result
    assert way.said in str(row.result), row.result
    assert row.logs_in()
    if not way.keeps_rest:
        after = state(row.host, *FILES)
        assert {
            k: (row.before.get(k), after.get(k)) for k in {*row.before, *after} if row.before.get(k) != after.get(k)
        } == {}
        assert row.host.run(FIREWALL).stdout == row.firewall


@pytest.mark.slow
@pytest.mark.skipif(bool(ONLY), reason="not all ways were tried")
def test_the_table_of_the_ways_is_true(tried: dict[str, Tried]) -> None:
    lines = table.ways([(row.way, judge(row.way, row.result), row.logs_in()) for row in tried.values()])
    assert len(lines) >= 32
    assert [row.way.name for row in tried.values() if judge(row.way, row.result) != row.way.by] == []
    table.check("ways", lines, write=bool(os.environ.get("LOCKOUT_WRITE_DOCS")))
