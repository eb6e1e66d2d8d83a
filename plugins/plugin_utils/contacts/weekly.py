# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times of a week: which windows hold when, where two overlap, where nobody is on. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import plain_fields as plain
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.plain_fields import TermsError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = 1440
_WEEK = 7 * _DAY


@dataclass(frozen=True)
class Span:
    """On these days (0 is Monday) from one minute to another; `until` may lie on the next day. 0 to 1440 is a day."""

    days: tuple[int, ...]
    start: int
    until: int

    @property
    def every_hour(self) -> bool:
        """Whether it is the whole week."""
        return len(self.days) == 7 and self.until - self.start == _DAY

    def pieces(self) -> list[tuple[int, int]]:
        """Minutes of the week, from and to; what runs over Sunday's end begins anew on Monday."""
        found = []
        for day in self.days:
            start, end = day * _DAY + self.start, day * _DAY + self.until
            found.append((start, min(end, _WEEK)))
            if end > _WEEK:
                found.append((0, end - _WEEK))
        return found

    def as_dict(self) -> dict[str, Any]:
        """A plain copy."""
        return {"days": [DAYS[day] for day in self.days], "from": clock(self.start), "to": clock(self.until)}


def parse(fields: Mapping[str, Any], where: str) -> Span:
    """`days` (all when left out), `from` and `to` (the whole day when left out). Raises TermsError."""
    names = plain.names(fields, "days", where)
    for name in names:
        if name not in DAYS:
            raise TermsError(f"{where}: field 'days' holds {name!r}; it may hold {', '.join(DAYS)}")
    if fields.get("days") is not None and not names:
        raise TermsError(f"{where}: field 'days' is empty: leave it out for every day")
    if ("from" in fields) != ("to" in fields):
        raise TermsError(f"{where}: fields 'from' and 'to' belong together")
    start, until = plain.clock(fields, "from", where), plain.clock(fields, "to", where)
    if start is None or until is None:
        start, until = 0, _DAY
    if start == _DAY:
        raise TermsError(f"{where}: field 'from': a day begins at 00:00")
    if start == until:
        raise TermsError(f"{where}: fields 'from' and 'to' are the same: leave both out for the whole day")
    if until < start:
        # Into the night: it ends on the day after.
        until += _DAY
    days = tuple(sorted(DAYS.index(name) for name in names)) or tuple(range(7))
    return Span(days, start, until)


def overlap(spans: Sequence[Span]) -> int | None:
    """The first minute of the week on which two of them hold; None when there is none."""
    last = 0
    for start, end in sorted(piece for span in spans for piece in span.pieces()):
        if start < last:
            return start
        last = end
    return None


def gap(spans: Sequence[Span]) -> int | None:
    """The first minute of the week on which none of them holds; None when there is none."""
    last = 0
    for start, end in sorted(piece for span in spans for piece in span.pieces()):
        if start > last:
            return last
        last = max(last, end)
    return last if last < _WEEK else None


def clock(minute: int) -> str:
    """08:30; 24:00 for the day's end, and the next day's time beyond."""
    minute = minute if minute <= _DAY else minute - _DAY
    return f"{minute // 60:02d}:{minute % 60:02d}"


def spoken(minute: int) -> str:
    """`mon 08:30`, for a fault."""
    return f"{DAYS[minute // _DAY]} {clock(minute % _DAY)}"
