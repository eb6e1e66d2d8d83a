# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arm a change before its first write: save what it may touch, start a timer that outlives us.

``/var/lib/infogerance-perimeter/pending/<nonce>/`` holds ``change.json`` (what to put back), ``files/``, ``journal``
(moves made meanwhile), ``program/`` (the code that puts it back) and one of ``armed``, ``confirmed``, ``rolled-back``.
The copies go with the confirmation, or once they are back.

Timer: a transient systemd unit where systemd runs (it survives the end of our session), else a detached process.
Nothing is changed before the timer has said that it runs.
Reboot: a unit or an @reboot crontab, which goes with the confirmation.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import inspect
import json
import os
import shlex
import shutil
import stat
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import rollback_program
from .account_database import ToolFailed, command
from .atomic_files import KEPT_XATTRS, NotRegular, fault_point, read_bytes, write_atomic
from .homes import UnsafePath, open_directory
from .journal import Touched
from .reconcile import Action
from .state_directory import Busy, StateDirectory, StateError

__all__ = ["Armed", "arm", "left_behind", "settle_pending", "take_reports"]

_PROGRAM = ("atomic_files", "homes", "rollback_program")
UNIT = "infogerance-perimeter-rollback"
#: Seconds that a timer may take to say that it runs.
PATIENCE = 15.0
#: Days that the evidence of a roll-back is kept after a run has reported it.
KEEP_EVIDENCE = 30
_ROOM = 64 * 1024
_CRONS = ("/usr/sbin/cron", "/usr/sbin/crond", "/sbin/crond")


@dataclass
class Armed:
    """An armed change."""

    folder: str
    nonce: str
    timeout: int
    timer: str
    reboot: str

    def extend(self) -> dict[str, Any]:
        """The work is done: the time to confirm starts now. What the controller needs to confirm."""
        change = rollback_program.load(self.folder)
        for row in change["files"]:
            # Lets a roll-back see what somebody else has written since.
            row["after"] = _digest(row["path"], row["owner"])
        change["deadline"] = rollback_program.now() + self.timeout
        _write_change(self.folder, change)
        return {
            "status": "armed", "nonce": self.nonce, "folder": self.folder, "timeout": self.timeout, "timer": self.timer,
            "reboot": self.reboot, "python": sys.executable,
        }  # fmt: skip

    def take_back(self, why: str) -> bool:
        """Put everything back now. False where the timer, or a confirmation, was first."""
        return rollback_program.roll_back(self.folder, why)


def arm(
    state: StateDirectory, kind: str, nonce: str, timeout: int, touched: Touched, actions: Sequence[Action]
) -> Armed:
    """Save and start the timer. Raises StateError; nothing has been changed then, and nothing is left behind."""
    if not (nonce.isascii() and nonce.isalnum()):
        raise StateError("the confirmation's nonce must be letters and digits")
    state.ensure()
    folder = os.path.join(state.root, "pending", nonce)
    if os.path.lexists(folder):
        raise StateError("%s is another change's: a nonce is good for one change" % folder)
    hooks: dict[str, str | None] = {}
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(os.path.dirname(folder), 0o700)
        for path in (folder, os.path.join(folder, "files"), os.path.join(folder, "program")):
            os.mkdir(path, 0o700)
        fault_point("arm:made")
        _write_program(folder)
        files = [_save(folder, number, path, uid) for number, (path, uid) in enumerate(dict(touched.files).items())]
        _reserve(folder, files)
        hooks, reboot = _boot_hooks(folder, nonce)
        change: dict[str, Any] = {
            "nonce": nonce, "kind": kind, "deadline": rollback_program.now() + timeout,
            "boot_id": rollback_program.boot_id(), "lock": os.path.join(state.root, "lock"), "files": files,
            "folders": _folders_above(touched.files), "commands": touched.commands, "hooks": list(hooks),
            "actions": ["%s %s %s" % (a.action, a.kind, a.entry) for a in actions],
        }  # fmt: skip
        # The hooks' names first: whoever finds this folder later knows what to take away.
        _write_change(folder, change)
        _write_hooks(hooks)
        write_atomic(os.path.join(folder, rollback_program.ARMED), b"")
        fault_point("rollback:armed")
        timer = _start_timer(folder, nonce)
    except (OSError, ToolFailed, StateError) as error:
        _give_up(folder, list(hooks))
        raise StateError("no roll-back could be prepared, nothing was changed: %s" % error) from error
    fault_point("rollback:watched")
    return Armed(folder, nonce, timeout, timer, reboot)


def _give_up(folder: str, hooks: Sequence[str]) -> None:
    """The mark goes first: a timer that did start finds nothing armed and ends."""
    for path in (os.path.join(folder, rollback_program.ARMED), *hooks):
        with contextlib.suppress(OSError):
            os.unlink(path)
    shutil.rmtree(folder, ignore_errors=True)


def _write_change(folder: str, change: dict[str, Any]) -> None:
    write_atomic(os.path.join(folder, "change.json"), (json.dumps(change, indent=1) + "\n").encode("utf-8"))


def _write_program(folder: str) -> None:
    for name in _PROGRAM:
        module = importlib.import_module("%s.%s" % (__package__, name))
        source = inspect.getsource(module).encode("utf-8")
        write_atomic(os.path.join(folder, "program", name + ".py"), source)
    write_atomic(os.path.join(folder, "program", "__init__.py"), b"")
    write_atomic(
        os.path.join(folder, "program", "__main__.py"),
        b"import sys\n\nfrom .rollback_program import main\n\nsys.exit(main(sys.argv[1:]))\n",
    )


def _save(folder: str, number: int, path: str, owner: int) -> dict[str, Any]:
    row: dict[str, Any] = {"path": path, "owner": owner, "copy": None, "mode": 0o600, "uid": 0, "gid": 0, "size": 0}
    parent, name = os.path.split(path)
    row["missing"] = _missing(parent)
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
        row.update(copy=copy, mode=stat.S_IMODE(found.st_mode), uid=found.st_uid, gid=found.st_gid, size=found.st_size)
        row["labels"] = _labels(base, name)
    except FileNotFoundError:
        pass
    except NotRegular as error:
        raise StateError("%s: %s" % (path, error)) from None
    finally:
        os.close(base)
    return row


def _missing(folder: str) -> list[str]:
    """The directories on the way that don't exist yet, the deepest first."""
    found = []
    while folder not in ("", "/") and not os.path.lexists(folder):
        found.append(folder)
        folder = os.path.dirname(folder)
    return found


def _labels(base: int, name: str) -> dict[str, str]:
    labels = {}
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=base)
    try:
        for label in KEPT_XATTRS:
            with contextlib.suppress(OSError):
                labels[label] = os.getxattr(handle, label).hex()
    finally:
        os.close(handle)
    return labels


def _digest(path: str, owner: int) -> str | None:
    parent, name = os.path.split(path)
    try:
        base = open_directory(parent, owner)
    except OSError:
        return None
    try:
        return rollback_program.digest_of(read_bytes(name, dir_fd=base))
    except OSError:
        return None
    finally:
        os.close(base)


def _folders_above(files: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    """The directories of users that lead to the files, the upper ones first: sshd looks at their modes."""
    found: dict[str, dict[str, Any]] = {}
    for path, owner in files:
        parent = os.path.dirname(path)
        for above in (os.path.dirname(parent), parent):
            if owner == 0 or above in found:
                continue
            with contextlib.suppress(OSError):
                seen = os.lstat(above)
                if stat.S_ISDIR(seen.st_mode) and seen.st_uid == owner:
                    mode = stat.S_IMODE(seen.st_mode)
                    found[above] = {"path": above, "mode": mode, "uid": seen.st_uid, "gid": seen.st_gid}
    return list(found.values())


def _reserve(folder: str, files: Sequence[dict[str, Any]]) -> None:
    """Room to put everything back: some of ours is held, the others' is looked for. Raises OSError, StateError."""
    wanted: dict[int, tuple[int, str]] = {}
    for row in files:
        parent = os.path.dirname(row["path"])
        with contextlib.suppress(FileNotFoundError):
            device = os.stat(parent).st_dev
            # The old file stands until the new one is whole: the largest must fit beside it.
            wanted[device] = max(wanted.get(device, (0, "")), (row["size"], parent))
    for size, parent in wanted.values():
        system = os.statvfs(parent)
        if size and system.f_blocks and system.f_bfree * system.f_frsize < size + 4096:
            raise StateError("No space left in %s to put a file of %d bytes back" % (parent, size))
    handle = os.open(os.path.join(folder, rollback_program.RESERVE), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(handle, 0, _ROOM + sum(row["size"] for row in files))
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
    finally:
        os.close(handle)


#: Makes the folder's own copy of the program importable. With -I neither the working directory nor a variable of the
#: environment can slip another module under it: it runs as root, in the home of whoever logged in.
_START = "import sys; sys.path.insert(0, sys.argv[1]); from program.rollback_program import main; "
_START += "sys.exit(main(sys.argv[2:]))"


def _argv(folder: str, verb: str) -> list[str]:
    return [sys.executable, "-I", "-B", "-c", _START, folder, verb, folder]


def has_systemd() -> bool:
    """True where systemd is PID 1."""
    return os.path.isdir("/run/systemd/system")


def _start_timer(folder: str, nonce: str) -> str:
    """Start it and wait until it says that it runs. Raises StateError."""
    if has_systemd():
        unit = "%s-%s" % (UNIT, nonce)
        argv = ["systemd-run", "--quiet", "--collect", "--unit", unit, "--no-block"]
        # Killed by a signal, it starts anew.
        argv += ["--property=" + p for p in ("KillMode=process", "Restart=on-failure", "RestartSec=1")]
        with contextlib.suppress(ToolFailed):
            command([*argv, "--", *_argv(folder, "watch")])
            if _runs(folder):
                return "unit %s.service" % unit
    _detach(_argv(folder, "watch"))
    if not _runs(folder):
        raise StateError("the timer did not start within %g s" % PATIENCE)
    return "process %s" % read_bytes(os.path.join(folder, rollback_program.WATCHING)).decode("ascii").strip()


def _runs(folder: str) -> bool:
    end = time.monotonic() + PATIENCE
    while not rollback_program.alive(folder):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _detach(argv: list[str]) -> None:
    """Start a process that belongs to nobody's session."""
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            if os.fork():
                os._exit(0)
            os.chdir("/")
            null = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(null, number)
            os.closerange(3, 4096)
            os.execve(argv[0], argv, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"})  # noqa: S606 - no shell to mislead
        finally:
            os._exit(127)
    os.waitpid(child, 0)


def _boot_hooks(folder: str, nonce: str) -> tuple[dict[str, str | None], str]:
    """Files that roll back at the next boot, should it come before the confirmation; None stands for the link that
    switches the one before it on. And what to call them."""
    line = " ".join(shlex.quote(word) for word in _argv(folder, "boot"))
    if has_systemd():
        unit = "/etc/systemd/system/%s-%s.service" % (UNIT, nonce + "-boot")
        text = (
            "[Unit]\nDescription=Roll back an unconfirmed change of access\n"
            "Before=ssh.service sshd.service ssh.socket\n"
            "ConditionPathExists=|{0}/armed\nConditionPathExists=|{0}/rolling-back\nRequiresMountsFor={0} /etc /home\n"
            "After=local-fs.target\n\n[Service]\nType=oneshot\nExecStart={1}\n"
        ).format(folder, line.replace("%", "%%"))
        return {unit: text, "/etc/systemd/system/multi-user.target.wants/%s" % os.path.basename(unit): None}, "unit"
    if os.path.isdir("/etc/cron.d") and any(os.path.exists(path) for path in _CRONS):
        path = "/etc/cron.d/%s-%s" % (UNIT, nonce)
        return {path: "@reboot root %s\n" % line.replace("%", "\\%")}, "cron"
    return {}, "next run"


def _write_hooks(hooks: dict[str, str | None]) -> None:
    before = ""
    for path, text in hooks.items():
        if text is None:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.symlink(before, path)
        else:
            write_atomic(path, text.encode("utf-8"), mode=0o644)
        before = path
    fault_point("arm:hooked")


def settle_pending(state: StateDirectory) -> None:
    """Before a new change: refuse while an earlier one waits for its confirmation. One whose timer is gone (killed,
    or a reboot without a hook) is rolled back now, one that was cut off is finished. Call it under the lock."""
    for folder in _folders(state):
        standing = rollback_program.state_of(folder)
        if standing == rollback_program.ROLLING:
            rollback_program.roll_back(folder, "finished by the next run")
        elif standing == rollback_program.ARMED:
            change = rollback_program.load(folder)
            left = change["deadline"] - rollback_program.now()
            if change["boot_id"] == rollback_program.boot_id() and rollback_program.alive(folder):
                raise Busy(
                    "an earlier change waits for its confirmation for %d s more (%s)" % (max(left, 0) + 1, folder)
                )
            rollback_program.roll_back(folder, "its timer was lost; rolled back by the next run")
        elif standing == "unknown":
            # Killed before it was armed: nothing was changed yet.
            hooks: list[str] = []
            with contextlib.suppress(OSError, ValueError, KeyError):
                hooks = rollback_program.load(folder)["hooks"]
            _give_up(folder, hooks)


def left_behind(state: StateDirectory) -> bool:
    """True where a change is armed that no timer looks after, or was cut off: it must be settled by whoever comes by,
    or the next boot would take back what has long been worked with."""
    for folder in _folders(state):
        standing = rollback_program.state_of(folder)
        if standing in (rollback_program.ROLLING, "unknown"):
            return True
        if standing == rollback_program.ARMED and not rollback_program.alive(folder):
            return True
    return False


def _folders(state: StateDirectory) -> list[str]:
    parent = os.path.join(state.root, "pending")
    try:
        return [os.path.join(parent, name) for name in sorted(os.listdir(parent))]
    except FileNotFoundError:
        return []


def take_reports(state: StateDirectory, mark: bool) -> list[dict[str, Any]]:
    """The roll-backs that no run has told yet. With ``mark`` they are told now; settled changes are cleared."""
    told = []
    for folder in _folders(state):
        standing = rollback_program.state_of(folder)
        if standing == rollback_program.CONFIRMED and mark:
            shutil.rmtree(folder, ignore_errors=True)
        if standing != rollback_program.ROLLED_BACK:
            continue
        path = os.path.join(folder, "evidence.json")
        try:
            evidence = dict(json.loads(read_bytes(path).decode("utf-8")))
            row = {k: evidence[k] for k in ("nonce", "kind", "why", "at", "problems", "displaced", "actions")}
        except (OSError, ValueError, KeyError):
            # The disk was full, perhaps: that it happened must be told all the same.
            evidence = {"reported": os.path.exists(path + ".told")}
            row = {
                "nonce": os.path.basename(folder), "kind": "unknown", "why": "its evidence is damaged", "at": "unknown",
                "problems": ["%s can't be read" % path], "displaced": [], "actions": [],
            }  # fmt: skip
        if evidence.get("reported"):
            if mark and _is_old(folder) and not row["problems"] and not row["displaced"]:
                shutil.rmtree(folder, ignore_errors=True)
            continue
        told.append(row)
        if mark:
            with contextlib.suppress(OSError):
                if "nonce" in evidence:
                    evidence["reported"] = True
                    write_atomic(path, (json.dumps(evidence, indent=1) + "\n").encode("utf-8"))
                else:
                    write_atomic(path + ".told", b"")
    return told


def _is_old(folder: str) -> bool:
    with contextlib.suppress(OSError):
        return time.time() - os.lstat(folder).st_mtime > KEEP_EVIDENCE * 86400
    return False
