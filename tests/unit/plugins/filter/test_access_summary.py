# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as lines for a terminal: of one host, and of a fleet."""

from __future__ import annotations

from typing import Any

from ansible_collections.infogerance.perimeter.plugins.filter.access_overview import MOST, access_overview
from ansible_collections.infogerance.perimeter.plugins.filter.access_summary import access_summary


def result(**more: Any) -> dict[str, Any]:
    fields = ("plan", "obsolete", "missing", "protected", "unmanaged", "applied", "refused")
    made: dict[str, Any] = {"entry_point_kind": "ssh_accounts", "plan_id": "b38dc1b44239ff", **{f: [] for f in fields}}
    made.update(more)
    counted = {name: len(made[name]) for name in ("obsolete", "missing", "protected", "unmanaged", "applied")}
    made.setdefault("counts", {**counted, "planned": len(made["plan"]), "declared": 2, "observed": 3})
    return made


def row(entry: str, **more: Any) -> dict[str, Any]:
    return {"kind": "ssh_account", "entry": entry, "reason": "why", "person": None, **more}


def test_bad_news_comes_first_and_the_last_line_says_what_to_do() -> None:
    lines = access_summary(result(refused=["too many"], alarms=["the list is stale"], obsolete=[row("bob")]))
    assert lines[0] == (
        "ssh_accounts: 1 obsolete, 0 missing, 0 protected, 0 unmanaged; nothing to do "
        "(2 declared, 3 observed, plan b38dc1b44239)"
    )
    assert lines[1:3] == ["refused: too many", "alarms: the list is stale"]
    assert lines[-1].startswith("next: nothing was changed")


def test_each_state_of_an_entry_has_its_next_step() -> None:
    plan = [row("al", action="create")]
    assert access_summary(result(plan=plan))[-1].startswith("next: this is a look only")
    assert "next:" not in access_summary(result(plan=plan, applied=plan))[-1]
    assert "access_obsolete to disable" in access_summary(result(obsolete=[row("bob")]))[-1]
    assert "access_grace" in access_summary(result(obsolete=[row("bob", since="2026-11-01")]))[-1]
    assert "access_manage" in access_summary(result(unmanaged=[row("git")]))[-1]
    assert len(access_summary(result())) == 1


def test_a_fleet_is_told_worst_first_and_the_silent_are_named() -> None:
    quiet = result(left={"obsolete": 0, "disabled": 0, "missing": 0})
    bad = result(left={"obsolete": 2, "disabled": 1, "missing": 1}, refused=["too many"])
    some = result(left={"obsolete": 3, "disabled": 0, "missing": 0})
    skipped = {"skipped": True, "changed": False}
    plans = {"ssh_accounts": {"applies": True}}
    hostvars = {
        "web1": {"__access_planned": {"results": [quiet], "plans": {}}},
        "web2": {"__access_planned": {"results": [some], "plans": plans}, "__access_applied_ssh_accounts": skipped},
        "web3": {"__access_planned": {"results": [some], "plans": plans}, "__access_applied_ssh_accounts": bad},
        "web4": {},
    }
    assert access_overview(["web1", "web2", "web3", "web4", "gone"], hostvars) == [
        "5 hosts: 5 obsolete and open, 1 missing, 1 refused; as declared: 1, without an answer: 2",
        "web3 ssh_accounts: 1 refused, 2 obsolete, 1 disabled, 1 missing",
        "web2 ssh_accounts: 3 obsolete",
        "without an answer: web4, gone",
    ]
    many = {f"h{number}": {"__access_planned": {"results": [some], "plans": plans}} for number in range(MOST + 5)}
    assert access_overview(list(many), many)[-1] == "... and 5 more"
