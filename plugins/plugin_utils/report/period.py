# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A period as people write it, and the moments that it spans. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_YEAR = re.compile(r"(\d{4})\Z")
_QUARTER = re.compile(r"(\d{4})-[qQtT]([1-4])\Z")
_MONTH = re.compile(r"(\d{4})-(\d{2})\Z")
_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})\Z")


class PeriodError(ValueError):
    """A period or time zone that cannot be read."""


@dataclass(frozen=True)
class Period:
    """text: as given. first, last: days, both included. start, end: moments, the end excluded."""

    text: str
    first: date
    last: date
    start: datetime
    end: datetime
    zone: tzinfo
    zone_name: str


def parse(text: str, zone_name: str = "UTC") -> Period:
    """Read `2026`, `2026-Q4` (or `2026-T4`), `2026-11`, `2026-11-23` or two of them as `2026-11..2026-12`.

    zone_name: whose midnight counts, a name of the time zone database. Raises PeriodError.
    """
    zone = named_zone(zone_name)
    given = str(text).strip()
    left, dots, right = given.partition("..")
    try:
        first, last = _span(left)
        if dots:
            last = _span(right)[1]
        start, end = _midnight(first, zone), _midnight(last + timedelta(days=1), zone)
    except (ValueError, OverflowError):
        raise PeriodError(
            f"period {given!r} cannot be read: write 2026, 2026-Q4, 2026-11, 2026-11-23 or two of them joined by '..'"
        ) from None
    if last < first:
        raise PeriodError(f"period {given!r} ends before it begins")
    return Period(given, first, last, start, end, zone, zone_name)


def _span(text: str) -> tuple[date, date]:
    text = text.strip()
    if match := _YEAR.match(text):
        year = int(match[1])
        return date(year, 1, 1), date(year, 12, 31)
    if match := _QUARTER.match(text):
        month = 3 * int(match[2]) - 2
        return date(int(match[1]), month, 1), _month_end(int(match[1]), month + 2)
    if match := _MONTH.match(text):
        return date(int(match[1]), int(match[2]), 1), _month_end(int(match[1]), int(match[2]))
    if match := _DAY.match(text):
        day = date(int(match[1]), int(match[2]), int(match[3]))
        return day, day
    raise ValueError(text)


def _month_end(year: int, month: int) -> date:
    following = date(year + month // 12, month % 12 + 1, 1)
    return following - timedelta(days=1)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def named_zone(name: str) -> tzinfo:
    """A zone of the time zone database. Raises PeriodError."""
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise PeriodError(f"time zone {name!r} is not in this machine's time zone database") from None
