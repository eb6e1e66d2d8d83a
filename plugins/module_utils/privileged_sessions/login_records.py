# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wtmp and lastlog, the binary files. Pure: bytes in, values out.

Sources: utmp(5), lastlog(8). A record of wtmp has 384 bytes where times are kept in 32 bits (x86, and most others), and
400 where in 64 (arm64).
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator

from .session import Login

__all__ = ["last_logins", "wtmp_logins"]

_SHORT = struct.Struct("<h2xi32s4s32s256shhiii16s20x")
_LONG = struct.Struct("<h2xi32s4s32s256shhq2q16s20x4x")
_LASTLOG = struct.Struct("<i32s256s")
_BOOT, _NEW, _DEAD = 2, 7, 8
#: No login lasts from before Linux or into a far future: such a record is damaged.
_EARLIEST, _LATEST = 662688000, 1 << 33


def wtmp_logins(data: bytes) -> list[Login]:
    """The logins in the order of their beginning; one that did not end has no end. Damaged records are passed over."""
    form = _form(data)
    open_at: dict[str, Login] = {}
    found: list[Login] = []
    for kind, line, user, host, address, at in _records(data, form):
        if kind == _BOOT:
            found += [_ended(login, at) for login in open_at.values()]
            open_at = {}
        elif kind in (_NEW, _DEAD):
            before = open_at.pop(line, None)
            if before is not None:
                found.append(_ended(before, at))
            if kind == _NEW and user:
                open_at[line] = Login(user, line, address or host, at, None, "wtmp")
    found += open_at.values()
    return sorted(found, key=lambda login: login.began)


def _ended(login: Login, at: float) -> Login:
    return Login(login.user, login.tty, login.address, login.began, max(at, login.began), login.source)


def _form(data: bytes) -> struct.Struct:
    """Which of the two layouts the file has: in the wrong one the type of most records makes no sense."""

    def sane(form: struct.Struct) -> int:
        kinds = [
            int(struct.unpack_from("<h", data, at)[0]) for at in range(0, min(len(data) - 1, form.size * 64), form.size)
        ]
        return sum(0 < kind < 10 for kind in kinds) * 64 // max(1, len(kinds))

    return _LONG if len(data) % _SHORT.size and sane(_LONG) > sane(_SHORT) else _SHORT


def _records(data: bytes, form: struct.Struct) -> Iterator[tuple[int, str, str, str, str, float]]:
    for at in range(0, len(data) - form.size + 1, form.size):
        row = form.unpack_from(data, at)
        kind, line, user, host = row[0], _text(row[2]), _text(row[4]), _text(row[5])
        seconds = row[9]
        if 0 < kind < 10 and _EARLIEST < seconds < _LATEST:
            yield kind, line, user, host, _address(row[11]), float(seconds)


def last_logins(data: bytes, uid: int) -> Iterator[tuple[float, str, str]]:
    """(when, terminal, host) of the last login of a uid; nothing where there is none."""
    at = uid * _LASTLOG.size
    if uid >= 0 and len(data) >= at + _LASTLOG.size:
        seconds, line, host = _LASTLOG.unpack_from(data, at)
        if seconds > _EARLIEST:
            yield float(seconds), _text(line), _text(host)


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("utf-8", "surrogateescape")


def _address(raw: bytes) -> str:
    if not any(raw):
        return ""
    if not any(raw[4:]):
        return str(ipaddress.IPv4Address(raw[:4]))
    found = ipaddress.IPv6Address(raw)
    return str(found.ipv4_mapped or found)
