# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A statement read from a real ledger file."""

from __future__ import annotations

import json
import sqlite3
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.reading import read_statement, read_used
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.statement import Statement
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.by_hand import ByHand, store
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.recorder import Recorder
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.loading import load
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.terms import ContractException
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.terms_checks import parse

TERMS = parse(
    {
        "version": 1,
        "clients": {
            "acme": {
                "agreements": [
                    {
                        "id": "Q-1",
                        "kind": "quote",
                        "categories": ["migration"],
                        "hours": 2,
                        "valid_from": "2026-10-01",
                        "accepted_by": "Ada",
                        "accepted_on": "2026-10-01",
                    }
                ]
            }
        },
    }
)
CATEGORIES = load().categories


class Book:
    """A ledger filled by the recorder, at moments of the test's choice."""

    def __init__(self, path: Path) -> None:
        self.ledger = Ledger(path / "ledger.sqlite3")

    def run(self, at: str, seconds: int, hosts: dict[str, list[str]], **started: Any) -> str:
        """One intervention."""
        moment = datetime.fromisoformat(at)
        ticks, clock = iter(range(9999)), iter([0.0, *[float(seconds)] * 9999])
        recorder = Recorder(
            self.ledger, now=lambda: moment + timedelta(milliseconds=next(ticks)), monotonic=lambda: next(clock)
        )
        scope = {"category": "migration", "contract": "out", "label": {"fr": "Migration", "en": "Migration"}}
        recorder.start({"playbook": "move.yml", "check_mode": False, "scope": scope, **started})
        for host, clients in hosts.items():
            recorder.host(host, clients)
        recorder.finish("ok", {}, 0)
        return recorder.run_id

    def say(self, run_id: str, kind: str, **body: Any) -> None:
        """A later row of that run."""
        with self.ledger.transaction() as transaction:
            stamp = record.stamp(datetime(2026, 11, 30, tzinfo=UTC))
            transaction.add([Entry(uid=uuid.uuid4().hex, run_id=run_id, kind=kind, at=stamp, body=body)])

    def statement(self, client: str | None = "acme", spoilt: list[str] | None = None) -> Statement:
        """November 2026."""
        with self.ledger.reading() as connection:
            return read_statement(
                connection,
                client=client,
                terms=TERMS,
                categories=CATEGORIES,
                start=datetime(2026, 11, 1, tzinfo=UTC),
                end=datetime(2026, 12, 1, tzinfo=UTC),
                now=datetime(2026, 11, 30, tzinfo=UTC),
                spoilt=spoilt,
            )

    def used(self) -> dict[str, int]:
        """What acme's agreements have used."""
        with self.ledger.reading() as connection:
            return read_used(connection, "acme", TERMS, CATEGORIES)


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """An empty one."""
    return Book(tmp_path)


def gate(agreement: str | None = "Q-1") -> dict[str, Any]:
    """What the gate records of acme."""
    return {"clients": [{"client": "acme", "contract": "out", "agreement": agreement, "passed": True}]}


def test_a_statement_has_the_periods_lines_and_the_agreements_whole_life(book: Book) -> None:
    book.run("2026-10-15T10:00:00+00:00", 1000, {"web1": ["acme"]}, gate=gate())
    book.run("2026-11-15T10:00:00+00:00", 1000, {"web1": ["acme"], "db1": ["globex"]}, gate=gate())
    book.run("2026-11-16T10:00:00+00:00", 1000, {"db1": ["globex"]})
    book.run("2026-11-17T10:00:00+00:00", 1000, {"web1": ["acme"]}, gate=gate(), check_mode=True)
    found = book.statement()
    assert [(line.milliseconds, line.billed_seconds, line.bill) for line in found.lines] == [
        (500_000, 900, "time"),
        (1_000_000, 0, "none"),
    ]
    assert found.agreements[0].used_seconds == 1800 + 900
    assert book.used() == {"Q-1": 2700}
    assert "globex" not in json.dumps(found.as_dict())
    assert [line.client for line in book.statement(None).lines] == ["acme", "globex", "globex", "acme"]


def test_time_that_was_corrected_or_added_by_later_rows_is_billed(book: Book) -> None:
    first = book.run("2026-11-15T10:00:00+00:00", 10, {"web1": ["acme"]}, gate=gate())
    second = book.run("2026-11-16T10:00:00+00:00", 10, {"web1": ["acme"]}, gate=gate(None))
    book.say(first, record.CORRECTED, by="ada", reason="forgot to stop", duration_seconds=3600.0)
    book.say(second, "annotated", added_seconds=1790, quote="Q-1", ticket="T-7")
    lines = book.statement().lines
    assert [(line.milliseconds, line.agreement, line.ticket) for line in lines] == [
        (3_600_000, "Q-1", None),
        (1_800_000, "Q-1", "T-7"),
    ]
    assert book.used() == {"Q-1": 5400}


def test_work_from_before_an_agreement_that_was_noted_for_it_afterwards_uses_it_up_for_ever(book: Book) -> None:
    early = book.run("2026-09-10T10:00:00+00:00", 10, {"web1": ["acme"]}, gate=gate(None))
    book.run("2026-09-10T11:00:00+00:00", 10, {"web1": ["acme"]}, gate=gate(None))
    other = book.run("2026-09-10T12:00:00+00:00", 10, {"db1": ["globex"]}, gate=gate(None))
    for run_id in (early, other):
        book.say(run_id, "annotated", quote="Q-1")
    # Not only in the month of the work.
    assert book.used() == {"Q-1": 900}
    for client in ("acme", None):
        statement = book.statement(client)
        assert (statement.lines, statement.agreements[0].used_seconds) == ([], 900)


def test_a_run_that_a_late_host_put_out_of_contract_is_billed_as_that_kind_of_work(book: Book) -> None:
    routine = {"category": "routine_maintenance", "contract": "out", "label": {"fr": "Courante", "en": "Routine"}}
    before = {"clients": [{"client": "acme", "contract": "in", "agreement": None, "passed": True}]}
    late = {**gate(), "category": "migration", "label": {"fr": "Migration", "en": "Migration"}}
    run_id = book.run("2026-11-15T10:00:00+00:00", 600, {"web1": ["acme"]}, scope=routine, gate=before)
    book.say(run_id, record.GATE, **late)
    line = book.statement().lines[0]
    assert (line.category, line.label["en"], line.agreement) == ("migration", "Migration", "Q-1")
    # What somebody corrects goes before.
    book.say(run_id, record.CORRECTED, by="ada", reason="r", category="incident_caused_by_others", contract="out")
    line = book.statement().lines[0]
    assert (line.category, line.agreement) == ("incident_caused_by_others", None)


@pytest.mark.parametrize(
    "change",
    [
        "body = json_set(body, '$.duration_seconds', 'long') WHERE kind = 'ended'",
        "body = json_set(body, '$.busy_ms', 'long') WHERE kind = 'ended'",
        "body = '{' WHERE kind = 'host'",
        "body = '[]' WHERE kind = 'host'",
        "body = json_set(body, '$.added_seconds', 'long') WHERE kind = 'annotated'",
        "at = '2026-11-15T99:00:00.000000Z' WHERE kind = 'started'",
        "body = '{' WHERE kind = 'started'",
        "body = '{' WHERE kind = 'ended'",
        "body = '{' WHERE kind = 'corrected'",
        "body = '{' WHERE kind = 'annotated'",
    ],
)
def test_a_run_that_somebody_spoilt_is_named_and_the_others_are_billed(book: Book, change: str) -> None:
    spoilt = book.run("2026-11-15T10:00:00+00:00", 600, {"web1": ["acme"]}, gate=gate())
    book.say(spoilt, "annotated", added_seconds=60)
    book.say(spoilt, record.CORRECTED, note="It took long.", by="ada", reason="r")
    whole = book.run("2026-11-16T10:00:00+00:00", 600, {"web1": ["acme"]}, gate=gate())
    connection = sqlite3.connect(book.ledger.path)
    connection.executescript(f"DROP TRIGGER records_no_update; UPDATE records SET {change} AND run_id = '{spoilt}'")
    connection.close()
    for client in ("acme", None):
        named: list[str] = []
        statement = book.statement(client, spoilt=named)
        assert [line.run_id for line in statement.lines] == [whole]
        assert statement.agreements[0].used_seconds == 900
        # Whose host it was is in the host's row: no client's run if that cannot be read.
        assert named == ([] if client and "'host'" in change else [spoilt])
    # Who cannot tell of it must not go on without it: the gate, for one.
    with pytest.raises(LedgerError, match=f"intervention {spoilt} cannot be read"):
        book.statement(None)


def test_work_noted_by_hand_has_clients_without_hosts(book: Book) -> None:
    book.run("2026-11-15T10:00:00+00:00", 600, {}, clients=["acme", "globex"])
    assert [(line.milliseconds, line.hosts) for line in book.statement().lines] == [(300_000, ())]


def test_the_time_of_a_killed_run_is_what_can_be_proved(book: Book) -> None:
    ledger = book.ledger
    moment = datetime(2026, 11, 15, 10, tzinfo=UTC)
    recorder = Recorder(ledger, now=lambda: moment, run_id="dead")
    recorder.start({"playbook": "move.yml", "scope": {"category": "migration", "contract": "out"}})
    with ledger.transaction() as transaction:
        later = record.stamp(moment + timedelta(seconds=90))
        for kind, body in ((record.HOST, {"clients": ["acme"]}), (record.INTERRUPTED, {"outcome": "interrupted"})):
            transaction.add([Entry(uid=f"dead:{kind}", run_id="dead", kind=kind, at=later, host="web1", body=body)])
    line = book.statement().lines[0]
    assert (line.milliseconds, line.estimated, line.outcome) == (90_000, True, "interrupted")


def test_work_noted_by_hand_is_in_contract_where_the_clients_own_contract_says_so(book: Book) -> None:
    moment = datetime(2026, 11, 15, 10, tzinfo=UTC)
    facts: dict[str, Any] = {
        "key": "T-1",
        "started": moment,
        "ended": moment + timedelta(hours=1),
        "duration_seconds": 3600.0,
        "clients": ["acme"],
        "operator": {"name": "ada"},
        "category": CATEGORIES["third_party_contact"],
    }
    direct = ContractException("letter of 12 May", "third_party_contact", "in", third_parties=("datacentre",))
    work = ByHand(**facts, exception=direct)
    book.ledger.create()
    with book.ledger.transaction() as transaction:
        assert store(transaction, work, moment)
        # What was agreed may change: the same facts are still the same work, and what was recorded stays.
        assert not store(transaction, ByHand(**facts), moment)
    line = book.statement().lines[0]
    assert (line.contract, line.bill, line.exception) == ("in", "included", "letter of 12 May")
