# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run did, told by the disk, beside what the ledger has of it.

Each task of these playbooks leaves a line in a file, which no recorder has a hand in. A record is an intervention, or
the row of a task that left such a line. So what must be found is counted without asking the ledger.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.paged import PagedConnection
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.verification import verify
from tests.integration.recording.conftest import Playground

EQUAL = "equal"
MARKED = "marked incomplete"
BLOCKED = "blocked before its first task"


@dataclass(frozen=True)
class Count:
    """runs: interventions that were started. expected, found: records. verdict: what became of the difference."""

    runs: int
    expected: int
    found: int
    verdict: str


def effect(name: str, keywords: str = "", then: str = "true", *, each: bool = False) -> str:
    """A task of that name that leaves a line for its host, and one however often it loops.

    keywords: more of the task, in flow style. then: what else it does. each: a line for each time; for handlers.
    """
    mark = "-$$" if each else ""
    line = f'echo "{{{{ tag | default(0) }}}}{mark} {{{{ inventory_hostname }}}} {name}" >> "{{{{ effects }}}}"'
    more = f", {keywords}" if keywords else ""
    text = f"{line} && {then}".replace("'", "''")
    return f"{{name: {name}, ansible.builtin.shell: '{text}'{more}}}"


def play(*tasks: str, hosts: str = "client_acme", more: str = "") -> str:
    """A play of such tasks."""
    listed = "".join(f"    - {task}\n" for task in tasks)
    return f"- hosts: {hosts}\n  gather_facts: false\n{more}  tasks:\n{listed}"


class Arena(Playground):
    """A playground whose runs leave lines on the disk."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.effects = path / "effects"
        self.effects.touch()
        inventory = (path / "hosts.yml").read_text()
        self.write("hosts.yml", inventory.replace("vars:\n", f"vars:\n    effects: {path}/effects\n", 1))

    def did(self) -> Counter[tuple[str, str]]:
        """How often each task was done on each host: a loop's lines are one task."""
        lines = {line for line in self.effects.read_text().splitlines() if line}
        return Counter((host, task) for _tag, host, task in (line.split() for line in lines))

    def stored(self) -> Counter[tuple[str, str]]:
        """The rows of such tasks in the ledger."""
        names = {task for _host, task in self.did()}
        # A task that did not reach its host has a row, too, and did nothing.
        return Counter((host, name) for host, status, name in self.tasks() if name in names and status != "unreachable")

    def count(self, runs: int) -> Count:
        """Compare. Raises AssertionError when something is missing that no record owns up to."""
        did, stored = self.did(), self.stored()
        found = self.interventions()
        assert stored <= did, f"rows of tasks that never ran: {stored - did}"
        faults = verify(PagedConnection(Ledger(self.ledger))).faults
        assert faults == []
        expected = runs + sum(did.values())
        have = len(found) + sum(stored.values())
        assert len(found) == runs, f"{len(found)} interventions of {runs}"
        incomplete = [run for run in found if run["complete"] == 0]
        assert not [run for run in found if run["complete"] is None], "a run that nobody has judged"
        if have == expected and not incomplete:
            return Count(runs, expected, have, EQUAL)
        assert incomplete, f"missing, and no record says so: {did - stored}"
        return Count(runs, expected, have, MARKED)

    def reap(self) -> None:
        """What the next run does at its start, without being one."""
        self.run("infogerance.perimeter.ledger", "-e", "ledger_action=reap", **self.unrecorded)

    def take_over(self, text: str) -> None:
        """Import what a log has."""
        self.write("captured.log", text)
        self.run(
            "infogerance.perimeter.ledger",
            "-e",
            "ledger_action=import",
            "-e",
            "ledger_files=captured.log",
            **self.unrecorded,
        )

    def bodies(self) -> list[dict[str, Any]]:
        """The ends of all interventions."""
        return [run["ended"] for run in self.interventions()]
