# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key files of one account, read and replaced as root in directories that the account owns.

Rules: no user's symlink is followed, no foreign or hard-linked file is touched, a file is old or new.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass, field

from .atomic_files import NotRegular, read_bytes, remove_file, write_atomic
from .authorized_keys import KeyLine, parse_file
from .homes import UnsafePath, make_directory, open_directory

__all__ = ["KeyFile", "read_key_file", "remove_key_file", "write_key_file"]


@dataclass(frozen=True)
class KeyFile:
    """One file that sshd reads for an account. ``problem`` says why it can't be read or must not be changed.

    ``uncertain`` tells that sshd may read it all the same: it goes through links that root must not follow.
    """

    path: str
    data: bytes = b""
    present: bool = False
    lines: list[KeyLine] = field(default_factory=list)
    problem: str | None = None
    mode: int = 0o600
    uid: int = 0
    gid: int = 0

    uncertain: bool = False


def read_key_file(path: str, uid: int) -> KeyFile:
    """Read one key file of the account ``uid``. Never raises: what is wrong is in ``problem``."""
    folder, name = os.path.split(path)
    try:
        base = open_directory(folder, uid)
    except FileNotFoundError:
        return KeyFile(path)
    except UnsafePath as error:
        return KeyFile(path, problem=str(error), uncertain=True)
    except OSError as error:
        return KeyFile(path, problem="%s: %s" % (folder, error.strerror))
    try:
        return _read_in(base, name, path, uid)
    finally:
        os.close(base)


def _read_in(base: int, name: str, path: str, uid: int) -> KeyFile:
    try:
        found = os.stat(name, dir_fd=base, follow_symlinks=False)
    except FileNotFoundError:
        return KeyFile(path)
    except OSError as error:
        return KeyFile(path, problem="%s: %s" % (path, error.strerror))
    if not stat.S_ISREG(found.st_mode):
        kind = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "not a regular file"
        return KeyFile(path, present=True, problem="%s is %s" % (path, kind), uncertain=stat.S_ISLNK(found.st_mode))
    if found.st_uid not in (0, uid):
        return KeyFile(path, present=True, problem="%s belongs to uid %d" % (path, found.st_uid))
    if found.st_nlink > 1:
        return KeyFile(path, present=True, problem="%s has %d hard links" % (path, found.st_nlink), uncertain=True)
    try:
        data = read_bytes(name, dir_fd=base)
    except NotRegular as error:
        return KeyFile(path, present=True, problem="%s %s" % (path, error.strerror), uncertain=True)
    except OSError as error:
        return KeyFile(path, present=True, problem="%s: %s" % (path, error.strerror), uncertain=True)
    mode = stat.S_IMODE(found.st_mode)
    return KeyFile(path, data, True, parse_file(data), None, mode, found.st_uid, found.st_gid)


def write_key_file(path: str, data: bytes, uid: int, gid: int, home: str) -> None:
    """Replace or make a key file. Missing directories below the home are made, as the account's, 0700.

    Outside the home only an existing directory is used: a central key directory is the administrator's.
    Raises UnsafePath, NotRegular or the OSError of the system; the old file then stands.
    """
    folder, name = os.path.split(path)
    inside = folder == home or folder.startswith(home.rstrip("/") + "/")
    base = _open_or_make(folder, home, uid, gid) if inside else open_directory(folder, uid)
    try:
        current = _read_in(base, name, path, uid)
        if current.problem:
            raise UnsafePath(current.problem)
        owner = (uid, gid) if inside else (0, 0)
        mode = 0o600 if inside else 0o644
        write_atomic(name, data, mode=mode, uid=owner[0], gid=owner[1], dir_fd=base)
    finally:
        os.close(base)


def _open_or_make(folder: str, home: str, uid: int, gid: int) -> int:
    try:
        return open_directory(folder, uid)
    except FileNotFoundError:
        pass
    handle = open_directory(home, uid)
    try:
        for part in os.path.relpath(folder, home).split("/"):
            below = make_directory(part, handle, uid, gid)
            os.close(handle)
            handle = below
    except BaseException:
        os.close(handle)
        raise
    return handle


def remove_key_file(path: str, uid: int) -> None:
    """Unlink a key file; a symlink is unlinked itself. Its directory must be the account's or root's."""
    folder, name = os.path.split(path)
    with contextlib.suppress(FileNotFoundError):
        base = open_directory(folder, uid)
        try:
            remove_file(name, dir_fd=base)
        finally:
            os.close(base)
