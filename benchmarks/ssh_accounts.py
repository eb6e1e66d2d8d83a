# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts on one host over SSH: our module, the field's loops, and a bare ping.

Three questions. What does a run cost that changes nothing (50 and 1000
accounts), beside a `ping`? And the same with loops of ansible.builtin.user and
ansible.posix.authorized_key (50)? What does creating 200 accounts take?
"""

from __future__ import annotations

import base64
import hashlib
import struct
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
CREATE_ROUNDS = 2


def account(number: int) -> dict[str, Any]:
    name = f"person{number:04d}"
    kind = b"ssh-ed25519"
    point = hashlib.sha256(name.encode()).digest()
    blob = struct.pack(">I", len(kind)) + kind + struct.pack(">I", len(point)) + point
    key = f"ssh-ed25519 {base64.b64encode(blob).decode()} {name}"
    return {"name": name, "comment": f"Person {number}", "shell": "/bin/bash", "keys": [key]}


def play(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"hosts": "all", "gather_facts": False, "become": True, "tasks": tasks}]


def module_play(count: int) -> list[dict[str, Any]]:
    accounts = [account(number) for number in range(count)]
    return play([{"name": "Accounts", "infogerance.perimeter.ssh_accounts": {"accounts": accounts}}])


def loops_play(count: int) -> list[dict[str, Any]]:
    accounts = [account(number) for number in range(count)]
    user = {name: "{{ item.%s }}" % name for name in ("name", "comment", "shell")}
    return play(
        [
            {"name": "Accounts", "ansible.builtin.user": user, "loop": accounts},
            {
                "name": "Keys",
                "ansible.posix.authorized_key": {"user": "{{ item.name }}", "key": "{{ item['keys'][0] }}"},
                "loop": accounts,
            },
        ]
    )


@contextmanager
def fresh_host(name: str) -> Iterator[Host]:
    made = Lab().host(name)
    try:
        yield made
    finally:
        made.destroy()


def inventory(stage: Stage, host: Host) -> Path:
    return stage.write(f"{host.name}.json", {"all": {"hosts": {host.name: host.inventory_vars()}}})


def converged(stage: Stage, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Runs that find nothing to do."""
    ping = stage.write("ping.json", play([{"name": "Ping", "ansible.builtin.ping": {}}]))
    small = stage.write("module-50.json", module_play(50))
    large = stage.write("module-1000.json", module_play(1000))
    loops = stage.write("loops-50.json", loops_play(50))
    with fresh_host("bench-small") as one, fresh_host("bench-large") as other:
        few, many = inventory(stage, one), inventory(stage, other)
        say("creating 50 and 1000 accounts")
        stage.playbook(small, few, changed=True)
        stage.playbook(large, many, changed=True)
        outcome = contest(
            [
                Contender("ping", lambda: stage.playbook(ping, few, changed=False)),
                Contender("ssh_accounts, 50 accounts", lambda: stage.playbook(small, few, changed=False)),
                Contender("ssh_accounts, 1000 accounts", lambda: stage.playbook(large, many, changed=False)),
                Contender("loops, 50 accounts", lambda: stage.playbook(loops, few, changed=False), LOOP_ROUNDS),
            ],
            rounds,
            say,
        )
    goals = [
        Goal("ssh_accounts, 50 accounts", "ping", 1.3),
        Goal("ssh_accounts, 1000 accounts", "ping", 2.0),
        Goal("ssh_accounts, 50 accounts", "loops, 50 accounts", 0.1),
    ]
    return record.entry("ssh_accounts", "nothing to do", outcome, goals, versions(stage))


def creating(stage: Stage, say: Callable[[str], None]) -> dict[str, Any]:
    """200 new accounts with a key each, every time on a fresh host."""
    module = stage.write("module-200.json", module_play(200))
    loops = stage.write("loops-200.json", loops_play(200))

    def on_fresh_host(playbook: Path) -> Timing:
        with fresh_host("bench-new") as host:
            timing = stage.playbook(playbook, inventory(stage, host), changed=True)
            made = host.run("grep -c ^person /etc/passwd; cat /home/person*/.ssh/authorized_keys | wc -l").stdout
            if made.split() != ["200", "200"]:
                raise RuntimeError(f"{playbook.name}: 200 accounts and 200 keys were wanted, there are {made.split()}")
            return timing

    outcome = contest(
        [
            Contender("ssh_accounts, 200 created", lambda: on_fresh_host(module)),
            Contender("loops, 200 created", lambda: on_fresh_host(loops)),
        ],
        CREATE_ROUNDS,
        say,
        warm_up=False,
    )
    goals = [Goal("ssh_accounts, 200 created", "loops, 200 created", 0.1)]
    return record.entry("ssh_accounts", "creating 200 accounts", outcome, goals, versions(stage))


def versions(stage: Stage) -> dict[str, str]:
    return {"ansible": peers.release(stage.binaries, "ansible")}


def measure(rounds: int | None, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Yield one measurement after the other, so that a long one cannot cost a finished one."""
    Lab().sweep()
    with Stage(peers.environment("bench-peers")) as stage:
        yield converged(stage, rounds or CONVERGED_ROUNDS, say)
        yield creating(stage, say)
