# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of a server's ways in, from lists and observations alone."""

from __future__ import annotations

from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.reconcile import (
    Declared,
    Observed,
    Policy,
    plan,
)
from ansible_collections.infogerance.perimeter.plugins.module_utils.ways_in import LIMIT, ways_in

TODAY = "2026-11-23"


def account(name: str, **more: Any) -> Observed:
    return Observed("ssh_account", name, staged=True, **{"managed": True, **more})


def key(name: str, number: int, **more: Any) -> Observed:
    return Observed("ssh_key", f"{name} SHA256:{number}", parent=("ssh_account", name), managed=True, **more)


def rows(declared: list[Declared], observed: list[Observed], **more: Any) -> dict[str, dict[str, Any]]:
    made = plan(declared, observed, Policy(today=TODAY))
    found, left_out = ways_in(more.pop("plumbing", ()), declared, observed, made, more.pop("opens", lambda entry: {}))
    assert left_out == 0
    return {row["entry"]: row for row in found}


def wanted(name: str, **more: Any) -> Declared:
    return Declared("ssh_account", name, staged=True, **more)


def test_each_way_in_has_its_standing_and_the_lists_own_dates() -> None:
    found = rows(
        [wanted("alice", person="alice.martin", expires="2027-01-31")],
        [
            account("alice"),
            key("alice", 1),
            account("bob"),
            account("deploy", protected="carries this connection"),
            account("git", managed=False),
            account("old", disabled_since="2026-11-01"),
        ],
    )
    assert {name: row["standing"] for name, row in found.items()} == {
        "alice": "declared",
        "alice SHA256:1": "obsolete",
        "bob": "obsolete",
        "deploy": "protected",
        "git": "unmanaged",
        "old": "disabled",
    }
    assert (found["alice"]["person"], found["alice"]["expires"], found["alice"]["has"]) == (
        "alice.martin",
        "2027-01-31",
        {"ssh_key": 1},
    )
    assert (found["deploy"]["reason"], found["old"]["since"]) == ("carries this connection", "2026-11-01")


def test_what_hangs_below_is_told_only_where_it_alone_is_too_much() -> None:
    declared = [wanted("alice"), Declared("ssh_key", "alice SHA256:1", parent=("ssh_account", "alice"))]
    observed = [account("alice"), key("alice", 1), key("alice", 2), account("bob"), key("bob", 3)]
    assert list(rows(declared, observed)) == ["alice SHA256:2", "bob", "alice"]


def test_an_expired_entry_is_not_called_declared() -> None:
    found = rows([wanted("alice", expires=TODAY)], [account("alice")])
    assert (found["alice"]["standing"], found["alice"]["reason"]) == ("obsolete", "expired on 2026-11-23")


def test_what_lets_nobody_in_is_no_way_in_and_a_kind_may_say_more() -> None:
    observed = [Observed("privileged_ip", "192.0.2.1"), Observed("privileged_ip_sink", "nftables")]
    found = rows([], observed, plumbing=("privileged_ip_sink",), opens=lambda entry: {"open": True})
    assert list(found) == ["192.0.2.1"]
    assert found["192.0.2.1"]["open"] is True


def test_of_a_very_long_list_the_declared_ones_are_left_out_first() -> None:
    declared = [Declared("privileged_ip", str(number)) for number in range(LIMIT + 7)]
    observed = [Observed("privileged_ip", str(number)) for number in range(LIMIT + 7)]
    observed.append(Observed("privileged_ip", "stranger"))
    found, left_out = ways_in((), declared, observed, plan(declared, observed, Policy(today=TODAY)), lambda entry: {})
    assert (len(found), left_out, found[0]["entry"]) == (LIMIT, 8, "stranger")
