# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a file of root's, read as root without being led astray."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from ansible_collections.infogerance.perimeter.plugins.module_utils.homes import open_directory

__all__ = ["Tail", "beginning", "tail"]

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Tail(NamedTuple):
    """``cut`` is true where the file has more before it."""

    data: bytes
    cut: bool


def tail(folder: str, name: str, most: int, step: int = 1) -> Tail | None:
    """At most so much from the end; None where there is no such file. It begins at a multiple of ``step``.

    Raises OSError.
    """
    return _read(folder, name, most, step)


def beginning(folder: str, name: str, most: int) -> Tail | None:
    """At most so much from the beginning, which is all that is wanted; None where there is no such file.

    Raises OSError.
    """
    return _read(folder, name, most, None)


def _read(folder: str, name: str, most: int, step: int | None) -> Tail | None:
    try:
        handle = open_directory(folder, 0)
    except FileNotFoundError:
        return None
    try:
        with os.fdopen(os.open(name, _FLAGS, dir_fd=handle), "rb") as stream:
            facts = os.fstat(stream.fileno())
            if not stat.S_ISREG(facts.st_mode):
                return None
            cut = step is not None and facts.st_size > most
            if step is not None and cut:
                stream.seek((facts.st_size - most + step - 1) // step * step)
            return Tail(stream.read(most), cut)
    except FileNotFoundError:
        return None
    finally:
        os.close(handle)
