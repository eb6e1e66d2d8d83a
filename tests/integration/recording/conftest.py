# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A throw-away directory in which real `ansible-playbook` processes run. Nothing leaves this machine."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

INVENTORY = """
all:
  vars:
    ansible_connection: local
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  children:
    client_acme:
      hosts:
        web1:
        web2:
    client_globex:
      hosts:
        db1: {infogerance_client: "{{ 'glo' ~ 'bex' }}"}
    unreachable_ones:
      hosts:
        dead1: {ansible_connection: ssh, ansible_host: 127.0.0.1, ansible_port: 1, infogerance_client: acme}
"""


class Playground:
    """Files, runs and their ledger."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ledger = path / "state" / "ledger.sqlite3"
        self.write("hosts.yml", INVENTORY)
        # Another callback instead of ours: an empty setting is an error in Ansible.
        self.unrecorded = {
            "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit",
            "JUNIT_OUTPUT_DIR": str(path / "junit"),
        }
        self.environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "INFOGERANCE_"))},
            "HOME": str(path),
            "ANSIBLE_HOME": str(path / ".ansible"),
            "ANSIBLE_CALLBACKS_ENABLED": "infogerance.perimeter.intervention",
            "ANSIBLE_DEPRECATION_WARNINGS": "0",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_ASYNC_DIR": str(path / ".ansible_async"),
            "INFOGERANCE_PERIMETER_LEDGER": str(self.ledger),
        }

    def write(self, name: str, text: str) -> Path:
        """A file of the playground."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """Start ansible-playbook in a process group of its own."""
        # Whoever started the tests may ignore these two (nohup, a job in the background), and children inherit that.
        argv = ["env", "--default-signal=HUP,INT", str(Path(sys.executable).with_name("ansible-playbook"))]
        return subprocess.Popen(
            [*argv, "-i", "hosts.yml", *arguments],
            cwd=self.path,
            env={**self.environ, **environ},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, *arguments: str, expect: int = 0, **environ: str) -> str:
        """Run ansible-playbook to its end and check its exit code. Returns what it printed."""
        process = self.start(*arguments, **environ)
        # A ledger that stays locked is waited for twice, half a minute each.
        output = process.communicate(timeout=180)[0]
        assert process.returncode == expect, output
        return output

    def play(self, text: str, *arguments: str, expect: int = 0, **environ: str) -> str:
        """Run one playbook given as text."""
        self.write("site.yml", text)
        return self.run("site.yml", *arguments, expect=expect, **environ)

    def stop(self, text: str, how: signal.Signals) -> int:
        """Start a playbook that sleeps, wait for its marker, send a signal. Returns the exit code."""
        self.write("sleep.yml", text)
        process = self.start("sleep.yml")
        deadline = time.monotonic() + 30
        while not (self.path / "marker").exists():
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        # As a terminal does for SIGINT; as `kill` and the kernel do for the others.
        if how is signal.SIGINT:
            os.killpg(process.pid, how)
        else:
            process.send_signal(how)
        try:
            process.wait(timeout=30)
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.communicate()
        return process.returncode

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a SELECT on the ledger."""
        connection = sqlite3.connect(self.ledger)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(sql)]
        finally:
            connection.close()

    def interventions(self) -> list[dict[str, Any]]:
        """All interventions in order of their start, with the bodies of both ends unpacked."""
        found = self.query("SELECT * FROM interventions ORDER BY started_at")
        for row in found:
            row["started"] = json.loads(row["started"])
            row["ended"] = json.loads(row["ended"] or "{}")
        return found

    def only(self) -> dict[str, Any]:
        """The one intervention of this ledger."""
        found = self.interventions()
        assert len(found) == 1
        return found[0]

    def hosts(self) -> dict[str, dict[str, Any]]:
        """Hosts of the one intervention, by name."""
        return {row["host"]: row for row in self.query("SELECT * FROM intervention_hosts")}

    def tasks(self) -> list[tuple[str, str, str | None]]:
        """Host, status and name of the stored tasks, sorted."""
        found = self.query("SELECT * FROM intervention_tasks")
        return sorted((row["host"], row["status"], row["name"]) for row in found)


@pytest.fixture
def ground(tmp_path: Path) -> Playground:
    """An empty playground."""
    return Playground(tmp_path)
