# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is pushed is there once, whatever is cut when, and a file that disagrees is named."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from postgres import OPERATOR_PASSWORD, Database
from proxy import Proxy
from rows import add, forge

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts import messengers, policy, watching
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import (
    outbox,
    pushing,
    reading,
    shared,
    shared_url,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.shared import SharedConnection, SharedLedger
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger

Make = Callable[..., Ledger]


def test_each_row_is_pushed_once_and_the_shared_chain_is_whole(database: Database, ledger_with: Make) -> None:
    ledger = ledger_with(1234)
    first = pushing.push(ledger, database.operator)
    assert (first.problem, first.refused, first.pushed, first.already, first.remaining) == ("", [], 1234, 0, 0)
    second = pushing.push(ledger, database.operator)
    assert (second.problem, second.pushed, second.already, second.remaining) == ("", 0, 0, 0)
    found = shared.verify(database.reporter)
    assert (found.rows, found.faults) == (1234, [])
    assert first.heads == {writer: {"seq": 1234, "digest": digest} for writer, digest in found.heads.items()}


def test_alerts_with_what_was_told_reach_the_shared_ledger_whole(database: Database, ledger_with: Make) -> None:
    ledger = ledger_with(1)
    declared = {
        "schedule": {name: {"deadline_hours": 24, "reminder_hours": 6} for name in ("warning", "critical")},
        "recipients": [{"name": "Jeanne Martin", "address": "jm@example.org"}],
    }
    reading = {"kind": "disk", "name": "/var", "value": 97.5, "unit": "%"}
    look = watching.Observed("web1", ("acme",), [reading], [], ["disk"], policy.parse(declared, "web1"))
    ways = {"file": messengers.DirectoryMessenger(ledger.path.parent / "notices")}
    watching.watch(ledger, [look], ways, by="ada", now=datetime(2026, 11, 23, 21, tzinfo=UTC))
    done = pushing.push(ledger, database.operator)
    assert (done.problem, done.refused, done.pushed) == ("", [], 3)
    assert shared.verify(database.reporter).faults == []
    sql = "SELECT string_agg(body::jsonb ->> 'event', ' ' ORDER BY id) FROM records WHERE kind = 'alert'"
    assert database.sql(sql).strip() == "opened told"


def test_a_server_of_hundreds_of_clients_is_pushed_and_each_of_them_finds_it(
    database: Database, ledger_with: Make
) -> None:
    ledger = ledger_with(1)
    # Names that no compression makes short.
    clients = sorted(hashlib.sha256(str(number).encode()).hexdigest()[:20] for number in range(500))
    at = "2026-11-23T21:00:00.000000Z"
    started = {"playbook": "site.yml", "check_mode": False, "scope": {"category": "routine", "contract": "in"}}
    with ledger.transaction() as transaction:
        transaction.add([
            Entry(uid="many:started", run_id="many", kind="started", at=at, body=started),
            Entry(uid="many:host", run_id="many", kind="host", at=at, body={"clients": clients}, host="shared1"),
            Entry(uid="many:own", run_id="many", kind="host", at=at, body={"clients": ["acme"]}, host="web1"),
        ])  # fmt: skip
    done = pushing.push(ledger, database.operator)
    assert (done.problem, done.refused, done.pushed) == ("", [], 4)
    for store in (ledger, SharedLedger(shared_url.parse(database.reporter))):
        with store.reading() as connection:
            assert reading.clients(connection) == sorted([*clients, "acme"])
            assert reading.runs_of_client(connection, clients[250], "2026-11-23") == ["many"]
            assert reading.runs_of_client(connection, "acme", "2026-11-23") == ["many"]
            assert reading.runs_of_client(connection, clients[250], "2026-11-24") == []
    spelt = SharedConnection.spelling
    for condition in (f"{spelt.indexed} = 'x' AND kind = 'host'", f"{spelt.indexed} > ''"):
        plan = database.sql(
            f"SET enable_seqscan = off; EXPLAIN SELECT min({spelt.indexed}) FROM records WHERE {condition}"
        )
        assert "chained_by_clients" in plan


def test_what_was_stored_meanwhile_is_all_that_is_sent(database: Database, ledger_with: Make) -> None:
    ledger = ledger_with(10)
    pushing.push(ledger, database.operator)
    add(ledger, 7, run_id="next")
    result = pushing.push(ledger, database.operator)
    assert (result.pushed, result.remaining) == (7, 0)
    assert database.sql("SELECT count(*), count(DISTINCT uid), max(seq) FROM chained") == "17|17|17"


@pytest.mark.parametrize("after", [2_000, 20_000, 60_000, 150_000])
def test_a_connection_cut_in_the_middle_is_taken_up_where_it_was(
    database: Database, ledger_with: Make, after: int
) -> None:
    ledger = ledger_with(1000)
    with Proxy(database.server.port, cuts=[after, after]) as proxy:
        result = pushing.push(ledger, database.url("ctl1", OPERATOR_PASSWORD, proxy.port), 30)
    assert proxy.cut == 2, "the proxy cut nothing: the test would prove nothing"
    assert (result.problem, result.refused, result.remaining) == ("", [], 0)
    # What was committed just before a cut counts as `already`: nobody told this side.
    assert result.pushed + result.already == 1000
    assert database.sql("SELECT count(*), count(DISTINCT uid) FROM chained") == "1000|1000"
    assert shared.verify(database.reporter).faults == []


def test_a_backend_that_is_killed_again_and_again_costs_no_row_and_doubles_none(
    database: Database, ledger_with: Make
) -> None:
    ledger = ledger_with(6000)
    killed = 0
    stop = threading.Event()

    def kill() -> None:
        nonlocal killed
        while not stop.is_set() and killed < 3:
            said = database.sql(
                "SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ctl1'"
                f" AND datname = '{database.name}' AND query LIKE 'INSERT%' AND state = 'active') t"
            )
            killed += int(said)

    killer = threading.Thread(target=kill)
    killer.start()
    result = pushing.push(ledger, database.operator, 60)
    for _again in range(20):
        if result.complete:
            break
        result = pushing.push(ledger, database.operator, 60)
    stop.set()
    killer.join()
    assert killed > 0, "nothing was killed: the test would prove nothing"
    assert (result.problem, result.remaining) == ("", 0)
    assert database.sql("SELECT count(*), count(DISTINCT uid) FROM chained") == "6000|6000"
    assert shared.verify(database.reporter).faults == []


def test_a_push_that_is_killed_itself_is_taken_up_by_the_next(database: Database, ledger_with: Make) -> None:
    ledger = ledger_with(20_000)
    first = pushing.push(ledger, database.operator, 1.0)
    assert first.problem == "no end within 1 s"
    assert 0 < first.remaining <= 20_000
    second = pushing.push(ledger, database.operator, 60)
    assert (second.problem, second.remaining) == ("", 0)
    assert first.pushed + first.already + second.pushed + second.already == 20_000
    assert database.sql("SELECT count(*), count(DISTINCT uid) FROM chained") == "20000|20000"


def test_sixteen_writers_and_two_pushers_of_each_push_at_once(database: Database, ledger_with: Make) -> None:
    ledgers = []
    for number in range(16):
        ledger = ledger_with(60, name=f"ledger{number}", run_id=f"run{number}")
        ledgers += [ledger, ledger]
    with ThreadPoolExecutor(len(ledgers)) as pool:
        results = list(pool.map(lambda ledger: pushing.push(ledger, database.operator, 120), ledgers))
    assert [(result.problem, result.refused) for result in results] == [("", [])] * 32
    assert sum(result.pushed for result in results) == 16 * 60
    assert database.sql("SELECT count(*), count(DISTINCT uid), count(DISTINCT writer) FROM chained") == "960|960|16"
    found = shared.verify(database.reporter)
    assert (found.rows, found.faults) == (960, [])


def test_the_same_row_from_two_writers_is_read_once_and_both_chains_stay_whole(
    database: Database, ledger_with: Make
) -> None:
    one, other = ledger_with(5, name="one"), ledger_with(8, name="other")
    assert pushing.push(one, database.operator).complete
    assert pushing.push(other, database.operator).complete
    assert database.sql("SELECT count(*), count(*) FILTER (WHERE repeated) FROM chained") == "13|5"
    assert database.sql("SELECT count(*), count(DISTINCT uid) FROM records") == "8|8"
    found = shared.verify(database.reporter)
    assert (found.rows, found.faults) == (13, [])
    writer = pushing.push(one, database.operator).heads.popitem()[0]
    database.tampered(f"UPDATE chained SET repeated = true WHERE writer = '{writer}' AND seq = 3")
    faults = shared.verify(database.reporter).faults
    assert f"writer {writer}: row 3 is hidden as repeated and repeats nothing" in faults


def test_a_file_that_was_cut_off_is_refused_and_named(database: Database, ledger_with: Make) -> None:
    ledger = ledger_with(12)
    pushing.push(ledger, database.operator)
    forge(ledger, "DELETE FROM records WHERE seq > 7")
    result = pushing.push(ledger, database.operator)
    writer = next(iter(result.heads))
    assert result.refused == [f"writer {writer}: row 8 is missing here (up to 12); the shared ledger has it"]
    assert not result.complete
    # Going on after the cut makes a fork, and that is told, too.
    add(ledger, 9, run_id="later")
    result = pushing.push(ledger, database.operator)
    assert result.refused == [
        f"writer {writer}: row 8 differs; the shared ledger has another chain from there on",
    ]
    assert database.count == 12
    assert database.sql("SELECT count(*) FROM chained WHERE run_id = 'later'") == "0"


@pytest.mark.parametrize("row", [1, 6, 12])
def test_a_file_edited_and_chained_anew_is_refused_at_the_row_that_differs(
    database: Database, ledger_with: Make, row: int
) -> None:
    ledger = ledger_with(12)
    pushing.push(ledger, database.operator)
    forge(ledger, f"UPDATE records SET body = '{{}}' WHERE seq = {row}", chain_from=row)
    add(ledger, 1, run_id="later")
    result = pushing.push(ledger, database.operator)
    assert [text.partition(": ")[2] for text in result.refused] == [
        f"row {row} differs; the shared ledger has another chain from there on"
    ]
    assert database.count == 12


def test_an_edited_row_is_refused_before_it_is_sent_and_an_old_one_by_a_thorough_push(
    database: Database, ledger_with: Make
) -> None:
    ledger = ledger_with(12)
    forge(ledger, "UPDATE records SET body = '{}' WHERE seq = 9")
    result = pushing.push(ledger, database.operator)
    assert [text.partition(": ")[2] for text in result.refused] == ["row 9 was changed"]
    assert database.count == 0
    other = ledger_with(12, name="other")
    pushing.push(other, database.operator)
    forge(other, "UPDATE records SET body = '{}' WHERE seq = 9")
    assert pushing.push(other, database.operator).refused == []
    result = pushing.push(other, database.operator, thorough=True)
    assert [text.partition(": ")[2] for text in result.refused] == ["row 9 was changed"]


def test_rows_that_the_shared_ledger_lost_are_told_and_sent_again(database: Database, ledger_with: Make) -> None:
    ledger = ledger_with(12)
    pushing.push(ledger, database.operator)
    with ledger.reading() as connection:
        known = outbox.heads(connection)
    database.tampered("DELETE FROM chained WHERE seq > 9")
    assert [text.partition("; ")[0].partition(": ")[2] for text in shared.verify(database.reporter, known).faults] == [
        "row 10 is missing (up to 12)"
    ]
    result = pushing.push(ledger, database.operator)
    assert (result.pushed, result.remaining, result.refused) == (3, 0, [])
    assert [text.partition(": ")[2] for text in result.notices] == [
        "the shared ledger had row 12 and has lost it; it is sent again"
    ]
    assert shared.verify(database.reporter, known).faults == []


def test_the_server_itself_refuses_a_forged_row_a_gap_and_a_fork(database: Database, ledger_with: Make) -> None:
    pushing.push(ledger_with(3), database.operator)
    columns = "writer, seq, uid, run_id, kind, at, host, body, previous, digest"
    for change, said in {
        "seq + 1 AS seq, 'u' AS uid": "was changed: its digest does not fit",
        "seq + 2 AS seq, 'u' AS uid": "does not follow the last row",
        "seq AS seq, 'u' AS uid": "has another row 3",
    }.items():
        seq, uid = change.split(", ")
        digest = "repeat('a', 64)"
        text = f"""INSERT INTO chained ({columns}) SELECT writer, {seq.partition(" AS")[0]}, {uid.partition(" AS")[0]},
          run_id, kind, at, host, body, digest, {digest} FROM chained WHERE seq = 3"""
        with pytest.raises(AssertionError, match=said):
            database.sql(text)
    assert database.count == 3
