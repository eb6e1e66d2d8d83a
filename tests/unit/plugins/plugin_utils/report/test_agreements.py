# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report tells of agreements: what is left at the period's end, and which work has none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.making import Made, make
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.period import parse
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.loading import load
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.terms_checks import parse as terms_of

AFTER, WITHIN = datetime(2027, 1, 15, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC)
HOURS = {"id": "TC-<1>", "kind": "time_count", "categories": "all", "hours": 1}
ACCEPTED = {"accepted_by": "Jeanne", "accepted_on": "2026-01-05"}


def told(story: Any, *agreements: dict[str, Any], client: str | None = "acme", now: datetime = AFTER) -> Made:
    terms = terms_of({"version": 1, "clients": {"acme": {"agreements": list(agreements)}}})
    return make(
        story.ledger, parse("2026-11"), client, "en", ("html", "csv", "json"),
        terms=terms, categories=load().categories, now=now,
    )  # fmt: skip


def out(story: Any, at: str, agreement: str | None = "TC-<1>", **gate: Any) -> str:
    """A run of a minute, billed as a quarter of an hour, that rests on that agreement."""
    clients = [{"client": "acme", "passed": True, "contract": "out", "agreement": agreement}]
    run: str = story.run(at, {"web1": ["acme"]}, "migration", gate={"clients": clients, **gate})
    return run


@pytest.mark.parametrize(
    ("runs", "state", "warning"), [(1, "valid", None), (3, "valid", None), (4, "exhausted", 100), (5, "exhausted", 100)]
)
def test_the_balance_is_that_of_the_periods_end(story: Any, runs: int, state: str, warning: int | None) -> None:
    for number in range(runs):
        out(story, f"2026-{'09' if number else '11'}-{number + 1:02d}T10:00:00Z")
    out(story, "2026-12-02T10:00:00Z")
    made = told(story, {**HOURS, **ACCEPTED})
    [balance] = made.report["agreements"]
    assert (balance["used_seconds"], balance["state"], balance["warning"]) == (900 * runs, state, warning)
    page = next(str(text) for name, text in made.files.items() if name.endswith(".html"))
    assert 'id="agreements-title"' in page
    assert "TC-&lt;1&gt;" in page
    assert ("15\u00a0min\u00a000\u00a0s over" in page) == (runs == 5)


def test_a_price_is_written_as_the_language_does_and_stays_exact(story: Any) -> None:
    out(story, "2026-11-02T10:00:00Z")
    made = told(story, {**HOURS, "kind": "quote", "hours": None, "amount": "12345.60", **ACCEPTED})
    page = next(str(text) for name, text in made.files.items() if name.endswith(".html"))
    assert "12\u00a0345,60\u00a0EUR" in page
    assert "EUR\u00a012,345.60" in page


def test_eighty_percent_is_warned_of(story: Any) -> None:
    for number in range(4):
        out(story, f"2026-11-0{number + 1}T10:00:00Z")
    [balance] = told(story, {**HOURS, "hours": "1.25", **ACCEPTED}).report["agreements"]
    assert (balance["percent"], balance["warning"], balance["state"]) == (80, 80, "valid")


def test_work_without_agreement_waits_for_the_clients_answer(story: Any) -> None:
    out(story, "2026-11-02T10:00:00Z")
    bare = out(story, "2026-11-03T10:00:00Z", agreement=None)
    urgent = out(story, "2026-11-04T10:00:00Z", agreement=None, emergency="the shop is down")
    story.run("2026-11-05T10:00:00Z", {"web1": ["acme"]})
    report = told(story, {**HOURS, **ACCEPTED}).report
    [question] = [each for each in report["questions"] if each["question"] == "agreement"]
    assert [run["run_id"] for run in question["runs"]] == [bare]
    runs = {run["run_id"]: run for run in report["interventions"]}
    assert runs[urgent]["emergency"] == "the shop is down"
    page = next(str(text) for name, text in told(story, HOURS).files.items() if name.endswith(".html"))
    assert "Emergency: the shop is down" in page
    # Without the clients' terms nobody can say what is agreed.
    assert make(story.ledger, parse("2026-11"), "acme", "en", ("json",), now=AFTER).report["questions"] == []


def test_what_was_not_accepted_or_is_over_says_so(story: Any) -> None:
    out(story, "2026-11-02T10:00:00Z")
    over = {**HOURS, "id": "Q-2", **ACCEPTED, "valid_until": "2026-11-10"}
    states = {each["id"]: each["state"] for each in told(story, HOURS, over).report["agreements"]}
    assert states == {"TC-<1>": "not_accepted", "Q-2": "expired"}
    [question] = told(story, {**HOURS, **ACCEPTED}, {**HOURS, "id": "Q-3"}).report["questions"]
    assert (question["question"], [each["id"] for each in question["agreements"]]) == ("quote", ["Q-3"])
    # While the period lasts, its newest record says what day it is.
    states = {each["id"]: each["state"] for each in told(story, HOURS, over, now=WITHIN).report["agreements"]}
    assert states["Q-2"] == "valid"


def test_the_same_records_give_the_same_bytes(story: Any) -> None:
    out(story, "2026-11-02T10:00:00Z")
    first, second = (told(story, HOURS, now=now) for now in (AFTER, datetime(2030, 1, 1, tzinfo=UTC)))
    assert first.files == second.files


def test_a_run_is_told_as_it_was_for_this_client_and_not_for_the_other(story: Any) -> None:
    clients = [
        {"client": "acme", "passed": True, "contract": "in", "agreement": None, "exception": "CTR-7"},
        {"client": "globex", "passed": True, "contract": "out", "agreement": None},
    ]
    story.run("2026-11-02T10:00:00Z", {"web1": ["acme"], "db1": ["globex"]}, "migration", gate={"clients": clients})
    for client, contract in (("acme", "in"), ("globex", "out"), (None, "out")):
        report = told(story, {**HOURS, **ACCEPTED}, client=client).report
        assert [run["contract"] for run in report["interventions"]] == [contract], client
        assert {total["contract"] for total in report["categories"]} == {contract}, client
