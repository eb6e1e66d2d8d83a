# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What recording costs: 100 and 200 hosts x 10 tasks, with no recorder, with ours, and with ARA."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peers
import record
from pairing import Contender, Goal, Timing, contest
from play import Stage

TASKS = 10
OURS = "infogerance.perimeter.intervention"


@dataclass(frozen=True)
class Size:
    """One contest. commands: whether every other task starts a program, as playbooks do, and is not the controller's.

    goal: what recording may cost, against no recorder.
    """

    hosts: int
    commands: bool
    rounds: int
    ara_rounds: int
    goal: float

    @property
    def name(self) -> str:
        return f"{self.hosts} hosts x {TASKS} tasks" + (", debug and command" if self.commands else "")


SIZES = (
    # Tasks as cheap as Ansible has them: whatever a recorder adds weighs most here.
    Size(100, False, 12, 2, 1.03),
    Size(100, True, 5, 1, 1.02),
    Size(200, True, 3, 1, 1.02),
)


def playbook(*, commands: bool = False) -> list[dict[str, Any]]:
    """The tasks, every other one a debug."""
    tasks: list[dict[str, Any]] = []
    for number in range(TASKS):
        if number % 2 and commands:
            tasks.append(
                {"name": f"Run {number}", "ansible.builtin.command": {"argv": ["true"]}, "changed_when": False}
            )
        elif number % 2:
            tasks.append({"name": f"Fact {number}", "ansible.builtin.set_fact": {"fact": number}})
        else:
            tasks.append({"name": f"Say {number}", "ansible.builtin.debug": {"msg": f"{number}"}})
    return [{"name": "Work", "hosts": "all", "gather_facts": False, "tasks": tasks}]


def measure(rounds: int | None, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Yield a measurement for each size."""
    wanted = os.environ.get("CALLBACK_SIZES")
    for number, size in enumerate(SIZES, 1):
        if wanted is None or str(number) in wanted.split(","):
            yield measured(size, rounds, say)


def measured(size: Size, rounds: int | None, say: Callable[[str], None]) -> dict[str, Any]:
    """One measurement."""
    say(size.name)
    with Stage(peers.environment("bench-ara")) as stage:
        names = {f"host{number:03d}": {"ansible_connection": "local"} for number in range(size.hosts)}
        inventory = stage.write("hosts.json", {"all": {"hosts": names}})
        work = stage.write("work.json", playbook(commands=size.commands))
        ledger = stage.work / "ledger.sqlite3"
        ours = {"ANSIBLE_CALLBACKS_ENABLED": OURS, "INFOGERANCE_PERIMETER_LEDGER": str(ledger)}
        plugins = subprocess.run(
            [str(stage.binaries / "python"), "-m", "ara.setup.callback_plugins"],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout.strip()
        ara = {"ANSIBLE_CALLBACK_PLUGINS": plugins, "ARA_BASE_DIR": str(stage.work / "ara")}
        ara_store = stage.work / "ara" / "ansible.sqlite"

        def recorded(environment: dict[str, str], store: Path, table: str) -> Timing:
            # A recorder that failed to load costs nothing, and Ansible only warns.
            before = rows(store, table)
            timing = stage.playbook(work, inventory, changed=None, environment=environment)
            if rows(store, table) != before + 1:
                raise RuntimeError(f"{store.name}: the run was not recorded; {before} rows before, no more after")
            return timing

        outcome = contest(
            [
                Contender("no recorder", lambda: stage.playbook(work, inventory, changed=None)),
                Contender(OURS, lambda: recorded(ours, ledger, "interventions")),
                Contender("ARA", lambda: recorded(ara, ara_store, "playbooks"), size.ara_rounds),
            ],
            rounds or size.rounds,
            say,
        )
        goals = [Goal(OURS, "no recorder", size.goal), Goal(OURS, "ARA", 1.0 if size.commands else 0.5)]
        versions = {"ara": peers.release(stage.binaries, "ara")}
        return record.entry("callback", size.name, outcome, goals, versions)


def rows(store: Path, table: str) -> int:
    """How many rows a recorder's table holds; 0 while there is no file."""
    if not store.exists():
        return 0
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - our own names
