# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of a sink: read it, replace it atomically, and put back exactly what was there."""

from __future__ import annotations

import os

from ansible_collections.infogerance.perimeter.plugins.module_utils.atomic_files import (
    NotRegular,
    read_bytes,
    remove_file,
    write_atomic,
)

from .protocol import SinkError

__all__ = ["Replaced", "folder_of", "read_text"]

#: A list is far below this; more is somebody else's file.
LARGEST = 16 * 1024 * 1024


def read_text(path: str) -> str | None:
    """The file's text, or None if there is none. Bytes that are no UTF-8 survive a round trip."""
    try:
        data = read_bytes(path)
    except FileNotFoundError:
        return None
    except NotRegular as error:
        raise SinkError("%s: %s" % (path, error.strerror)) from None
    except OSError as error:
        raise SinkError("%s can't be read: %s" % (path, error.strerror)) from None
    if len(data) > LARGEST:
        raise SinkError("%s is larger than %d MiB" % (path, LARGEST >> 20))
    return data.decode("utf-8", "surrogateescape")


def folder_of(path: str) -> str:
    """The directory that must exist before ``path`` can be written."""
    return os.path.dirname(path) or "/"


class Replaced:
    """Files replaced in one change. ``back`` puts all of them back, the last one first."""

    def __init__(self) -> None:
        self._before: list[tuple[str, bytes | None]] = []
        self._folders: list[str] = []

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Replace one file. Raises SinkError; what this object replaced before stays replaced until ``back``."""
        try:
            try:
                before: bytes | None = read_bytes(path)
            except FileNotFoundError:
                before = None
            data = text.encode("utf-8", "surrogateescape")
            if before == data:
                return
            folder = folder_of(path)
            if not os.path.isdir(folder):
                os.mkdir(folder, 0o755)
                self._folders.append(folder)
            write_atomic(path, data, mode=mode)
        except OSError as error:
            raise SinkError("%s can't be written: %s" % (path, error.strerror or error)) from None
        self._before.append((path, before))

    def remove(self, path: str) -> None:
        """Take one file away."""
        try:
            before = read_bytes(path)
            remove_file(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise SinkError("%s can't be removed: %s" % (path, error.strerror or error)) from None
        self._before.append((path, before))

    def back(self) -> None:
        """Put everything back. Raises SinkError naming the files that couldn't be."""
        failed = []
        for path, before in reversed(self._before):
            try:
                if before is None:
                    remove_file(path)
                else:
                    write_atomic(path, before)
            except OSError as error:
                failed.append("%s: %s" % (path, error.strerror or error))
        self._before = []
        for folder in reversed(self._folders):
            try:
                os.rmdir(folder)
            except OSError:
                pass
        if failed:
            raise SinkError("could not put back %s" % "; ".join(failed))
