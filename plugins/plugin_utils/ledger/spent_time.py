# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long, and from when to when, as people write it. No I/O."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

LONGEST = timedelta(days=31)
# Clocks of two machines differ by a little.
_GRACE = timedelta(minutes=5)
# A bare number of more is hardly meant as minutes.
_MOST_MINUTES = 24 * 60
_CLOCK = re.compile(r"(\d{1,3}):([0-5]\d)\Z")
_UNITS = re.compile(r"(?:(\d{1,3})h)?(?:(\d{1,5})(m|min)?)?\Z")


class TimeError(ValueError):
    """A time or duration that cannot be used; the message names the field."""


def duration(field: str, value: str | int, *, zero: bool = False) -> timedelta:
    """Read minutes (`90`, of a day at most), `1h30`, `2h`, `45m` or `1:30`. zero: whether nothing is an answer."""
    text = str(value).strip().lower().replace(" ", "")
    if text.isdecimal() and int(text) > _MOST_MINUTES:
        # YAML reads 1:30:00 without quotes as 5400.
        raise TimeError(f"{field}: {text[:40]} minutes without their unit: write {text[:40]}m, or hours as 90h")
    if match := _CLOCK.match(text):
        found = timedelta(hours=int(match[1]), minutes=int(match[2]))
    elif text and (match := _UNITS.match(text)):
        found = timedelta(hours=int(match[1] or 0), minutes=int(match[2] or 0))
    else:
        raise TimeError(f"{field}: {str(value)[:40]!r} is no duration: write minutes (90), 1h30, 2h, 45m or 1:30")
    if found > LONGEST or (not found and not zero):
        raise TimeError(f"{field}: must be more than nothing and at most {LONGEST.days} days, not {str(value)[:40]!r}")
    return found


def moment(field: str, value: str, zone: tzinfo) -> datetime:
    """Read an ISO 8601 date and time. zone: whose clock it is when the text does not say."""
    try:
        found = datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise TimeError(
            f"{field}: {str(value)[:40]!r} is no date and time: write 2026-11-23T10:00 or 2026-11-23T10:00+01:00"
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def span(
    start: datetime | None, end: datetime | None, length: timedelta | None, now: datetime
) -> tuple[datetime, datetime]:
    """From when to when, out of exactly two of the three. The end may not lie in the future."""
    if start is not None and end is not None and length is None:
        begin, finish = start, end
        if not timedelta() < end - start <= LONGEST:
            raise TimeError(f"end: must come after start, and at most {LONGEST.days} days after")
    elif start is not None and length is not None and end is None:
        begin, finish = start, start + length
    elif end is not None and length is not None and start is None:
        begin, finish = end - length, end
    else:
        raise TimeError("give two of 'start', 'end' and 'duration'")
    if finish > now + _GRACE:
        raise TimeError("end: lies in the future; record what has been done, not what is planned")
    return begin, finish
