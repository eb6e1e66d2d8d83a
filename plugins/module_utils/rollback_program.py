# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's half of confirm-or-roll-back, once the module is gone: wait, then put the old state back.

It is copied beside the saved state when a change is armed, so that it needs neither the controller nor Ansible:

    cd /var/lib/infogerance-perimeter/pending/<nonce>
    python3 -m program status|rollback .
    python3 -m program confirm . <nonce>

``confirm`` and ``rollback`` are one rename apart: whoever renames ``armed`` first decides, so a confirmation and
the timer can never both win. Every step may be cut off and done again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from .atomic_files import read_bytes, remove_file, write_atomic
from .homes import UnsafePath, make_directory, open_directory

__all__ = ["alive", "boot_id", "confirm", "digest_of", "load", "main", "now", "roll_back", "state_of", "watch"]

ARMED, CONFIRMED, ROLLING, ROLLED_BACK = "armed", "confirmed", "rolling-back", "rolled-back"
#: Holds the pid of the timer once it runs; without it nothing is changed.
WATCHING = "watching"
#: Space held until a roll-back needs it.
RESERVE = "reserve"
#: /proc's boot id tells a reboot from a pause.
BOOT_ID = "/proc/sys/kernel/random/boot_id"
DATABASE_LOCK = "/etc/.pwd.lock"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Seconds that a confirmed change stays answerable: the first answer may have been lost on its way.
LINGER = 20.0
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> float:
    """Seconds since boot, sleep included. Nobody can set this clock, so a changed date neither hurries nor delays."""
    return time.clock_gettime(_CLOCK)


def load(folder: str) -> dict[str, Any]:
    """The armed change: what to put back, until when to wait."""
    return dict(json.loads(read_bytes(os.path.join(folder, "change.json")).decode("utf-8")))


def state_of(folder: str) -> str:
    """``armed``, ``confirmed``, ``rolling-back``, ``rolled-back``, or ``unknown`` before it was armed."""
    for name in (ROLLED_BACK, CONFIRMED, ROLLING, ARMED):
        if os.path.exists(os.path.join(folder, name)):
            return name
    return "unknown"


def boot_id() -> str:
    """This boot's id; empty where /proc has none."""
    try:
        with open(BOOT_ID, encoding="ascii") as stream:
            return stream.read().strip()
    except OSError:
        return ""


def alive(folder: str) -> bool:
    """True where the timer of this change runs."""
    try:
        pid = int(read_bytes(os.path.join(folder, WATCHING)))
        with open("/proc/%d/cmdline" % pid, "rb") as stream:
            return os.fsencode(folder) in stream.read().split(b"\0")
    except (OSError, ValueError):
        return False


def _overdue(change: dict[str, Any]) -> bool:
    return bool(change["deadline"] <= now() or change["boot_id"] != boot_id())


def _turn(folder: str, old: str, new: str) -> bool:
    """One rename decides; durable, so that a power cut can't take the decision back."""
    try:
        os.rename(os.path.join(folder, old), os.path.join(folder, new))
    except FileNotFoundError:
        return False
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return True


def confirm(folder: str, nonce: str) -> bool:
    """Accept the change for good. False where it is too late or the nonce is another change's.

    Asked again after the answer was lost, it answers again.
    """
    change = load(folder)
    if change["nonce"] != nonce:
        return False
    if state_of(folder) == CONFIRMED:
        return True
    if _overdue(change) or not _turn(folder, ARMED, CONFIRMED):
        return False
    _disarm(change)
    _forget(folder)
    return True


def _forget(folder: str) -> None:
    """The copies hold password hashes: nobody needs them any more."""
    for name in ("files", "journal", RESERVE):
        path = os.path.join(folder, name)
        with contextlib.suppress(OSError):
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)


def watch(folder: str, sleep: Any = time.sleep) -> bool:
    """Wait for the deadline, then roll back unless confirmed. True where it rolled back.

    The module holds the server's lock while it applies and moves the deadline on when it has finished: a long
    apply is never rolled back under its feet, a killed one is.
    """
    while True:
        standing = state_of(folder)
        if standing == CONFIRMED:
            sleep(LINGER)
            shutil.rmtree(folder, ignore_errors=True)
            return False
        if standing not in (ARMED, ROLLING):
            return False
        try:
            change = load(folder)
            if standing == ARMED and not _overdue(change):
                # Short naps: a moved deadline is seen soon.
                sleep(min(max(change["deadline"] - now(), 0.05), 1.0))
                continue
            with _server_lock(change):
                standing = state_of(folder)
                if standing == ROLLING:
                    return roll_back(folder, "finished by the timer")
                if standing == ARMED and _overdue(load(folder)):
                    return roll_back(folder, "not confirmed in time")
        except (OSError, ValueError, KeyError):
            # Whatever is wrong now (no memory, no descriptor), the timer is the last way in: it must not die of it.
            sleep(1.0)


def roll_back(folder: str, why: str, boot: bool = False) -> bool:
    """Put the old state back. True where this call did it (or finished one that was cut off).

    Call it under the server's lock. ``boot`` leaves out what only running services need.
    """
    if state_of(folder) == ARMED and not _turn(folder, ARMED, ROLLING):
        return False
    if state_of(folder) != ROLLING:
        return False
    change = load(folder)
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(folder, RESERVE))
    problems: list[str] = []
    displaced: list[str] = []
    # Homes first: saved files may lie in them.
    for row in reversed(_journal(folder)):
        _attempt(problems, row["path"], lambda row=row: _undo_move(row, change["nonce"]))
    for row in change.get("folders", []):
        _attempt(problems, row["path"], lambda row=row: _restore_folder(row))
    with _password_lock():
        for number, row in enumerate(change["files"]):
            _attempt(problems, row["path"], partial(_restore_file, folder, number, row, displaced))
    for row in change["commands"]:
        if not (boot and row.get("boot") is False):
            _attempt(problems, " ".join(row["argv"] or [row.get("hup", "")]), lambda row=row: _run(row, boot))
    evidence = {
        "nonce": change["nonce"], "kind": change["kind"], "why": why, "at": time.strftime("%FT%TZ", time.gmtime()),
        "problems": problems, "displaced": displaced, "actions": change["actions"], "reported": False,
    }  # fmt: skip
    with contextlib.suppress(OSError):
        write_atomic(os.path.join(folder, "evidence.json"), (json.dumps(evidence, indent=1) + "\n").encode("utf-8"))
    _turn(folder, ROLLING, ROLLED_BACK)
    _disarm(change)
    if not problems:
        _forget(folder)
    _log("%s %s rolled back: %s%s" % (change["kind"], change["nonce"], why, "; ".join(["", *problems])))
    return True


def _attempt(problems: list[str], what: str, step: Any) -> None:
    """One failing piece must not keep the others from being put back."""
    for patience in (0.2, 1.0, None):
        try:
            step()
            return
        except (OSError, UnsafePath, ValueError, subprocess.SubprocessError) as error:
            told = getattr(error, "stderr", None)
            text = "%s%s" % (error, ": " + told.decode("utf-8", "replace").strip()[:300] if told else "")
        if patience is None:
            problems.append("%s: %s" % (what, text))
        else:
            time.sleep(patience)


def digest_of(data: bytes) -> str:
    """What a file's content is compared by."""
    return hashlib.sha256(data).hexdigest()


def _restore_folder(row: dict[str, Any]) -> None:
    """Mode and owner of a directory that leads to a saved file: sshd refuses keys below a foreign or open one."""
    parent, name = os.path.split(row["path"])
    base = open_directory(parent, row["uid"])
    try:
        try:
            handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=base)
        except FileNotFoundError:
            handle = make_directory(name, base, row["uid"], row["gid"], row["mode"])
        try:
            found = os.fstat(handle)
            if (found.st_uid, found.st_gid) != (row["uid"], row["gid"]):
                os.fchown(handle, row["uid"], row["gid"])
            if stat.S_IMODE(found.st_mode) != row["mode"]:
                os.fchmod(handle, row["mode"])
        finally:
            os.close(handle)
    finally:
        os.close(base)


def _restore_file(folder: str, number: int, row: dict[str, Any], displaced: list[str]) -> None:
    parent, name = os.path.split(row["path"])
    try:
        base = open_directory(parent, row["owner"])
    except FileNotFoundError:
        if row["copy"] is None:
            return
        raise
    try:
        found: Any = None
        current: Any = None
        with contextlib.suppress(OSError):
            found = os.stat(name, dir_fd=base, follow_symlinks=False)
            current = read_bytes(name, dir_fd=base)
        wanted = None if row["copy"] is None else read_bytes(os.path.join(folder, row["copy"]))
        if current is not None and current != wanted and "after" in row and digest_of(current) != row["after"]:
            # Somebody else wrote it since: the way in comes first, but nothing of theirs is lost.
            keep = os.path.join(folder, "displaced")
            os.makedirs(keep, mode=0o700, exist_ok=True)
            write_atomic(os.path.join(keep, "%d" % number), current)
            told = "%s was changed by somebody else meanwhile; that version is %s/%d" % (row["path"], keep, number)
            if told not in displaced:
                displaced.append(told)
        if wanted is None:
            remove_file(name, dir_fd=base)
        else:
            same = found is not None and current == wanted
            if not same or (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) != (
                row["mode"], row["uid"], row["gid"],
            ):  # fmt: skip
                write_atomic(name, wanted, row["mode"], row["uid"], row["gid"], dir_fd=base, keep=False)
                _label(base, name, row.get("labels", {}))
    finally:
        os.close(base)
    for path in row.get("missing", []) if row["copy"] is None else ():
        # Directories made on the way to a new file; one that holds something else by now stays.
        with contextlib.suppress(OSError):
            above = open_directory(os.path.dirname(path), row["owner"])
            try:
                os.rmdir(os.path.basename(path), dir_fd=above)
            finally:
                os.close(above)


def _label(base: int, name: str, labels: dict[str, str]) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=base)
        try:
            for label, value in labels.items():
                os.setxattr(handle, label, bytes.fromhex(value))
        finally:
            os.close(handle)


def _journal(folder: str) -> list[dict[str, Any]]:
    try:
        lines = read_bytes(os.path.join(folder, "journal")).decode("utf-8").splitlines()
    except FileNotFoundError:
        return []
    rows = []
    for line in lines:
        # The last line may be cut by a kill: then its move was not made.
        with contextlib.suppress(ValueError):
            rows.append(dict(json.loads(line)))
    return rows


def _undo_move(row: dict[str, Any], nonce: str) -> None:
    if row["what"] == "moved":
        if os.path.lexists(row["to"]):
            if os.path.lexists(row["path"]):
                _set_aside(row["path"], nonce)
            os.rename(row["to"], row["path"])
    elif row["what"] == "made" and os.path.lexists(row["path"]):
        _set_aside(row["path"], nonce)


def _set_aside(path: str, nonce: str) -> None:
    """Somebody may have put something there meanwhile: kept, out of everybody's way."""
    aside = os.path.join(os.path.dirname(path), ".infogerance-perimeter")
    os.makedirs(aside, mode=0o700, exist_ok=True)
    os.rename(path, os.path.join(aside, "%s.%s" % (os.path.basename(path), nonce)))


def _run(row: dict[str, Any], boot: bool) -> None:
    if "hup" in row:
        _hang_up(row, boot)
        return
    subprocess.run(
        row["argv"], input=row.get("input", "").encode("utf-8"), check=row.get("check", True), timeout=60,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/", env={"PATH": PATH, "LC_ALL": "C", "HOME": "/root"},
    )  # fmt: skip


def _hang_up(row: dict[str, Any], boot: bool) -> None:
    """Let a daemon read its files again; start it where it died of the ones that are gone now."""
    if row.get("test"):
        # On a configuration that is bad for a reason of its own the daemon would die of the signal.
        subprocess.run(row["test"], check=True, timeout=60, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/")
    main = main_process(row["hup"], row.get("uid", 0))
    if main:
        os.kill(main, signal.SIGHUP)
    elif row["argv"] and not boot:
        if os.path.isdir("/run/systemd/system"):
            argv = ["systemctl", "--no-block", "restart", row["unit"]]
            subprocess.run(argv, check=True, timeout=60, env={"PATH": PATH})
        else:
            null = subprocess.DEVNULL
            environment = {"PATH": PATH}
            subprocess.Popen(
                row["argv"], stdin=null, stdout=null, stderr=null, start_new_session=True, cwd="/", env=environment
            )


def main_process(name: str, uid: int = 0) -> int:
    """The pid of a daemon's main process in our own container; 0 where none runs.

    ``uid`` is its real one: anybody may give a process a service's name.
    """
    found: dict[int, tuple[int, int]] = {}
    ours = os.readlink("/proc/self/ns/pid")
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            if not entry.isdigit() or os.readlink("/proc/%s/ns/pid" % entry) != ours:
                continue
            with open("/proc/%s/status" % entry, encoding="utf-8", errors="replace") as stream:
                if not any(line.split()[:2] == ["Uid:", str(uid)] for line in stream):
                    continue
            with open("/proc/%s/stat" % entry, encoding="utf-8", errors="replace") as stream:
                text = stream.read()
            fields = text[text.rindex(")") + 2 :].split()
            if text[text.index("(") + 1 : text.rindex(")")] == name and fields[0] not in "ZX":
                found[int(entry)] = (int(fields[1]), int(fields[19]))
    heads = [(ticks, pid) for pid, (parent, ticks) in found.items() if parent not in found]
    return min(heads)[1] if heads else 0


def _disarm(change: dict[str, Any]) -> None:
    """Take the boot hooks away; the timer finds nothing armed and ends by itself."""
    for path in change["hooks"]:
        with contextlib.suppress(OSError):
            os.unlink(path)


@contextlib.contextmanager
def _server_lock(change: dict[str, Any]) -> Iterator[None]:
    handle = os.open(change["lock"], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _password_lock(wait: float = 15.0) -> Iterator[None]:
    """Hold the lock of lckpwdf(3), so that no useradd is half-way; after ``wait`` seconds go on without it."""
    try:
        handle = os.open(DATABASE_LOCK, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield
        return
    try:
        end = time.monotonic() + wait
        while time.monotonic() < end:
            try:
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                time.sleep(0.1)
        yield
    finally:
        os.close(handle)


def _log(text: str) -> None:
    with contextlib.suppress(ImportError, OSError):
        import syslog

        syslog.openlog("infogerance-perimeter", 0, syslog.LOG_AUTHPRIV)
        syslog.syslog(syslog.LOG_WARNING, text)


def _keep_watching(folder: str) -> int:
    """The timer as a process: it outlives a hang-up, is no prey for the OOM killer, and a killed child is replaced."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as stream:
        stream.write("-1000")
    write_atomic(os.path.join(folder, WATCHING), b"%d\n" % os.getpid())
    while True:
        child = os.fork()
        if child == 0:
            try:
                watch(folder)
            finally:
                os._exit(0)
        _pid, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            return 0
        time.sleep(0.2)


def main(argv: list[str]) -> int:
    """``watch|boot|rollback|status FOLDER`` or ``confirm FOLDER NONCE``.

    0 if done, 1 if it can't be, 2 for words that it doesn't know.
    """
    if len(argv) < 2 or argv[0] not in ("watch", "boot", "rollback", "status", "confirm"):
        sys.stderr.write("usage: watch|boot|rollback|status FOLDER, or confirm FOLDER NONCE\n")
        return 2
    verb, folder = argv[0], os.path.abspath(argv[1])
    if verb == "watch":
        return _keep_watching(folder)
    change = load(folder)
    if verb == "status":
        standing = state_of(folder)
        told = "%s: %s, %d actions" % (change["nonce"], standing, len(change["actions"]))
        if standing == ARMED:
            timer = "timer runs" if alive(folder) else "NO timer runs"
            told += ", %d s left, %s" % (max(0, round(change["deadline"] - now())), timer)
        sys.stdout.write(told + "\n")
        return 0
    if verb == "confirm":
        done = confirm(folder, argv[2] if len(argv) > 2 else "")
        sys.stdout.write("confirmed\n" if done else "not confirmed: %s\n" % state_of(folder))
        return 0 if done else 1
    why = "the server was started anew before the change was confirmed" if verb == "boot" else "asked for by hand"
    with _server_lock(change):
        if verb == "rollback" and os.path.isdir(os.path.join(folder, "files")):
            # A roll-back that met problems kept its copies: by hand it may be tried again.
            _turn(folder, ROLLED_BACK, ROLLING)
        done = roll_back(folder, why, boot=verb == "boot")
    sys.stdout.write("rolled back\n" if done else "nothing to roll back: %s\n" % state_of(folder))
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
