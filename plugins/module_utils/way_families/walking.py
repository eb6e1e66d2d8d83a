# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walk below directories of users, as root: never through a link, within one budget of files, time and depth.

Each directory is opened by its handle, so that nothing that a user renames meanwhile leads elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from .family import shown
from .reading import Reader

__all__ = ["Batch", "Walk"]

FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
#: So many names are handed over at once, and then the time is looked at.
AT_ONCE = 4096


class Batch(NamedTuple):
    """Some names of one directory that are no directories; the rest of them may follow. ``handle`` is the directory."""

    path: str
    handle: int
    files: list[os.DirEntry[str]]


class Walk:
    """One walk with one budget. ``what`` begins the sentences about bounds that were reached."""

    def __init__(self, ctx: Reader, what: str) -> None:
        self.ctx = ctx
        self.what = what
        self.left = ctx.bounds.max_files
        self.stopped = self.too_deep = False
        self.mounts = {row[0] for row in ctx.mounts.rows}
        self.seen: set[tuple[int, int]] = set()

    def enters(self, path: str, name: str) -> bool:
        """Whether to go into the directory ``name`` of ``path``. What a walk leaves out it says here."""
        del path, name
        return True

    def below(self, root: str, depth: int) -> Iterator[Batch]:
        """Everything below a directory, itself included, that no bound cuts off."""
        try:
            handle = os.open(root, FLAGS)
        except OSError:
            return
        yield from self.below_handle(handle, root, depth)

    def below_handle(self, handle: int, root: str, depth: int) -> Iterator[Batch]:
        """The same for a directory that is open; it is closed afterwards."""
        try:
            yield from self._in(handle, root, depth)
        finally:
            os.close(handle)

    def _in(self, handle: int, path: str, depth: int) -> Iterator[Batch]:
        found = os.fstat(handle)
        if (found.st_dev, found.st_ino) in self.seen:
            return
        self.seen.add((found.st_dev, found.st_ino))
        folders: list[str] = []
        files: list[os.DirEntry[str]] = []
        with os.scandir(handle) as rows:
            for row in rows:
                self.left -= 1
                if not self.left & (AT_ONCE - 1) or self.left <= 0:
                    yield Batch(path, handle, files)
                    files = []
                    self._check()
                    if self.stopped:
                        return
                try:
                    if row.is_dir(follow_symlinks=False):
                        folders.append(row.name)
                    else:
                        files.append(row)
                except OSError:
                    continue
        yield Batch(path, handle, files)
        yield from self._deeper(handle, path, depth, [name for name in folders if self.enters(path, name)])

    def _deeper(self, handle: int, path: str, depth: int, folders: list[str]) -> Iterator[Batch]:
        if not folders or self.stopped:
            return
        if depth <= 0:
            if not self.too_deep:
                # One is an example: a user may make any number of them.
                self.too_deep = True
                text = "%s: directories deeper than max_depth were not searched, such as %s"
                self.ctx.limit(text % (self.what, shown(path)))
            return
        for name in folders:
            inner = os.path.join(path, name)
            if inner in self.mounts and not self.crosses(inner):
                continue
            try:
                below = os.open(name, FLAGS, dir_fd=handle)
            except OSError:
                continue
            yield from self.below_handle(below, inner, depth - 1)
            if self.ended():
                return

    def crosses(self, point: str) -> bool:
        """Whether to go into what is mounted here."""
        return self.ctx.reachable(point)

    def ended(self) -> bool:
        """True once a bound was reached."""
        return self.stopped

    def _check(self) -> None:
        if self.left <= 0:
            self.ctx.limit("%s: max_files was reached: not all files were looked at" % self.what)
            self.stopped = True
        elif self.ctx.over:
            self.ctx.limit("%s: max_seconds was reached: not all files were looked at" % self.what)
            self.stopped = True
