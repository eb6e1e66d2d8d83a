# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What looking at 200 servers costs: runtimes, monitoring declarations, tools in use, a departure; beside their facts.

The hosts are this machine, 200 times, by a local connection: what is measured is the controller and the modules. The
departure is one to come, of somebody who is declared and not there: all is planned and looked for, nothing is changed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import record
from pairing import Contender, Goal, Timing, contest
from play import Stage

ROUNDS = 5
HOSTS = 200
#: Each look is one module as gathering facts is; tools_in_use has two. A departure plans, looks for every way in, and
#: asks first whether the host is there.
AT_MOST = {"user_runtimes": 2.0, "monitoring_declared": 2.0, "tools_in_use": 2.0, "departure": 5.0}
LEAVER = {
    "access_ssh_accounts": [{"name": "perimeter-bench", "person": "carol.petit"}],
    "departure_person": "carol.petit",
    "departure_since": "2999-12-31",
    # Nobody to become: a test machine need not have sudo.
    "ansible_become": False,
}


def measure(rounds: int | None, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Yield the measurement."""
    hosts = int(os.environ.get("BENCH_HOSTS", HOSTS))
    with Stage(Path(sys.executable).parent) as stage:
        local = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3", **LEAVER}
        names = {f"host{number:03d}": local for number in range(hosts)}
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
                *(Contender(name, look(name)) for name in AT_MOST),
            ],
            rounds or ROUNDS,
            say,
        )
        goals = [Goal(name, "gather_facts", most) for name, most in AT_MOST.items()]
        yield record.entry("looking", f"{hosts} hosts, connection local", outcome, goals, {})
