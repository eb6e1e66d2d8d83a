# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VPN certificates as entries for the planner. Pure: the client's list and an index in, entries out.

A certificate is ``<cn>:<serial>``: the serial is the key, since one name may have several certificates. A list that
names no serial means every live certificate of the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .pki.authority import SAFE_NAME
from .pki.index_file import Line, common_name, serial_text
from .reconcile import Declared, InvalidEntry, parse_date

__all__ = [
    "KIND",
    "Manage",
    "Row",
    "entry_name",
    "is_live",
    "parse_manage",
    "parse_rows",
    "resolve_rows",
    "split_names",
]

KIND = "vpn_certificate"


@dataclass(frozen=True)
class Row:
    """One line of the client's list, validated."""

    cn: str
    serial: str | None = None
    person: str | None = None
    expires: str | None = None
    csr: str | None = None
    absent: bool = False


@dataclass(frozen=True)
class Manage:
    """What may be taken away beside what was created or adopted."""

    whole_ca: bool = False
    names: frozenset[str] = frozenset()

    def covers(self, cn: str | None, serial: str) -> bool:
        return self.whole_ca or cn in self.names or serial in self.names or "%s:%s" % (cn, serial) in self.names


def parse_manage(given: Mapping[str, Any] | None) -> Manage:
    """Read the ``manage`` option."""
    given = given or {}
    return Manage(bool(given.get("ca")), frozenset(given.get("names") or []))


def parse_rows(certificates: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Validate the whole list. Raises InvalidEntry for the first fault."""
    rows: list[Row] = []
    seen: set[tuple[str, str | None]] = set()
    by_serial: dict[str, bool] = {}
    owners: dict[str, str] = {}
    for position, given in enumerate(certificates):
        cn = given.get("cn")
        label = "certificates[%d]" % position
        if not isinstance(cn, str) or not cn:
            raise InvalidEntry(label, "cn", "is missing")
        if not SAFE_NAME.match(cn):
            raise InvalidEntry(
                cn, "cn", "%r is no name for a certificate: letters, digits, '.', '_', '@', '-', at most 64" % cn
            )
        if cn == "DEFAULT":
            raise InvalidEntry(cn, "cn", "is the name of OpenVPN's file for everybody else")
        row = _row(cn, given)
        if (cn, row.serial) in seen:
            raise InvalidEntry(cn, "serial" if row.serial else "cn", "is declared twice")
        if row.serial is not None and owners.setdefault(row.serial, cn) != cn:
            raise InvalidEntry(cn, "serial", "%s is declared for %s, too" % (row.serial, owners[row.serial]))
        if not row.absent and by_serial.setdefault(cn, row.serial is not None) != (row.serial is not None):
            raise InvalidEntry(cn, "serial", "the name is declared with a serial and without one")
        seen.add((cn, row.serial))
        rows.append(row)
    return rows


def _row(cn: str, given: Mapping[str, Any]) -> Row:
    serial = None
    if given.get("serial") is not None:
        try:
            serial = serial_text(str(given["serial"]))
        except ValueError as error:
            raise InvalidEntry(cn, "serial", str(error)) from None
    expires = given.get("expires")
    csr = given.get("csr")
    if csr and serial:
        raise InvalidEntry(cn, "csr", "can't be given with a serial: a certificate that is still to be made has none")
    absent = given.get("state") == "absent"
    if csr and absent:
        raise InvalidEntry(cn, "csr", "makes no sense with state: absent")
    return Row(
        cn,
        serial,
        given.get("person") or None,
        parse_date(expires, cn, "expires") if expires else None,
        csr or None,
        absent,
    )


def entry_name(cn: str | None, serial: str) -> str:
    """The entry's name; a name that could not be shown on one line is left out."""
    shown = cn if cn is not None and re.match(r"[!-~]+\Z", cn) else "?"
    return "%s:%s" % (shown, serial)


def is_live(line: Line, now: str) -> bool:
    """Does this certificate open the door today, or will it when a hold is taken back?"""
    return line.expires > now and (line.status == "V" or line.held)


def resolve_rows(rows: Sequence[Row], lines: Iterable[Line], now: str) -> list[Declared]:
    """The list as entries, each by its serial. Raises InvalidEntry where list and index contradict each other."""
    by_serial: dict[str, Line] = {}
    by_name: dict[str | None, list[Line]] = {}
    wanted_names = {row.cn for row in rows}
    wanted_serials = {row.serial for row in rows}
    for line in lines:
        cn = common_name(line.subject)
        if cn in wanted_names:
            by_name.setdefault(cn, []).append(line)
        if line.serial in wanted_serials:
            by_serial[line.serial] = line
    declared = []
    for row in rows:
        if row.absent:
            continue
        if row.serial is not None:
            found = by_serial.get(row.serial)
            if found is not None and common_name(found.subject) != row.cn:
                raise InvalidEntry(row.cn, "serial", "%s belongs to %s" % (row.serial, found.subject))
            live = [found] if found is not None and is_live(found, now) else []
            dead = [found] if found is not None else []
        else:
            dead = by_name.get(row.cn, [])
            live = [line for line in dead if is_live(line, now)]
        if live:
            declared += [
                Declared(KIND, entry_name(row.cn, line.serial), {}, row.expires, row.person, None, True)
                for line in live
            ]
            continue
        name = entry_name(row.cn, row.serial) if row.serial else row.cn
        why = None if row.csr else _why_missing(dead)
        declared.append(Declared(KIND, name, {}, row.expires, row.person, None, True, why))
    return declared


def _why_missing(dead: Sequence[Line]) -> str:
    hint = "give a csr to have one issued"
    if not dead:
        return "no such certificate was issued here: %s" % hint
    last = max(dead, key=lambda line: line.expires)
    if last.status == "R":
        return "revoked on %s: %s" % ((last.revoked or "")[:10], hint)
    return "expired on %s: %s" % (last.expires[:10], hint)


def split_names(names: Iterable[str], lines: Iterable[Line], now: str) -> frozenset[str]:
    """Names given by hand (an entry, a common name or a serial) as entries."""
    given = set(names)
    found = set(given)
    if given:
        for line in lines:
            cn = common_name(line.subject)
            if is_live(line, now) and (cn in given or line.serial in given):
                found.add(entry_name(cn, line.serial))
    return frozenset(found)
