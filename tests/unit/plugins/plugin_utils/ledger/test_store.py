# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger's file: what is stored stays, once, in order, and a forged row is found."""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import location, schema
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.verification import Verification, verify


def entry(number: int, run_id: str = "run", kind: str = "task") -> Entry:
    """A row to store."""
    at = f"2026-11-23T20:00:{number % 60:02d}.000000Z"
    return Entry(uid=f"{run_id}:{number}", run_id=run_id, kind=kind, at=at, body={"number": number}, host="web1")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A new ledger with ten rows."""
    made = Ledger(tmp_path / "deep" / "er" / "ledger.sqlite3", timeout=1)
    made.create()
    with made.transaction() as transaction:
        transaction.add(entry(number) for number in range(1, 11))
    return made


def tampered(ledger: Ledger, *statements: str) -> Verification:
    """What verify says after somebody with the file has worked on it."""
    connection = sqlite3.connect(ledger.path, isolation_level=None)
    connection.execute("DROP TRIGGER records_no_update")
    connection.execute("DROP TRIGGER records_no_delete")
    for statement in statements:
        connection.execute(statement)
    connection.row_factory = sqlite3.Row
    result = verify(connection)
    connection.close()
    return result


def test_the_file_is_for_its_owner_alone(ledger: Ledger) -> None:
    assert stat.S_IMODE(ledger.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(ledger.path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(ledger.path.parent.parent.stat().st_mode) == 0o700


def test_a_row_that_is_no_json_is_named_to_whoever_reads_it(ledger: Ledger) -> None:
    tampered(ledger, "UPDATE records SET body = '{' WHERE seq = 7")
    said = r"row 7 of writer \w+ \(intervention run\) is no JSON; action `verify` tells what else was changed"
    sums = "SELECT sum(json_extract(body, '$.number')) FROM records"
    with pytest.raises(LedgerError, match=said), ledger.reading() as connection:
        connection.execute(sums)
    with pytest.raises(LedgerError, match=said), ledger.reading() as connection:
        [json.loads(body) for (body,) in connection.execute("SELECT body FROM records")]
    # Who reads other rows is not told, and what is wrong elsewhere is not called this.
    with ledger.reading() as connection:
        assert connection.execute("SELECT json_extract(body, '$.number') FROM records WHERE seq = 8").fetchone()[0] == 8
    with pytest.raises(LedgerError, match="no such column"), ledger.reading() as connection:
        connection.execute("SELECT absent FROM records")


def test_an_existing_directory_keeps_its_mode(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    shared.chmod(0o755)
    Ledger(shared / "ledger.sqlite3").create()
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755


def test_an_untouched_ledger_verifies(ledger: Ledger) -> None:
    with ledger.reading() as connection:
        result = verify(connection)
    assert (result.rows, result.faults) == (10, [])
    assert len(result.heads) == 1


@pytest.mark.parametrize(
    ("statements", "fault"),
    [
        (["UPDATE records SET body = '{\"number\":99}' WHERE seq = 4"], "row 4 was changed"),
        (["UPDATE records SET at = '2026-01-01T00:00:00.000000Z' WHERE seq = 4"], "row 4 was changed"),
        (["UPDATE records SET host = 'web2' WHERE seq = 4"], "row 4 was changed"),
        (["DELETE FROM records WHERE seq = 4"], "row 4 is missing"),
        (["DELETE FROM records WHERE seq IN (4, 5, 6)"], "row 4 is missing (up to 6)"),
        (
            [
                "UPDATE records SET seq = 400 WHERE seq = 4",
                "UPDATE records SET seq = 4 WHERE seq = 5",
                "UPDATE records SET seq = 5 WHERE seq = 400",
            ],
            "row 4 was moved: it was written as row 5",
        ),
        (
            ["DELETE FROM records WHERE seq = 4", "UPDATE records SET seq = seq - 1 WHERE seq > 4"],
            "row 4 was deleted, and the rows after it were renumbered",
        ),
    ],
)
def test_an_edited_deleted_or_moved_row_is_found(ledger: Ledger, statements: list[str], fault: str) -> None:
    assert any(fault in found for found in tampered(ledger, *statements).faults)


@pytest.mark.parametrize("statement", ["UPDATE records SET body = '{}'", "DELETE FROM records"])
def test_a_row_can_be_neither_changed_nor_deleted_by_accident(ledger: Ledger, statement: str) -> None:
    connection = sqlite3.connect(ledger.path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)
    connection.close()


def test_a_retry_stores_nothing_twice(ledger: Ledger) -> None:
    with ledger.transaction() as transaction:
        transaction.add([entry(9), entry(10), entry(11)])
        assert transaction.counts("run") == {"task": 11}
    with ledger.reading() as connection:
        assert verify(connection).faults == []


def test_a_failed_transaction_leaves_nothing(ledger: Ledger) -> None:
    def broken() -> Iterator[Entry]:
        yield entry(11)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), ledger.transaction() as transaction:
        transaction.add(broken())
    with ledger.transaction() as transaction:
        assert transaction.counts("run") == {"task": 10}


def test_a_ledger_that_vanished_is_an_error_and_not_a_new_file(ledger: Ledger) -> None:
    ledger.path.unlink()
    with pytest.raises(LedgerError, match=r"ledger\.sqlite3"), ledger.transaction():
        pass
    assert not ledger.path.exists()


def test_a_locked_ledger_is_an_error_after_the_timeout(ledger: Ledger) -> None:
    other = sqlite3.connect(ledger.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerError, match="locked"), ledger.transaction(timeout=0.05):
        pass
    other.close()


def test_another_sqlite_file_is_not_taken_for_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE precious (id)")
    connection.commit()
    connection.close()
    with pytest.raises(LedgerError, match="not a ledger"):
        Ledger(path).create()


def test_a_file_of_a_newer_release_is_left_alone(ledger: Ledger) -> None:
    connection = sqlite3.connect(ledger.path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(LedgerError, match="newer release"):
        ledger.create()
    with pytest.raises(LedgerError, match="version is 99"), ledger.transaction():
        pass


def test_an_older_file_is_brought_forward_and_keeps_its_rows(ledger: Ledger) -> None:
    connection = sqlite3.connect(ledger.path, isolation_level=None)
    migrations = (
        *schema.MIGRATIONS,
        ("CREATE TABLE deliveries (run_id TEXT)", "CREATE INDEX d ON deliveries (run_id)"),
    )
    assert schema.migrate(connection, "unused", migrations) == len(schema.MIGRATIONS)
    assert connection.execute("PRAGMA user_version").fetchone()[0] == len(migrations)
    assert connection.execute("SELECT count(*) FROM records").fetchone()[0] == 10
    assert connection.execute("SELECT count(*) FROM deliveries").fetchone()[0] == 0


def test_a_migration_that_fails_changes_nothing(ledger: Ledger) -> None:
    connection = sqlite3.connect(ledger.path, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(
            connection, "unused", (*schema.MIGRATIONS, ("CREATE TABLE deliveries (run_id TEXT)", "NONSENSE"))
        )
    assert connection.execute("PRAGMA user_version").fetchone()[0] == len(schema.MIGRATIONS)
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'deliveries'").fetchone()[0] == 0


@settings(max_examples=15, deadline=None)
@given(batches=st.lists(st.lists(st.integers(1, 30), max_size=8), max_size=6))
def test_whatever_the_batches_and_retries_the_chain_holds_each_row_once(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[int]]
) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("chain") / "ledger.sqlite3")
    ledger.create()
    for batch in batches:
        with ledger.transaction() as transaction:
            transaction.add(entry(number) for number in batch)
    with ledger.reading() as connection:
        result = verify(connection)
    assert result.faults == []
    assert result.rows == len({number for batch in batches for number in batch})


@pytest.mark.parametrize(
    ("uid", "environ", "expected"),
    [
        (0, {"XDG_STATE_HOME": "/elsewhere"}, "/var/lib/infogerance-perimeter/ledger.sqlite3"),
        (1000, {}, "/home/ada/.local/state/infogerance-perimeter/ledger.sqlite3"),
        (1000, {"XDG_STATE_HOME": "/state"}, "/state/infogerance-perimeter/ledger.sqlite3"),
        (1000, {"XDG_STATE_HOME": "relative"}, "/home/ada/.local/state/infogerance-perimeter/ledger.sqlite3"),
    ],
)
def test_the_default_path_is_the_state_directory(uid: int, environ: dict[str, str], expected: str) -> None:
    assert str(location.default_path(uid, environ, Path("/home/ada"))) == expected
