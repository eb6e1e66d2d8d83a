# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several kinds planned in one turn: what the whole says of its parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.module_utils import access_plan

GOING = {"action": "disable", "kind": "ssh_account", "entry": "bob"}
ALSO = {"action": "disable", "kind": "ssh_account", "entry": "eve"}
COMING = {"action": "create", "kind": "ssh_account", "entry": "al"}


def planned(*plan: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"plan_id": "ab", "plan": list(plan), "changed": bool(plan), **more}


def told(monkeypatch: pytest.MonkeyPatch, results: dict[str, dict[str, Any]], audit: bool = False) -> dict[str, Any]:
    """The whole, where each kind's own result is the one given."""
    monkeypatch.setattr(access_plan, "_kind", lambda name: type("Kind", (), {"make": name, "which_entry": str}))
    monkeypatch.setattr(access_plan, "reconciled", lambda _params, make, check, _diff: dict(results[make], check=check))

    def check(_name: str, options: dict[str, Any]) -> tuple[dict[str, Any], Sequence[str]]:
        return options, ()

    return access_plan.plan_all({name: {} for name in results}, check, audit, False)


def test_plans_are_counted_by_kind_and_nothing_is_called_changed_before_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    both = {"privileged_ips": planned(), "ssh_accounts": planned(GOING, COMING, ALSO, GOING)}
    whole = told(monkeypatch, both)
    # In the order in which kinds are applied, whatever the order of the question; and never but looking.
    assert [row["entry_point_kind"] for row in whole["results"]] == ["ssh_accounts", "privileged_ips"]
    assert [row["check"] for row in whole["results"]] == [True, True]
    assert whole["plans"]["ssh_accounts"] == {"plan_id": "ab", "actions": 4, "takes": 2, "applies": True}
    assert whole["plans"]["privileged_ips"] == {"plan_id": "ab", "actions": 0, "takes": 0, "applies": False}
    assert (whole["changed"], whole["failed"], whole["as_declared"]) == (False, False, False)
    audit = told(monkeypatch, both, audit=True)
    assert audit["changed"] is True
    assert [plan["applies"] for plan in audit["plans"].values()] == [False, False]


def test_a_kind_that_fails_is_named_and_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = {"failed": True, "msg": "alice: keys: no key", "entry": "alice", "field": "keys", "changed": False}
    whole = told(monkeypatch, {"ssh_accounts": bad, "vpn_certificates": planned(COMING)})
    assert (whole["failed"], whole["msg"]) == (True, "ssh_accounts: alice: keys: no key")
    assert (whole["entry"], whole["field"]) == ("alice", "keys")
    assert list(whole["plans"]) == ["vpn_certificates"]
    # One that could be carried out alone is not: the role stops at the other.
    assert whole["plans"]["vpn_certificates"]["applies"] is False
    assert whole["as_declared"] is False


def test_what_a_guard_refuses_is_a_failure_unless_it_is_an_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = planned(GOING, refused=["too many"], failed=True, msg="refused: too many", changed=False)
    assert told(monkeypatch, {"ssh_accounts": refused})["failed"] is True
    audit = told(monkeypatch, {"ssh_accounts": refused}, audit=True)
    assert (audit["failed"], audit["results"][0]["failed"], audit["as_declared"]) == (False, False, False)
    # Another failure is one in an audit, too: there is nothing to audit.
    assert told(monkeypatch, {"ssh_accounts": {"failed": True, "msg": "x", "changed": False}}, audit=True)["failed"]


@pytest.mark.parametrize("word", ["obsolete", "missing", "unmanaged", "problems", "alarms", "rolled_back"])
def test_a_server_is_as_declared_only_where_there_is_nothing_to_look_at(
    monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    assert told(monkeypatch, {"ssh_accounts": planned(protected=["root"])})["as_declared"] is True
    assert told(monkeypatch, {"ssh_accounts": planned(**{word: ["x"]})})["as_declared"] is False
