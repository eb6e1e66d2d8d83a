# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with the hook, and a ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab import Host
from lab.ansible_run import AnsibleRunner, PlayRun

SPOOL = "/var/spool/infogerance-perimeter/sessions"
#: What the hook asks.
QUESTION = "What was done on this server?"


class Team:
    """Runs playbooks on one host of one client, recorded in one ledger."""

    def __init__(self, host: Host, runner: AnsibleRunner, folder: Path) -> None:
        self.host = host
        self._runner = runner
        self.ledger = folder / "ledger.sqlite3"
        self.environment = {
            "ANSIBLE_CALLBACKS_ENABLED": "infogerance.perimeter.intervention,record_results",
            "INFOGERANCE_PERIMETER_LEDGER": str(self.ledger),
        }

    def play(self, playbook: Any, **options: Any) -> PlayRun:
        """Run it, and expect that it goes well."""
        run = self.try_to_play(playbook, **options)
        assert run.rc == 0, run.stdout + run.stderr
        return run

    def try_to_play(self, playbook: Any, **options: Any) -> PlayRun:
        """Run it."""
        groups = {"client_acme": [self.host.name]}
        return self._runner.playbook([self.host], playbook, groups=groups, extra_env=self.environment, **options)

    def hook(self, state: str = "present") -> PlayRun:
        """Install the hook, or take it away."""
        role = {"name": "infogerance.perimeter.shell_hook"}
        tasks = [{"name": "Hook", "ansible.builtin.import_role": role}]
        return self.play([{"hosts": "all", "gather_facts": False, "vars": {"shell_hook_state": state}, "tasks": tasks}])

    def noted(self) -> list[dict[str, Any]]:
        """The interventions that the hook's notes became, oldest first."""
        with sqlite3.connect(self.ledger) as connection:
            connection.row_factory = sqlite3.Row
            sql = (
                "SELECT i.operator, i.complete, json_extract(i.started, '$.origin') AS origin, "
                "(SELECT json_extract(r.body, '$.note[0]') FROM records r WHERE r.run_id = i.run_id "
                "AND r.kind = 'annotated') AS note FROM interventions i WHERE origin != 'playbook' ORDER BY started_at"
            )
            return [dict(row) for row in connection.execute(sql)]

    def waiting(self) -> list[str]:
        """The names in the spool."""
        return self.host.run(["ls", "-A", SPOOL]).stdout.split()


@pytest.fixture(scope="module")
def team(module_hosts: Callable[..., Host], runner: AnsibleRunner, tmp_path_factory: pytest.TempPathFactory) -> Team:
    """A host with systemd's journal and the hook."""
    host = module_hosts("tools", flavour="systemd")
    made = Team(host, runner, tmp_path_factory.mktemp("tools"))
    host.run("useradd -m -s /bin/bash alice; usermod -aG sudo deploy")
    made.hook()
    return made
