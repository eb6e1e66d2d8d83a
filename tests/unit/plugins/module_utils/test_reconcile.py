# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner's promises, tried on generated lists and servers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils import reconcile as r

TODAY = "2026-11-23"
NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace")
DATES = st.sampled_from(("2020-01-01", "2026-11-22", TODAY, "2026-11-24", "2031-01-01"))
ATTRIBUTES = st.dictionaries(st.sampled_from(("shell", "comment")), st.sampled_from(("a", "b", "c")), max_size=2)


@st.composite
def declared_lists(draw):
    made = []
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        account = r.Declared(
            "account",
            name,
            draw(ATTRIBUTES),
            expires=draw(st.none() | DATES),
            person=draw(st.none() | st.sampled_from(("p1", "p2"))),
            staged=True,
        )
        made.append(account)
        for number in draw(st.sets(st.integers(0, 3))):
            made.append(r.Declared("key", "%s/%d" % (name, number), draw(ATTRIBUTES), parent=account.key))
    return made


@st.composite
def servers(draw):
    made = []
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        disabled = draw(st.none() | st.sampled_from(("2026-01-01", "2026-11-22", TODAY)))
        account = r.Observed(
            "account",
            name,
            draw(ATTRIBUTES),
            managed=draw(st.booleans()),
            protected=draw(st.none() | st.just("carries the connection")),
            disabled_since=disabled,
            staged=True,
            person=draw(st.none() | st.sampled_from(("p1", "p2"))),
        )
        made.append(account)
        # A disabled account has no children: that is what disabled means.
        for number in set() if disabled else draw(st.sets(st.integers(0, 3))):
            made.append(
                r.Observed(
                    "key",
                    "%s/%d" % (name, number),
                    draw(ATTRIBUTES),
                    managed=account.managed,
                    protected=draw(st.none() | st.just("carries the connection")),
                    parent=account.key,
                )
            )
    return made


@st.composite
def situations(draw, **fixed):
    declared, observed = draw(declared_lists()), draw(servers())
    known = {o.key for o in observed} | {d.key for d in declared}
    policy = r.Policy(
        today=TODAY,
        obsolete=draw(st.sampled_from(("report", "disable", "remove"))),
        grace=draw(st.integers(0, 40)),
        adopt=draw(st.booleans()),
        protect=frozenset(draw(st.sets(st.sampled_from(NAMES), max_size=2))),
        max_obsolete=draw(st.sampled_from((r.Limit(100, True), r.Limit(20, True), r.Limit(1)))),
        allow_empty=draw(st.booleans()),
        departed=draw(st.dictionaries(st.sampled_from(("p1", "p2")), DATES, max_size=2)),
        persons=draw(st.sampled_from((frozenset(), frozenset({"p1"}), frozenset({"p1", "p2"})))),
    )
    assert all(o.parent is None or o.parent in known for o in observed)
    return declared, observed, replace(policy, **fixed)


@given(situations(max_obsolete=r.Limit(100, True), allow_empty=True))
@settings(max_examples=600)
def test_applying_a_plan_and_observing_again_gives_an_empty_plan(situation):
    declared, observed, policy = situation
    first = r.plan(declared, observed, policy)
    assert not first.refused
    after = r.simulate(observed, first, declared, TODAY)
    second = r.plan(declared, list(after.values()), policy)
    assert second.actions == ()


@given(situations())
@settings(max_examples=600)
def test_no_plan_ever_takes_a_protected_entry(situation):
    declared, observed, policy = situation
    made = r.plan(declared, observed, policy)
    safe = {o.key for o in observed if o.protected or o.entry in policy.protect}
    safe |= {o.key for o in observed if o.parent and o.parent[1] in policy.protect}
    taken = {a.key for a in made.actions if a.action in r.TAKES}
    assert not safe & taken
    after = r.simulate(observed, made, declared, TODAY)
    before = {o.key: o for o in observed}
    for key in safe:
        parent = before[key].parent
        if parent is None or parent not in taken:
            assert key in after
            assert after[key].disabled_since is None or after[key].disabled_since == before[key].disabled_since


@given(situations())
@settings(max_examples=400)
def test_a_refused_plan_changes_nothing(situation):
    declared, observed, policy = situation
    made = r.plan(declared, observed, policy, guards=[lambda plan, after: "no"])
    assert made.refused
    assert r.simulate(observed, made, declared, TODAY) == {o.key: o for o in observed}


@given(situations())
@settings(max_examples=400)
def test_only_managed_entries_are_taken(situation):
    declared, observed, policy = situation
    owners = {d.key for d in declared} if policy.adopt else set()
    ours = {o.key for o in observed if o.managed or (o.parent or o.key) in owners}
    taken = {a.key for a in r.plan(declared, observed, policy).actions if a.action in r.TAKES}
    assert taken <= ours


@given(situations(persons=frozenset({"p1"})))
@settings(max_examples=400)
def test_with_persons_named_nothing_of_anybody_else_changes(situation):
    declared, observed, policy = situation
    made = r.plan(declared, observed, policy)
    theirs = {entry.key for entry in [*declared, *observed] if entry.person == "p1"}
    assert all(a.key in theirs or a.parent in theirs for a in made.actions)
    everybody = r.plan(declared, observed, replace(policy, persons=frozenset()))
    assert all(action in everybody.actions for action in made.actions)
    told = [made.obsolete, made.missing, made.protected, made.unmanaged]
    assert told == [everybody.obsolete, everybody.missing, everybody.protected, everybody.unmanaged]


@given(situations())
@settings(max_examples=300)
def test_report_takes_nothing(situation):
    declared, observed, policy = situation
    made = r.plan(declared, observed, replace(policy, obsolete="report"))
    assert not [a for a in made.actions if a.action in r.TAKES]


@given(situations())
@settings(max_examples=300)
def test_adds_come_before_takes(situation):
    declared, observed, policy = situation
    ranks = [r.ORDER.index(a.action) for a in r.plan(declared, observed, policy).actions]
    assert ranks == sorted(ranks)


@given(situations(), st.integers(0, 20))
@settings(max_examples=300)
def test_never_more_than_max_obsolete_lose_access(situation, limit):
    declared, observed, policy = situation
    made = r.plan(declared, observed, replace(policy, max_obsolete=r.Limit(limit)))
    after = r.simulate(observed, made, declared, TODAY)
    gone = [
        o
        for o in observed
        if o.kind == "account" and o.disabled_since is None and (o.key not in after or after[o.key].disabled_since)
    ]
    assert len(gone) <= limit


@given(situations())
@settings(max_examples=200)
def test_the_order_of_the_list_does_not_change_the_plan_id(situation):
    declared, observed, policy = situation
    assert r.plan_id(declared, observed) == r.plan_id(declared[::-1], observed[::-1])


def account(name="alice", **more):
    return r.Observed("account", name, managed=True, staged=True, **more)


def test_an_empty_list_is_refused():
    made = r.plan([], [account()], r.Policy(TODAY, obsolete="remove"))
    assert "empty" in made.refused[0]


def test_what_expires_today_goes_today():
    made = r.plan(
        [r.Declared("account", "alice", expires=TODAY, staged=True)], [account()], r.Policy(TODAY, obsolete="disable")
    )
    assert [(a.action, a.reason) for a in made.actions] == [("disable", "expired on %s" % TODAY)]


def test_removal_waits_for_the_grace():
    other = r.Declared("account", "bob", staged=True)
    policy = r.Policy(TODAY, obsolete="remove", grace=30)
    young = r.plan([other], [account(disabled_since="2026-11-01"), account("bob")], policy)
    old = r.plan([other], [account(disabled_since="2026-10-24"), account("bob")], policy)
    assert young.of("remove") == []
    assert [a.entry for a in old.of("remove")] == ["alice"]


def test_expect_plan_refuses_when_the_server_changed_since_the_review():
    declared = [r.Declared("account", "bob", staged=True)]
    reviewed = r.plan(declared, [account()], r.Policy(TODAY))
    policy = r.Policy(TODAY, obsolete="disable", expect_plan=reviewed.id)
    assert not r.plan(declared, [account()], policy).refused
    assert "changed since" in r.plan(declared, [account(), account("carol")], policy).refused[0]


def test_a_percentage_lets_at_least_three_go():
    assert [r.parse_limit("20%").of(n) for n in (1, 14, 15, 20, 100)] == [3, 3, 3, 4, 20]


def test_a_count_is_exact_and_a_full_percentage_is_no_limit():
    assert r.parse_limit("0").of(50) == 0
    assert r.parse_limit("100%").of(2) == 2


@pytest.mark.parametrize("text", ["", "-1", "many", "101%", "%", "1.5", "\u0663"])
def test_a_bad_limit_names_the_field(text):
    with pytest.raises(r.InvalidEntry, match="max_obsolete"):
        r.parse_limit(text)


def test_a_name_declared_twice_is_an_error():
    twice = [r.Declared("account", "alice"), r.Declared("account", "alice")]
    with pytest.raises(r.InvalidEntry, match="alice.*twice"):
        r.plan(twice, [], r.Policy(TODAY))


def test_a_restored_entry_is_neither_disabled_nor_removed_in_the_same_run():
    policy = r.Policy(TODAY, obsolete="remove", restore=frozenset({"alice"}))
    made = r.plan([r.Declared("account", "bob")], [account(disabled_since="2020-01-01")], policy)
    assert [(a.action, a.entry) for a in made.actions] == [("restore", "alice"), ("create", "bob")]


def test_the_result_has_one_shape():
    made = r.plan([r.Declared("account", "bob", person="p1")], [account()], r.Policy(TODAY, obsolete="disable"))
    shape = r.result("ssh_accounts", made, made.actions)
    assert shape["counts"] == {
        "declared": 1, "observed": 1, "obsolete": 1, "missing": 1,
        "protected": 0, "unmanaged": 0, "planned": 2, "applied": 2,
    }  # fmt: skip
    assert shape["plan"][0]["person"] == "p1"
    assert set(shape["plan"][1]) == {"action", "kind", "entry", "reason", "undo"}
    assert shape["obsolete"] == [{"kind": "account", "entry": "alice", "reason": "not declared", "managed": True}]


def test_what_the_server_cannot_make_is_reported_and_not_created():
    want = r.Declared("vpn_certificate", "alice", uncreatable="no certificate of this name; give a csr")
    made = r.plan([want], [], r.Policy(today=TODAY))
    assert made.actions == ()
    assert [(f.entry, f.reason) for f in made.missing] == [("alice", "no certificate of this name; give a csr")]


def test_an_update_tells_the_fault_and_a_final_removal_has_no_undo():
    have = [
        r.Observed("vpn_crl", "/crl.pem", {"state": "expired"}, fault="expired on 2026-01-01"),
        r.Observed("vpn_certificate", "bob:0A", managed=True, final="none: revoked for good"),
    ]
    want = [r.Declared("vpn_crl", "/crl.pem", {"state": "current"})]
    made = r.plan(want, have, r.Policy(today=TODAY, obsolete="remove", max_obsolete=r.Limit(1)))
    assert [(a.action, a.reason) for a in made.actions] == [
        ("update", "expired on 2026-01-01"),
        ("remove", "not declared"),
    ]
    assert made.actions[1].undo == "none: revoked for good"


class Counting(r.Observed):
    """Counts how often somebody asks what it belongs to."""

    asked = 0

    def __getattribute__(self, name):
        if name == "parent":
            Counting.asked += 1
        return super().__getattribute__(name)


def test_twice_as_many_entries_that_go_cost_twice_as_much_and_not_four_times():
    asked = []
    for number in (100, 200):
        Counting.asked = 0
        observed = [Counting("ip", str(n), managed=True) for n in range(number)]
        policy = r.Policy(TODAY, obsolete="remove", max_obsolete=r.Limit(100, True), allow_empty=True)
        made = r.plan([], observed, policy)
        assert len(made.of("remove")) == number
        assert r.simulate(observed, made) == {}
        asked.append(Counting.asked)
    assert asked[1] <= 2 * asked[0]
