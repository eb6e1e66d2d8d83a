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
from collections.abc import Iterable, Sequence
from typing import Callable

from .account_database import ToolFailed, command

__all__ = ["end_all", "running"]


#: Subordinate uids of an account: (first, how many). Its containers run under them.
Ranges = Sequence[tuple[int, int]]


#: No people's uid is above it on any distribution that we know; subordinate ones are.
HIGH = 65535


def running(uids: Iterable[int], ranges: Callable[[int], Ranges] | None = None) -> dict[int, list[int]]:
    """uid -> pids of its processes, by real, effective, saved or file-system uid. One pass over /proc.

    ``ranges`` tells the subordinate uids of a uid: what runs under one of these is its own. It is asked only where
    something runs under a high uid at all.
    Zombies don't count, they hold nothing open; but one with living threads is a process in disguise.
    """
    wanted = set(uids)
    found: dict[int, list[int]] = {uid: [] for uid in wanted}
    if not wanted:
        return found
    for name in os.listdir("/proc"):
        if not name.isdecimal():
            continue
        theirs = _uids_of(int(name))
        owners = theirs & wanted
        if ranges is not None and theirs and max(theirs) > HIGH:
            owners |= {uid for uid in wanted if _owns(uid, theirs, ranges(uid))}
        for uid in owners:
            found[uid].append(int(name))
    return found


def _owns(uid: int, theirs: set[int], ranges: Ranges) -> bool:
    return uid in theirs or any(first <= one < first + count for first, count in ranges for one in theirs)


def _uids_of(pid: int) -> set[int]:
    """The uids of a process; empty for one that is gone or a mere zombie."""
    uids: set[int] = set()
    zombie = False
    try:
        with open("/proc/%d/status" % pid, "rb") as stream:
            for line in stream:
                if line.startswith(b"State:"):
                    zombie = line.split()[1:2] == [b"Z"]
                elif line.startswith(b"Uid:"):
                    uids = {int(word) for word in line.split()[1:]}
                    if not zombie:
                        return uids
                elif line.startswith(b"Threads:"):
                    return uids if int(line.split()[1]) > 1 else set()
    except OSError:
        pass
    return set()


def end_all(uid: int, name: str, ranges: Ranges = (), patience: float = 3.0) -> list[int]:
    """End every process of an account and of its subordinate uids; returns the pids that are still there afterwards.

    TERM first, KILL after ``patience`` seconds, again until nothing is left: a process may start others meanwhile.
    Each signal goes through a pidfd and after a second look at the owner, so that a reused pid is never hit.
    Processes that start others and go may be missed by every look at /proc, so that it seems empty: each uid that was
    met gets one kill of all that it owns before "nothing is left" is believed.
    """
    if uid <= 0:
        raise ValueError("root's processes are never ended")
    if os.path.isdir("/run/systemd/system") and shutil.which("loginctl"):
        # Only lets systemd forget the session; the signals below do the work.
        with contextlib.suppress(ToolFailed):
            command(["loginctl", "terminate-user", name], seconds=10)
    deadline = time.monotonic() + patience
    number = signal.SIGTERM
    owners = {uid}
    for _round in range(200):
        pids = running([uid], lambda _uid: ranges)[uid]
        if not pids:
            _kill_as(owners)
            # What was just killed is listed until the kernel is through with it: it gets the rounds that are left.
            pids = running([uid], lambda _uid: ranges)[uid]
            if not pids:
                return []
        owners.update(one for pid in pids for one in _uids_of(pid) if _owns(uid, {one}, ranges))
        if time.monotonic() > deadline:
            number = signal.SIGKILL
            if time.monotonic() > deadline + 10:
                break
        for pid in pids:
            _send(pid, uid, ranges, number)
        if number == signal.SIGKILL:
            _kill_as(owners)
        time.sleep(0.05)
    return running([uid], lambda _uid: ranges)[uid]


def _kill_as(uids: Iterable[int]) -> None:
    """KILL all that each uid owns, sent by a child that has become the uid: the kernel lets no fork slip between."""
    for uid in uids:
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


def _send(pid: int, uid: int, ranges: Ranges, number: signal.Signals) -> None:
    try:
        handle = os.pidfd_open(pid)
    except (OSError, AttributeError):
        # No pidfd (Linux < 5.3): the owner is looked at right before the signal.
        if _owns(uid, _uids_of(pid), ranges):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return
    try:
        if _owns(uid, _uids_of(pid), ranges):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
    finally:
        os.close(handle)
