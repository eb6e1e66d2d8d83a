# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What recording costs: 100 hosts x 10 tasks, with no recorder, with ours, and with ARA."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import peers
import record
from pairing import Contender, Goal, Timing, contest
from play import Stage

ROUNDS = 12
ARA_ROUNDS = 2
HOSTS, TASKS = 100, 10
OURS = "infogerance.perimeter.intervention"


def playbook() -> list[dict[str, Any]]:
    """Tasks as cheap as Ansible has them: whatever a recorder adds weighs most here."""
    tasks: list[dict[str, Any]] = []
    for number in range(TASKS):
        if number % 2:
            tasks.append({"name": f"Fact {number}", "ansible.builtin.set_fact": {"fact": number}})
        else:
            tasks.append({"name": f"Say {number}", "ansible.builtin.debug": {"msg": f"{number}"}})
    return [{"name": "Work", "hosts": "all", "gather_facts": False, "tasks": tasks}]


def measure(rounds: int | None, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Yield the measurement."""
    with Stage(peers.environment("bench-ara")) as stage:
        names = {f"host{number:03d}": {"ansible_connection": "local"} for number in range(HOSTS)}
        inventory = stage.write("hosts.json", {"all": {"hosts": names}})
        work = stage.write("work.json", playbook())
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
                Contender("ARA", lambda: recorded(ara, ara_store, "playbooks"), ARA_ROUNDS),
            ],
            rounds or ROUNDS,
            say,
        )
        goals = [Goal(OURS, "no recorder", 1.03), Goal(OURS, "ARA", 0.5)]
        versions = {"ara": peers.release(stage.binaries, "ara")}
        yield record.entry("callback", f"{HOSTS} hosts x {TASKS} tasks", outcome, goals, versions)


def rows(store: Path, table: str) -> int:
    """How many rows a recorder's table holds; 0 while there is no file."""
    if not store.exists():
        return 0
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - our own names
