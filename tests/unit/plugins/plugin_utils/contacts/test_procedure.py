# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A procedure that covers every required case, and all the ways to get one wrong."""

from __future__ import annotations

import copy
import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.contacts import page, weekly
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.contacts.procedure import REQUIRED, parse, today_of
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import contact_reviews
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.branding import Brand
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.making import make
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.period import parse as period
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import third_parties
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.plain_fields import TermsError

TODAY = date(2026, 11, 25)
WHO = {"client": "jeanne", "provider": "desk", "third_party": "noc", "level1": "support"}


def procedure() -> dict[str, Any]:
    """Everything right. The incident has office hours, a night window and an escalation."""
    contacts = [
        {"id": "jeanne", "side": "client", "name": "Jeanne Martin", "role": "CTO", "phone": "+33 1 99 00 12 34"},
        {
            "id": "paul",
            "side": "client",
            "name": "Paul <b>|Roy",
            "phone": "+33 1 99 00 56 78",
            "email": "p@example.org",
        },
        {
            "id": "desk",
            "side": "provider",
            "name": "Desk",
            "phone": "+33 1 99 00 00 00",
            "url": "https://example.org/t",
        },
        {"id": "noc", "side": "third_party", "name": "NOC", "phone": "+33 1 99 00 11 11"},
        {"id": "support", "side": "level1", "name": "Support", "phone": "+33 1 99 00 22 22"},
    ]
    cases = [
        {"case": name, "windows": [{"steps": [{"contact": WHO[side], "by": "phone"}]}]}
        for name, (side, _always) in REQUIRED.items()
    ]
    cases[0]["windows"] = [
        {
            "days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:00", "to": "18:00",
            "steps": [
                {"contact": "jeanne", "by": "phone"},
                {"contact": "paul", "by": "email", "after_minutes": 15},
            ],
        },
        {"days": ["mon", "tue", "wed", "thu"], "from": "18:00", "to": "08:00",
         "steps": [{"contact": "paul", "by": "phone"}]},
        {"days": ["fri"], "from": "18:00", "to": "24:00", "steps": [{"contact": "paul", "by": "phone"}]},
        {"days": ["sat", "sun"], "steps": [{"contact": "paul", "by": "phone"}]},
        {"days": ["mon"], "from": "00:00", "to": "08:00", "steps": [{"contact": "paul", "by": "phone"}]},
    ]  # fmt: skip
    return {
        "client": "acme", "timezone": "Europe/Paris", "reviewed_on": "2026-11-02", "review_days": 180,
        "contacts": contacts, "cases": cases,
    }  # fmt: skip


def test_a_whole_procedure_is_accepted_and_says_what_is_due():
    checked = parse(procedure(), TODAY)
    assert checked.review_due == date(2027, 5, 1)
    assert checked.overdue(TODAY) == []
    assert checked.overdue(date(2027, 5, 2)) == ["the page was to be reviewed by 2027-05-01"]
    assert checked.unused == []


def broken(change: Any) -> dict[str, Any]:
    content = copy.deepcopy(procedure())
    change(content)
    return content


WRONG = [
    (lambda c: c["cases"].pop(), "cases: the required case 'end_user_request' is missing"),
    (lambda c: c["cases"].append(c["cases"][1]), "case 'security_incident': field 'case' is used twice"),
    (lambda c: c["contacts"][0].pop("phone"), "contact 'jeanne': one of the fields email, phone, url is needed"),
    (lambda c: c["contacts"][0].update(phone="later"), "contact 'jeanne': field 'phone': 'later' cannot be reached"),
    (lambda c: c["contacts"][1].update(email="p@x"), "contact 'paul': field 'email'"),
    (lambda c: c["contacts"][2].update(url="javascript:alert(1)"), "contact 'desk': field 'url'"),
    (lambda c: c["contacts"][1].update(id="jeanne"), "contact 'jeanne': field 'id' is used twice"),
    (lambda c: c["contacts"][1].update(side="us"), "contact 'paul': field 'side' must be one of"),
    (lambda c: c["contacts"][1].update(reviewed_on="2026-13-01"), "contact 'paul': field 'reviewed_on' must be a day"),
    (lambda c: c.update(reviewed_on="2026-11-26"), "field 'reviewed_on' lies in the future"),
    (lambda c: c.update(reviewed_on="02/11/2026"), "field 'reviewed_on' must be a day such as"),
    (lambda c: c.pop("reviewed_on"), "field 'reviewed_on' is missing"),
    (lambda c: c.update(timezone="Paris"), "field 'timezone'"),
    (lambda c: c["cases"][0]["windows"].pop(3), "case 'incident': field 'windows': nobody is contacted on sat 00:00"),
    (lambda c: c["cases"][0]["windows"][0].update(to="17:59"), "nobody is contacted on mon 17:59"),
    (lambda c: c["cases"][0]["windows"][0].update(to="18:01"), "two of them hold on mon 18:00"),
    (lambda c: c["cases"][0]["windows"][0].update({"from": 480}), "window 1: field 'from' must be a time in quotes"),
    (lambda c: c["cases"][0]["windows"][0].pop("to"), "window 1: fields 'from' and 'to' belong together"),
    (lambda c: c["cases"][0]["windows"][0].update(days=["lundi"]), "window 1: field 'days' holds 'lundi'"),
    (
        lambda c: c["cases"][0]["windows"][0].update(days=[]),
        "window 1: field 'days' is empty: leave it out for every day",
    ),
    (lambda c: c["cases"][0]["windows"][0].update(steps=[]), "window 1: field 'steps' is missing or empty"),
    (lambda c: c["cases"][0].update(windows=[]), "case 'incident': field 'windows' is missing or empty"),
    (lambda c: c["cases"][0].update(always=False), "case 'incident': field 'always': this case may come at any hour"),
    (lambda c: c["cases"][0]["windows"][0]["steps"][0].update(contact="eve"), "there is no contact 'eve'"),
    (lambda c: c["cases"][0]["windows"][0]["steps"][0].update(by="email"), "contact 'jeanne' has no email"),
    (lambda c: c["cases"][0]["windows"][0]["steps"][0].update(contact="desk"), "'desk' is not of the side 'client'"),
    (lambda c: c["cases"][0]["windows"][0]["steps"][0].update(after_minutes=5), "the first step is taken at once"),
    (lambda c: c["cases"][0]["windows"][0]["steps"][1].update(after_minutes=0), "must be more than the step's before"),
    (lambda c: c["cases"].append({"case": "own", "side": "client", "windows": []}), "case 'own': field 'label'"),
    (lambda c: c.update(not_applicable=[{"case": "incident", "reason": "x"}]), "case 'incident' is declared, too"),
    (lambda c: c.update(not_applicable=[{"case": "emergency"}]), "not_applicable: entry 1: field 'reason' is missing"),
    (
        lambda c: c.update(not_applicable=[{"case": "emergency", "reason": each} for each in ("one", "two")]),
        "not_applicable: entry 2: case 'emergency': field 'case' is used twice",
    ),
]


@pytest.mark.parametrize(("change", "said"), WRONG, ids=[said[:40] for _change, said in WRONG])
def test_a_fault_is_named_with_entry_and_field(change, said):
    with pytest.raises(TermsError) as caught:
        parse(broken(change), TODAY)
    assert said in str(caught.value)


def test_a_case_that_does_not_apply_needs_a_reason_and_no_windows():
    content = broken(lambda c: c["cases"].pop())
    content["not_applicable"] = [{"case": "end_user_request", "reason": "no users of their own"}]
    assert "no users of their own" in page.markdown(parse(content, TODAY), TODAY, "fr")


def test_the_registers_contacts_can_be_named():
    parties = third_parties.parse(
        [{"name": "north", "kind": "datacenter", "contacts": [{"name": "NOC", "phone": "+33 1 99 00 33 33"}]}],
        "client 'acme'", UTC,
    )  # fmt: skip
    content = procedure()
    by_name = {case["case"]: case for case in content["cases"]}
    by_name["third_party_incident"]["windows"][0]["steps"][0]["contact"] = "north:1"
    checked = parse(content, TODAY, parties)
    assert checked.unused == ["noc"]
    assert "+33 1 99 00 33 33" in page.markdown(checked, TODAY, "en")


def test_markdown_keeps_text_as_text():
    text = page.markdown(parse(procedure(), TODAY), TODAY, "en")
    assert r"Paul \<b\>\|Roy" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert all(line.replace(r"\|", "").count("|") in (5, 6) for line in rows)
    assert "| Mon–Fri, 08:00 to 18:00 | at once | Jeanne Martin \\(CTO\\) |" in text
    assert "| ″ | after 15 min without an answer |" in text


@pytest.mark.parametrize(
    ("note", "written"),
    [
        ("- first", r"\- first"),
        ("+ 2 people", r"\+ 2 people"),
        ("1. call", r"1\. call"),
        ("12) call", r"12\) call"),
        ("=== wait", r"\=== wait"),
        ("a &lt;b&gt; c", r"a \&lt;b\&gt; c"),
        ("call at 1.30 - or later", "call at 1.30 - or later"),
    ],
)
def test_a_note_is_no_list_heading_or_entity(note, written):
    content = procedure()
    content["cases"][0]["note"] = note
    assert written in page.markdown(parse(content, TODAY), TODAY, "en").splitlines()


def test_the_page_escapes_what_was_declared_and_has_both_languages():
    text = page.html(parse(procedure(), TODAY), TODAY, Brand("Example"))
    assert "Paul &lt;b&gt;|Roy" in text
    assert "<b>" not in text
    assert 'href="tel:+33199001234"' in text
    assert "Qui contacter" in text
    assert "Whom to contact" in text
    assert 'role="alert"' not in text
    assert 'role="alert"' in page.html(parse(procedure(), TODAY), date(2027, 6, 1), Brand())


def test_what_changed_is_told():
    old = parse(procedure(), TODAY).as_dict()
    new = parse(broken(lambda c: (c["contacts"][0].update(phone="+33 2 00 00 00 00"), c.update(review_days=90))), TODAY)
    assert page.differences(None, old) == ["first publication"]
    assert page.differences(old, old) == []
    assert page.differences(old, new.as_dict()) == ["contacts: changed jeanne", "review_days: 180 -> 90"]


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"contacts": [{"id": "jeanne"}]},
        {"contacts": {}, "cases": ["incident"]},
        {"contacts": "jeanne", "cases": {}},
    ],
)
def test_a_file_of_that_name_that_is_no_procedure_is_no_earlier_publication(found):
    assert page.differences(found, parse(procedure(), TODAY).as_dict()) == ["first publication"]


@pytest.mark.parametrize(
    ("written", "dialled"),
    [
        ("+33 (0)1 99 00 12 34", "+33199001234"),
        ("+33 (0) 1-99.00.12.34", "+33199001234"),
        ("0033 (0)1 99 00 12 34", "0033199001234"),
        ("(no plus) 01 99 00 12 34", None),
        ("01 99 00 12 34", "0199001234"),
        ("0(0)1 99 00 12 34", "00199001234"),
    ],
)
def test_a_click_dials_the_number_that_a_person_would(written, dialled):
    content = broken(lambda c: c["contacts"][0].update(phone=written))
    if dialled is None:
        with pytest.raises(TermsError, match="cannot be reached"):
            parse(content, TODAY)
        return
    text = page.html(parse(content, TODAY), TODAY, Brand())
    assert f'href="tel:{dialled}"' in text
    assert written in text


def test_no_two_cases_share_an_element_of_the_page():
    content = procedure()
    steps = [{"contact": "jeanne", "by": "phone"}]
    for name in ("a b", "a-b", "\u5c0e\u5165", "\u505c\u96fb"):
        label = {"fr": name, "en": name}
        content["cases"].append({"case": name, "side": "client", "label": label, "windows": [{"steps": steps}]})
    found = re.findall(r' id="([^"]*)"', page.html(parse(content, TODAY), TODAY, Brand()))
    assert "case-incident-table" in found
    assert sorted(found) == sorted(set(found))


SPANS = st.lists(
    st.builds(
        weekly.Span,
        days=st.lists(st.integers(0, 6), min_size=1, unique=True).map(lambda days: tuple(sorted(days))),
        start=st.integers(0, 23).map(lambda hour: hour * 60),
        until=st.integers(1, 24).map(lambda hour: hour * 60),
    ).map(lambda one: one if one.until > one.start else weekly.Span(one.days, one.start, one.until + 1440)),
    max_size=5,
)


@given(SPANS)
def test_gaps_and_overlaps_are_those_of_counting_minutes(spans):
    count = [0] * (7 * 1440)
    for span in spans:
        for day in span.days:
            for minute in range(day * 1440 + span.start, day * 1440 + span.until):
                count[minute % len(count)] += 1
    assert weekly.gap(spans) == next((minute for minute, times in enumerate(count) if not times), None)
    assert (weekly.overlap(spans) is None) == all(times < 2 for times in count)


def test_a_review_that_is_overdue_is_asked_about_in_the_clients_report(tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    ledger.create()
    content = procedure()
    content["contacts"][0].update(reviewed_on="2026-03-01", name="Jeanne <b>")
    checked = parse(content, TODAY)
    other = parse({**procedure(), "client": "globex"}, TODAY)
    for _twice in range(2):
        with ledger.transaction() as transaction:
            for each in (checked, other):
                now = datetime(2026, 11, 25, 12, tzinfo=UTC)
                transaction.add(contact_reviews.news(transaction.query, each.client, each.reviews, now, "ada"))
    with ledger.reading() as connection:
        assert connection.execute("SELECT count(*) FROM records").fetchone()[0] == 2

    def asked(month: str, language: str, client: str = "acme"):
        made = make(ledger, period(month), client, language, ("html",), now=datetime(2027, 11, 5, tzinfo=UTC))
        (page_text,) = made.files.values()
        return [each["contacts"] for each in made.report["questions"]], str(page_text)

    questions, text = asked("2026-11", "fr")
    assert questions == [
        [{"client": "acme", "contact": "Jeanne <b>", "reviewed_on": "2026-03-01", "due": "2026-08-28"}]
    ]
    assert "Ces contacts n\u2019ont pas été relus à temps." in text
    assert "28/08/2026" in text
    assert "Jeanne <b>" not in text
    # Later the page itself is due, too; before anything was told there is nothing to say.
    questions, text = asked("2027-10", "en")
    assert [late["contact"] for late in questions[0]] == [None, "Jeanne <b>"]
    assert "These contacts were not reviewed in time. Are they still right?" in text
    assert "The whole page" in text
    assert asked("2026-10", "en")[0] == []
    assert asked("2026-11", "en", "globex")[0] == []


def test_the_day_of_a_review_is_the_day_where_the_page_is_read():
    night = datetime(2026, 11, 25, 23, 30, tzinfo=UTC)
    content = {**procedure(), "timezone": "Europe/Paris", "reviewed_on": "2026-11-26"}
    assert parse(content, today_of(content, night)).reviewed_on == date(2026, 11, 26)
    with pytest.raises(TermsError, match="lies in the future"):
        parse(content, today_of({**content, "timezone": "UTC"}, night))
    with pytest.raises(TermsError, match="'timezone': 'Europe/Pariss'"):
        today_of({**content, "timezone": "Europe/Pariss"}, night)
