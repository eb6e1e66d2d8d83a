# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements: time is shared, weighed and rounded exactly, and agreements count what the ledger says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.sharing import share, weights
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.statement import (
    Statement,
    money,
    round_up,
    statement,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.work import Party, Said, Work
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.loading import load
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.terms import Terms
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.terms_checks import parse

CATEGORIES = load().categories
NOW = datetime(2026, 11, 30, tzinfo=UTC)


def terms(billing: dict[str, Any] | None = None, **acme: Any) -> Terms:
    """Terms with one client, acme, and another of whom nothing is declared."""
    return parse({"version": 1, "billing": billing, "clients": {"acme": acme}})


def run(run_id: str = "r1", seconds: Any = 60, hosts: dict[str, list[str]] | None = None, **more: Any) -> Work:
    """One intervention of out-of-contract work on a Monday morning."""
    given: dict[str, Any] = {
        "started_at": "2026-11-23T10:00:00.000000Z",
        "category": "migration",
        "contract": "out",
        "milliseconds": int(Decimal(str(seconds)) * 1000),
        "hosts": tuple((host, tuple(names)) for host, names in (hosts or {"web1": ["acme"]}).items()),
        **more,
    }
    return Work(run_id=run_id, **given)


def made(work: list[Work], its: Terms, client: str | None = "acme", **window: str) -> Statement:
    """The statement of November 2026."""
    bounds = {"first": "2026-11-01", "end": "2026-12-01", **window}
    return statement(work, client=client, terms=its, categories=CATEGORIES, now=NOW, **bounds)


QUOTE = {
    "id": "Q-1",
    "kind": "quote",
    "categories": ["migration"],
    "hours": 1,
    "accepted_by": "Ada",
    "accepted_on": "2026-11-01",
}


@given(st.integers(0, 10**9), st.lists(st.fractions(0, 50), min_size=1, max_size=8))
def test_the_parts_are_whole_fair_and_make_up_the_whole(total: int, heavy: list[Fraction]) -> None:
    parts = share(total, heavy)
    assert sum(parts) == total
    whole = sum(heavy, Fraction(0))
    for part, weight in zip(parts, heavy, strict=True):
        assert abs(part - (total * weight / whole if whole else Fraction(total, len(heavy)))) < 1


@given(
    sharing=st.sampled_from(["equal", "by_host", "busy"]),
    hosts=st.dictionaries(
        st.sampled_from(["a", "b", "c", "d"]),
        st.lists(st.sampled_from(["acme", "globex", "initech"]), unique=True, max_size=3),
        min_size=1,
    ),
    milliseconds=st.integers(0, 10**7),
    busy=st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.integers(0, 10**6)),
)
def test_a_run_for_several_clients_is_shared_out_without_a_rest(
    sharing: str, hosts: dict[str, list[str]], milliseconds: int, busy: dict[str, int]
) -> None:
    work = run(hosts=hosts, busy=busy, milliseconds=milliseconds)
    found = made([work], terms({"sharing": sharing}), client=None)
    assert sum(line.milliseconds for line in found.lines) == (milliseconds if work.clients else 0)
    for line in found.lines:
        alone = made([work], terms({"sharing": sharing}), client=line.client)
        assert [one.as_dict() for one in alone.lines] == [line.as_dict()]


def test_each_policy_of_sharing_weighs_what_it_says() -> None:
    hosts = [("a", ["acme"]), ("b", ["acme"]), ("c", ["acme", "globex"])]
    clients = ["acme", "globex"]
    assert weights("equal", clients, hosts, {}) == [1, 1]
    assert weights("by_host", clients, hosts, {}) == [Fraction(5, 2), Fraction(1, 2)]
    assert weights("busy", clients, hosts, {"a": 100, "c": 300}) == [250, 150]


@given(st.fractions(0, 10**8), st.integers(1, 3600), st.integers(0, 7200))
def test_rounding_takes_the_started_step_and_no_more(milliseconds: Fraction, step: int, least: int) -> None:
    billed = round_up(milliseconds, step, least)
    if milliseconds == 0:
        assert billed == 0
        return
    assert billed * 1000 >= milliseconds
    assert billed >= least
    if billed > least:
        assert billed % step == 0
        assert (billed - step) * 1000 < milliseconds


@pytest.mark.parametrize(
    ("seconds", "billing", "more", "billed"),
    [
        (1, {}, {}, 900),
        (900, {}, {}, 900),
        ("900.001", {}, {}, 1800),
        (0, {}, {}, 0),
        (60, {"step_minutes": 1, "minimum_minutes": 30}, {}, 1800),
        (700, {"emergency_factor": "1.5", "step_minutes": 1}, {"emergency": "down"}, 1080),
        (700, {"emergency_factor": "1.5", "step_minutes": 1}, {}, 720),
        (60, {}, {"check_mode": True}, 0),
        (60, {}, {"outcome": "blocked"}, 0),
        (60, {}, {"outcome": "running"}, 0),
        (60, {}, {"contract": "in", "category": "routine_maintenance"}, 0),
        (60, {}, {"contract": None, "category": None}, 0),
        (60, {}, {"outcome": "failed"}, 900),
        (60, {}, {"parties": {"acme": Party(contract="in", exception="CTR-7")}}, 0),
    ],
)
def test_billed_time_follows_the_policy(
    seconds: Any, billing: dict[str, Any], more: dict[str, Any], billed: int
) -> None:
    found = made([run(seconds=seconds, **more)], terms(billing))
    assert [line.billed_seconds for line in found.lines] == [billed]


HOURS = {
    "out_of_hours_factor": 2,
    "step_minutes": 1,
    "working_hours": {"days": ["mon", "fri"], "from": "08:00", "until": "18:00", "holidays": ["2026-11-27"]},
}


@pytest.mark.parametrize(
    ("start", "seconds", "outside", "billed"),
    [
        ("2026-11-23T10:00:00Z", 3600, 0, 3600),
        ("2026-11-23T17:30:00Z", 3600, 1800, 5400),
        ("2026-11-23T07:00:00Z", 7200, 3600, 10800),
        ("2026-11-22T12:00:00Z", 3600, 3600, 7200),
        ("2026-11-27T12:00:00Z", 3600, 3600, 7200),
        ("2026-11-23T06:00:00Z", 2 * 86400, 2 * 86400 - 36000, 309600),
    ],
)
def test_time_out_of_hours_counts_more(start: str, seconds: int, outside: int, billed: int) -> None:
    line = made([run(seconds=seconds, started_at=start)], terms(HOURS)).lines[0]
    assert (line.out_of_hours, line.billed_seconds) == (outside * 1000, billed)


def test_a_client_with_hours_of_its_own_keeps_everybodys_holidays_unless_it_says_otherwise() -> None:
    own = {"days": ["fri"], "from": "08:00", "until": "18:00"}
    holiday = run(seconds=3600, started_at="2026-11-27T12:00:00Z")
    for hours, outside in ((own, 3600_000), ({**own, "holidays": []}, 0)):
        its = parse({"version": 1, "billing": HOURS, "clients": {"acme": {"billing": {"working_hours": hours}}}})
        assert made([holiday], its).lines[0].out_of_hours == outside


def test_working_hours_are_those_of_the_zones_clock() -> None:
    its = parse({"version": 1, "timezone": "Europe/Paris", "billing": HOURS, "clients": {}})
    # 18:00 in Paris is 17:00 UTC in winter and 16:00 UTC in summer.
    winter = made([run(seconds=3600, started_at="2026-11-23T16:30:00Z")], its).lines[0]
    summer = made([run(seconds=3600, started_at="2026-07-06T15:30:00Z")], its, first="2026", end="2027").lines[0]
    assert (winter.out_of_hours, summer.out_of_hours) == (1800_000, 1800_000)


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)), st.integers(0, 10 * 86400))  # noqa: DTZ001
def test_time_is_either_in_hours_or_out_of_them(start: datetime, seconds: int) -> None:
    its = parse({"version": 1, "timezone": "Europe/Paris", "billing": HOURS, "clients": {}})
    stamp = start.replace(tzinfo=UTC).isoformat()
    line = made([run(seconds=seconds, started_at=stamp)], its, first="2025", end="2028").lines[0]
    assert 0 <= line.out_of_hours <= line.milliseconds == seconds * 1000
    assert line.billed_seconds * 1000 >= line.milliseconds + line.out_of_hours


def test_an_emergency_at_night_takes_the_higher_factor_or_both() -> None:
    night = run(seconds=3600, started_at="2026-11-22T12:00:00Z", emergency="down")
    for combined, billed in (("highest", 7200), ("multiply", 10800)):
        its = terms({**HOURS, "emergency_factor": "1.5", "factors": combined})
        assert made([night], its).total.emergency_seconds == billed


def test_a_days_work_may_be_rounded_as_one_and_still_adds_up() -> None:
    work = [run(f"r{number}", seconds=200, started_at=f"2026-11-23T1{number}:00:00Z") for number in range(6)]
    apart = made(work, terms())
    together = made(work, terms({"rounding": "day"}))
    assert apart.total.billed_seconds == 6 * 900
    assert together.total.billed_seconds == 1800
    assert [line.billed_seconds for line in together.lines] == [300] * 6


def test_hours_used_are_counted_over_the_agreements_life_and_not_only_in_the_period() -> None:
    its = terms({"step_minutes": 1}, agreements=[QUOTE])
    party = {"acme": Party(contract="out", agreement="Q-1")}
    work = [
        run("a", 1800, parties=party, started_at="2026-10-05T10:00:00Z"),
        run("b", 1200, parties=party),
        run("c", 1200, parties=party, check_mode=True),
        run("d", 1200),
    ]
    found = made(work, its)
    assert [line.run_id for line in found.lines] == ["b", "c", "d"]
    assert [line.unagreed for line in found.lines] == [False, False, True]
    balance = found.agreements[0]
    assert (balance.used_seconds, balance.left_seconds, balance.percent, balance.warning) == (3000, 600, 83, 80)
    assert balance.state == "valid"
    assert made([*work, run("e", 600, parties=party)], its).agreements[0].state == "exhausted"


@given(st.lists(st.integers(1, 40_000), max_size=12))
def test_no_second_of_an_agreement_is_lost_or_counted_twice(lengths: list[int]) -> None:
    its = terms(agreements=[{**QUOTE, "hours": 1000}])
    party = {"acme": Party(contract="out", agreement="Q-1")}
    found = made([run(f"r{number:02}", one, parties=party) for number, one in enumerate(lengths)], its)
    balance = found.agreements[0]
    assert balance.used_seconds == sum(line.billed_seconds for line in found.lines) == found.total.billed_seconds
    assert balance.left_seconds == 3_600_000 - balance.used_seconds
    assert found.total.billed_seconds == sum(total.billed_seconds for total in found.categories.values())


def test_what_is_said_later_about_time_goes_first_and_the_last_word_counts() -> None:
    both = {"web1": ["acme"], "db1": ["globex"]}
    its = terms({"step_minutes": 1})
    for said, wanted in (
        ([Said(milliseconds=600_000)], 300_000),
        ([Said("acme", milliseconds=600_000)], 600_000),
        ([Said("globex", milliseconds=600_000)], 30_000),
        ([Said(added=60_000)], 60_000),
        ([Said("acme", added=60_000)], 90_000),
        ([Said("acme", milliseconds=600_000), Said("acme", added=60_000)], 660_000),
        ([Said("acme", added=60_000), Said(milliseconds=200_000)], 100_000),
        ([Said(milliseconds=0)], 0),
    ):
        line = made([run(hosts=both, said=said)], its).lines[0]
        assert line.milliseconds == wanted, said
        assert line.corrected == (said[0].client != "globex")


def test_an_agreement_given_afterwards_takes_the_time_and_a_noted_one_only_if_declared() -> None:
    its = terms(agreements=[QUOTE])
    for said, agreement in (
        (Said(agreement="Q-1"), "Q-1"),
        (Said("acme", agreement="Q-1", noted=True), "Q-1"),
        (Said(agreement="Q-9", noted=True), None),
        (Said("globex", agreement="Q-1"), None),
    ):
        line = made([run(said=[said])], its).lines[0]
        assert (line.agreement, line.unagreed) == (agreement, agreement is None)


def test_a_ticket_that_was_noted_of_a_run_for_several_clients_is_nobodys_unless_it_says_whose() -> None:
    both = {"web1": ["acme"], "db1": ["globex"]}
    for hosts, said, ticket in (
        (None, Said(ticket="77"), "77"),
        # It would put one client's time into the other's ticket.
        (both, Said(ticket="77"), None),
        (both, Said("acme", ticket="77"), "77"),
        (both, Said("globex", ticket="77"), None),
    ):
        assert made([run(hosts=hosts, said=[said])], terms()).lines[0].ticket == ticket


def test_a_note_on_a_run_for_several_clients_is_on_nobodys_bill() -> None:
    both = {"web1": ["acme"], "db1": ["globex"]}
    for hosts, note in ((None, "globex was attacked"), (both, None)):
        assert made([run(hosts=hosts, note="globex was attacked")], terms()).lines[0].note == note


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=9), st.sampled_from([1, 7, 15]), st.integers(0, 90))
def test_the_parts_of_a_days_time_are_whole_minutes_which_no_tool_rounds_anew(
    lengths: list[int], step: int, least: int
) -> None:
    work = [run(f"r{number}", one, started_at=f"2026-11-23T1{number}:00:00Z") for number, one in enumerate(lengths)]
    found = made(work, terms({"rounding": "day", "step_minutes": step, "minimum_minutes": least}))
    assert all(line.billed_seconds % 60 == 0 for line in found.lines)
    assert found.total.billed_seconds == round_up(Fraction(sum(lengths) * 1000), step * 60, least * 60)


def test_a_price_that_was_agreed_is_not_billed_by_the_hour() -> None:
    priced = {key: value for key, value in QUOTE.items() if key != "hours"} | {"amount": "1500.00"}
    its = terms({"hourly_rate": 80}, agreements=[priced])
    agreed, timed = made([run("a", parties={"acme": Party("out", "Q-1")}), run("b")], its).lines
    assert (agreed.bill, agreed.amount, agreed.billed_seconds) == ("agreed", None, 900)
    assert (timed.bill, timed.amount) == ("time", Decimal("20.00"))


@given(st.integers(0, 10**7), st.decimals("0.01", "9999", places=2))
def test_money_is_exact_to_the_cent(seconds: int, rate: Decimal) -> None:
    exact = Fraction(rate) * seconds / 3600
    assert abs(Fraction(money(seconds, rate)) - exact) <= Fraction(1, 200)
    assert money(seconds, rate).as_tuple().exponent == -2


def test_a_blocked_client_of_a_run_that_worked_for_others_pays_nothing() -> None:
    parties = {"acme": Party("out", None, passed=False), "globex": Party("out", "Q-2")}
    work = run(hosts={"a": ["acme"], "b": ["globex"]}, outcome="blocked", results=3, parties=parties)
    assert [line.bill for line in made([work], terms(), client=None).lines] == ["none", "time"]


def test_a_statement_is_plain_json() -> None:
    its = terms({"hourly_rate": "80.5"}, agreements=[{**QUOTE, "amount": 100}])
    found = made([run(parties={"acme": Party("out", "Q-1")}), run("r2")], its)
    again = json.loads(json.dumps(found.as_dict()))
    assert again["lines"][1]["amount"] == "20.13"
    assert again["agreements"][0]["accepted_on"] == "2026-11-01"
    assert again["total"]["billed_seconds"] == 1800


def test_expired_and_waiting_agreements_say_so() -> None:
    def state(**changed: Any) -> str:
        return made([], terms(agreements=[{**QUOTE, **changed}])).agreements[0].state

    assert state(valid_until=(NOW - timedelta(days=1)).date()) == "expired"
    assert state(valid_until=NOW.date()) == "valid"
    assert state(valid_from=(NOW + timedelta(days=1)).date()) == "not_yet_valid"
    assert state(accepted_by=None, accepted_on=None) == "not_accepted"
    assert state(accepted_on=(NOW + timedelta(days=1)).date()) == "not_accepted"


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=9), st.decimals("0.01", "500", places=2))
def test_the_prices_of_a_days_work_make_up_the_price_of_its_time(lengths: list[int], rate: Decimal) -> None:
    work = [run(f"r{number}", one, started_at=f"2026-11-23T1{number}:00:00Z") for number, one in enumerate(lengths)]
    found = made(work, terms({"rounding": "day", "hourly_rate": str(rate)}))
    assert found.total.amounts == {"EUR": money(found.total.billed_seconds, rate)}


def test_an_emergency_costs_more_only_where_it_was_a_way_on() -> None:
    its = terms({"emergency_factor": 2, "step_minutes": 1})
    for emergency, billed in ((True, 1440), (False, 720)):
        work = run(seconds=700, emergency="down", parties={"acme": Party("out", "Q-1", emergency=emergency)})
        line = made([work], its).lines[0]
        assert (line.billed_seconds, line.emergency) == (billed, "down" if emergency else None)


def test_an_agreement_is_not_used_up_by_work_that_it_does_not_cover() -> None:
    priced = {**QUOTE, "amount": "1500.00"}
    its = terms({"hourly_rate": 80}, agreements=[priced])
    taken = {"acme": Party("out", "Q-1")}
    # What the gate took stands, whatever the declaration says by now.
    judged = run(category="renamed_since", parties=taken)
    assert made([judged], its).lines[0].agreement == "Q-1"
    corrected = run(category="incident_caused_by_others", parties=taken, said=[Said(contract="out")])
    noted = run("r2", category="incident_caused_by_others", said=[Said(agreement="Q-1", noted=True)])
    found = made([corrected, noted], its)
    assert [(line.agreement, line.bill, line.amount) for line in found.lines] == [(None, "time", Decimal("20.00"))] * 2
    assert [line.unagreed for line in found.lines] == [True, True]
    assert found.agreements[0].used_seconds == 0


@pytest.mark.parametrize(
    ("changed", "counts"),
    [
        ({}, True),
        # Accepted only afterwards, or valid only from later on: a quote may put work right that an emergency began.
        ({"accepted_on": "2026-11-29", "valid_from": "2026-11-29"}, True),
        ({"accepted_by": None, "accepted_on": None}, False),
        ({"valid_until": "2026-11-23"}, True),
        ({"valid_until": "2026-11-22"}, False),
    ],
)
def test_a_quote_that_somebody_noted_counts_when_the_client_accepted_it_and_it_had_not_expired(
    changed: dict[str, Any], counts: bool
) -> None:
    its = terms({"hourly_rate": 80}, agreements=[{**QUOTE, "amount": "1500.00", **changed}])
    line = made([run(said=[Said(agreement="Q-1", noted=True)])], its).lines[0]
    assert (line.agreement, line.bill, line.unagreed) == (("Q-1", "agreed", False) if counts else (None, "time", True))


def test_a_corrected_category_is_held_against_the_clients_own_contract_too() -> None:
    ours = {"reference": "CTR-7", "category": "hardware_outside_maintenance", "contract": "in", "hosts": ["san*"]}
    its = terms(exceptions=[ours])
    said = [Said(contract="out")]
    before = {"acme": Party("out", None, "CTR-1")}
    for host, contract, exception in (("san1", "in", "CTR-7"), ("web1", "out", None)):
        work = run(category="hardware_outside_maintenance", hosts={host: ["acme"]}, said=said, parties=before)
        line = made([work], its).lines[0]
        assert (line.contract, line.exception) == (contract, exception)
