# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that timers and cron start, as a process of its own, with a small script in Ansible's place."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import tree

PROGRAM = tree.ROOT / "roles" / "schedule" / "files" / "scheduled_run.py"
PLAY = '#!/bin/sh\nprintf "%s\\n" "$@" > played\necho "PLAY RECAP"\nexit 0\n'


class Node:
    """A control node's directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings: dict[str, Any] = {
            "mode": "push",
            "program": str(self.script("ansible-playbook", PLAY)),
            "project": str(path),
            "inventory": ["inventory.yml"],
            "state": str(path / "state"),
            "stop_file": str(path / "stop"),
            "freeze": [],
            "lock_wait": 0.3,
            "jitter": 0,
            "playbooks": {"audit": "a.audit", "reconcile": "a.reconcile"},
            "notice": {"mail": [], "command": ["tee", str(path / "notice")]},
            "jobs": {"acme": {"limit": "client_acme", "extra_vars": {"x": 1}}},
        }

    def script(self, name: str, text: str) -> Path:
        path = self.path / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def command(self, *words: str) -> list[str]:
        config = self.path / "schedule.json"
        config.write_text(json.dumps(self.settings))
        return [sys.executable, "-I", str(PROGRAM), "--config", str(config), *words]

    def run(self, *words: str) -> tuple[int, str]:
        done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    def outcome(self, label: str = "reconcile-acme") -> Any:
        return json.loads((self.path / "state" / "status" / f"{label}.json").read_text())["outcome"]

    @property
    def played(self) -> list[str]:
        path = self.path / "played"
        return path.read_text().split("\n")[:-1] if path.exists() else []


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_a_job_is_run_with_its_hosts_variables_and_secrets(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    handed = node.path / "credentials"
    handed.mkdir()
    (handed / "ssh_key").write_text("secret")
    (node.path / "vault").write_text("secret")
    node.settings["credentials"] = {"ssh_key": "/nowhere/key", "vault_password": str(node.path / "vault")}
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(handed))
    code, said = node.run("run", "reconcile", "acme")
    assert (code, node.outcome()) == (0, "ok"), said
    assert "PLAY RECAP" in said
    assert node.played == [
        *("--inventory", "inventory.yml", "--limit", "client_acme", "--private-key", str(handed / "ssh_key")),
        *("--vault-password-file", str(node.path / "vault"), "--extra-vars", '{"x": 1}', "a.reconcile"),
    ]
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    code, said = node.run("run", "reconcile", "acme")
    assert (code, "ssh_key: /nowhere/key cannot be read" in said) == (78, True)


def test_one_file_stops_every_job_even_as_a_dangling_link(node: Node) -> None:
    (node.path / "stop").write_text("the data centre moves\nmore\n")
    for action in ("audit", "reconcile"):
        code, said = node.run("run", action, "acme")
        assert (code, node.outcome(f"{action}-acme"), node.played) == (0, "stopped", [])
        assert f"was not run: {node.path}/stop is there: the data centre moves\n" in said
    (node.path / "stop").unlink()
    (node.path / "stop").symlink_to("/nowhere")
    assert node.run("run", "audit", "acme")[0] == 0
    assert node.played == []


def test_a_stop_that_cannot_be_looked_for_stops(node: Node) -> None:
    # As a directory that the job's user may not enter, which root, who runs this test perhaps, always may.
    (node.path / "loop").symlink_to("loop")
    node.settings["stop_file"] = str(node.path / "loop" / "stop")
    code, said = node.run("run", "reconcile", "acme")
    assert (code, node.outcome(), node.played) == (0, "stopped", [])
    assert "loop/stop cannot be looked for: " in said


def test_a_freeze_holds_reconcile_only_and_both_days_belong_to_it(node: Node) -> None:
    today = datetime.now().astimezone().date()
    for first, last, frozen in ((0, 0, True), (-3, 0, True), (0, 3, True), (-3, -1, False), (1, 3, False)):
        window = {"from": str(today + timedelta(first)), "until": str(today + timedelta(last)), "reason": "sales"}
        node.settings["jobs"]["acme"]["freeze"] = [window]
        code, said = node.run("run", "reconcile", "acme")
        assert (code, node.outcome()) == (0, "frozen" if frozen else "ok"), said
        assert (": sales" in said) is frozen
        assert node.run("run", "audit", "acme")[0] == 0
        assert node.outcome("audit-acme") == "ok"
    node.settings["freeze"] = [{"from": "soon", "until": "later"}]
    code, said = node.run("run", "reconcile", "acme")
    assert (code, "freeze:" in said) == (78, True)


def test_jobs_of_one_inventory_take_turns(node: Node) -> None:
    node.script("ansible-playbook", "#!/bin/sh\necho >> began\nsleep 3\n")
    with subprocess.Popen(node.command("run", "audit", "acme"), stdout=subprocess.DEVNULL) as first:
        while not (node.path / "began").exists():
            time.sleep(0.02)
        code, said = node.run("run", "reconcile", "acme")
        assert (code, node.outcome()) == (75, "busy")
        assert "the inventory is still busy (audit acme, since" in said
        # Another inventory is nobody's turn.
        other = Node(node.path)
        other.settings["inventory"] = ["elsewhere.yml"]
        assert other.run("run", "reconcile", "acme")[0] == 0
        assert first.wait() == 0
    node.script("ansible-playbook", "#!/bin/sh\necho >> began\nsleep 1\n")
    node.settings["lock_wait"] = 30
    (node.path / "began").unlink()
    with subprocess.Popen(node.command("run", "audit", "acme"), stdout=subprocess.DEVNULL) as first:
        while not (node.path / "began").exists():
            time.sleep(0.02)
        code, said = node.run("run", "reconcile", "acme")
        assert (code, node.outcome()) == (0, "ok")
        assert "waits for audit acme" in said
        assert first.wait() == 0


def test_a_failure_is_told_with_the_end_of_its_output(node: Node) -> None:
    node.script("ansible-playbook", "#!/bin/sh\nseq 100\necho UNREACHABLE\nexit 4\n")
    code, _said = node.run("run", "reconcile", "acme", "--notify")
    assert (code, node.outcome()) == (4, "failed")
    told = (node.path / "notice").read_text()
    assert "reconcile of acme on" in told.split("\n")[0]
    assert "failed, exit code 4" in told.split("\n")[0]
    assert told.endswith("100\nUNREACHABLE\n")
    assert "\n5\n" not in told
    # As OnFailure does it; and a command that fails is an error.
    (node.path / "notice").unlink()
    assert node.run("notice", "infogerance-perimeter-reconcile-acme.service")[0] == 0
    assert (node.path / "notice").exists()
    node.settings["notice"]["command"] = ["false"]
    assert node.run("notice", "infogerance-perimeter-reconcile-acme.service")[0] == 1


def test_a_run_that_was_killed_is_told_as_such(node: Node) -> None:
    # It ends by itself, soon after the program that started it.
    node.script("ansible-playbook", "#!/bin/sh\necho >> began\nexec sleep 5\n")
    with subprocess.Popen(node.command("run", "audit", "acme"), stdout=subprocess.DEVNULL) as killed:
        while not (node.path / "began").exists():
            time.sleep(0.02)
        killed.kill()
        killed.wait()
    node.run("notice", "infogerance-perimeter-audit-acme.service")
    assert "was killed, or took too long" in (node.path / "notice").read_text()
