# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage one of taking a certificate away: reversible, immediate, without the authority's key.

Two ways, by what the server's configuration offers:

* ``client-config-dir``: a line ``disable`` in the client's file, by common name;
* ``crl-verify <dir> dir``: a file named by the decimal serial, by certificate.

Our lines carry a mark, so that only ours are taken back. A ``disable`` that somebody else wrote stays.
"""

from __future__ import annotations

import os
import re

from .atomic_files import fault_point, read_bytes, remove_file, write_atomic

__all__ = [
    "CLIENT_MARK",
    "ClientFile",
    "client_file",
    "disable_client",
    "disabled_by_us",
    "enable_client",
    "serial_file",
]

CLIENT_MARK = "# infogerance.perimeter: disabled"
_FIRST = re.compile(r"^%s[^\n]*\ndisable\n" % re.escape(CLIENT_MARK), re.MULTILINE)


class ClientFile:
    """What one file of a client-config-dir says about the client."""

    __slots__ = ("foreign", "ours", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.ours = _FIRST.search(text) is not None
        rest = _FIRST.sub("", text)
        self.foreign = re.search(r"^\s*disable\s*(?:[#;].*)?$", rest, re.MULTILINE) is not None


def client_file(folder: str, common_name: str) -> str:
    """The path of a client's file. Raises ValueError for a name that is no file of its own there."""
    # OpenVPN turns odd characters into "_" and reads DEFAULT for everybody without a file.
    if not re.match(r"[A-Za-z0-9_@=+][A-Za-z0-9_@=+.\-]*\Z", common_name) or common_name == "DEFAULT":
        raise ValueError("%r can't be disabled by a file of its name" % common_name)
    return os.path.join(folder, common_name)


def disabled_by_us(path: str) -> ClientFile | None:
    """What the file says; None where there is none. Raises OSError."""
    try:
        return ClientFile(read_bytes(path).decode("latin-1"))
    except FileNotFoundError:
        return None


def disable_client(path: str, today: str) -> bytes | None:
    """Put our two lines on top of the client's file. Returns what it held before."""
    before = disabled_by_us(path)
    if before is not None and before.ours:
        return before.text.encode("latin-1")
    text = "%s %s\ndisable\n" % (CLIENT_MARK, today) + (before.text if before else "")
    write_atomic(path, text.encode("latin-1"), 0o644)
    fault_point("disable:client-file")
    return before.text.encode("latin-1") if before else None


def enable_client(path: str) -> None:
    """Take our lines away; a file that holds nothing else goes."""
    found = disabled_by_us(path)
    if found is None or not found.ours:
        return
    rest = _FIRST.sub("", found.text)
    if rest.strip():
        write_atomic(path, rest.encode("latin-1"))
    else:
        folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            remove_file(os.path.basename(path), folder)
        finally:
            os.close(folder)


def serial_file(folder: str, serial: str) -> str:
    """The path that ``crl-verify <dir> dir`` looks for: the serial in decimal."""
    return os.path.join(folder, str(int(serial, 16)))
