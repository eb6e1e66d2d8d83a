# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The time spent, in pieces of the period and by kind of work. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

CONTRACTS = ("in", "out", None)


def over_period(
    runs: Iterable[Mapping[str, Any]], first: date, last: date, zone: tzinfo
) -> tuple[str, list[dict[str, Any]]]:
    """The piece's name (day, week or month), and for each piece: its first day, and seconds by contract.

    Every piece of the period is there, so that a quiet week shows as one.
    """
    span = (last - first).days + 1
    piece = "day" if span <= 31 else "week" if span <= 184 else "month"
    starts: list[date] = []
    moment = _start(first, piece)
    while moment <= last:
        starts.append(moment)
        moment = _next(moment, piece)
    found = {start: dict.fromkeys(CONTRACTS, 0.0) for start in starts}
    for run in runs:
        start = _start(datetime.fromisoformat(run["started_at"]).astimezone(zone).date(), piece)
        if start in found:
            contract = run["contract"] if run["contract"] in CONTRACTS else None
            found[start][contract] += run["duration_seconds"] or 0
    return piece, [{"start": start, "seconds": seconds} for start, seconds in found.items()]


def by_category(runs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each category and contract: label, count, seconds; the longest first."""
    found: dict[tuple[Any, Any], dict[str, Any]] = {}
    for run in runs:
        line = found.setdefault(
            (run["category"], run["contract"]),
            {
                "category": run["category"],
                "label": run["label"],
                "contract": run["contract"],
                "count": 0,
                "seconds": 0.0,
            },
        )
        # The newest record's own words count.
        line["label"] = run["label"] or line["label"]
        line["count"] += 1
        line["seconds"] += run["duration_seconds"] or 0
    return sorted(found.values(), key=lambda line: (-line["seconds"], str(line["category"])))


def _start(day: date, piece: str) -> date:
    if piece == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if piece == "week" else day


def _next(day: date, piece: str) -> date:
    if piece == "month":
        return (day + timedelta(days=32)).replace(day=1)
    return day + timedelta(days=7 if piece == "week" else 1)
