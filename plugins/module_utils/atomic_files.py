# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replace one file, old or new, never half: temporary file beside it, fsync, rename, fsync of the directory.

Everything goes through a directory descriptor, so that nobody can swap the directory under our feet.
Owner, mode, ACL and SELinux label of the old file are kept before the new one takes its name.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import stat

__all__ = ["NotRegular", "fault_point", "read_bytes", "remove_file", "write_atomic"]

#: Labels and ACLs; every other attribute belongs to the old inode.
KEPT_XATTRS = ("security.selinux", "system.posix_acl_access")
#: No file that we edit is near this size; a larger one is a trap, not a list.
LARGEST = 64 * 1024 * 1024


class NotRegular(OSError):
    """The path is a symlink, a directory, a device, a FIFO, or too large: not a file to read or replace."""


def fault_point(name: str) -> None:
    """Die here if the tests ask for it: INFOGERANCE_PERIMETER_FAULT names the point, ..._FAULT_AT the passage."""
    wanted = os.environ.get("INFOGERANCE_PERIMETER_FAULT")
    if wanted is None or wanted not in (name, "*"):
        return
    _PASSED[wanted] = _PASSED.get(wanted, 0) + 1
    if _PASSED[wanted] == int(os.environ.get("INFOGERANCE_PERIMETER_FAULT_AT", "1")):
        os.kill(os.getpid(), signal.SIGKILL)


_PASSED: dict[str, int] = {}


def read_bytes(path: str, dir_fd: int | None = None) -> bytes:
    """The file's bytes. Does not follow a last symlink, does not block on a FIFO.

    Raises FileNotFoundError, NotRegular, or the OSError of the system.
    """
    handle = _open_regular(path, dir_fd)
    with os.fdopen(handle, "rb") as stream:
        return stream.read()


def _open_regular(path: str, dir_fd: int | None) -> int:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=dir_fd)
    except OSError as error:
        if error.errno == 40:  # ELOOP: the last component is a symlink
            raise NotRegular(error.errno, "is a symbolic link", path) from None
        raise
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise NotRegular(22, "is not a regular file", path)
    if found.st_size > LARGEST:
        os.close(handle)
        raise NotRegular(27, "is larger than %d MiB" % (LARGEST >> 20), path)
    return handle


def write_atomic(
    path: str,
    data: bytes,
    mode: int = 0o600,
    uid: int = 0,
    gid: int = 0,
    dir_fd: int | None = None,
    keep: bool = True,
) -> None:
    """Put ``data`` in place of ``path``. ``mode``, ``uid`` and ``gid`` serve where no file was.

    With ``keep`` false they are set even over an old file.
    On any error (disk full, read-only, killed) the old file stands as it was.
    """
    folder, name = os.path.split(path)
    if dir_fd is None:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        base = os.open(folder or ".", flags)
    elif folder:
        raise ValueError("with dir_fd, path is a bare name: %r" % path)
    else:
        base = os.dup(dir_fd)
    try:
        _write_in(base, name, data, mode, uid, gid, keep)
    finally:
        os.close(base)


def _write_in(base: int, name: str, data: bytes, mode: int, uid: int, gid: int, keep: bool) -> None:
    labels: dict[str, bytes] = {}
    with contextlib.suppress(FileNotFoundError):
        old = _open_regular(name, base)
        try:
            found = os.fstat(old)
            if keep:
                mode, uid, gid = stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid
            for label in KEPT_XATTRS:
                with contextlib.suppress(OSError):
                    labels[label] = os.getxattr(old, label)
        finally:
            os.close(old)
    # A dot in front and a tilde behind: sudoers.d, cron.d and the like pass such names over.
    temporary = ".%s.%s~" % (name[:200], secrets.token_hex(6))
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=base)
    try:
        try:
            fault_point("write:opened")
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
            os.fchown(handle, uid, gid)
            os.fchmod(handle, mode)
            for label, value in labels.items():
                # A file system without labels is no reason to lose a key.
                with contextlib.suppress(OSError):
                    os.setxattr(handle, label, value)
            os.fsync(handle)
        finally:
            os.close(handle)
        fault_point("write:synced")
        os.rename(temporary, name, src_dir_fd=base, dst_dir_fd=base)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=base)
        raise
    fault_point("write:renamed")
    os.fsync(base)


def remove_file(name: str, dir_fd: int | None = None) -> None:
    """Unlink and make it durable. A file that is gone already is fine."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=dir_fd)
    fault_point("write:unlinked")
    if dir_fd is not None:
        os.fsync(dir_fd)
