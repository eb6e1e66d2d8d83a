# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory on the managed server: what is ours, what was taken away, and who is at work.

``/var/lib/infogerance-perimeter/`` (root, 0700)::

    lock                                  held by the run that changes something
    <kind>.json                           what this collection created, adopted or disabled
    archive/<kind>/<name>.<stamp>.<n>/    what was taken away, with a manifest.json that tells how to put it back

Reading never creates anything: check mode leaves no trace.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator
from typing import Any

from .atomic_files import fault_point, read_bytes, write_atomic

__all__ = ["DEFAULT_ROOT", "Busy", "StateDirectory", "StateError"]

DEFAULT_ROOT = "/var/lib/infogerance-perimeter"
STATE_VERSION = 1


class StateError(Exception):
    """The state directory can't be trusted (owner, mode, damaged file). Nothing was changed."""


class Busy(StateError):
    """Another run holds the lock."""


class StateDirectory:
    """Door to the state directory of one server."""

    def __init__(self, root: str = DEFAULT_ROOT) -> None:
        self.root = root

    def read(self, kind: str) -> dict[str, Any]:
        """The state of one kind; empty where there is none yet.

        A damaged file is an error, not an empty state: forgetting what is ours would leave doors open unseen.
        """
        path = os.path.join(self.root, kind + ".json")
        try:
            self._check_root()
            data = json.loads(read_bytes(path).decode("utf-8"))
        except FileNotFoundError:
            return {}
        except (ValueError, OSError) as error:
            raise StateError("state file %s is damaged: %s" % (path, error)) from None
        if not isinstance(data, dict) or data.get("version") != STATE_VERSION:
            raise StateError("state file %s has a version that this release doesn't know" % path)
        return data

    def write(self, kind: str, data: dict[str, Any]) -> None:
        """Replace the state of one kind, atomically."""
        self.ensure()
        text = json.dumps(dict(data, version=STATE_VERSION), indent=1, sort_keys=True) + "\n"
        write_atomic(os.path.join(self.root, kind + ".json"), text.encode("utf-8"))

    def ensure(self) -> None:
        """Make the directory, 0700 and root's. Raises StateError if it belongs to somebody else."""
        os.makedirs(self.root, mode=0o700, exist_ok=True)
        self._check_root()

    def _check_root(self) -> None:
        found = os.lstat(self.root)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise StateError("%s must be a directory of root with mode 0700" % self.root)

    @contextlib.contextmanager
    def lock(self, wait: float = 30.0) -> Iterator[None]:
        """Hold the server's lock; wait up to ``wait`` seconds for another run, then raise Busy."""
        self.ensure()
        path = os.path.join(self.root, "lock")
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            deadline = time.monotonic() + wait
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError as error:
                    if error.errno not in (errno.EAGAIN, errno.EACCES):
                        raise
                if time.monotonic() >= deadline:
                    holder = os.pread(handle, 200, 0).decode("utf-8", "replace").strip() or "unknown"
                    raise Busy("another run holds %s (%s) for more than %g s" % (path, holder, wait))
                time.sleep(0.1)
            os.ftruncate(handle, 0)
            os.pwrite(handle, ("pid %d since %s\n" % (os.getpid(), time.strftime("%FT%TZ", time.gmtime()))).encode(), 0)
            yield
        finally:
            os.close(handle)

    def new_archive(self, kind: str, name: str) -> str:
        """A new, empty directory (0700) for what is about to be taken from ``name``."""
        self.ensure()
        folder = os.path.join(self.root, "archive", kind)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        # Names come from servers: no separator and no dot name may reach a path.
        safe = "".join(c if c.isascii() and (c.isalnum() or c in "_-@") else "%%%02x" % ord(c) for c in name)[:100]
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        for number in range(1000):
            path = os.path.join(folder, "%s.%s.%d" % (safe, stamp, number))
            try:
                os.mkdir(path, 0o700)
            except FileExistsError:
                continue
            fault_point("archive:made")
            return path
        raise StateError("no free archive name for %s in %s" % (name, folder))

    def save(self, archive: str, name: str, data: bytes) -> str:
        """Store bytes in an archive directory, durable before it returns; the path of the copy."""
        path = os.path.join(archive, name)
        write_atomic(path, data)
        return path

    def save_manifest(self, archive: str, manifest: dict[str, Any]) -> None:
        """Describe an archive. It is written last: an archive without a manifest was never completed."""
        text = json.dumps(dict(manifest, version=STATE_VERSION), indent=1, sort_keys=True) + "\n"
        write_atomic(os.path.join(archive, "manifest.json"), text.encode("utf-8"))

    def archives(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The complete archives of one kind, newest first, each with its manifest."""
        folder = os.path.join(self.root, "archive", kind)
        try:
            names = os.listdir(folder)
        except FileNotFoundError:
            return
        found = []
        for name in names:
            try:
                manifest = json.loads(read_bytes(os.path.join(folder, name, "manifest.json")).decode("utf-8"))
            except (OSError, ValueError):
                continue
            found.append((str(manifest.get("at", "")), os.path.join(folder, name), manifest))
        for _at, path, manifest in sorted(found, key=lambda row: (row[0], row[1]), reverse=True):
            yield path, manifest
