# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that something else starts: ansible-pull, AWX, Semaphore, ansible-runner."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHANGE = "- hosts: all\n  gather_facts: false\n  tasks: [{name: Change, ansible.builtin.command: 'true'}]\n"


def git(folder: Path, *arguments: str) -> str:
    """Run git without anybody's settings."""
    names = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_pull_is_recorded_with_the_revision_that_it_pulled(ground: Any) -> None:
    source = ground.path / "source"
    source.mkdir()
    git(source, "init", "-q", "-b", "main")
    (source / "local.yml").write_text(CHANGE.replace("all", "localhost"), encoding="utf-8")
    git(source, "add", ".")
    git(source, "commit", "-qm", "one")
    program = str(Path(sys.executable).with_name("ansible-pull"))
    done = subprocess.run(
        [
            program,
            "-U",
            str(source),
            "-C",
            "main",
            "-d",
            str(ground.path / "checkout"),
            "-i",
            "localhost,",
            "local.yml",
        ],
        check=False,
        cwd=ground.path,
        env={**ground.environ, "PATH": f"{Path(program).parent}:/usr/bin:/bin"},
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    run = ground.only()
    assert (run["playbook"], run["outcome"], run["complete"]) == ("local.yml", "ok", 1)
    assert run["revision"] == git(source, "rev-parse", "HEAD")
    assert ground.tasks() == [("localhost", "changed", "Change")]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (
            {"awx_user_name": "ada", "awx_job_id": 4711, "tower_user_name": "ada", "awx_job_template_name": "deploy"},
            ("ada", "awx", "4711"),
        ),
        (
            {"semaphore_vars": {"task_details": {"id": 17, "username": "bob", "message": "now", "type": "deploy"}}},
            ("bob", "semaphore", "17"),
        ),
    ],
    ids=["AWX", "Semaphore"],
)
def test_who_pressed_the_button_is_the_operator(
    ground: Any, variables: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    # Both hand their variables over as one extra variables file, which may hold anything else.
    ground.write("extra.json", json.dumps({**variables, "database_password": "sesame-9f3c"}))
    ground.play(CHANGE, "-e", "@extra.json", "--limit", "web1")
    run = ground.only()
    operator = run["started"]["operator"]
    assert (run["operator"], operator["name_source"], operator["job"]) == expected
    assert operator["user"]
    assert b"sesame-9f3c" not in ground.ledger.read_bytes()


def test_a_run_of_ansible_runner_is_recorded(ground: Any) -> None:
    folder = ground.path / "runner"
    for name, content in {
        "project/site.yml": CHANGE,
        "inventory/hosts": "[client_acme]\nweb1 ansible_connection=local\n",
        "env/envvars": json.dumps({key: ground.environ[key] for key in ground.environ if "_" in key}),
        "env/extravars": json.dumps({"ansible_python_interpreter": sys.executable}),
    }.items():
        ground.write(f"runner/{name}", content)
    program = Path(sys.executable).with_name("ansible-runner")
    done = subprocess.run(
        [str(program), "run", str(folder), "-p", "site.yml", "--ident", "one"],
        check=False,
        cwd=ground.path,
        env={**ground.environ, "PATH": f"{program.parent}:/usr/bin:/bin"},
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    # Its own callback saw the same run.
    events = [json.loads(path.read_text()) for path in (folder / "artifacts" / "one" / "job_events").glob("*.json")]
    assert sum(event["event"] == "runner_on_ok" for event in events) == 1
    run = ground.only()
    assert (run["playbook"], run["outcome"], run["complete"]) == ("site.yml", "ok", 1)
    assert ground.tasks() == [("web1", "changed", "Change")]
    assert ground.hosts()["web1"]["client"] == "acme"
