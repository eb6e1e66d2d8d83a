# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-playbook for a benchmark: the same settings for all contenders, timed, and checked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pairing import Timing

ROOT = Path(__file__).resolve().parent.parent
RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)
# Pipelining and a kept connection are what anybody who cares for speed has on; peers get them too.
CONFIG = """\
[defaults]
collections_path = {collections}
forks = 10
gathering = explicit
host_key_checking = True
interpreter_python = /usr/bin/python3
local_tmp = {work}/tmp
retry_files_enabled = False

[ssh_connection]
control_path_dir = {work}/cp
pipelining = True
ssh_args = -F /dev/null -o ControlMaster=auto -o ControlPersist=120s -o BatchMode=yes -o LogLevel=ERROR
"""


def surroundings() -> dict[str, str]:
    """The surroundings of what is timed: as a user's, with compiled modules kept, but in a place of our own."""
    outside = ("ANSIBLE_", "ARA_", "PYTHON")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(outside)}
    return {**kept, "PYTHONPYCACHEPREFIX": str(ROOT / ".cache" / "bench" / "pycache")}


class Stage:
    """A working directory with its own Ansible settings. Use it as a context manager."""

    def __init__(self, binaries: Path) -> None:
        """:param binaries: the venv's bin directory; all contenders of a contest use the same one."""
        self.binaries = binaries
        self._folder = tempfile.TemporaryDirectory(prefix="ipb-", dir="/tmp")
        self.work = Path(self._folder.name)
        self._output = self.work / "output"
        (self.work / "cp").mkdir(mode=0o700)
        package = self.work / "collections" / "ansible_collections" / "infogerance"
        package.mkdir(parents=True)
        (package / "perimeter").symlink_to(ROOT)
        config = CONFIG.format(collections=self.work / "collections", work=self.work)
        (self.work / "ansible.cfg").write_text(config, encoding="utf-8")

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        for socket in (self.work / "cp").iterdir():
            command = ["ssh", "-F", "/dev/null", "-o", f"ControlPath={socket}", "-O", "exit", "bench"]
            subprocess.run(command, capture_output=True, timeout=10)
        self._folder.cleanup()

    def write(self, name: str, content: Any) -> Path:
        """Write a playbook or an inventory. JSON is YAML, and quotes what must be quoted."""
        path = self.work / name
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    def output(self) -> str:
        """What the last playbook printed."""
        return self._output.read_text(encoding="utf-8", errors="replace")

    def playbook(
        self,
        playbook: Path,
        inventory: Path,
        *,
        changed: bool | None,
        environment: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
    ) -> Timing:
        """Run it and return what it took.

        :param changed: whether something must, or must not, have changed; None if it does not matter.
        :raises RuntimeError: the run failed, or did not do what the benchmark says it does.
        """
        kept = surroundings()
        kept.update(
            ANSIBLE_CONFIG=str(self.work / "ansible.cfg"),
            ANSIBLE_HOME=str(self.work / "home"),
            ANSIBLE_NOCOLOR="1",
            PATH=f"{self.binaries}{os.pathsep}{kept.get('PATH', os.defpath)}",
        )
        kept.update(environment or {})
        command = [str(self.binaries / "ansible-playbook"), "-i", str(inventory), *arguments, str(playbook)]
        with self._output.open("wb") as sink:
            started = time.perf_counter()
            process = subprocess.Popen(
                command, cwd=self.work, env=kept, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT
            )
            # wait4 and not wait: it also tells the processor time of the forks.
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            wall = time.perf_counter() - started
        text = self.output()
        recap = RECAP.findall(text)
        total = sum(int(row[2]) for row in recap)
        if process.returncode != 0 or not recap or (changed is not None and changed != bool(total)):
            raise RuntimeError(
                f"{playbook.name}: exit code {process.returncode}, {total} changed, "
                f"wanted {'any' if changed is None else 'some' if changed else 'none'}\n{text[-3000:]}"
            )
        return Timing(wall, usage.ru_utime + usage.ru_stime)
