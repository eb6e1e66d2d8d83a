# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Root's commands inside a container, without podman: its `exec` starts four programs, and tests run thousands.

What is started has the container's namespaces, cgroups, environment and capabilities. Its system calls are not
filtered.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.podman import environment, inspect_container

_CGROUPS = Path("/sys/fs/cgroup")
# $1: how many cgroups follow; then what to run in them. A hierarchy that refuses is one that does not matter here.
_JOIN = 'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ 2>/dev/null >"$1" || :; shift; n=$((n-1)); done; exec "$@"'


@dataclass(frozen=True)
class Inside:
    """PID 1 of a running container, as this machine sees it."""

    pid: int
    started: str
    environment: dict[str, str]
    prefix: tuple[str, ...]

    @property
    def alive(self) -> bool:
        """Whether it is the very process still: numbers are used again."""
        return _started(self.pid) == self.started


_known: dict[str, Inside] = {}


def inside(container: str) -> Inside | None:
    """The way into a container; None when it does not run."""
    found = _known.get(container)
    if found is None or not found.alive:
        _known.pop(container, None)
        found = _look(container)
        if found is not None:
            _known[container] = found
    return found


def run(way: Inside, argv: Sequence[str], data: bytes | None, timeout: float) -> subprocess.CompletedProcess[bytes]:
    """Run a command as root and return its outcome, raw bytes. Raises LabError when it does not end in time."""
    # Files instead of pipes: a daemon that the command leaves behind may keep them open.
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        stdin.write(data or b"")
        stdin.seek(0)
        streams: dict[str, Any] = {"stdin": stdin if data is not None else subprocess.DEVNULL}
        process = subprocess.Popen(
            [*way.prefix, *argv],
            **streams,
            stdout=stdout,
            stderr=stderr,
            env=way.environment,
            cwd="/",
            umask=0o022,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise LabError(f"no answer after {timeout:.0f} s: {' '.join(argv)}") from error
            raise
        stdout.seek(0)
        stderr.seek(0)
        # As a shell tells it.
        return subprocess.CompletedProcess(argv, code if code >= 0 else 128 - code, stdout.read(), stderr.read())


def _look(container: str) -> Inside | None:
    state = inspect_container(container)
    pid = int(state["State"]["Pid"]) if state is not None and state["State"]["Running"] else 0
    started = _started(pid) if pid else None
    if started is None:
        return None
    proc = Path("/proc", str(pid))
    try:
        # Until the runtime has become the container's own program, environment and capabilities are the runtime's.
        while "runc" in os.readlink(proc / "exe"):
            time.sleep(0.01)
        joined = _cgroups((proc / "cgroup").read_text())
        bounds = _bounds((proc / "status").read_text())
        given = (proc / "environ").read_bytes().split(b"\0")
    except OSError:
        return None
    variables = dict(item.decode(errors="surrogateescape").split("=", 1) for item in given if b"=" in item)
    namespaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup")
    # nsenter is this machine's; all that it starts is the container's.
    program = shutil.which("nsenter", path=environment()["PATH"])
    if program is None:
        raise LabError("this machine has no nsenter")
    enter = (program, "--target", str(pid), *namespaces, "--", "/usr/bin/setpriv", f"--bounding-set={bounds}", "--")
    prefix = ("/bin/sh", "-c", _JOIN, "sh", str(len(joined)), *joined, *enter)
    return Inside(pid, started, {**variables, "HOME": "/root"}, prefix)


def _started(pid: int) -> str | None:
    try:
        return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def _cgroups(text: str) -> list[str]:
    """The files that take a process into the groups of `/proc/<pid>/cgroup`, both versions of it."""
    found = []
    for line in text.splitlines():
        _number, controllers, path = line.split(":", 2)
        name = controllers.removeprefix("name=")
        for top in (_CGROUPS / name,) if name else (_CGROUPS / "unified", _CGROUPS):
            file = top / path.lstrip("/") / "cgroup.procs"
            if file.exists():
                found.append(str(file))
                break
    return found


def _bounds(status: str) -> str:
    """What setpriv leaves of root's capabilities: those of the container."""
    (mask,) = (int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapBnd:"))
    return ",".join(["-all", *(f"+cap_{number}" for number in range(mask.bit_length()) if mask >> number & 1)])
