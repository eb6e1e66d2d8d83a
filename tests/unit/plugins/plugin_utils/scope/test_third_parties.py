# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The register of third parties: checked to the field, an exception for the gate, announcements for the report."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import announcements, verification
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.making import make
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.period import parse as period
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import gate, terms_checks
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.loading import load
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.plain_fields import TermsError

TODAY = date(2026, 11, 25)
DIRECT = {"reference": "letter of 12 May", "agreed_on": "2026-05-12", "valid_until": "2026-12-31"}
WORK = {"reference": "MW-1", "kind": "maintenance", "summary": "Power feed A", "starts": "2026-12-01T22:00"}
PARTY = {"name": "north", "kind": "datacenter", "contacts": [{"name": "NOC", "email": "noc@example.org"}]}


def terms(*parties: dict[str, Any]) -> Any:
    content = {"version": 1, "timezone": "Europe/Paris", "clients": {"acme": {"third_parties": list(parties)}}}
    return terms_checks.parse(content)


def verdict(declared: Any, third_party: str | None, category: str = "third_party_contact") -> gate.Verdict:
    decision = gate.decide(
        load().categories[category], [gate.Target("web1", ("acme",))], declared, {}, mode="block", today=TODAY,
        third_party=third_party,
    )  # fmt: skip
    return decision.verdicts[0]


def test_an_agreed_direct_contact_is_in_contract_for_that_third_party_and_that_time():
    declared = terms({**PARTY, "direct_contact": DIRECT}, {"name": "south", "kind": "registrar"})
    terms_checks.check_categories(declared, load())
    passed = verdict(declared, "north")
    assert (passed.passed, passed.contract, passed.exception) == (True, "in", "letter of 12 May")
    for other in ("south", "nort", None):
        assert not verdict(declared, other).passed
    # Who mistypes the name, or forgets it, is told.
    assert verdict(declared, "nort").checks[0].detail == "is for north, not for the third party that is named"
    assert verdict(declared, None).checks[0].detail == "is for north, and no third party is named"
    assert not verdict(declared, "north", "migration").passed
    over = terms({**PARTY, "direct_contact": {**DIRECT, "valid_until": "2026-11-24"}})
    assert not verdict(over, "north").passed
    elsewhere = terms({**PARTY, "direct_contact": {**DIRECT, "hosts": ["db*"]}})
    assert not verdict(elsewhere, "north").passed
    # Nothing agreed beforehand counts for the days before it was.
    early = terms({**PARTY, "direct_contact": {**DIRECT, "agreed_on": "2026-11-26"}})
    assert not verdict(early, "north").passed


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"kind": "datacentre"}, "third party 'north': field 'kind' must be one of"),
        ({"name": "nor*"}, r"third party 'nor\*': field 'name' may not hold"),
        ({"contacts": [{"name": "NOC"}]}, "contact 1: one of the fields email, phone, url is needed"),
        ({"contacts": [{"name": "NOC", "email": "noc at example"}]}, "contact 1: field 'email': 'noc at example'"),
        ({"contacts": [{"name": "NOC", "phone": "ask Bob"}]}, "contact 1: field 'phone'"),
        ({"direct_contact": {"reference": "x"}}, "direct_contact: field 'agreed_on' is missing"),
        ({"direct_contact": {**DIRECT, "valid_from": "2027-01-01"}}, "field 'valid_until' is before 'valid_from'"),
        (
            {"direct_contact": {**DIRECT, "valid_from": "2026-05-11"}},
            "direct_contact: field 'valid_from' is before 'agreed_on'",
        ),
        (
            {"direct_contact": {**DIRECT, "valid_until": "2026-05-11"}},
            "direct_contact: field 'valid_until' is before 'agreed_on'",
        ),
        ({"announcements": [{**WORK, "starts": "soon"}]}, "announcement 'MW-1': field 'starts' must be a time"),
        # Told in UTC these are before the first and after the last day that there is.
        ({"announcements": [{**WORK, "starts": "0001-01-01"}]}, "announcement 'MW-1': field 'starts' must be a time"),
        ({"announcements": [{**WORK, "ends": "9999-12-31T23:00-05:00"}]}, "field 'ends' must be a time"),
        ({"announcements": [{**WORK, "ends": "2026-12-01T21:00"}]}, "field 'ends' is before 'starts'"),
        ({"announcements": [{**WORK, "kind": "party"}]}, "field 'kind' must be one of delivery"),
        ({"announcements": [WORK, WORK]}, "field 'reference' is used twice"),
        (
            {"announcements": [{**WORK, "announced_on": "2026-11-20", "passed_on": "2026-11-19"}]},
            "'passed_on' is before",
        ),
        ({"colour": "red"}, "unknown field 'colour'"),
    ],
)
def test_a_fault_is_named_with_client_third_party_entry_and_field(changed, said):
    with pytest.raises(TermsError, match=f"client 'acme': .*{said}"):
        terms({**PARTY, **changed})


def test_announcements_are_stored_once_and_again_when_they_change_and_the_report_has_the_last_word(tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    ledger.create()

    def store(day: int, **changed: Any) -> int:
        declared = terms({**PARTY, "announcements": [{**WORK, "hosts": ["web1"], **changed}]})
        now = datetime(2026, 11, day, tzinfo=UTC)
        with ledger.transaction() as transaction:
            fresh = announcements.news(transaction.query, announcements.of_register(declared), now, "ada")
            transaction.add(fresh)
        return len(fresh)

    assert [store(20), store(21), store(22, summary="Feed B"), store(23, summary="Feed B")] == [1, 0, 1, 0]
    # Back to what it was is news, too.
    assert [store(24), store(25), store(26, cancelled=True)] == [1, 0, 1]
    with ledger.reading() as connection:
        assert verification.verify(connection).faults == []
    made = make(ledger, period("2026-11"), "acme", "fr", ("html", "json"))
    (one,) = made.report["announcements"]
    assert (one["summary"], one["cancelled"], one["starts"]) == ("Power feed A", True, "2026-12-01T21:00:00.000000Z")
    (page,) = [str(text) for name, text in made.files.items() if name.endswith(".html")]
    assert "Power feed A" in page
    assert "annulé" in page
    # An incident goes on until somebody says that it ended; a delivery without an end is one moment.
    assert store(27, kind="incident", ends=None, cancelled=False) == 1
    (one,) = make(ledger, period("2027-01"), "acme", "fr", ("json",)).report["announcements"]
    assert (one["kind"], one["ends"]) == ("incident", None)
    assert [store(28, kind="incident", ends=None, cancelled=True), store(29, kind="delivery", ends=None)] == [1, 1]
    assert make(ledger, period("2027-01"), "acme", "fr", ("json",)).report["announcements"] == []
    assert store(30) == 1
    # It is over before January, and nothing of another client's.
    assert make(ledger, period("2027-01"), "acme", "fr", ("json",)).report["announcements"] == []
    assert make(ledger, period("2026-11"), "other", "fr", ("json",)).report["announcements"] == []


def test_an_incident_without_an_end_goes_on_until_it_has_one(tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    ledger.create()
    outage = {**WORK, "reference": "INC-1", "kind": "incident", "starts": "2026-09-30T22:00"}
    delivery = {**WORK, "reference": "D-1", "kind": "delivery", "starts": "2026-09-30"}

    def store(month: int, **changed: Any) -> None:
        declared = terms({**PARTY, "announcements": [{**outage, **changed}, delivery]})
        now = datetime(2026, month, 20, tzinfo=UTC)
        with ledger.transaction() as transaction:
            transaction.add(announcements.news(transaction.query, announcements.of_register(declared), now, "ada"))

    def told(month: str) -> list[str]:
        made = make(ledger, period(month), "acme", "fr", ("json",))
        return [one["reference"] for one in made.report["announcements"]]

    store(9)
    assert [told("2026-08"), told("2026-09"), told("2026-10")] == [[], ["D-1", "INC-1"], ["INC-1"]]
    store(11, ends="2026-11-19T08:00")
    # What was known at the end of October stays what October's report says.
    assert [told("2026-10"), told("2026-11"), told("2026-12")] == [["INC-1"], ["INC-1"], []]
    store(12, cancelled=True)
    assert [told("2026-11"), told("2026-12")] == [["INC-1"], []]


def test_what_was_passed_on_the_day_it_began_was_in_time_by_the_clients_clock(tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    ledger.create()
    # In UTC it begins the day before.
    night = {**WORK, "starts": "2026-12-01T00:30", "passed_on": "2026-12-01"}

    def page(**changed: Any) -> str:
        declared = terms({**PARTY, "announcements": [{**night, **changed}]})
        with ledger.transaction() as transaction:
            now = datetime(2026, 11, 20, tzinfo=UTC)
            transaction.add(announcements.news(transaction.query, announcements.of_register(declared), now, "ada"))
        made = make(ledger, period("2026-12", "Europe/Paris"), "acme", "fr", ("html",))
        return "".join(str(text) for text in made.files.values())

    assert "transmis après le début" not in page()
    assert "transmis après le début" in page(passed_on="2026-12-02")
