# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The spool where the shell hook notes root's sessions. Root alone can write there; all the same nothing is trusted.

A note ``NAME.open`` is of a shell that still runs, unless its process is gone: then it was killed, or the server went
down, before it could be closed. ``NAME.done`` is closed. Both are lines of a word and a value.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.homes import open_directory
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.family import shown
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.reading import iso

__all__ = ["Spool", "SpoolError", "parse"]

DIRECTORY = "/var/spool/infogerance-perimeter/sessions"
_NAME = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(open|done)\Z")
_LARGEST = 65536
_MOST = 5000
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class SpoolError(Exception):
    """The spool is not what it must be; the text says how."""


@dataclass(frozen=True)
class Note:
    """A note as it is read: ``began`` and ``ended`` are seconds since 1970; ``state`` is open or done."""

    name: str
    state: str
    began: int
    ended: int | None
    user: str
    tty: str
    address: str
    message: str
    shell: tuple[int, int]
    boot: str

    def as_result(self) -> dict[str, Any]:
        """The row of the module's result."""
        return {
            "name": self.name, "state": self.state, "began": iso(self.began),
            "ended": None if self.ended is None else iso(self.ended),
            "user": shown(self.user), "tty": shown(self.tty), "address": shown(self.address), "message": self.message,
        }  # fmt: skip


class Spool:
    """The notes of one server. Raises SpoolError where the directory is not root's alone."""

    def __init__(self, path: str = DIRECTORY, uid: int = 0) -> None:
        self.path = path
        self.uid = uid
        #: Sentences on notes that can't be read.
        self.damaged: list[str] = []

    def notes(self) -> tuple[list[Note], int]:
        """(those of shells that are gone, how many still run)."""
        try:
            handle = self._open()
        except FileNotFoundError:
            return [], 0
        found: list[Note] = []
        running = 0
        try:
            for name, state in self._names(handle):
                note = self._read(handle, name, state)
                if note is not None and state == "open" and _runs(note):
                    running += 1
                elif note is not None:
                    found.append(note)
        finally:
            os.close(handle)
        return sorted(found, key=lambda note: (note.began, note.name)), running

    def remove(self, files: Iterable[str]) -> int:
        """Remove these notes, each ``NAME.open`` or ``NAME.done``; one that is gone already counts for nothing.

        What was read is removed and nothing else: a note that was open may have been closed since, with an answer.
        """
        removed = 0
        try:
            handle = self._open()
        except FileNotFoundError:
            return 0
        try:
            for file in filter(_NAME.match, files):
                removed += _unlinked(file, handle)
                if file.endswith(".done"):
                    # Killed between closing the note and removing the open one.
                    _unlinked(file[:-4] + "open", handle)
            os.fsync(handle)
        finally:
            os.close(handle)
        return removed

    def _open(self) -> int:
        try:
            handle = open_directory(self.path, self.uid)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise SpoolError("%s: %s" % (self.path, error)) from None
        facts = os.fstat(handle)
        if facts.st_uid != self.uid or facts.st_mode & 0o077:
            os.close(handle)
            raise SpoolError("%s: others than root may look into it or write there" % self.path)
        return handle

    def _names(self, handle: int) -> Iterator[tuple[str, str]]:
        names = sorted(name for name in os.listdir(handle) if _NAME.match(name))
        closed = {name[:-5] for name in names if name.endswith(".done")}
        if len(names) > _MOST:
            self.damaged.append("%d notes: the first %d are taken now" % (len(names), _MOST))
        for name in names[:_MOST]:
            base, state = name[:-5], name[-4:]
            # Killed between closing a note and removing the open one: the closed one counts.
            if state == "done" or base not in closed:
                yield base, state

    def _read(self, handle: int, name: str, state: str) -> Note | None:
        file = "%s.%s" % (name, state)
        try:
            with os.fdopen(os.open(file, _FLAGS, dir_fd=handle), "rb") as stream:
                facts = os.fstat(stream.fileno())
                if not stat.S_ISREG(facts.st_mode) or facts.st_uid != self.uid:
                    raise ValueError("is no file of root's")
                return parse(name, state, stream.read(_LARGEST).decode("utf-8", "replace"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self.damaged.append("%s/%s: %s" % (self.path, file, error))
            return None


def _unlinked(file: str, handle: int) -> bool:
    try:
        os.unlink(file, dir_fd=handle)
    except FileNotFoundError:
        return False
    return True


def parse(name: str, state: str, text: str) -> Note:
    """Read a note. Raises ValueError for one that does not say when it began."""
    fields: dict[str, str] = {}
    for line in text.split("\n"):
        word, _blank, value = line.partition(" ")
        fields.setdefault(word, value.strip())
    began = fields.get("begin", "")
    if not re.fullmatch(r"\d{1,11}", began, re.ASCII):
        raise ValueError("does not say when it began")
    ended = fields.get("end", "")
    shell = re.fullmatch(r"(\d{1,10}) (\d{1,20})", fields.get("shell", ""), re.ASCII)
    return Note(
        name, state, int(began), max(int(ended), int(began)) if re.fullmatch(r"\d{1,11}", ended, re.ASCII) else None,
        fields.get("user", "")[:100], fields.get("tty", "")[:60], fields.get("address", "")[:100],
        fields.get("message", "")[:2000], (int(shell.group(1)), int(shell.group(2))) if shell else (0, 0),
        fields.get("boot", ""),
    )  # fmt: skip


def _runs(note: Note) -> bool:
    """Whether the note's shell is still there: the same process since the same start of the same server."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            if stream.read().strip() != note.boot:
                return False
        with open("/proc/%d/stat" % note.shell[0], encoding="utf-8", errors="replace") as stream:
            fields = stream.read().rpartition(")")[2].split()
        return fields[0] != "Z" and int(fields[19]) == note.shell[1]
    except (OSError, IndexError, ValueError):
        return False
