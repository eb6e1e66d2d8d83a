# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the checkout's Ansible against lab hosts, over real SSH, apart from the caller's own Ansible settings."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.checkout import ROOT
from lab.errors import LabError
from lab.host import LOGIN_USER, Host

COLLECTION = ("infogerance", "perimeter")
_CONFIG = """\
[defaults]
callback_plugins = {callbacks}
callbacks_enabled = record_results
collections_path = {collections}
forks = 10
host_key_checking = True
interpreter_python = /usr/bin/python3
inventory_enabled = ansible.builtin.yaml, ansible.builtin.ini
local_tmp = {work}/tmp
retry_files_enabled = False
timeout = 10

[ssh_connection]
control_path_dir = {sockets}
pipelining = True
ssh_args = -F /dev/null -o ControlMaster=auto -o ControlPersist=30s -o BatchMode=yes -o LogLevel=ERROR
"""


@dataclass(frozen=True)
class TaskResult:
    """What one task did on one host."""

    host: str
    task: str
    action: str
    status: str
    """``ok``, ``failed``, ``unreachable`` or ``skipped``."""
    result: dict[str, Any]


@dataclass(frozen=True)
class PlayRun:
    """One run of ansible-playbook."""

    rc: int
    stdout: str
    stderr: str
    tasks: list[TaskResult]
    stats: dict[str, dict[str, int]] = field(default_factory=dict)

    def one(self, host: str | None = None, action: str | None = None) -> TaskResult:
        """The only result of that host and action. Raises LabError when there is none, or more than one."""
        found = [row for row in self.tasks if host in (None, row.host) and action in (None, row.action)]
        if len(found) != 1:
            raise LabError(f"{len(found)} results of {action or 'a task'}, not one\n{self.stdout}{self.stderr}")
        return found[0]

    def entry_points(self, host: str | None = None) -> dict[str, dict[str, Any]]:
        """Kind of entry point -> the last result that tells of it: of the plan, or of what was made of it."""
        told = [row for task in self.tasks if host in (None, task.host) for row in entry_points(task.result)]
        return {row["entry_point_kind"]: row for row in told}


def entry_points(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a task tells of kinds of entry points: its own result, or the several that one turn made."""
    several = result.get("results")
    rows = [result, *(several if isinstance(several, list) else [])]
    return [dict(row) for row in rows if isinstance(row, Mapping) and "entry_point_kind" in row]


class AnsibleRunner:
    """Runs playbooks and single modules. Close it (or use ``with``) to end its SSH masters."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self.bin = _ansible_bin(root)
        # A unix socket's path has 108 bytes at most, and pytest's own temporary paths are long.
        self.work = Path(tempfile.mkdtemp(prefix="ipl-", dir="/tmp"))
        self.sockets = self.work / "cp"
        self.sockets.mkdir(mode=0o700)
        collections = self.work / "collections"
        package = collections / "ansible_collections" / COLLECTION[0]
        package.mkdir(parents=True)
        # This very tree, and never a copy that an older tool left in the home directory.
        (package / COLLECTION[1]).symlink_to(root)
        self.config = self.work / "ansible.cfg"
        self.config.write_text(
            _CONFIG.format(
                callbacks=root / "lab" / "callback_plugins",
                collections=collections,
                work=self.work,
                sockets=self.sockets,
            )
        )

    def __enter__(self) -> AnsibleRunner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the SSH masters that are still there, and remove the working directory."""
        for socket in self.sockets.iterdir():
            command = ["ssh", "-F", "/dev/null", "-o", f"ControlPath={socket}", "-O", "exit", "lab"]
            subprocess.run(command, capture_output=True, check=False, timeout=10)
        shutil.rmtree(self.work, ignore_errors=True)

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The caller's environment without its Ansible settings."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        kept.pop("SSH_AUTH_SOCK", None)
        kept.update(
            ANSIBLE_CONFIG=str(self.config),
            ANSIBLE_HOME=str(self.work / "home"),
            ANSIBLE_NOCOLOR="1",
            LC_ALL="C.UTF-8",
            PATH=f"{self.bin}:{kept.get('PATH', '')}",
        )
        kept.update(extra or {})
        return kept

    def inventory(
        self,
        hosts: Sequence[Host],
        groups: Mapping[str, Sequence[str]] | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write an inventory of these hosts and return its path."""
        tree: dict[str, Any] = {
            "all": {
                "hosts": {host.name: {**host.inventory_vars(), **(overrides or {})} for host in hosts},
                "children": {group: {"hosts": {name: {} for name in names}} for group, names in (groups or {}).items()},
            }
        }
        path = self.work / f"inventory-{uuid.uuid4().hex[:8]}.json"
        path.write_text(json.dumps(tree, indent=1))
        return path

    def playbook(
        self,
        hosts: Sequence[Host],
        playbook: str | Path | Sequence[Mapping[str, Any]],
        *,
        check: bool = False,
        diff: bool = False,
        become: bool = True,
        user: str = LOGIN_USER,
        key: Path | None = None,
        groups: Mapping[str, Sequence[str]] | None = None,
        inventory_vars: Mapping[str, Any] | None = None,
        extra_vars: Mapping[str, Any] | None = None,
        extra_env: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
        timeout: float = 180,
    ) -> PlayRun:
        """Run a playbook: a list of plays, a path, or a name such as ``infogerance.perimeter.audit``."""
        run_id = uuid.uuid4().hex[:8]
        overrides: dict[str, Any] = {"ansible_become": become, "ansible_user": user, **(inventory_vars or {})}
        if key is not None:
            overrides["ansible_ssh_private_key_file"] = str(key)
        inventory = self.inventory(hosts, groups, overrides)
        if isinstance(playbook, (str, Path)):
            target = str(playbook)
        else:
            written = self.work / f"play-{run_id}.json"
            written.write_text(json.dumps(playbook, indent=1))
            target = str(written)
        argv = [str(self.bin / "ansible-playbook"), "-i", str(inventory), target, *arguments]
        if extra_vars:
            argv += ["--extra-vars", json.dumps(dict(extra_vars))]
        argv += ["--check"] * check + ["--diff"] * diff
        results = self.work / f"results-{run_id}.jsonl"
        try:
            done = subprocess.run(
                argv,
                env=self.environment({"LAB_RESULTS": str(results), **(extra_env or {})}),
                cwd=self.work,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise LabError(f"no end after {timeout:.0f} s: {' '.join(argv)}\n{error.stdout!r}") from error
        rows = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
        stats = rows.pop()["stats"] if rows and "stats" in rows[-1] else {}
        tasks = [TaskResult(**row) for row in rows if "stats" not in row]
        return PlayRun(done.returncode, done.stdout, done.stderr, tasks, stats)

    def module(
        self,
        host: Host,
        module: str,
        args: Mapping[str, Any] | None = None,
        *,
        task: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> tuple[int, dict[str, Any], str]:
        """Run one module on one host; return ansible-playbook's rc, the task's result, and what was printed.

        An unreachable host gives its own result, with ``unreachable: true``.
        """
        play = {
            "hosts": "all",
            "gather_facts": False,
            "tasks": [{"name": module, module: dict(args or {}), **(task or {})}],
        }
        run = self.playbook([host], [play], **options)
        return run.rc, run.one(host.name).result, run.stdout + run.stderr


def _ansible_bin(root: Path) -> Path:
    """Directory of ansible-playbook: of the running venv, else of the checkout's."""
    for directory in (Path(sys.executable).parent, root / ".venv" / "bin"):
        if (directory / "ansible-playbook").exists():
            return directory
    raise LabError("no ansible-playbook beside this Python or in .venv: run `make setup` first")
