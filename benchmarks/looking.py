# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What looking at 200 servers costs: users' runtimes, monitoring declarations, tools in use, beside gathering facts.

The hosts are this machine, 200 times, by a local connection: what is measured is the controller and the modules.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import record
from pairing import Contender, Goal, Timing, contest
from play import Stage

ROUNDS = 5
HOSTS = 200
#: Each look is one module as gathering facts is; tools_in_use has two.
AT_MOST = 2.0
PLAYBOOKS = ("user_runtimes", "monitoring_declared", "tools_in_use")


def measure(rounds: int | None, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Yield the measurement."""
    with Stage(Path(sys.executable).parent) as stage:
        local = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"}
        names = {f"host{number:03d}": local for number in range(HOSTS)}
        groups: dict[str, Any] = {"client_acme": {"hosts": {name: {} for name in names}}}
        inventory = stage.write("hosts.json", {"all": {"hosts": names, "children": groups}})
        facts = stage.write("facts.json", [{"hosts": "all", "gather_facts": True, "tasks": []}])
        # The ledger that the sessions are compared with, and that keeps what was seen: part of the price.
        recorded = {
            "ANSIBLE_CALLBACKS_ENABLED": "infogerance.perimeter.intervention",
            "INFOGERANCE_PERIMETER_LEDGER": str(stage.work / "ledger.sqlite3"),
        }

        def look(name: str) -> Callable[[], Timing]:
            written = stage.write(
                f"{name}.json",
                [{"ansible.builtin.import_playbook": f"infogerance.perimeter.{name}"}],
            )
            return lambda: stage.playbook(written, inventory, changed=None, environment=recorded)

        outcome = contest(
            [
                Contender("gather_facts", lambda: stage.playbook(facts, inventory, changed=None)),
                *(Contender(name, look(name)) for name in PLAYBOOKS),
            ],
            rounds or ROUNDS,
            say,
        )
        goals = [Goal(name, "gather_facts", AT_MOST) for name in PLAYBOOKS]
        yield record.entry("looking", f"{HOSTS} hosts", outcome, goals, {})
