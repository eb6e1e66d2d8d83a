# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's half of confirm-or-roll-back, once the module is gone: wait, then put the old state back.

It is copied beside the saved state when a change is armed, so that it needs neither the controller nor Ansible:

    cd /var/lib/infogerance-perimeter/pending/<nonce>
    python3 -m program status|confirm|rollback|watch|boot .

``confirm`` and ``rollback`` are one rename apart: whoever renames ``armed`` first decides, so a confirmation and
the timer can never both win.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from .atomic_files import read_bytes, remove_file, write_atomic
from .homes import UnsafePath, open_directory

__all__ = ["confirm", "load", "main", "roll_back", "state_of", "watch"]

ARMED, CONFIRMED, ROLLING, ROLLED_BACK = "armed", "confirmed", "rolling-back", "rolled-back"
#: /proc's boot id tells a reboot from a pause.
BOOT_ID = "/proc/sys/kernel/random/boot_id"
DATABASE_LOCK = "/etc/.pwd.lock"


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


def confirm(folder: str, nonce: str) -> bool:
    """Accept the change for good. False where it is too late or the nonce is another change's."""
    change = load(folder)
    if change["nonce"] != nonce or change["boot_id"] != boot_id() or time.time() > change["deadline"]:
        return False
    try:
        os.rename(os.path.join(folder, ARMED), os.path.join(folder, CONFIRMED))
    except FileNotFoundError:
        return False
    _disarm(change)
    return True


def watch(folder: str, sleep: Any = time.sleep) -> bool:
    """Wait for the deadline, then roll back unless confirmed. True where it rolled back.

    The module holds the server's lock while it applies and moves the deadline on when it has finished: a long
    apply is never rolled back under its feet, a killed one is.
    """
    while state_of(folder) == ARMED:
        change = load(folder)
        left = change["deadline"] - time.time()
        if left > 0 and change["boot_id"] == boot_id():
            # Short naps: a changed clock or a moved deadline is seen soon.
            sleep(min(left, 1.0))
            continue
        with _server_lock(change):
            if state_of(folder) == ARMED and (
                load(folder)["deadline"] <= time.time() or change["boot_id"] != boot_id()
            ):
                return roll_back(folder, "not confirmed in time")
    return False


def roll_back(folder: str, why: str) -> bool:
    """Put the old state back. True where this call did it (or finished one that was cut off)."""
    if state_of(folder) == ARMED:
        try:
            os.rename(os.path.join(folder, ARMED), os.path.join(folder, ROLLING))
        except FileNotFoundError:
            return False
    if state_of(folder) != ROLLING:
        return False
    change = load(folder)
    problems: list[str] = []
    with _password_lock():
        for row in change["files"]:
            _attempt(problems, row["path"], lambda row=row: _restore_file(folder, row))
    for row in reversed(_journal(folder)):
        _attempt(problems, row["path"], lambda row=row: _undo_move(row, change["nonce"]))
    for row in change["commands"]:
        _attempt(problems, " ".join(row["argv"]), lambda row=row: _run(row))
    evidence = {
        "nonce": change["nonce"], "kind": change["kind"], "why": why, "at": time.strftime("%FT%TZ", time.gmtime()),
        "problems": problems, "actions": change["actions"], "reported": False,
    }  # fmt: skip
    write_atomic(os.path.join(folder, "evidence.json"), (json.dumps(evidence, indent=1) + "\n").encode("utf-8"))
    os.rename(os.path.join(folder, ROLLING), os.path.join(folder, ROLLED_BACK))
    _disarm(change)
    return True


def _attempt(problems: list[str], what: str, step: Any) -> None:
    """One failing piece must not keep the others from being put back."""
    try:
        step()
    except (OSError, UnsafePath, subprocess.SubprocessError) as error:
        problems.append("%s: %s" % (what, error))


def _restore_file(folder: str, row: dict[str, Any]) -> None:
    parent, name = os.path.split(row["path"])
    try:
        base = open_directory(parent, row["owner"])
    except FileNotFoundError:
        if row["copy"] is None:
            return
        raise
    try:
        if row["copy"] is None:
            remove_file(name, dir_fd=base)
            return
        wanted = read_bytes(os.path.join(folder, row["copy"]))
        with contextlib.suppress(OSError):
            found = os.stat(name, dir_fd=base, follow_symlinks=False)
            same = (found.st_mode & 0o7777, found.st_uid, found.st_gid) == (row["mode"], row["uid"], row["gid"])
            if same and read_bytes(name, dir_fd=base) == wanted:
                return
        write_atomic(name, wanted, row["mode"], row["uid"], row["gid"], dir_fd=base, keep=False)
    finally:
        os.close(base)


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
        if os.path.lexists(row["to"]) and not os.path.lexists(row["path"]):
            os.rename(row["to"], row["path"])
    elif row["what"] == "made" and os.path.lexists(row["path"]):
        # Somebody may have put a file there meanwhile: kept, out of everybody's way.
        aside = os.path.join(os.path.dirname(row["path"]), ".infogerance-perimeter")
        os.makedirs(aside, mode=0o700, exist_ok=True)
        os.rename(row["path"], os.path.join(aside, "%s.%s" % (os.path.basename(row["path"]), nonce)))


def _run(row: dict[str, Any]) -> None:
    subprocess.run(
        row["argv"], input=row.get("input", "").encode("utf-8"), check=True, timeout=60,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


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
    handle = os.open(DATABASE_LOCK, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
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


def main(argv: list[str]) -> int:
    """``watch|boot|rollback|status FOLDER`` or ``confirm FOLDER NONCE``.

    0 if done, 1 if it can't be, 2 for words that it doesn't know.
    """
    if len(argv) < 2 or argv[0] not in ("watch", "boot", "rollback", "status", "confirm"):
        sys.stderr.write("usage: watch|boot|rollback|status FOLDER, or confirm FOLDER NONCE\n")
        return 2
    verb, folder = argv[0], argv[1]
    if verb == "status":
        change = load(folder)
        left = max(0, round(change["deadline"] - time.time()))
        sys.stdout.write(
            "%s: %s, %d s left, %d actions\n" % (change["nonce"], state_of(folder), left, len(change["actions"]))
        )
        return 0
    if verb == "confirm":
        done = confirm(folder, argv[2] if len(argv) > 2 else "")
        sys.stdout.write("confirmed\n" if done else "not confirmed: %s\n" % state_of(folder))
        return 0 if done else 1
    if verb == "watch":
        watch(folder)
        return 0
    why = "the server was started anew before the change was confirmed" if verb == "boot" else "asked for by hand"
    done = roll_back(folder, why)
    sys.stdout.write("rolled back\n" if done else "nothing to roll back: %s\n" % state_of(folder))
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
