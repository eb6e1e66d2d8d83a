# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of an interval lies outside the working hours. Pure; follows the zone's clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.policy import BillingPolicy

_MILLISECOND = timedelta(milliseconds=1)


def outside(start: datetime, milliseconds: int, policy: BillingPolicy, zone: tzinfo) -> int:
    """Milliseconds of the interval that are out of hours: 0 when the policy names no working hours."""
    if not policy.days or milliseconds <= 0:
        return 0
    begin = start.astimezone(UTC)
    end = begin + milliseconds * _MILLISECOND
    inside = timedelta()
    # One day earlier: where the clock changes, a local day may reach over midnight.
    day = begin.astimezone(zone).date() - timedelta(days=1)
    last = end.astimezone(zone).date()
    while day <= last:
        if day.weekday() in policy.days and day not in policy.holidays:
            opens, closes = _moment(day, policy.opens, zone), _moment(day, policy.closes, zone)
            inside += max(timedelta(), min(end, closes) - max(begin, opens))
        day += timedelta(days=1)
    return milliseconds - inside // _MILLISECOND


def _moment(day: date, minutes: int, zone: tzinfo) -> datetime:
    if minutes == 1440:
        day, minutes = day + timedelta(days=1), 0
    return datetime(day.year, day.month, day.day, minutes // 60, minutes % 60, tzinfo=zone).astimezone(UTC)
