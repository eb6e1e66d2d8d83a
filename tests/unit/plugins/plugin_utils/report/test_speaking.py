# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""French is set as French is; what was recorded is not."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.entry_points import extract
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report import contents
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.access import open_ways
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.announcements import table
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.making import make
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.period import parse
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.speaking import Speaker
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.voices import Voices
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.wording import WORDING

FRENCH = Speaker("fr", UTC)


def test_a_recorded_name_keeps_its_signs() -> None:
    said = FRENCH.word("emergency_named", reason="it's down : really ?")
    assert said == "Urgence\u00a0: it's down : really ?"


@pytest.mark.parametrize("key", sorted(WORDING["fr"]))
def test_no_line_breaks_before_a_sign_that_stands_apart(key: str) -> None:
    text = FRENCH.template(key)
    assert not any(f" {sign}" in text for sign in ":;?!%»"), text
    assert "« " not in text
    assert "'" not in text


def test_one_is_one() -> None:
    assert FRENCH.counted("ways_count", 1, count="1") == "1 accès ouvert"
    assert FRENCH.counted("ways_count", 2, count="2") == "2 accès ouverts"
    assert Speaker("en", UTC).counted("ways_count", 1, count="1") == "1 open way in"


@pytest.mark.parametrize(("ends", "soon"), [("2026-11-25", False), ("2026-10-01", False), ("2026-11-26", True)])
def test_what_is_over_does_not_end_soon(ends: str, soon: bool) -> None:
    way = {"kind": "ssh_account", "entry": "a", "standing": "declared", "expires": ends}
    look = {"host": "web1", "clients": [], "at": "2026-11-20T10:00:00Z", "ways_in": [way]}
    [row] = open_ways([look], parse("2026-11").last.replace(day=25))
    assert row["expiring"] is soon


@pytest.mark.parametrize(("passed", "late"), [("2026-11-02", False), ("2026-11-03", True)])
def test_who_is_told_on_the_same_day_is_told_in_time(passed: str, late: bool) -> None:
    """In Paris the night to the second of November is not over at 23:30 UTC on the first."""
    one = {
        "kind": "maintenance", "starts": "2026-11-01T23:30:00Z", "ends": None, "cancelled": False, "clients": ["acme"],
        "third_party": "net", "summary": "s", "reference": "r", "hosts": [], "passed_on": passed,
    }  # fmt: skip
    shown = table(Voices(parse("2026-11", "Europe/Paris").zone), [one], False)
    assert bool(shown.rows[0][-1].get("m")) is late


def test_ways_in_beyond_what_is_kept_are_counted(story: Any) -> None:
    ways = [{"kind": "ssh_account", "entry": f"u{number}", "standing": "declared"} for number in range(503)]
    look = {"entry_point_kind": "ssh_accounts", "plan_id": "p", "ways_in": ways}
    assert extract(look).review["ways_in_left_out"] == 3
    story.run("2026-11-01T10:00:00Z", {"web1": ["acme"]}, results={"web1": look})
    report = make(story.ledger, parse("2026-11"), "acme", "fr", ["json"]).report
    assert (report["summary"]["ways_in"], report["summary"]["ways_in_left_out"]) == (500, 3)
    tiles = contents.tiles(Voices(UTC), report)
    assert ("non détaillés\u00a0: 3", "not detailed: 3") in [line for tile in tiles for line in tile["about"]]
