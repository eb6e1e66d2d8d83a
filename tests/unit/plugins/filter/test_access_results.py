# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One result a kind, and of the last turn of the role."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.filter.access_results import access_results

PLANNED = {"entry_point_kind": "ssh_accounts", "plan_id": "ab", "applied": []}
APPLIED = {"entry_point_kind": "ssh_accounts", "plan_id": "ab", "applied": [{"entry": "bob"}]}


def variables(applies: bool, **more: Any) -> dict[str, Any]:
    return {"__access_planned": {"results": [PLANNED], "plans": {"ssh_accounts": {"applies": applies}}}, **more}


def test_what_was_applied_goes_before_its_plan() -> None:
    assert access_results(variables(True, __access_applied_ssh_accounts=APPLIED)) == [APPLIED]


def test_what_an_earlier_turn_applied_is_not_of_this_one() -> None:
    # The same plan again, by somebody who only looks: its id is no proof.
    assert access_results(variables(False, __access_applied_ssh_accounts=APPLIED)) == [PLANNED]


@pytest.mark.parametrize("applied", [{}, {"skipped": True, "changed": False}, {"failed": True, "msg": "no login"}])
def test_what_did_not_get_as_far_as_a_plan_leaves_the_plan(applied: dict[str, Any]) -> None:
    assert access_results(variables(True, __access_applied_ssh_accounts=applied)) == [PLANNED]


def test_a_kind_without_a_plan_and_a_host_without_a_look_have_no_result() -> None:
    bad = {"entry_point_kind": "ssh_accounts", "failed": True, "msg": "x"}
    assert access_results({"__access_planned": {"results": [bad], "plans": {}}}) == []
    assert access_results({"__access_planned": {"skipped": True}}) == []
    assert access_results({}) == []
