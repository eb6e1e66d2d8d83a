# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations and times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.spent_time import (
    TimeError,
    duration,
    moment,
    span,
)

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@given(st.integers(1, 31 * 24 * 60))
def test_every_spelling_of_a_duration_means_the_same(minutes: int) -> None:
    hours, rest = divmod(minutes, 60)
    spellings: list[str | int] = [f"{minutes}m", f"{minutes} min", f"{hours}:{rest:02d}", f"{hours}h{rest}"]
    if minutes <= 24 * 60:
        spellings += [minutes, str(minutes)]
    assert {duration("d", spelling) for spelling in spellings} == {timedelta(minutes=minutes)}


@pytest.mark.parametrize("value", ["", "soon", "-5", "1:60", "1.5", "h", "m", "0", "32d", 60 * 24 * 32, "1h30x"])
def test_anything_else_is_refused_by_name(value: str | int) -> None:
    with pytest.raises(TimeError, match="^time: "):
        duration("time", value)


def test_hours_minutes_and_seconds_that_yaml_has_read_as_one_number_are_no_minutes() -> None:
    # Without quotes 1:30:00 is 5400 to YAML, which would be ninety hours.
    import yaml

    with pytest.raises(TimeError, match="duration: 5400 minutes without their unit"):
        duration("duration", yaml.safe_load("1:30:00"))


def test_nothing_is_an_answer_only_where_it_may_be() -> None:
    assert duration("d", 0, zero=True) == timedelta()


def test_a_time_without_a_zone_is_the_given_clocks() -> None:
    paris = ZoneInfo("Europe/Paris")
    assert moment("start", "2026-07-01T10:00", paris) == datetime(2026, 7, 1, 8, tzinfo=UTC)
    assert moment("start", "2026-07-01 10:00:00+00:00", paris) == datetime(2026, 7, 1, 10, tzinfo=UTC)


def test_two_of_three_make_a_span() -> None:
    start, end, length = NOW - timedelta(hours=2), NOW - timedelta(hours=1), timedelta(hours=1)
    assert span(start, end, None, NOW) == span(start, None, length, NOW) == span(None, end, length, NOW) == (start, end)
    for given_ in ((start, None, None), (None, None, length), (start, end, length)):
        with pytest.raises(TimeError, match="give two of"):
            span(*given_, NOW)
    with pytest.raises(TimeError, match="end: must come after start"):
        span(end, start, None, NOW)
    with pytest.raises(TimeError, match="end: lies in the future"):
        span(start, None, timedelta(hours=3), NOW)
