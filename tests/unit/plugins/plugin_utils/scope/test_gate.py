# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate's judgement, whatever is declared: nothing out of contract passes unless something that holds lets it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.gate import Target, decide, excepted, reason
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.loading import load
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.terms import (
    Agreement,
    ClientTerms,
    ContractException,
    Terms,
)

CATEGORIES = load().categories
TODAY = date(2026, 11, 24)
DAYS = st.none() | st.dates(date(2026, 11, 20), date(2026, 11, 28))
NAMES = st.sampled_from(["migration", "architecture_advice", "routine_maintenance"])
AGREEMENTS = st.builds(
    Agreement,
    id=st.uuids().map(str),
    kind=st.sampled_from(["quote", "time_count"]),
    categories=st.lists(NAMES, max_size=2).map(tuple),
    seconds=st.none() | st.integers(1, 1000),
    valid_from=DAYS,
    valid_until=DAYS,
    accepted_on=DAYS,
    overrun=st.sampled_from(["refuse", "allow"]),
)
EXCEPTIONS = st.builds(
    ContractException,
    reference=st.uuids().map(str),
    category=NAMES,
    contract=st.just("in"),
    hosts=st.sampled_from([(), ("web*",), ("web1",)]),
    valid_until=DAYS,
)


@given(
    category=NAMES,
    agreements=st.lists(AGREEMENTS, max_size=3),
    exceptions=st.lists(EXCEPTIONS, max_size=2),
    hosts=st.lists(st.sampled_from(["web1", "web2", "db1"]), min_size=1, unique=True),
    used=st.none() | st.integers(0, 2000),
    emergency=st.none() | st.just("the shop is down"),
)
def test_work_passes_exactly_when_something_that_holds_lets_it(
    category: str,
    agreements: list[Agreement],
    exceptions: list[ContractException],
    hosts: list[str],
    used: int | None,
    emergency: str | None,
) -> None:
    its = CATEGORIES[category]
    terms = Terms(clients={"acme": ClientTerms(tuple(agreements), tuple(exceptions))})
    decision = decide(
        its,
        [Target(host, ("acme",)) for host in hosts],
        terms,
        {("acme", one.id): used for one in agreements},
        mode="block",
        today=TODAY,
        emergency=emergency,
    )
    included = its.contract == "in" or any(
        one.category == category
        and (one.valid_until is None or one.valid_until >= TODAY)
        and (not one.hosts or all(host == "web1" or (host == "web2" and one.hosts == ("web*",)) for host in hosts))
        for one in exceptions
    )
    holding = [
        one
        for one in agreements
        if (not one.categories or category in one.categories)
        and one.accepted_on is not None
        and one.accepted_on <= TODAY
        and (one.valid_from is None or one.valid_from <= TODAY)
        and (one.valid_until is None or one.valid_until >= TODAY)
        and (one.seconds is None or (used is not None and (used < one.seconds or one.overrun == "allow")))
    ]
    urgent = emergency is not None and "emergency" in its.agreement
    assert decision.blocked == (not (included or holding or urgent))
    verdict = decision.verdicts[0]
    assert verdict.contract == ("in" if included else "out")
    assert verdict.agreement == (holding[0] if holding and not included else None)
    # Every rule declared is kept, with pass or fail.
    rules = [check.rule for check in verdict.checks]
    assert all(f"exception {one.reference}" in rules for one in exceptions)
    assert included or all(f"agreement {one.id}" in rules for one in agreements)


@given(st.dictionaries(st.sampled_from(["a", "b", "localhost"]), st.lists(st.sampled_from(["acme", "globex"]))))
def test_one_client_that_did_not_agree_holds_up_the_run(hosts: dict[str, list[str]]) -> None:
    agreed = Agreement("Q-1", "quote", accepted_on=TODAY)
    decision = decide(
        CATEGORIES["migration"],
        [Target(host, tuple(names)) for host, names in hosts.items()],
        Terms(clients={"acme": ClientTerms((agreed,))}),
        {},
        mode="block",
        today=TODAY,
    )
    named = {name for names in hosts.values() for name in names}
    nobody = {host for host, names in hosts.items() if not names} - ({"localhost"} if named else set())
    assert decision.passed == (named <= {"acme"} and not nobody)


# `-e infogerance_emergency=yes` gives a text, not a flag.
@pytest.mark.parametrize(
    "value", [None, True, 1, "", "  ", "...", ["down"], "true", "Yes", " no ", "off", "1", "2026-11", "none"]
)
def test_an_emergency_needs_a_reason_in_words(value: Any) -> None:
    assert reason(value) is None
    assert reason(" the\nshop   is down ") == "the shop is down"


def test_work_without_a_server_is_not_that_of_an_exception_for_some_servers() -> None:
    everywhere = ContractException("CTR-1", "migration", "in")
    somewhere = ContractException("CTR-2", "migration", "in", hosts=("san*",))
    grouped = ContractException("CTR-3", "migration", "in", host_groups=("old",))
    terms = ClientTerms((), (grouped, somewhere, everywhere))
    found, checks = excepted("migration", {}, terms, TODAY, None)
    assert found == everywhere
    assert [check.passed for check in checks] == [False, False, True]
    found, _checks = excepted("migration", {"san1": frozenset()}, terms, TODAY, None)
    assert found == somewhere
