# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Periods: what people write, and the exact moments it means."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.period import PeriodError, parse


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026", "2026-01-01", "2026-12-31"),
        ("2026-Q4", "2026-10-01", "2026-12-31"),
        ("2026-t1", "2026-01-01", "2026-03-31"),
        ("2026-11", "2026-11-01", "2026-11-30"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2026-12", "2026-12-01", "2026-12-31"),
        ("2026-11-23", "2026-11-23", "2026-11-23"),
        ("2026-11..2027-01-05", "2026-11-01", "2027-01-05"),
        (" 2026-11 ", "2026-11-01", "2026-11-30"),
    ],
)
def test_a_period_spans_whole_days(text: str, first: str, last: str) -> None:
    period = parse(text)
    assert (period.first.isoformat(), period.last.isoformat()) == (first, last)
    assert period.start.isoformat() == f"{first}T00:00:00+00:00"
    assert period.end == period.start + ((period.last - period.first) + timedelta(days=1))


@pytest.mark.parametrize(
    "text", ["", "november", "2026-13", "2026-00", "2026-02-30", "2026-Q5", "0000", "2026..", "..2026", "9999-12-31"]
)
def test_what_is_no_period_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(PeriodError, match="cannot be read"):
        parse(text)


def test_a_midnight_before_all_calendars_is_refused() -> None:
    with pytest.raises(PeriodError, match="cannot be read"):
        parse("0001", "Europe/Paris")


def test_a_period_that_runs_backwards_is_refused() -> None:
    with pytest.raises(PeriodError, match="ends before it begins"):
        parse("2026-12..2026-11")


def test_midnight_is_the_time_zones_own_also_across_its_change_of_clocks() -> None:
    period = parse("2026-03", "Europe/Paris")
    assert period.start.isoformat() == "2026-02-28T23:00:00+00:00"
    assert period.end.isoformat() == "2026-03-31T22:00:00+00:00"


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(PeriodError, match="Mars/Olympus"):
        parse("2026", "Mars/Olympus")


@given(st.dates(date(1970, 1, 1), date(9000, 1, 1)))
def test_months_follow_each_other_without_gap_or_overlap(day: date) -> None:
    this = parse(f"{day:%Y-%m}")
    following = parse(f"{this.last + timedelta(days=1):%Y-%m}")
    assert this.end == following.start
    assert this.first <= day <= this.last
