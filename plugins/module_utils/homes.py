# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open directories that belong to users, as root, without being led astray.

A user may put a symlink anywhere below the own home. Guarding the last component only is not enough: a linked
``.ssh`` directory leads a root process into another user's files. So every component is opened by itself,
without following links. A link is followed only where root alone can have made it.
"""

from __future__ import annotations

import os
import stat

__all__ = ["UnsafePath", "make_directory", "open_directory"]

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_LINKS = 8


class UnsafePath(OSError):
    """A component is a user's symlink, belongs to somebody else, or is no directory. Nothing was opened."""


def open_directory(path: str, uid: int) -> int:
    """A descriptor of the directory ``path``, reached only through directories of root and of ``uid``.

    The caller closes it. Raises FileNotFoundError, UnsafePath, or the OSError of the system.
    """
    handle = os.open("/", _FLAGS)
    parts = [p for p in path.split("/") if p not in ("", ".")]
    walked = ""
    links = 0
    try:
        while parts:
            part = parts.pop(0)
            walked += "/" + part
            try:
                below = os.open(part, _FLAGS, dir_fd=handle)
            except NotADirectoryError:
                links += 1
                parts = _through_link(handle, part, walked, links) + parts
                if parts and parts[0] == "/":
                    parts.pop(0)
                    below, walked = os.open("/", _FLAGS), ""
                else:
                    walked = os.path.dirname(walked)
                    continue
            os.close(handle)
            handle = below
            _check_owner(handle, walked, uid)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _through_link(folder: int, name: str, walked: str, links: int) -> list[str]:
    """The components that a link of root leads to; "/" first where it is absolute."""
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISLNK(found.st_mode):
        raise UnsafePath("%s is not a directory" % walked)
    target = os.readlink(name, dir_fd=folder)
    above = os.fstat(folder)
    if above.st_uid != 0 or above.st_mode & 0o022 or found.st_uid != 0 or ".." in target.split("/"):
        raise UnsafePath("%s is a symbolic link to %s" % (walked, target))
    if links > _MOST_LINKS:
        raise UnsafePath("%s: too many symbolic links" % walked)
    return (["/"] if target.startswith("/") else []) + [p for p in target.split("/") if p not in ("", ".")]


def _check_owner(handle: int, walked: str, uid: int) -> None:
    found = os.fstat(handle)
    if found.st_uid not in (0, uid):
        raise UnsafePath("%s belongs to uid %d, not to root or uid %d" % (walked, found.st_uid, uid))


def make_directory(name: str, parent: int, uid: int, gid: int, mode: int = 0o700) -> int:
    """Open the directory ``name`` in ``parent``; make it where it is missing. The caller closes it."""
    try:
        os.mkdir(name, mode, dir_fd=parent)
    except FileExistsError:
        made = False
    else:
        made = True
    try:
        handle = os.open(name, _FLAGS, dir_fd=parent)
    except (NotADirectoryError, OSError) as error:
        raise UnsafePath("%s is not a directory: %s" % (name, error)) from None
    if made:
        os.fchown(handle, uid, gid)
        os.fchmod(handle, mode)
        os.fsync(parent)
    try:
        _check_owner(handle, name, uid)
    except UnsafePath:
        os.close(handle)
        raise
    return handle
