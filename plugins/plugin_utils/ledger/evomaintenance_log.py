# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of evomaintenance: one record for each intervention that somebody noted when leaving a server. No I/O.

    *********** 2026-11-23T09:35:49+0000 ***************
    Host      : web1 (web1.example.org)
    User      : ada
    IP        : 192.0.2.7
    Begin     : 2026 Nov 23 09:02
    End       : 2026 Nov 23 09:35
    Message   : any text, on any number of lines
    Hooks     : commit=1 db=0 api=1 mail=1
    Mailto    : client@example.org
    /etc/.git : 1a2b3c4

The head's moment is the end, to the second and with its zone. `Begin` is the server's clock without a zone, in the year
in which it ended (so it may lie after the end), and only `2026` when there was no terminal. The message is raw: what
ends it is the last `Hooks` line before the next head.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

_HEAD = re.compile(r"\*{11} (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:?\d\d) \*{15}\s*\Z")
_FIELD = re.compile(r"(Host|User|IP|Begin|End|Message) {2,}: ?(.*)\Z")
_HOOKS = re.compile(r"Hooks {5}: (commit=[01] db=[01] api=[01] mail=[01])\s*\Z")
_COMMIT = re.compile(r"(/\S.*) : ([0-9a-f]{4,40})\s*\Z")
_HOST = re.compile(r"(\S+)(?: \((.+)\))?\Z")
_BEGIN = re.compile(r"(\d{4}) (?:([A-Z][a-z]{2}) {1,2}(\d{1,2})|\d{4}-(\d\d)-(\d\d)) (\d\d):(\d\d)\Z")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ORDER = ("Host", "User", "IP", "Begin", "End", "Message")


@dataclass(frozen=True)
class Noted:
    """One record. ended: in UTC. begun: in UTC, None when the log does not tell. line: where the record begins."""

    line: int
    logged: str
    host: str
    fqdn: str | None
    user: str
    address: str
    begun: datetime | None
    begin_text: str
    ended: datetime
    message: str
    hooks: str
    commits: tuple[str, ...] = ()


@dataclass
class Parsed:
    """records: in order. faults: a sentence for each that cannot be read. unfinished: the last one is being written."""

    records: list[Noted] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    unfinished: bool = False


def parse(lines: Iterable[str], zone: tzinfo | None = None) -> Parsed:
    """Read a log. zone: whose clock `Begin` is; that of the record's head when None."""
    blocks: list[tuple[int, str, list[str]]] = []
    before: list[tuple[int, str]] = []
    everything = [line.rstrip("\r\n") for line in lines]
    for number, text in enumerate(everything, 1):
        match = _HEAD.match(text)
        # A message may quote a head; a real one is followed by the host.
        follows = everything[number] if number < len(everything) else "Host      : "
        if match and follows.startswith("Host "):
            blocks.append((number, match[1], []))
        elif blocks:
            blocks[-1][2].append(text)
        elif text.strip():
            before.append((number, text))
    parsed = Parsed()
    if before:
        parsed.faults.append(f"line {before[0][0]}: belongs to no record")
    for index, (number, logged, body) in enumerate(blocks):
        hooks = max((place for place, text in enumerate(body) if _HOOKS.match(text)), default=None)
        if hooks is None:
            if index == len(blocks) - 1:
                parsed.unfinished = True
            else:
                parsed.faults.append(f"line {number}: the record has no line 'Hooks'")
            continue
        try:
            parsed.records.append(_record(number, logged, body, hooks, zone))
        except ValueError as error:
            parsed.faults.append(f"line {number}: {error}")
    return parsed


def _record(number: int, logged: str, body: list[str], hooks: int, zone: tzinfo | None) -> Noted:
    fields: dict[str, str] = {}
    for wanted, text in zip(_ORDER, body, strict=False):
        match = _FIELD.match(text)
        if match is None or match[1] != wanted:
            raise ValueError(f"the record has no line {wanted!r} in its place")
        fields[wanted] = match[2]
    if len(fields) < len(_ORDER) or hooks < len(_ORDER):
        raise ValueError("the record is too short")
    named = _HOST.match(fields["Host"].strip())
    if named is None:
        raise ValueError("'Host' names no host")
    stamp = datetime.fromisoformat(logged)
    ended = stamp.astimezone(UTC)
    hook = _HOOKS.match(body[hooks])
    return Noted(
        line=number,
        logged=logged,
        host=named[1],
        fqdn=named[2],
        user=fields["User"].strip(),
        address=fields["IP"].strip(),
        begun=begun(fields["Begin"].strip(), ended, zone or stamp.tzinfo or UTC),
        begin_text=fields["Begin"].strip(),
        ended=ended,
        message="\n".join([fields["Message"], *body[len(_ORDER) : hooks]]).strip(),
        hooks=hook[1] if hook else "",
        commits=tuple(f"{match[1]} {match[2]}" for text in body[hooks + 1 :] if (match := _COMMIT.match(text))),
    )


def begun(text: str, ended: datetime, zone: tzinfo) -> datetime | None:
    """The beginning, in UTC; None when the text has none, or one that cannot be."""
    match = _BEGIN.match(text)
    if match is None:
        return None
    year, name, day, iso_month, iso_day, hour, minute = match.groups()
    if name is not None and name not in _MONTHS:
        return None
    month = _MONTHS.index(name) + 1 if name is not None else int(iso_month)
    for candidate in (int(year), int(year) - 1):
        try:
            local = datetime(candidate, month, int(day or iso_day), int(hour), int(minute), tzinfo=zone)
        except ValueError:
            continue
        found = local.astimezone(UTC)
        # The script takes the year of the end: over New Year that puts the beginning after it.
        if found <= ended:
            return found
    return None
