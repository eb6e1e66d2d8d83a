# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How full a server's file systems and memory are, and how busy its processors.

A file system that somebody else serves (network, FUSE) is left out and told: its answer may never come, and it is
full elsewhere. The others are asked in a child process, so that a device that hangs costs its own reading only.
"""

from __future__ import annotations

import json
import os
import select
import signal
import stat
import time
from typing import Any

from .way_families.family import shown
from .way_families.mounts import REMOTE, Mounts

__all__ = ["Reading", "Readings", "file_systems", "load", "memory"]

#: They hold no data that could fill up, or nothing could be done about it.
EMPTY = frozenset(
    ("autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs",
     "fusectl", "hugetlbfs", "iso9660", "mqueue", "nsfs", "proc", "pstore", "ramfs", "rpc_pipefs", "securityfs",
     "selinuxfs", "squashfs", "sysfs", "tracefs", "udf")
)  # fmt: skip
#: The kernel's and the engine's own; what is mounted below them covers something up.
COVERED = ("/proc/", "/sys/")
#: Each login has one, of a size of its own, and it goes with the session.
SESSIONS = "/run/user/"
PATIENCE = 10.0


class Reading(dict):  # type: ignore[type-arg]
    """One measured value: kind, name, value, unit, and what else is worth telling."""

    def __init__(self, kind: str, name: str, value: float | None, unit: str, **more: Any) -> None:
        super().__init__(kind=kind, name=name, value=value, unit=unit, **more)


class Readings:
    """What was measured, what could not be (``unread``: kind, name, why), and what is not looked at (``left_out``)."""

    def __init__(self) -> None:
        self.found: list[Reading] = []
        self.unread: list[dict[str, str]] = []
        self.left_out: list[dict[str, str]] = []

    def failed(self, kind: str, name: str, why: str) -> None:
        """Something that should have been measured."""
        self.unread.append({"kind": kind, "name": name, "why": why})


def file_systems(into: Readings, patience: float = PATIENCE, table: str = "/proc/self/mountinfo") -> None:
    """Space and inodes of every local file system, each once, by its shortest mount point."""
    points: dict[str, str] = {}
    for point, kind, _options in Mounts(table).rows:
        # A later mount over the same place hides the one before.
        points.pop(point, None)
        if kind in EMPTY or point.startswith((SESSIONS, *COVERED)):
            continue
        if kind in REMOTE or kind.split(".", maxsplit=1)[0] in ("fuse", "fuseblk"):
            into.left_out.append({"kind": "disk", "name": shown(point), "why": "another one serves it (%s)" % kind})
            continue
        if kind == "overlay" and point != "/":
            # A container's root: what is full is the file system below it.
            continue
        points[point] = kind
    seen: set[tuple[Any, ...]] = set()
    for point, answer in _asked(sorted(points, key=lambda name: (len(name), name)), patience):
        if isinstance(answer, str):
            for kind in ("disk", "inodes"):
                into.failed(kind, shown(point), answer)
            continue
        if not answer:
            continue
        device, blocks, free, available, files, free_files, size = answer
        if device in seen or blocks == 0:
            continue
        seen.add(device)
        used = blocks - free
        # As df counts it: what is kept for root is neither used nor available.
        into.found.append(
            Reading("disk", shown(point), _percent(used, used + available), "%", size_bytes=blocks * size,
                    available_bytes=available * size, filesystem=points[point])
        )  # fmt: skip
        if files:
            into.found.append(
                Reading("inodes", shown(point), _percent(files - free_files, files), "%", total=files, free=free_files)
            )


def _percent(part: int, whole: int) -> float:
    return round(100.0 * part / whole, 2) if whole > 0 else 0.0


def _asked(points: list[str], patience: float) -> list[tuple[str, Any]]:
    """(mount point, answer or why there is none) in order. A child that hangs in the kernel is left to it."""
    answers: list[tuple[str, Any]] = []
    rest = list(points)
    ends = time.monotonic() + patience
    while rest:
        got = _child(rest, max(0.2, min(2.0, ends - time.monotonic())))
        answers += zip(rest, got)
        rest = rest[len(got) :]
        if rest:
            answers.append((rest.pop(0), "did not answer in time"))
        if time.monotonic() >= ends:
            answers += [(point, "there was no time left to ask it") for point in rest]
            break
    return answers


def _child(points: list[str], idle: float) -> list[Any]:
    """Answers in order, as many as came. idle: seconds to wait for the next one."""
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(receiver)
            null = os.open(os.devnull, os.O_RDWR)
            for handle in (0, 1, 2):
                # A child that hangs for ever must not hold the connection open.
                os.dup2(null, handle)
            for point in points:
                os.write(sender, (json.dumps(_one(point)) + "\n").encode("ascii"))
            os._exit(0)
        except BaseException:  # noqa: BLE001 - the child must never return into the parent's code
            os._exit(1)
    os.close(sender)
    data = b""
    try:
        while data.count(b"\n") < len(points):
            ready, _w, _x = select.select([receiver], [], [], idle)
            piece = os.read(receiver, 65536) if ready else b""
            if not piece:
                break
            data += piece
    finally:
        os.close(receiver)
        os.kill(child, signal.SIGKILL)
        # One that hangs in the kernel cannot be waited for.
        for _try in range(20):
            if os.waitpid(child, os.WNOHANG)[0]:
                break
            time.sleep(0.01)
    lines = data.split(b"\n")[:-1]
    return [_told(json.loads(line)) for line in lines]


def _one(point: str) -> list[int] | str:
    try:
        place = os.stat(point)
        if not stat.S_ISDIR(place.st_mode):
            # A file that a container's engine puts over another one.
            return []
        told = os.statvfs(point)
    except OSError as error:
        return error.strerror or "cannot be read"
    return [place.st_dev, told.f_blocks, told.f_bfree, told.f_bavail, told.f_files, told.f_ffree, told.f_frsize]


def _told(value: Any) -> Any:
    return value if isinstance(value, str) else tuple(value)


def memory(into: Readings, path: str = "/proc/meminfo") -> None:
    """What programs can still have without swapping (MemAvailable), in percent of all."""
    try:
        with open(path, encoding="ascii", errors="replace") as stream:
            rows = dict(line.split(":", 1) for line in stream if ":" in line)
        total, available = (int(rows[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    except (OSError, KeyError, ValueError, IndexError) as error:
        into.failed("memory", "available", "%s: %s" % (path, error))
        return
    into.found.append(
        Reading("memory", "available", _percent(available, total), "%", size_bytes=total, available_bytes=available)
    )


def load(into: Readings, path: str = "/proc/loadavg") -> None:
    """The load of the last five minutes for each processor."""
    try:
        with open(path, encoding="ascii", errors="replace") as stream:
            five = float(stream.read().split()[1])
    except (OSError, ValueError, IndexError) as error:
        into.failed("load", "5min", "%s: %s" % (path, error))
        return
    cores = os.cpu_count() or 1
    into.found.append(Reading("load", "5min", round(five / cores, 3), "per core", load=five, cores=cores))
