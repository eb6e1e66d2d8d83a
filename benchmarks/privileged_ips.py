# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Privileged IPs on one host over SSH: our module, a loop of ansible.builtin.iptables, and a bare ping.

What does a run cost that finds 10,000 addresses as declared, beside a `ping`?
What does changing 1,000 of them take, in one transaction? And how much slower
is a loop that adds 100 rules, or finds 100 as they are, beside our 100 entries?
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peers
import record
from pairing import Contender, Goal, Timing, contest
from play import ROOT, Stage

if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from lab import Host, Lab

CONVERGED_ROUNDS = 8
LOOP_ROUNDS = 2
CHANGE_ROUNDS = 4
PACKAGES = ("iptables",)
MANY, CHANGED, FEW = 10_000, 1_000, 100


def addresses(start: int, count: int) -> list[str]:
    """Distinct addresses, none beside another of one network that could be merged."""
    return [f"10.{number >> 8 & 255}.{number & 255}.{1 + (number >> 16)}" for number in range(start, start + count)]


def play(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"hosts": "all", "gather_facts": False, "become": True, "tasks": tasks}]


def module_play(gateway: str, listed: list[str]) -> list[dict[str, Any]]:
    arguments = {
        "addresses": [gateway, *listed],
        "sinks": [{"backend": "nftables", "lists": ["privileged"]}],
        "obsolete": "remove",
        "max_obsolete": "100%",
    }
    return play([{"name": "Addresses", "infogerance.perimeter.privileged_ips": arguments}])


def loop_play(listed: list[str]) -> list[dict[str, Any]]:
    rule = {"chain": "INPUT", "source": "{{ item }}", "jump": "ACCEPT"}
    return play([{"name": "Rules", "ansible.builtin.iptables": rule, "loop": listed}])


@contextmanager
def fresh_host(name: str) -> Iterator[Host]:
    made = Lab().host(name, extra_packages=PACKAGES)
    try:
        yield made
    finally:
        made.destroy()


def inventory(stage: Stage, host: Host) -> Path:
    return stage.write(f"{host.name}.json", {"all": {"hosts": {host.name: host.inventory_vars()}}})


def gateway_of(host: Host) -> str:
    return host.run("ip -4 route show default").stdout.split()[2]


def held(host: Host) -> int:
    """How many addresses the kernel's set has."""
    listing = host.run("nft list set inet infogerance_perimeter privileged_ipv4").stdout
    return listing.count(".") // 3


def converged(stage: Stage, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Runs that find nothing to do."""
    ping = stage.write("ping.json", play([{"name": "Ping", "ansible.builtin.ping": {}}]))
    with fresh_host("bench-ips-few") as one, fresh_host("bench-ips-many") as other:
        few, many = inventory(stage, one), inventory(stage, other)
        small = stage.write("ips-100.json", module_play(gateway_of(one), addresses(0, FEW)))
        large = stage.write("ips-10000.json", module_play(gateway_of(other), addresses(0, MANY)))
        loop = stage.write("iptables-100.json", loop_play(addresses(0, FEW)))
        say("filling the sets and the chain")
        stage.playbook(small, few, changed=True)
        stage.playbook(large, many, changed=True)
        stage.playbook(loop, few, changed=True)
        if held(other) != MANY + 1:
            raise RuntimeError(f"{MANY + 1} addresses were wanted, the set has {held(other)}")
        outcome = contest(
            [
                Contender("ping", lambda: stage.playbook(ping, few, changed=False)),
                Contender("privileged_ips, 100 addresses", lambda: stage.playbook(small, few, changed=False)),
                Contender("privileged_ips, 10000 addresses", lambda: stage.playbook(large, many, changed=False)),
                Contender(
                    "iptables loop, 100 addresses", lambda: stage.playbook(loop, few, changed=False), LOOP_ROUNDS
                ),
            ],
            rounds,
            say,
        )
    goals = [
        Goal("privileged_ips, 10000 addresses", "ping", 2.0),
        Goal("privileged_ips, 100 addresses", "iptables loop, 100 addresses", 1 / 20),
    ]
    return record.entry("privileged_ips", "nothing to do", outcome, goals, versions(stage))


def changing(stage: Stage, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """1,000 of 10,000 addresses replaced; and 100 added, by the module and by the loop."""
    with fresh_host("bench-ips-change") as host:
        target = inventory(stage, host)
        gateway = gateway_of(host)
        kept = addresses(0, MANY - CHANGED)
        variants = [
            stage.write(f"ips-change-{n}.json", module_play(gateway, kept + addresses(20_000 * n, CHANGED)))
            for n in (1, 2)
        ]
        hundred = stage.write("ips-add-100.json", module_play(gateway, addresses(0, FEW)))
        none = stage.write("ips-add-0.json", module_play(gateway, []))
        loop = stage.write("iptables-add-100.json", loop_play(addresses(0, FEW)))
        turn = 0

        def replace() -> Timing:
            nonlocal turn
            stage.playbook(variants[turn % 2], target, changed=None)
            turn += 1
            timing = stage.playbook(variants[turn % 2], target, changed=True)
            if held(host) != MANY + 1:
                raise RuntimeError(f"{MANY + 1} addresses were wanted, the set has {held(host)}")
            return timing

        def add() -> Timing:
            stage.playbook(none, target, changed=None)
            timing = stage.playbook(hundred, target, changed=True)
            if held(host) != FEW + 1:
                raise RuntimeError(f"{FEW + 1} addresses were wanted, the set has {held(host)}")
            return timing

        def add_by_loop() -> Timing:
            host.run("iptables -F INPUT")
            timing = stage.playbook(loop, target, changed=True)
            rules = host.run("iptables -S INPUT").stdout.count("ACCEPT") - 1
            if rules != FEW:
                raise RuntimeError(f"{FEW} rules were wanted, there are {rules}")
            return timing

        outcome = contest(
            [
                Contender("privileged_ips, 1000 of 10000 replaced", replace),
                Contender("privileged_ips, 100 added", add),
                Contender("iptables loop, 100 added", add_by_loop, LOOP_ROUNDS),
            ],
            rounds,
            say,
            warm_up=False,
        )
    # An address: a thousandth of the one run, a hundredth of the other. A fifth is fifty times as fast.
    goals = [Goal("privileged_ips, 1000 of 10000 replaced", "iptables loop, 100 added", 1 / 5)]
    return record.entry("privileged_ips", "changing", outcome, goals, versions(stage))


def versions(stage: Stage) -> dict[str, str]:
    return {"ansible": peers.release(stage.binaries, "ansible")}


def measure(rounds: int | None, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Yield one measurement after the other, so that a long one cannot cost a finished one."""
    Lab().sweep()
    with Stage(peers.environment("bench-peers")) as stage:
        yield converged(stage, rounds or CONVERGED_ROUNDS, say)
        yield changing(stage, min(rounds or CHANGE_ROUNDS, CHANGE_ROUNDS), say)
