# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an account still runs: its live sessions are ways in that no key file shows.

A live multiplexing master opens new sessions after its key is gone, and after userdel -f too.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterable

from .account_database import ToolFailed, command

__all__ = ["end_all", "running"]


def running(uids: Iterable[int]) -> dict[int, list[int]]:
    """uid -> pids of its processes, by real, effective, saved or file-system uid. One pass over /proc.

    Zombies don't count: they hold nothing open.
    """
    wanted = set(uids)
    found: dict[int, list[int]] = {uid: [] for uid in wanted}
    if not wanted:
        return found
    for name in os.listdir("/proc"):
        if not name.isdecimal():
            continue
        for uid in _uids_of(int(name)) & wanted:
            found[uid].append(int(name))
    return found


def _uids_of(pid: int) -> set[int]:
    try:
        with open("/proc/%d/status" % pid, "rb") as stream:
            for line in stream:
                if line.startswith(b"State:") and line.split()[1:2] == [b"Z"]:
                    return set()
                if line.startswith(b"Uid:"):
                    return {int(word) for word in line.split()[1:]}
    except OSError:
        pass
    return set()


def end_all(uid: int, name: str, patience: float = 3.0) -> list[int]:
    """End every process of an account; the pids that are still there afterwards (none, if all went well).

    TERM first, KILL after ``patience`` seconds, again until nothing is left: a process may start others meanwhile.
    Each signal goes through a pidfd and after a second look at the owner, so that a reused pid is never hit.
    A process that starts others faster than we can count is met by one kill of the whole uid.
    """
    if uid <= 0:
        raise ValueError("root's processes are never ended")
    if os.path.isdir("/run/systemd/system") and shutil.which("loginctl"):
        # Only lets systemd forget the session; the signals below do the work.
        with contextlib.suppress(ToolFailed):
            command(["loginctl", "terminate-user", name], seconds=10)
    deadline = time.monotonic() + patience
    number = signal.SIGTERM
    for _round in range(200):
        pids = running([uid])[uid]
        if not pids:
            return []
        if time.monotonic() > deadline:
            number = signal.SIGKILL
            if time.monotonic() > deadline + 10:
                break
        for pid in pids:
            _send(pid, uid, number)
        if number == signal.SIGKILL:
            _kill_as(uid)
        time.sleep(0.05)
    return running([uid])[uid]


def _kill_as(uid: int) -> None:
    """One signal to all that the uid owns, sent by a child that has become the uid: the kernel takes them at once."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresuid(uid, uid, uid)
            if uid > 0 and os.getresuid() == (uid, uid, uid):
                os.kill(-1, signal.SIGKILL)
        except OSError:
            pass
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def _send(pid: int, uid: int, number: signal.Signals) -> None:
    try:
        handle = os.pidfd_open(pid)
    except (OSError, AttributeError):
        # No pidfd (Linux < 5.3): the owner is looked at right before the signal.
        if uid in _uids_of(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return
    try:
        if uid in _uids_of(pid):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
    finally:
        os.close(handle)
