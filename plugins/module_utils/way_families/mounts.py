# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts that may never answer: network file systems and FUSE.

A path on one of them is read only after the mount has answered a child process in time. A mount that a user made
is not touched at all: who serves it decides what we would see, and whether we ever come back.
"""

from __future__ import annotations

import os
import re
import select
import signal
import time

__all__ = ["Mounts"]

#: File systems that are served by somebody else.
REMOTE = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "afs", "autofs", "coda", "ncpfs",
          "virtiofs", "lustre", "beegfs", "orangefs", "gfs2", "ocfs2")  # fmt: skip
PATIENCE = 2.0


class Mounts:
    """The mount table, read once."""

    def __init__(self, table: str = "/proc/self/mountinfo") -> None:
        #: (mount point, type, options), a later mount over the same place last.
        self.rows: list[tuple[str, str, frozenset[str]]] = []
        self._answers: dict[str, str | None] = {}
        try:
            with open(table, encoding="utf-8", errors="surrogateescape") as stream:
                lines = stream.readlines()
        except OSError:
            lines = []
        for line in lines:
            left, _dash, right = line.partition(" - ")
            words, more = left.split(" "), right.split()
            if len(words) > 5 and more:
                point = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), words[4])
                options = frozenset(words[5].split(",")) | frozenset(more[-1].split(",") if len(more) > 2 else [])
                self.rows.append((point, more[0], options))
        self._slow = [row for row in self.rows if row[1] in REMOTE or row[1].split(".")[0] == "fuse"]

    def options(self, path: str) -> frozenset[str]:
        """The options of the mount that holds a path."""
        fits = [row for row in self.rows if _holds(row[0], path)]
        longest = max((len(row[0]) for row in fits), default=0)
        return next((row[2] for row in reversed(fits) if len(row[0]) == longest), frozenset())

    def trouble(self, path: str) -> str | None:
        """Why nothing below the path's mount may be touched; None where it may."""
        for point, kind, options in self._slow:
            if _holds(point, path):
                if point not in self._answers:
                    self._answers[point] = _trouble(point, kind, options)
                if self._answers[point]:
                    return self._answers[point]
        return None


def _holds(point: str, path: str) -> bool:
    return point == "/" or path == point or path.startswith(point + "/")


def _trouble(point: str, kind: str, options: frozenset[str]) -> str | None:
    user = next((o[8:] for o in options if o.startswith("user_id=")), "0")
    if kind.split(".", maxsplit=1)[0] == "fuse" and user != "0":
        return "uid %s serves it (%s)" % (user, kind)
    return None if _answers(point) else "its mount (%s) did not answer within %g s" % (kind, PATIENCE)


def _answers(point: str) -> bool:
    """True where a child got an answer in time. One that hangs is left to the kernel: it can't be waited for."""
    child = os.fork()
    if child == 0:
        try:
            for handle in (0, 1, 2):
                os.dup2(os.open(os.devnull, os.O_RDWR), handle)
            os.statvfs(point)
            with os.scandir(point) as rows:
                next(rows, None)
            os._exit(0)
        except BaseException:  # noqa: BLE001 - the child must never return into the parent's code
            os._exit(1)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0
        select.select([], [], [], 0.01)
    os.kill(child, signal.SIGKILL)
    return False
