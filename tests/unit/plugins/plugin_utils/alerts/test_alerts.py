# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alerts over time, in a real ledger file: opened once, reminded, answered, overdue, closed, told of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts import (
    judging,
    life,
    messengers,
    policy,
    rows,
    scope,
    watching,
    wording,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import transfer, verification
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.making import make
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.period import parse as period
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.speaking import Speaker
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import resolution
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.loading import load
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.plain_fields import TermsError

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
SCHEDULE = {
    "warning": {"deadline_hours": 48, "reminder_hours": 12},
    "critical": {"deadline_hours": 24, "reminder_hours": 6},
}
DECLARED = {"schedule": SCHEDULE, "recipients": [{"name": "Jeanne Martin", "address": "jm@example.org"}]}
CAUSE = "disk:/var"


class Fleet:
    """One host that is looked at again and again."""

    def __init__(self, folder: Any) -> None:
        self.ledger = Ledger(folder / "ledger.sqlite3")
        self.notices = folder / "notices"
        self.now = START

    def look(self, used: float | None, hours: float = 0, declared: dict[str, Any] | None = None, **more: Any) -> Any:
        self.now += timedelta(hours=hours)
        readings = [] if used is None else [{"kind": "disk", "name": "/var", "value": used, "unit": "%"}]
        known = {"unread": [], "measured": ["disk"], **more}
        one = watching.Observed("web1", ("acme",), readings, policy=policy.parse(declared or DECLARED, "web1"), **known)
        ways = {"file": messengers.DirectoryMessenger(self.notices)}
        return watching.watch(self.ledger, [one], ways, by="ada", now=self.now)

    @property
    def alert(self) -> life.Alert:
        with self.ledger.reading() as connection:
            (found,) = rows.read(connection)
        return found

    def answer(self, hours: float = 0, until: str | None = None) -> None:
        self.now += timedelta(hours=hours)
        with self.ledger.transaction() as transaction:
            (alert,) = rows.still_open(transaction.query, ["web1"]).values()
            said = {"by": "Jeanne", "note": "on Friday", "until": until, "recorded_by": "ada"}
            transaction.add([rows.of_answer(alert, said, self.now)])


@pytest.fixture
def fleet(tmp_path) -> Fleet:
    return Fleet(tmp_path)


def happened(done: Any) -> list[str]:
    return [event.event for event in done.events]


def occasions(done: Any) -> list[str]:
    return [row["occasion"] for row in done.told]


def test_an_alert_is_opened_once_and_told_once(fleet):
    first = fleet.look(90)
    assert (happened(first), occasions(first)) == (["opened"], ["opened"])
    second = fleet.look(91, hours=1)
    assert (happened(second), occasions(second)) == ([], [])
    assert fleet.alert.deadline == "2026-11-04T08:00:00.000000Z"
    (told,) = fleet.alert.told
    assert (told["who"], told["address"], told["means"]) == ("Jeanne Martin", "jm@example.org", "file")
    assert (fleet.notices / told["where"]).read_text().startswith("À\u00a0: Jeanne Martin <jm@example.org>\n")


def test_it_is_over_only_when_it_is_better_by_the_margin(fleet):
    fleet.look(86)
    assert happened(fleet.look(83, hours=1)) == []
    done = fleet.look(81.9, hours=1)
    assert (happened(done), occasions(done)) == (["closed"], ["closed"])
    assert (fleet.alert.state, fleet.alert.closed_because) == ("closed", "over")
    # Once a reminder would have come, it is another alert.
    assert happened(fleet.look(86, hours=12.1)) == ["opened"]


def test_what_comes_and_goes_keeps_its_deadline_but_for_the_time_it_was_over(fleet):
    fleet.look(97)
    assert happened(fleet.look(50, hours=1)) == ["closed"]
    done = fleet.look(97, hours=2)
    assert (happened(done), occasions(done)) == (["reopened"], ["reopened-1"])
    assert (fleet.alert.state, fleet.alert.deadline) == ("open", "2026-11-03T10:00:00.000000Z")
    assert fleet.alert.closed_because is None
    (path,) = [path for path in fleet.notices.iterdir() if "revenu" in path.read_text()]
    assert "disk space" not in path.read_text()
    # It flaps for days, over half of the time: reminders go on, and it becomes inaction all the same, only later.
    seen = []
    for _step in range(60):
        for used in (50, 97):
            done = fleet.look(used, hours=0.5)
            seen += happened(done)
    assert "overdue" in seen
    assert (fleet.alert.state, fleet.alert.reopened) == ("overdue", 61)
    assert seen.count("closed") == seen.count("reopened") == 60
    with fleet.ledger.reading() as connection:
        assert verification.verify(connection).faults == []


class Failing:
    """A mail server that is away when it is told to be."""

    def __init__(self) -> None:
        self.away = False
        self.sent: list[tuple[str, str]] = []

    def send(self, message: Any, now: datetime) -> str:  # noqa: ARG002 - a messenger's interface
        if self.away:
            raise messengers.NotTold("no answer")
        self.sent += [(message.recipient.name, occasion) for _alert, occasion in message.about]
        return "id"


def test_whom_a_notice_did_not_reach_is_told_as_soon_as_it_can_be(fleet):
    mail = Failing()
    both = [
        {"name": "Jeanne Martin", "address": "jm@example.org"},
        # One person by two means is told twice.
        {"name": "Jeanne Martin", "address": "jm@example.org", "means": "email"},
        {"name": "Paul\u0007 Petit", "address": "pp@example.org", "means": "email"},
    ]
    ways = {"file": messengers.DirectoryMessenger(fleet.notices), "email": mail}

    def look(used: float, hours: float = 0.1) -> list[tuple[str, str]]:
        fleet.now += timedelta(hours=hours)
        readings = [{"kind": "disk", "name": "/var", "value": used, "unit": "%"}]
        mine = policy.parse({"schedule": SCHEDULE, "recipients": both}, "web1")
        one = watching.Observed("web1", ("acme",), readings, [], ["disk"], mine)
        mail.sent = []
        done = watching.watch(fleet.ledger, [one], ways, by="ada", now=fleet.now)
        assert bool(done.untold) == mail.away
        return [(row["who"], row["occasion"]) for row in done.told if row["means"] == "file"] + mail.sent

    names = ("Jeanne Martin", "Paul\u0007 Petit")
    mail.away = True
    assert look(90) == [(names[0], "opened")]
    assert look(90) == []
    mail.away = False
    assert look(90) == [(name, "opened") for name in names]
    assert look(90) == []
    mail.away = True
    ((who, raised),) = look(97)
    assert who == names[0]
    mail.away = False
    assert look(97) == [(name, raised) for name in names]
    assert look(97) == []
    # What is over is told late, too; to nobody twice.
    mail.away = True
    assert look(10) == [(names[0], "closed")]
    mail.away = False
    assert look(10) == [(name, "closed") for name in names]
    assert look(10) == []


def test_an_end_that_is_a_week_old_is_no_news(fleet):
    fleet.look(90)
    fleet.notices.rename(fleet.notices.with_name("kept"))
    fleet.notices.write_text("a file where the directory should be")
    assert fleet.look(10, hours=1).untold
    fleet.notices.unlink()
    assert occasions(fleet.look(10, hours=24 * 7 + 1)) == []


def test_getting_worse_brings_the_deadline_nearer_and_is_told(fleet):
    fleet.look(90)
    done = fleet.look(97, hours=2)
    assert happened(done) == ["raised"]
    assert occasions(done)[0].startswith("raised-")
    assert (fleet.alert.criticality, fleet.alert.deadline) == ("critical", "2026-11-03T10:00:00.000000Z")
    # Getting better again does not make it wait longer.
    assert happened(fleet.look(90, hours=1)) == []
    assert fleet.alert.criticality == "critical"


def test_reminders_come_on_schedule_and_then_it_is_inaction(fleet):
    fleet.look(97)
    seen = [occasions(fleet.look(97, hours=3)) for _step in range(8)]
    assert [told for told in seen if told] == [["reminder-1"], ["reminder-2"], ["reminder-3"], ["reminder-4"]]
    done = fleet.look(97, hours=3)
    assert (happened(done), occasions(done)) == (["overdue"], ["overdue-1"])
    assert happened(fleet.look(97, hours=1)) == []
    (proposed,) = life.proposals([fleet.alert], ["web1"], CAUSE)
    assert proposed["category"] == "inaction_despite_reminders"
    assert proposed["evidence"]["unanswered"] == 4
    assert [row["occasion"] for row in proposed["evidence"]["reminders"]] == [
        "opened", "reminder-1", "reminder-2", "reminder-3", "reminder-4",
    ]  # fmt: skip
    assert life.proposals([fleet.alert], ["web2"]) == []
    assert life.proposals([fleet.alert], ["web1"], "disk:/srv") == []


def test_an_answer_stops_the_reminders_until_the_promised_day_and_takes_inaction_back(fleet):
    fleet.look(97)
    for _step in range(10):
        fleet.look(97, hours=3)
    assert fleet.alert.state == "overdue"
    fleet.answer(hours=1, until="2026-11-05T08:00:00.000000Z")
    assert fleet.alert.state == "open"
    while fleet.now < datetime(2026, 11, 5, 5, tzinfo=UTC):
        assert occasions(fleet.look(97, hours=2)) == []
    # The promise was not kept: two more reminders must be unanswered before it is inaction again.
    seen = [(happened(done), occasions(done)) for done in (fleet.look(97, hours=3) for _step in range(8))]
    told = [what for _events, what in seen if what]
    assert told[:2] == [["reminder-5"], ["reminder-6"]]
    assert ["overdue"] in [events for events, _what in seen]
    assert fleet.alert.overdue_count == 2


def test_an_answer_that_is_recorded_late_does_not_undo_a_later_one(fleet):
    fleet.look(97)
    early = fleet.now + timedelta(hours=1)
    fleet.answer(hours=2, until="2026-11-10T08:00:00.000000Z")
    now, fleet.now = fleet.now, early
    fleet.answer(until="2026-11-03T08:00:00.000000Z")
    fleet.now = now
    assert [answer["at"][11:13] for answer in fleet.alert.answers] == ["09", "10"]
    assert fleet.alert.effective_deadline == "2026-11-10T08:00:00.000000Z"
    while fleet.now < datetime(2026, 11, 10, 2, tzinfo=UTC):
        assert occasions(fleet.look(97, hours=6)) == []
    for _step in range(5):
        fleet.look(97, hours=6)
    assert fleet.alert.state == "overdue"
    # What was said long before takes nothing back.
    now, fleet.now = fleet.now, early
    fleet.answer(hours=0.5)
    fleet.now = now
    assert fleet.alert.state == "overdue"


def test_nobody_is_blamed_whom_nobody_told(fleet):
    silent = {"schedule": SCHEDULE}
    for _step in range(20):
        fleet.look(97, hours=6, declared=silent)
    assert (fleet.alert.state, fleet.alert.reminders) == ("open", 0)
    # Told late, it counts from there: the deadline alone makes no inaction.
    assert occasions(fleet.look(97, hours=1)) == ["opened"]
    assert fleet.alert.state == "open"


def test_a_notice_that_could_not_be_written_is_not_recorded_as_told(fleet):
    fleet.notices.write_text("a file where the directory should be")
    done = fleet.look(97)
    assert done.told == []
    assert done.untold
    assert fleet.alert.told == []
    fleet.notices.unlink()
    assert occasions(fleet.look(97, hours=1)) == ["opened"]


def test_what_was_not_seen_is_not_over_and_what_is_gone_is_closed(fleet):
    fleet.look(90)
    assert happened(fleet.look(None, measured=[])) == []
    unread = [{"kind": "disk", "name": "/srv", "why": "did not answer in time"}]
    assert happened(fleet.look(None, unread=unread)) == []
    done = fleet.look(None, hours=1)
    assert happened(done) == ["closed"]
    assert fleet.alert.closed_because == "gone"


def test_what_is_no_longer_watched_is_closed(fleet):
    fleet.look(90)
    declared = {**DECLARED, "thresholds": [{"kind": "disk", "name": "/v*", "ignore": True}]}
    assert happened(fleet.look(99, declared=declared)) == ["closed"]
    assert fleet.alert.closed_because == "not_watched"


def test_a_check_that_is_unknown_neither_opens_nor_closes():
    mine = policy.parse(DECLARED, "web1")

    def check(state: str) -> judging.Judgement:
        reading = {"kind": "check", "name": "load", "state": state, "text": "t"}
        (found,) = judging.judge([reading], [], ["check"], mine, ["check:load"])
        return found

    assert check("critical").level == "critical"
    assert (check("ok").level, check("ok").seen) == (None, True)
    assert check("unknown").seen is False


def test_rows_of_alerts_are_chained_exported_and_taken_over(fleet, tmp_path):
    fleet.look(97)
    fleet.look(97, hours=7)
    fleet.look(10, hours=1)
    with fleet.ledger.reading() as connection:
        assert verification.verify(connection).faults == []
    path = tmp_path / "export"
    assert transfer.export(fleet.ledger, path) == 5
    other = Ledger(tmp_path / "other.sqlite3")
    other.create()
    with other.transaction() as transaction:
        transfer.take_over(transaction, transfer.parse(path.read_text().splitlines()))
    with other.reading() as connection:
        (alert,) = rows.read(connection)
    assert alert.as_dict() == fleet.alert.as_dict()


def test_an_overdue_alert_proposes_its_category_and_the_rule_is_kept(fleet):
    catalogue = load()

    def resolve(cause: Any, **facts: Any) -> resolution.Resolution:
        return resolution.resolve(
            catalogue, resolution.RunFacts(alerts=scope.seen(fleet.ledger, cause, ["web1"]), **facts)
        )

    assert resolve(CAUSE).category.name == "routine_maintenance"
    for _step in range(11):
        fleet.look(97, hours=3)
    found = resolve(CAUSE)
    assert (found.category.name, found.source) == ("inaction_despite_reminders", "alert")
    (rule,) = [item for item in found.evaluations if item.source == "alert"]
    assert (rule.rule, rule.passed) == ("web1 disk:/var", True)
    assert "4 reminders unanswered" in rule.detail
    assert "(file)" in rule.detail
    # Who states a category goes first; the rule is kept all the same.
    stated = resolve(CAUSE, extra_var="migration")
    assert stated.category.name == "migration"
    assert any(item.source == "alert" and item.passed for item in stated.evaluations)
    assert resolve("disk:/srv").category.name == "routine_maintenance"
    fleet.look(10, hours=1)
    assert resolve(CAUSE).category.name == "routine_maintenance"


def test_the_report_has_open_overdue_and_past_alerts_and_only_the_clients_own(fleet):
    for _step in range(11):
        fleet.look(97, hours=3)
    made = make(fleet.ledger, period("2026-11"), "acme", "fr", ("html", "json", "csv"))
    assert made.report["summary"]["alerts_overdue"] == 1
    assert [alert["cause"] for alert in made.report["alerts"]["open"]] == [CAUSE]
    (page,) = [str(text) for name, text in made.files.items() if name.endswith(".html")]
    assert "En retard malgré relances" in page
    assert "disk space of /var" in page
    (table,) = [str(text) for name, text in made.files.items() if name.endswith("-alerts.csv")]
    assert '"web1";"acme";"disk:/var";"overdue"' in table
    assert make(fleet.ledger, period("2026-11"), "other", "fr", ("json",)).report["alerts"]["open"] == []
    fleet.look(10, hours=1)
    later = make(fleet.ledger, period("2026-11"), "acme", "en", ("json",)).report["alerts"]
    assert (later["open"], [alert["closed_because"] for alert in later["history"]]) == ([], ["over"])
    # Before the period nothing had happened.
    assert make(fleet.ledger, period("2026-10"), "acme", "en", ("json",)).report["alerts"]["open"] == []


def test_the_fleets_overview_and_the_terminal_tell_what_is_overdue_and_what_work_on_it_would_be(fleet):
    def overview(language: str) -> tuple[str, str]:
        made = make(fleet.ledger, period("2026-11"), None, language, ("html",), whole_fleet=True)
        (page,) = [str(text) for name, text in made.files.items() if "overview" in name]
        return page, made.text

    fleet.look(97)
    page, text = overview("en")
    assert "Open alerts: 1\n" in text
    assert '<section id="alerts"' in page
    assert "out of contract: inaction" not in page + text
    for _step in range(11):
        fleet.look(97, hours=3)
    page, text = overview("fr")
    for shown in (page, text):
        assert "serait hors forfait\u00a0: inaction malgré relances" in shown
        assert "dont en retard malgré relances\u00a0: 1" in shown
        assert "espace disque de /var" in shown
    assert "En retard malgré relances  02/11/2026 08:00  03/11/2026 08:00" in text
    fleet.look(10, hours=1)
    page, text = overview("en")
    assert "Open alerts: 0\n  no open alert\n" in text
    assert '<section id="alerts"' not in page


@pytest.mark.parametrize(
    ("days", "french", "english"),
    [
        (1, "expire dans 1 jour", "ends in 1 day"),
        (1.5, "expire dans 1,5 jour", "ends in 1.5 days"),
        (2, "expire dans 2 jours", "ends in 2 days"),
        (-1, "expiré depuis 1 jour", "ended 1 day ago"),
        (-2.04, "expiré depuis 2 jours", "ended 2 days ago"),
    ],
)
def test_one_day_is_no_days(days, french, english):
    alert = {"kind": "certificate", "value": days, "detail": {}, "criticality": "warning"}
    assert [wording.value(Speaker(name, UTC), alert) for name in ("fr", "en")] == [french, english]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"kind": "disc"}, "field 'kind' must be one of"),
        ({"kind": "disk", "name": "/var"}, r"\(disk /var\): one of the fields 'warning' and 'critical'"),
        ({"kind": "disk", "warning": 95, "critical": 90}, "would be reached before 'warning'"),
        ({"kind": "memory", "warning": 5, "critical": 10}, "would be reached before 'warning'"),
        ({"kind": "disk", "warning": 120}, "field 'warning' is a percentage"),
        ({"kind": "disk", "warning": -1}, "field 'warning' must be a number above 0"),
        ({"kind": "disk", "warning": 90, "margin": -0.5}, "field 'margin' cannot be less"),
        ({"kind": "check", "name": "load", "warning": 1}, "a check brings its own limits"),
        ({"kind": "disk", "warning": 90, "warnig": 1}, "unknown field 'warnig'"),
    ],
)
def test_a_wrong_threshold_is_named(entry, said):
    with pytest.raises(TermsError, match=f"web1: thresholds: entry 2.*{said}"):
        policy.parse({**DECLARED, "thresholds": [{"kind": "load", "warning": 1}, entry]}, "web1")


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"schedule": {"warning": {"deadline_hours": 1}}}, "schedule: warning: field 'reminder_hours' is missing"),
        ({"schedule": {**SCHEDULE, "mild": {}}}, "unknown field 'mild'"),
        ({**DECLARED, "recipients": [{"address": "x"}]}, "recipients: entry 1: field 'name' is missing"),
        ({**DECLARED, "recipients": [{"name": "x", "language": "de"}]}, "field 'language' must be one of"),
        (
            {**DECLARED, "recipients": [{"name": "x", "means": "email", "address": "tel"}]},
            r"recipients: entry 1 \(x\): field 'address': 'tel' is no e-mail address",
        ),
        ({**DECLARED, "reminders_needed": 0}, "field 'reminders_needed' must be a whole number from 1"),
    ],
)
def test_a_wrong_policy_is_named(declared, said):
    with pytest.raises(TermsError, match=said):
        policy.parse(declared, "web1")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(0.1, 30), st.booleans(), st.booleans()), min_size=1, max_size=25)
)
def test_whatever_happens_an_open_alert_is_only_one_and_inaction_has_its_reminders(steps):
    mine = policy.parse(DECLARED, "web1")
    now, alert, number = START, None, 0
    for used, hours, told, answered in steps:
        now += timedelta(hours=hours)
        reading = {"kind": "disk", "name": "/var", "value": used, "unit": "%"}
        (judgement,) = judging.judge([reading], [], ["disk"], mine, [CAUSE] if alert and not alert.closed_at else [])
        events, telling = life.steps("web1", ["acme"], judgement, alert, mine, now)
        number += sum(event.event == life.OPENED for event in events) - sum(
            event.event == life.CLOSED for event in events
        )
        assert 0 <= number <= 1
        number += sum(event.event == life.REOPENED for event in events)
        assert number <= 1
        alert = events[0].alert if events else alert
        if telling and told:
            for one in telling.recipients:
                body = {"who": one.name, "address": one.address, "means": one.means, "occasion": telling.occasion}
                life.apply(telling.alert, life.TOLD, life.stamp(now), body)
        if alert is not None and alert.state == "overdue":
            assert alert.unanswered >= mine.reminders_needed
            assert life.stamp(now) > alert.effective_deadline
        if alert is not None and alert.closed_at:
            assert used < 85
        elif alert is not None and answered:
            life.apply(alert, life.ANSWERED, life.stamp(now), {"by": "x", "note": "y", "until": None})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_opens_nothing_and_closes_nothing(fleet, value):
    assert happened(fleet.look(value)) == []
    fleet.look(97)
    assert happened(fleet.look(value, hours=1)) == []
    assert fleet.alert.state == "open"


def test_a_check_says_one_line():
    said = {"kind": "check", "name": "http", "state": "critical", "text": "down\n- web2: all is well\u2028x\x1b[2J"}
    [judged] = judging.judge([said], [], ["check"], policy.parse(DECLARED, "web1"), [])
    assert judged.detail["text"] == "down - web2: all is well x [2J"
