# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The access matrix shows the ways in that no list covers, at the person to whom they lead."""

from __future__ import annotations

from datetime import date
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.modules.ways_in_info import told_to_the_ledger
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.access import matrix, open_ways


def finding(kind: str, person: str | None, **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "kind": kind, "path": "/root/.ssh/authorized_keys", "account": "root", "entry": "SHA256:x", "person": person,
        "why": "opens it", "since": None, "declared": False,
    }  # fmt: skip
    return {**row, **more}


def lines(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    told, left_out = told_to_the_ledger(rows)
    assert left_out == 0
    look = {"host": "web1", "clients": ["acme"], "at": "2026-11-20T10:00:00Z", "ways_in": told}
    return matrix(open_ways([look], date(2026, 11, 25)))


def test_a_leavers_key_in_roots_account_is_a_mark_at_the_leaver() -> None:
    (line,) = lines([finding("ssh_key", "bob.leroy")])
    assert line["name"] == "bob.leroy"
    assert line["servers"]["web1"] == [
        {"kind": "way_in", "count": 1, "state": "undeclared", "root": True, "ends": None}
    ]


def test_ways_that_lead_to_nobody_share_one_line() -> None:
    (line,) = lines([finding("rc_local", None), finding("preload", None)])
    assert (line["name"], line["named"]) == (None, False)
    assert line["servers"]["web1"][0]["count"] == 2


def test_what_a_list_covers_is_left_to_the_lists_own_module_and_what_was_accepted_is_told() -> None:
    (line,) = lines(
        [
            finding("ssh_key", "alice.martin", declared=True),
            finding("cron", "carol.petit", declared=True, accepted="reviewed"),
        ]
    )
    assert line["name"] == "carol.petit"
    assert line["servers"]["web1"][0]["state"] == "declared"


def test_beyond_the_limit_the_undeclared_ones_stay_and_the_others_are_counted() -> None:
    rows = [finding("cron", "carol.petit", declared=True, accepted="reviewed")] * 10
    rows += [finding("ssh_key", "bob.leroy")] * 500
    told, left_out = told_to_the_ledger(rows)
    assert (len(told), left_out) == (500, 10)
    assert {row["person"] for row in told} == {"bob.leroy"}
