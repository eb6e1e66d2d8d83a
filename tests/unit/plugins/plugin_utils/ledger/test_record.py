# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes into a row: plain, bounded, printable, and the same text each time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils import reconcile
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.clients import clients_of
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.entry_points import extract, recognised
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.last_resort import line, reason
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import canonical, clean, stamp
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.revision import parse
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.who import operator
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.resolution import ScopeError

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(ANYTHING)
def test_anything_becomes_storable_and_cleaning_twice_changes_nothing(value: Any) -> None:
    cleaned = clean(value)
    text = canonical(cleaned)
    assert json.loads(text) == cleaned
    assert "\x00" not in text
    assert text.encode("utf-8")
    assert clean(cleaned) == cleaned


@given(st.lists(st.datetimes(timezones=st.just(UTC)), min_size=2))
def test_the_order_of_stamps_is_the_order_of_time(moments: list[datetime]) -> None:
    moments = [moment.replace(year=max(moment.year, 1000)) if moment.day < 29 else NOW for moment in moments]
    assert [stamp(moment) for moment in sorted(moments)] == sorted(stamp(moment) for moment in moments)


NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)


def test_a_stamp_is_in_utc() -> None:
    local = datetime(2026, 11, 23, 21, 0, tzinfo=timezone(timedelta(hours=1)))
    assert stamp(local) == stamp(NOW) == "2026-11-23T20:00:00.000000Z"


RESULT = {
    "entry_point_kind": "ssh_accounts",
    "plan_id": "ab" * 32,
    "plan": [
        {"action": "disable", "kind": "ssh_account", "entry": "old", "reason": "left", "person": "Bob"},
        {"action": "remove", "kind": "ssh_account", "entry": "old", "reason": "left"},
        {"action": "create", "kind": "ssh_account", "entry": "new", "reason": "declared"},
    ],
    "obsolete": [
        {"kind": "ssh_account", "entry": "old", "reason": "left", "managed": True},
        {"kind": "ssh_key", "entry": "SHA256:x", "reason": "not declared", "managed": False},
    ],
    "applied": [{"action": "create", "kind": "ssh_account", "entry": "new", "reason": "declared"}],
    "counts": {"declared": 3, "observed": 4, "odd": "x"},
    "refused": ["too many"],
}


def test_each_entry_is_kept_once_with_the_strongest_thing_that_happened_to_it() -> None:
    extracted = extract(RESULT)
    assert [(change["entry"], change["action"], change["status"]) for change in extracted.changes] == [
        ("new", "create", "applied"),
        ("old", "disable", "planned"),
        ("old", "remove", "planned"),
        ("SHA256:x", "report", "reported"),
    ]
    assert extracted.changes[1]["person"] == "Bob"
    assert extracted.review["counts"] == {"declared": 3, "observed": 4}
    assert extracted.review["refused"] == ["too many"]
    assert extracted.review["unreadable"] == 0


@pytest.mark.parametrize("applied", [False, True])
def test_what_the_modules_really_return_is_stored_whole(applied: bool) -> None:
    made = reconcile.plan(
        [reconcile.Declared("ssh_account", "ada", {"shell": "/bin/sh"}, person="Ada")],
        [
            reconcile.Observed("ssh_account", "old", managed=True, person="Bob", staged=True),
            reconcile.Observed("ssh_account", "stranger"),
        ],
        reconcile.Policy(obsolete="disable", today="2026-11-23"),
    )
    assert not made.refused
    real = reconcile.result("ssh_accounts", made, made.actions if applied else ())
    extracted = extract(real)
    status = "applied" if applied else "planned"
    assert [(change["entry"], change["action"], change["status"]) for change in extracted.changes] == [
        ("ada", "create", status),
        ("old", "disable", status),
    ]
    assert [change["person"] for change in extracted.changes] == ["Ada", "Bob"]
    assert extracted.review["counts"] == real["counts"]
    assert extracted.review["unreadable"] == 0


def test_a_result_is_recognised_by_its_keys_also_inside_a_loop() -> None:
    assert list(recognised(RESULT)) == [RESULT]
    assert list(recognised({"results": [RESULT, {"changed": True}, RESULT]})) == [RESULT, RESULT]
    assert list(recognised({"entry_point_kind": "ssh_accounts"})) == []
    assert list(recognised({"plan_id": "x", "entry_point_kind": 3})) == []


@given(st.dictionaries(st.sampled_from(["plan", "obsolete", "applied", "counts", "refused"]), ANYTHING))
def test_a_malformed_result_never_stops_the_recording(odd: dict[str, Any]) -> None:
    extracted = extract({"entry_point_kind": "x", "plan_id": "y", **odd})
    assert canonical(clean(extracted.review))
    assert canonical(clean(list(extracted.changes)))


def test_an_item_that_cannot_be_read_is_counted() -> None:
    odd = {"entry_point_kind": "x", "plan_id": "y", "plan": ["?", {"kind": "k"}, {"kind": "k", "entry": 0}]}
    extracted = extract(odd)
    assert extracted.review["unreadable"] == 2
    assert [change["entry"] for change in extracted.changes] == ["0"]


@pytest.mark.parametrize(
    ("value", "groups", "expected"),
    [
        ("acme", ["client_globex"], ["acme"]),
        (["globex", "acme", "acme"], [], ["acme", "globex"]),
        (None, ["all", "client_globex", "client_acme", "clients"], ["acme", "globex"]),
        ("  ", ["client_acme"], ["acme"]),
        (True, ["client_"], []),
        ({"a": 1}, [], []),
    ],
)
def test_a_hosts_clients_come_from_its_variable_else_from_its_groups(
    value: Any, groups: list[str], expected: list[str]
) -> None:
    assert clients_of(value, groups) == expected


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("# branch.oid abc\n# branch.head main\n", {"commit": "abc", "branch": "main", "dirty": False}),
        (
            "# branch.oid abc\n# branch.head (detached)\n1 .M N... 100644 100644 100644 a b site.yml\n",
            {"commit": "abc", "branch": None, "dirty": True},
        ),
        ("# branch.oid (initial)\n# branch.head main\n", {"commit": None, "unknown": "no commit yet"}),
    ],
)
def test_the_revision_is_read_from_git_status(output: str, expected: dict[str, Any]) -> None:
    assert parse(output) == expected


def test_a_web_front_end_names_the_person_behind_its_own_account() -> None:
    found = operator({"awx_user_name": "ada", "awx_job_id": 7}, {"SSH_CONNECTION": "192.0.2.7 5000 192.0.2.1 22"})
    assert (found["name"], found["name_source"], found["job"], found["from_address"]) == (
        "ada",
        "awx",
        "7",
        "192.0.2.7",
    )
    found = operator({"semaphore_vars": {"task_details": {"username": "bob"}}}, {"SUDO_USER": "carol"})
    assert (found["name"], found["sudo_user"]) == ("bob", "carol")
    assert operator({"semaphore_vars": "odd"}, {})["name"]


def test_the_last_resort_is_one_line() -> None:
    text = line({"run_id": "a", "error": "disk\nfull"})
    assert "\n" not in text
    assert json.loads(text)["error"] == "disk full"


def test_the_last_resort_does_not_repeat_what_was_typed() -> None:
    assert reason(ScopeError("'infogerance_scope' names hunter2")) == "ScopeError"
    assert reason(LedgerError("ledger /srv/l: disk full")) == "ledger /srv/l: disk full"
