# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that reads a sink's file: is it running, has it read the file as it is now, and make it read it again.

Most services can't be asked what they hold. What can be known: a process that started after the file was last
written has read it; so has one that we told to, if it was still the same process and the file the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import signal
import stat
import subprocess
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from .command import DIRECTORIES, attempt
from .protocol import SinkError

__all__ = ["Daemon", "Process"]

#: Clock ticks and the coarse clock of file times: a file and a process this close in time count as in order.
SLACK = 0.06
PATIENCE = 8.0
#: systemd's names, where they differ from the process's.
UNITS = {"sshd": "ssh", "nrpe": "nagios-nrpe-server"}
#: Services whose main process is not root's, and the accounts that it may have.
ROOTLESS = {"nrpe": ("nagios", "nrpe")}


class Process(NamedTuple):
    """One process. ``started`` is in seconds since the epoch, ``ticks`` identifies it together with its number.
    ``uid`` is the real one: it says who started it.
    """

    pid: int
    parent: int
    ticks: int
    started: float
    name: str
    uid: int = 0


def _processes(names: frozenset[str]) -> list[Process]:
    hertz = os.sysconf("SC_CLK_TCK")
    found = []
    try:
        ours = os.readlink("/proc/self/ns/pid")
        with open("/proc/uptime", encoding="ascii") as stream:
            booted = time.time() - float(stream.read().split()[0])
    except OSError:
        return []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % entry, encoding="utf-8", errors="replace") as stream:
                text = stream.read()
            name = text[text.index("(") + 1 : text.rindex(")")]
            # The host sees the processes of its containers; they read files of their own.
            if name not in names or os.readlink("/proc/%s/ns/pid" % entry) != ours:
                continue
            uid = _real_uid(entry)
        except (OSError, ValueError, StopIteration):
            continue
        fields = text[text.rindex(")") + 2 :].split()
        if fields[0] in "ZX":
            continue
        ticks = int(fields[19])
        found.append(Process(int(entry), int(fields[1]), ticks, booted + ticks / hertz, name, uid))
    return found


def _real_uid(entry: str) -> int:
    # Not the owner of /proc/<pid>: that is root for a process that only made itself opaque.
    with open("/proc/%s/status" % entry, encoding="utf-8", errors="replace") as stream:
        return next(int(line.split()[1]) for line in stream if line.startswith("Uid:"))


def _is_believed(process: Process) -> bool:
    """Anybody may give a process a service's name. Root's own are believed, and those of the service's own account
    if the program is the service's and root's: what is found here is signalled, and started again as it was."""
    if process.uid == 0:
        return True
    try:
        accounts = {pwd.getpwnam(name).pw_uid for name in ROOTLESS.get(process.name, ()) if _is_known(name)}
        program = os.stat("/proc/%d/exe" % process.pid)
        path = os.readlink("/proc/%d/exe" % process.pid)
    except OSError:
        return False
    own = program.st_uid == 0 and not stat.S_IMODE(program.st_mode) & 0o022
    return process.uid in accounts and own and os.path.basename(path).split(" ")[0] == process.name


def _is_known(account: str) -> bool:
    try:
        pwd.getpwnam(account)
    except KeyError:
        return False
    return True


class Daemon:
    """A service by the name of its processes.

    ``workers`` tells that a reload replaces the children, so that their age shows when the file was read.
    """

    def __init__(self, names: tuple[str, ...], workers: bool = False) -> None:
        self.names = frozenset(names)
        self.workers = workers

    def main(self) -> Process | None:
        """The process that the others descend from; the oldest one if there are several. None if nothing runs."""
        found = [p for p in _processes(self.names) if _is_believed(p)]
        pids = {p.pid for p in found}
        heads = [p for p in found if p.parent not in pids]
        return min(heads, key=lambda p: p.ticks) if heads else None

    def _children(self, main: Process) -> list[Process]:
        return [p for p in _processes(self.names) if p.parent == main.pid]

    def has_read(self, path: str, memory: Mapping[str, Any]) -> bool | None:
        """True where the running service has read the file as it is now. None where nothing runs."""
        main = self.main()
        if main is None:
            return None
        try:
            written = os.stat(path).st_mtime
        except OSError:
            return True
        times = [main.started]
        if self.workers:
            times += [p.started for p in self._children(main)]
        if max(times) + SLACK >= written:
            return True
        return dict(memory.get("loaded", {})) == self.mark(path, main)

    @staticmethod
    def mark(path: str, main: Process) -> dict[str, Any]:
        """What identifies a file as read by a process."""
        try:
            with open(path, "rb") as stream:
                digest = hashlib.sha256(stream.read()).hexdigest()
        except OSError:
            digest = "none"
        return {"sha256": digest, "pid": main.pid, "ticks": main.ticks}

    def signal(self, main: Process) -> None:
        """Send SIGHUP to the main process. Raises SinkError."""
        try:
            os.kill(main.pid, signal.SIGHUP)
        except OSError as error:
            raise SinkError("process %d can't be signalled: %s" % (main.pid, error.strerror)) from None

    def way_back(self) -> list[dict[str, Any]]:
        """SIGHUP for the roll-back program, if anything runs. By name: after a reboot the number is somebody else's."""
        main = self.main()
        if main is None:
            return []
        unit = UNITS.get(main.name, main.name)
        return [{"hup": main.name, "uid": main.uid, "argv": self.command_of(main), "unit": unit}]

    def await_workers(self, path: str) -> None:
        """Wait until a worker is younger than the file: the service has taken it. Raises SinkError."""
        written = os.stat(path).st_mtime
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            main = self.main()
            if main is None:
                raise SinkError("the service died over its reload")
            if any(p.started + SLACK >= written for p in self._children(main)):
                return
            time.sleep(0.05)
        raise SinkError("the service still runs on its old configuration %g s after the reload" % PATIENCE)

    def listening(self, main: Process) -> frozenset[str]:
        """Inodes of the sockets that the main process holds open."""
        found = set()
        try:
            for entry in os.listdir("/proc/%d/fd" % main.pid):
                with contextlib.suppress(OSError):
                    target = os.readlink("/proc/%d/fd/%s" % (main.pid, entry))
                    if target.startswith("socket:"):
                        found.add(target)
        except OSError:
            pass
        return frozenset(found)

    def hang_up(self) -> Process:
        """SIGHUP, then wait until the service has closed and opened its sockets anew. Raises SinkError."""
        main = self.main()
        if main is None:
            raise SinkError("nothing runs")
        before = self.listening(main)
        self.signal(main)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            now = self.main()
            if now is None or (now.pid, now.ticks) != (main.pid, main.ticks):
                raise SinkError("the service died over its reload")
            held = self.listening(now)
            if held and not before <= held:
                return now
            time.sleep(0.05)
        raise SinkError("the service did not reopen its sockets within %g s of SIGHUP" % PATIENCE)

    @staticmethod
    def command_of(main: Process) -> list[str]:
        """The command line it was started with."""
        try:
            with open("/proc/%d/cmdline" % main.pid, "rb") as stream:
                return [word.decode("utf-8", "surrogateescape") for word in stream.read().split(b"\0") if word]
        except OSError:
            return []

    def revive(self, command: list[str], unit: str) -> str | None:
        """Start a service that died: by systemd where it runs, otherwise as it was started. None if it runs."""
        if self.main() is not None:
            return None
        if os.path.isdir("/run/systemd/system"):
            attempt(["systemctl", "restart", unit])
        elif command:
            with contextlib.suppress(OSError):
                subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                    env={"PATH": ":".join(DIRECTORIES)},
                    cwd="/",
                )
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.main() is not None:
                return None
            time.sleep(0.1)
        return "and could not be started again"
