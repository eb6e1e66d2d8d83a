# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arm a change before its first write: save what it may touch, start a timer that outlives us.

``/var/lib/infogerance-perimeter/pending/<nonce>/`` holds ``change.json`` (what to put back), ``files/``, ``journal``
(moves made meanwhile), ``program/`` (the code that puts it back) and one of ``armed``, ``confirmed``, ``rolled-back``.

Timer: a transient systemd unit where systemd runs (it survives the end of our session), else a detached process.
Reboot: a unit or an @reboot crontab, which goes with the confirmation.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import os
import stat
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from . import rollback_program
from .account_database import ToolFailed, command
from .atomic_files import NotRegular, fault_point, read_bytes, write_atomic
from .homes import UnsafePath, open_directory
from .reconcile import Action
from .state_directory import Busy, StateDirectory, StateError

__all__ = ["Armed", "Journal", "Touched", "arm", "settle_pending", "take_reports"]

_PROGRAM = ("atomic_files", "homes", "rollback_program")
UNIT = "infogerance-perimeter-rollback"


@dataclass
class Touched:
    """What applying a plan may change: ``files`` as (path, uid whose directories lead there), and ``commands`` that
    make a restored state live (``{"argv": [...], "input": "..."}``), run in order after the files are back."""

    files: list[tuple[str, int]] = field(default_factory=list)
    commands: list[dict[str, Any]] = field(default_factory=list)


class Journal:
    """Notes moves before they are made. Without a folder (nothing armed) it notes nothing."""

    def __init__(self, folder: str | None = None) -> None:
        self.folder = folder

    def moved(self, path: str, to: str) -> None:
        """``path`` is about to be renamed to ``to``."""
        self._note({"what": "moved", "path": path, "to": to})

    def made(self, path: str) -> None:
        """``path`` is about to come into being."""
        if not os.path.lexists(path):
            self._note({"what": "made", "path": path})

    def _note(self, row: dict[str, str]) -> None:
        if self.folder is None:
            return
        handle = os.open(
            os.path.join(self.folder, "journal"), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        try:
            os.write(handle, (json.dumps(row) + "\n").encode("utf-8"))
            os.fsync(handle)
        finally:
            os.close(handle)


@dataclass
class Armed:
    """An armed change."""

    folder: str
    nonce: str
    timeout: int
    timer: str

    def extend(self) -> dict[str, Any]:
        """The work is done: the time to confirm starts now. What the controller needs to confirm."""
        change = rollback_program.load(self.folder)
        change["deadline"] = time.time() + self.timeout
        _write_change(self.folder, change)
        return {
            "status": "armed", "nonce": self.nonce, "folder": self.folder, "timeout": self.timeout, "timer": self.timer,
            "python": sys.executable,
        }  # fmt: skip


def arm(
    state: StateDirectory, kind: str, nonce: str, timeout: int, touched: Touched, actions: Sequence[Action]
) -> Armed:
    """Save and start the timer. Raises StateError; nothing has been changed then."""
    if not (nonce.isascii() and nonce.isalnum()):
        raise StateError("the confirmation's nonce must be letters and digits")
    state.ensure()
    folder = os.path.join(state.root, "pending", nonce)
    os.makedirs(os.path.join(folder, "files"), mode=0o700)
    os.makedirs(os.path.join(folder, "program"), mode=0o700)
    for name in _PROGRAM:
        module = importlib.import_module("%s.%s" % (__package__, name))
        source = inspect.getsource(module).encode("utf-8")
        write_atomic(os.path.join(folder, "program", name + ".py"), source)
    write_atomic(os.path.join(folder, "program", "__init__.py"), b"")
    write_atomic(
        os.path.join(folder, "program", "__main__.py"),
        b"import sys\n\nfrom .rollback_program import main\n\nsys.exit(main(sys.argv[1:]))\n",
    )
    files = [_save(folder, number, path, uid) for number, (path, uid) in enumerate(dict(touched.files).items())]
    change: dict[str, Any] = {
        "nonce": nonce, "kind": kind, "deadline": time.time() + timeout, "boot_id": rollback_program.boot_id(),
        "lock": os.path.join(state.root, "lock"), "files": files, "commands": touched.commands, "hooks": [],
        "actions": ["%s %s %s" % (a.action, a.kind, a.entry) for a in actions],
    }  # fmt: skip
    _write_change(folder, change)
    change["hooks"] = _boot_hooks(folder, nonce)
    _write_change(folder, change)
    write_atomic(os.path.join(folder, rollback_program.ARMED), b"")
    fault_point("rollback:armed")
    return Armed(folder, nonce, timeout, _start_timer(folder, nonce))


def _write_change(folder: str, change: dict[str, Any]) -> None:
    write_atomic(os.path.join(folder, "change.json"), (json.dumps(change, indent=1) + "\n").encode("utf-8"))


def _save(folder: str, number: int, path: str, owner: int) -> dict[str, Any]:
    row: dict[str, Any] = {"path": path, "owner": owner, "copy": None, "mode": 0o600, "uid": 0, "gid": 0}
    parent, name = os.path.split(path)
    try:
        base = open_directory(parent, owner)
    except (FileNotFoundError, UnsafePath):
        return row
    try:
        found = os.stat(name, dir_fd=base, follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode):
            raise StateError("%s is not a regular file: it could not be put back" % path)
        copy = "files/%d" % number
        write_atomic(os.path.join(folder, copy), read_bytes(name, dir_fd=base))
        row.update(copy=copy, mode=stat.S_IMODE(found.st_mode), uid=found.st_uid, gid=found.st_gid)
    except FileNotFoundError:
        pass
    except NotRegular as error:
        raise StateError("%s: %s" % (path, error)) from None
    finally:
        os.close(base)
    return row


#: Makes the folder's own copy of the program importable, whatever the working directory.
_START = "import sys; sys.path.insert(0, sys.argv[1]); from program.rollback_program import main; "
_START += "sys.exit(main(sys.argv[2:]))"


def _argv(folder: str, verb: str) -> list[str]:
    return [sys.executable, "-B", "-c", _START, folder, verb, folder]


def has_systemd() -> bool:
    """True where systemd is PID 1."""
    return os.path.isdir("/run/systemd/system")


def _start_timer(folder: str, nonce: str) -> str:
    if has_systemd():
        unit = "%s-%s" % (UNIT, nonce)
        argv = ["systemd-run", "--quiet", "--collect", "--unit", unit, "--property=KillMode=process", "--no-block"]
        with contextlib.suppress(ToolFailed):
            command([*argv, "--", *_argv(folder, "watch")])
            return "unit %s.service" % unit
    return "process %d" % _detach(_argv(folder, "watch"))


def _detach(argv: list[str]) -> int:
    """Start a process that belongs to nobody's session; its pid."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            grandchild = os.fork()
            if grandchild:
                os.write(writer, str(grandchild).encode("ascii"))
                os._exit(0)
            os.chdir("/")
            null = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(null, number)
            os.closerange(3, 4096)
            os.execve(argv[0], argv, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"})  # noqa: S606 - no shell to mislead
        finally:
            os._exit(127)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as stream:
        told = stream.read()
    if not told.isdigit():
        raise StateError("the roll-back timer could not be started; nothing was changed")
    return int(told)


def _boot_hooks(folder: str, nonce: str) -> list[str]:
    """Files that roll back at the next boot, should it come before the confirmation."""
    import shlex

    line = " ".join(shlex.quote(word) for word in _argv(folder, "boot"))
    if has_systemd():
        unit = "/etc/systemd/system/%s-%s.service" % (UNIT, nonce + "-boot")
        wants = "/etc/systemd/system/multi-user.target.wants/%s" % os.path.basename(unit)
        text = (
            "[Unit]\nDescription=Roll back an unconfirmed change of access\nBefore=ssh.service sshd.service\n"
            "ConditionPathExists=%s/armed\nAfter=local-fs.target\nDefaultDependencies=yes\n\n"
            "[Service]\nType=oneshot\nExecStart=%s\n" % (folder, line.replace("%", "%%"))
        )
        os.makedirs(os.path.dirname(wants), exist_ok=True)
        write_atomic(unit, text.encode("utf-8"), mode=0o644)
        os.symlink(unit, wants)
        return [wants, unit]
    if os.path.isdir("/etc/cron.d"):
        path = "/etc/cron.d/%s-%s" % (UNIT, nonce)
        write_atomic(path, ("@reboot root %s\n" % line.replace("%", "\\%")).encode("utf-8"), mode=0o644)
        return [path]
    return []


def settle_pending(state: StateDirectory) -> None:
    """Before a new change: an earlier one that is still armed is waited for by nobody but its timer, so refuse;
    one whose timer was lost (reboot without a hook) is rolled back now. Call it under the lock."""
    for folder in _folders(state):
        standing = rollback_program.state_of(folder)
        if standing == rollback_program.ROLLING:
            rollback_program.roll_back(folder, "finished by the next run")
        elif standing == rollback_program.ARMED:
            change = rollback_program.load(folder)
            left = change["deadline"] - time.time()
            if left > 0 and change["boot_id"] == rollback_program.boot_id():
                raise Busy("an earlier change waits for its confirmation for %d s more (%s)" % (left, folder))
            rollback_program.roll_back(folder, "its timer was lost; rolled back by the next run")
        elif standing == "unknown" and not os.path.exists(os.path.join(folder, "armed")):
            # Killed before it was armed: nothing was changed yet.
            _clear(folder)


def _folders(state: StateDirectory) -> list[str]:
    parent = os.path.join(state.root, "pending")
    try:
        return [os.path.join(parent, name) for name in sorted(os.listdir(parent))]
    except FileNotFoundError:
        return []


def _clear(folder: str) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def take_reports(state: StateDirectory, mark: bool) -> list[dict[str, Any]]:
    """The roll-backs that no run has told yet. With ``mark`` they are told now; settled changes are cleared."""
    told = []
    for folder in _folders(state):
        standing = rollback_program.state_of(folder)
        path = os.path.join(folder, "evidence.json")
        if standing == rollback_program.ROLLED_BACK and os.path.exists(path):
            evidence = dict(json.loads(read_bytes(path).decode("utf-8")))
            if not evidence["reported"]:
                told.append({k: evidence[k] for k in ("nonce", "kind", "why", "at", "problems", "actions")})
                if mark:
                    evidence["reported"] = True
                    write_atomic(path, (json.dumps(evidence, indent=1) + "\n").encode("utf-8"))
        elif standing == rollback_program.CONFIRMED and mark:
            _clear(folder)
    return told
