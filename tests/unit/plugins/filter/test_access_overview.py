# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet at a glance: who did not answer is told from who has no list."""

from __future__ import annotations

from typing import Any

from ansible_collections.infogerance.perimeter.plugins.filter.access_overview import WITHOUT_LISTS, access_overview


def planned(**counts: int) -> dict[str, Any]:
    every = {"obsolete": 0, "missing": 0, "applied": 0, **counts}
    result = {"entry_point_kind": "ssh_accounts", "plan_id": "p", "counts": every}
    return {"__access_planned": {"results": [result], "plans": {}}}


def test_each_host_is_in_one_of_the_sums() -> None:
    variables = {
        "web1": planned(),
        "web2": planned(obsolete=2, missing=1),
        "web3": {"__access_planned": {"changed": False, "skipped": True}},
        "web4": {},
    }
    assert access_overview(variables, variables) == [
        "4 hosts: 2 obsolete and open, 1 missing, 0 refused; as declared: 1, nothing declared: 1, without an answer: 1",
        "web2 ssh_accounts: 2 obsolete, 1 missing",
        "without an answer: web4",
        "nothing declared: web3",
        WITHOUT_LISTS,
    ]


def test_long_lists_of_names_are_cut() -> None:
    lines = access_overview([f"web{number}" for number in range(13)], {})
    assert lines[-1].endswith("web9 and 3 more")
