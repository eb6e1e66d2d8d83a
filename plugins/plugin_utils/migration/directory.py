# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports of a directory: LDIF of posixAccount entries, and tables in CSV. Pure.

Sources: RFC 2849 (LDIF), RFC 2307 (posixAccount, shadowAccount, posixGroup), openssh-lpk's sshPublicKey, RFC 4180
(CSV).
"""

from __future__ import annotations

import base64
import binascii
import csv
import datetime
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.reconcile import InvalidEntry

from .carried import Carried, Fields, mapping

__all__ = ["table", "tree"]

FIELDS = ("name", "person", "comment", "uid", "shell", "home", "groups", "keys", "expires", "address", "list", "owner")
#: Attributes that say that somebody is not let in: an account of theirs is not declared.
LOCKED: Mapping[str, Callable[[str], bool]] = {
    "nsaccountlock": lambda value: value.lower() == "true",
    "pwdaccountlockedtime": bool,
    "logindisabled": lambda value: value.lower() == "true",
    # Active Directory: ACCOUNTDISABLE is the second bit. Samba: D among the letters in brackets.
    "useraccountcontrol": lambda value: not value.isdecimal() or bool(int(value) & 2),
    "sambaacctflags": lambda value: "D" in value,
}
SECRETS = ("userpassword", "sambantpassword", "krbprincipalkey")
USED = frozenset((
    "objectclass", "uid", "cn", "gecos", "uidnumber", "loginshell", "homedirectory", "sshpublickey", "shadowexpire",
    "memberof", "dn", *LOCKED,
))  # fmt: skip


def table(
    text: Any, columns: Mapping[str, str] | None = None, delimiter: str = ",", separators: str = ";|\n"
) -> Carried:
    """A table with a header. ``columns`` maps our field to the column's name; by default they are the same.

    A row with an address is a privileged IP, one with a name an account. Several groups or keys stand in one cell,
    between ``separators``.
    """
    if not isinstance(text, str):
        raise InvalidEntry("csv", "text", "%r is no text" % (text,))
    made = Carried()
    names = {field: field for field in FIELDS}
    for field, column in mapping(columns or {}, "columns").items():
        if field not in FIELDS:
            raise InvalidEntry("columns", field, "is none of %s" % ", ".join(FIELDS))
        names[field] = column
    # A byte order mark is what spreadsheets put there.
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=delimiter, strict=True)
    header = [name.strip() for name in reader.fieldnames or []]
    reader.fieldnames = header
    twice = [name for name, count in Counter(header).items() if name and count > 1]
    if twice:
        raise InvalidEntry("csv", "header", "names a column twice: %s" % ", ".join(twice))
    for field, column in (columns or {}).items():
        if column not in header:
            raise InvalidEntry("columns", field, "there is no column %r; there are: %s" % (column, ", ".join(header)))
    if names["name"] not in header and names["address"] not in header:
        raise InvalidEntry("csv", "header", "has neither a column for name nor one for address: %s" % ", ".join(header))
    for column in header:
        if column not in names.values():
            made.leave("column", column, "is mapped to no field")
    try:
        for row in reader:
            _row(made, "row %d" % reader.line_num, row, names, separators)
    except csv.Error as error:
        raise InvalidEntry("row %d" % reader.line_num, "csv", str(error)) from None
    return made


def _row(made: Carried, label: str, row: Mapping[str | None, Any], names: Mapping[str, str], separators: str) -> None:
    if None in row:
        raise InvalidEntry(label, "csv", "has more cells than the header")
    cells = {field: (row.get(column) or "").strip() for field, column in names.items()}
    if not any(cells.values()):
        return
    fields = Fields(label, {field: value for field, value in cells.items() if value}, made)
    address = fields.text("address")
    if address is not None:
        listed = fields.text("list") or "privileged"
        if listed not in ("privileged", "trusted"):
            raise InvalidEntry(label, "list", "%r is neither privileged nor trusted" % listed)
        owner = fields.text("owner", "person")
        made.address(address, label, listed, owner=owner, expires=fields.text("expires"))
        fields.rest("is no field of an address")
        return
    name = fields.text("name")
    if name is None:
        raise InvalidEntry(label, "name", "is missing")
    made.account(
        {
            "name": name,
            "person": fields.text("person") or name,
            "comment": fields.text("comment"),
            "uid": fields.number("uid"),
            "shell": fields.text("shell"),
            "home": fields.text("home"),
            "groups": fields.texts("groups", separators=separators + ","),
            "keys": fields.texts("keys", separators=separators),
            "expires": fields.text("expires"),
        }
    )
    fields.rest("is no field of an account")


def tree(text: Any, groups: Sequence[str] | None = None) -> Carried:
    """Entries with objectClass posixAccount. ``groups`` names the directory's groups to carry over; None: all."""
    if not isinstance(text, str):
        raise InvalidEntry("ldif", "text", "%r is no text" % (text,))
    made = Carried()
    entries = list(_entries(text))
    members = _members(entries)
    unused: Counter[str] = Counter()
    for entry in entries:
        dn = entry["dn"][0]
        classes = {value.lower() for value in entry.get("objectclass", [])}
        if "posixaccount" not in classes:
            if "posixgroup" not in classes:
                made.leave(dn, "objectClass", "is no account (posixAccount)")
            continue
        unused.update(name for name in entry if name not in USED)
        _person(made, dn, entry, members, groups)
    for name, count in sorted(unused.items()):
        secret = name in SECRETS
        why = "passwords are not kept in a list" if secret else "the declared lists have no such field"
        made.leave("%d entries" % count, name, why)
    return made


def _person(
    made: Carried,
    dn: str,
    entry: Mapping[str, list[str]],
    members: Mapping[str, list[str]],
    chosen: Sequence[str] | None,
) -> None:
    name = _one(entry, "uid")
    if name is None:
        raise InvalidEntry(dn, "uid", "is missing")
    for attribute, locks in LOCKED.items():
        value = _one(entry, attribute)
        if value is not None and locks(value):
            made.leave(dn, attribute, "the directory keeps the account out: it is not declared", value)
            return
    uid = _one(entry, "uidnumber")
    if uid is not None and not uid.isdecimal():
        raise InvalidEntry(dn, "uidNumber", "%r is no whole number" % uid)
    named = [re.sub(r"\A(?i:cn)=([^,]+),.*\Z", r"\1", value) for value in entry.get("memberof", [])]
    found = list(dict.fromkeys(named + members.get(name, [])))
    for group in found:
        if chosen is not None and group not in chosen:
            made.leave(dn, "group", "is none of the groups asked for", group)
    for other in entry["uid"]:
        if other not in ("", name):
            made.leave(dn, "uid", "is a further name of this account: declare it if somebody logs in by it", other)
    keys = [key.strip() for key in entry.get("sshpublickey", []) if key.strip()]
    made.account(
        {
            "name": name,
            "person": _one(entry, "cn") or name,
            "comment": _one(entry, "gecos"),
            "uid": int(uid) if uid is not None else None,
            "shell": _one(entry, "loginshell"),
            "home": _one(entry, "homedirectory"),
            "groups": [group for group in found if chosen is None or group in chosen],
            "keys": list(dict.fromkeys(keys)),
            "expires": _day(_one(entry, "shadowexpire"), dn),
        }
    )


def _day(text: str | None, dn: str) -> str | None:
    """shadowExpire: days since 1970; -1 for never."""
    if text in (None, "", "-1"):
        return None
    try:
        return (datetime.date(1970, 1, 1) + datetime.timedelta(days=int(str(text)))).isoformat()
    except (ValueError, OverflowError):
        raise InvalidEntry(dn, "shadowExpire", "%r is no number of days" % text) from None


def _one(entry: Mapping[str, list[str]], name: str) -> str | None:
    return next((value for value in entry.get(name, []) if value), None)


def _members(entries: Sequence[Mapping[str, list[str]]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for entry in entries:
        if "posixgroup" in {value.lower() for value in entry.get("objectclass", [])}:
            for member in entry.get("memberuid", []):
                found.setdefault(member, []).extend(entry.get("cn", [])[:1])
    return found


def _entries(text: str) -> Iterator[dict[str, list[str]]]:
    """Attribute in small letters to its values, options such as ;lang-fr cut off."""
    entry: dict[str, list[str]] = {}
    for number, line in _lines(text):
        if not line:
            if entry:
                yield _checked(entry, number)
            entry = {}
            continue
        name, colon, value = line.partition(":")
        name = name.split(";")[0].strip().lower()
        label = "line %d" % number
        if not colon:
            raise InvalidEntry(label, "ldif", "has no colon")
        if name == "version" and not entry:
            continue
        if name == "changetype":
            raise InvalidEntry(label, "changetype", "is a list of changes: an export of entries is wanted")
        if value.startswith("<"):
            raise InvalidEntry(label, name, "its value is in another file (%s)" % value[1:].strip())
        if value.startswith(":"):
            try:
                value = base64.b64decode(value[1:].strip(), validate=True).decode("utf-8")
            except (binascii.Error, UnicodeDecodeError):
                if name in SECRETS:
                    value = "binary"
                else:
                    raise InvalidEntry(label, name, "is no base64 of a text") from None
        entry.setdefault(name, []).append(value.strip())
    if entry:
        yield _checked(entry, 0)


def _checked(entry: dict[str, list[str]], number: int) -> dict[str, list[str]]:
    if "dn" not in entry:
        raise InvalidEntry("line %d" % number, "dn", "an entry without dn ends here")
    return entry


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Unfolded lines without comments: a line that begins with a blank goes on from the one before."""
    held: tuple[int, str] | None = None
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.rstrip("\r")
        if line.startswith(" ") and held is not None:
            held = (held[0], held[1] + line[1:])
            continue
        if held is not None and not held[1].startswith("#"):
            yield held
        held = (number, line)
    if held is not None and not held[1].startswith("#"):
        yield held
