# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of a small ledger is edited, deleted, inserted and moved in turn: the first wrong row is named."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record, schema
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.verification import (
    Head,
    against,
    verify,
)

ROWS = 7
COLUMNS = ("uid", "run_id", "kind", "at", "host", "body", "previous", "digest")


def writer_of(connection: sqlite3.Connection) -> str:
    """The writer whose rows are worked on."""
    return str(connection.execute("SELECT writer FROM records WHERE uid LIKE 'run:%' ORDER BY id").fetchone()[0])


class Copy:
    """A ledger in memory on which a forger works: no trigger holds them."""

    def __init__(self, template: sqlite3.Connection) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.row_factory = sqlite3.Row
        template.backup(self.connection)
        self.connection.execute("DROP TRIGGER records_no_update")
        self.connection.execute("DROP TRIGGER records_no_delete")
        self.writer = writer_of(self.connection)

    def do(self, sql: str, parameters: Sequence[object] = ()) -> Copy:
        self.connection.execute(sql, tuple(parameters))
        return self

    def shift(self, after: int, by: int) -> Copy:
        """Renumber what comes after a row; by way of far away, because numbers are unique."""
        self.do("UPDATE records SET seq = seq + 1000 WHERE writer = ? AND seq > ?", (self.writer, after))
        return self.do("UPDATE records SET seq = seq - ? WHERE writer = ? AND seq > 1000", (1000 - by, self.writer))

    def insert(self, seq: int, *, chained: bool) -> Copy:
        """A row that no run wrote, with a digest that fits its own columns or not."""
        found = self.connection.execute(
            "SELECT digest FROM records WHERE writer = ? AND seq = ?", (self.writer, seq - 1)
        ).fetchone()
        previous = found[0] if found else record.GENESIS
        columns = (self.writer, seq, "forged", "run", "task", "2026-11-23T20:00:00.000000Z", None, "{}", previous)
        digest = record.link(*columns) if chained else "f" * 64
        return self.do(
            "INSERT INTO records (writer, seq, uid, run_id, kind, at, host, body, previous, digest)"
            " VALUES (?,?,?,?,?,?,?,?,?,?)",
            (*columns, digest),
        )

    def chain_anew(self, first: int) -> Copy:
        """What a forger with time does: every digest from a row on fits again."""
        rows = self.connection.execute(
            "SELECT * FROM records WHERE writer = ? AND seq >= ? ORDER BY seq", (self.writer, first - 1)
        ).fetchall()
        previous = rows[0]["digest"] if rows[0]["seq"] == first - 1 else record.GENESIS
        for row in rows:
            if row["seq"] < first:
                continue
            digest = record.link(
                *(row[name] for name in ("writer", "seq", "uid", "run_id", "kind", "at", "host", "body")), previous
            )
            self.do("UPDATE records SET previous = ?, digest = ? WHERE id = ?", (previous, digest, row["id"]))
            previous = digest
        return self

    def found(self) -> tuple[str, int]:
        """What verify names first."""
        result = verify(self.connection)
        assert len(result.first) == 1, result
        assert result.first[0].writer == self.writer
        assert result.faults[0] == result.first[0].text
        return result.first[0].what, result.first[0].row


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """Rows of one writer, with rows of another before and after, which nobody touches."""
    ledger = Ledger(tmp_path_factory.mktemp("chain") / "ledger.sqlite3")
    ledger.create()
    with ledger.transaction() as transaction:
        transaction.add(
            Entry(
                uid=f"run:{number}",
                run_id="run",
                kind="task",
                at=f"2026-11-23T20:00:{number:02d}.000000Z",
                body={"number": number, "text": 'é "quoted" \\ \u2028'},
                host="web1" if number % 2 else None,
            )
            for number in range(1, ROWS + 1)
        )
    connection = sqlite3.connect(ledger.path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    for writer in ("0" * 16, "f" * 16):
        previous = record.GENESIS
        for seq in (1, 2, 3):
            columns = (
                writer,
                seq,
                f"{writer}:{seq}",
                "other",
                "task",
                "2026-11-23T20:00:00.000000Z",
                None,
                "{}",
                previous,
            )
            previous = record.link(*columns)
            connection.execute(
                "INSERT INTO records (writer, seq, uid, run_id, kind, at, host, body, previous, digest)"
                " VALUES (?,?,?,?,?,?,?,?,?,?)",
                (*columns, previous),
            )
    writer = writer_of(connection)
    assert "0" * 16 < writer < "f" * 16
    yield connection
    connection.close()


def test_an_untouched_chain_has_no_fault(template: sqlite3.Connection) -> None:
    result = verify(template)
    assert (result.rows, result.faults, result.first) == (ROWS + 6, [], [])
    assert sorted(result.last.values()) == [3, 3, ROWS]


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("row", range(1, ROWS + 1))
@pytest.mark.parametrize("value", ["forged", 5, b"blob", ""])
def test_each_column_of_each_row_edited_is_named(
    template: sqlite3.Connection, row: int, column: str, value: object
) -> None:
    copy = Copy(template)
    copy.do(f"UPDATE records SET {column} = ? WHERE writer = ? AND seq = ?", (value, copy.writer, row))
    assert copy.found() == ("changed", row)


@pytest.mark.parametrize("row", range(1, ROWS))
def test_a_row_edited_with_a_digest_that_fits_again_is_named(template: sqlite3.Connection, row: int) -> None:
    copy = Copy(template).do(
        "UPDATE records SET body = '{}' WHERE seq = ? AND writer NOT IN (?, ?)", (row, "0" * 16, "f" * 16)
    )
    stored = copy.connection.execute(
        "SELECT * FROM records WHERE writer = ? AND seq = ?", (copy.writer, row)
    ).fetchone()
    digest = record.link(
        *(stored[name] for name in ("writer", "seq", "uid", "run_id", "kind", "at", "host", "body", "previous"))
    )
    copy.do("UPDATE records SET digest = ? WHERE id = ?", (digest, stored["id"]))
    assert copy.found() == ("changed", row)


@pytest.mark.parametrize(("first", "last"), list(itertools.combinations_with_replacement(range(1, ROWS), 2)))
def test_deleted_rows_are_named(template: sqlite3.Connection, first: int, last: int) -> None:
    copy = Copy(template)
    copy.do("DELETE FROM records WHERE writer = ? AND seq BETWEEN ? AND ?", (copy.writer, first, last))
    assert copy.found() == ("deleted", first)
    copy.shift(last, first - last - 1)
    assert copy.found() == ("deleted", first)


@pytest.mark.parametrize("chained", [False, True])
@pytest.mark.parametrize("row", range(1, ROWS + 1))
def test_an_inserted_row_is_named(template: sqlite3.Connection, row: int, chained: bool) -> None:
    copy = Copy(template).shift(row - 1, 1).insert(row, chained=chained)
    assert copy.found() == ("inserted", row)


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(range(1, ROWS + 1), 2)))
def test_two_rows_that_changed_places_are_named(template: sqlite3.Connection, one: int, other: int) -> None:
    copy = Copy(template)
    copy.do("UPDATE records SET seq = 999 WHERE writer = ? AND seq = ?", (copy.writer, one))
    copy.do("UPDATE records SET seq = ? WHERE writer = ? AND seq = ?", (one, copy.writer, other))
    copy.do("UPDATE records SET seq = ? WHERE writer = ? AND seq = 999", (other, copy.writer))
    assert copy.found() == ("moved", one)


@pytest.mark.parametrize("row", range(1, ROWS))
def test_a_row_moved_to_the_end_is_named(template: sqlite3.Connection, row: int) -> None:
    copy = Copy(template)
    copy.do("UPDATE records SET seq = ? WHERE writer = ? AND seq = ?", (ROWS + 1, copy.writer, row))
    assert copy.found() == ("moved", row)


@pytest.mark.parametrize("row", range(1, ROWS + 1))
def test_a_chain_made_anew_is_found_against_a_digest_kept_elsewhere(template: sqlite3.Connection, row: int) -> None:
    kept = verify(template).heads
    copy = Copy(template)
    copy.do("UPDATE records SET body = '{}' WHERE writer = ? AND seq = ?", (copy.writer, row)).chain_anew(row)
    assert verify(copy.connection).faults == []
    faults = against(copy.connection, [Head(copy.writer, ROWS, kept[copy.writer], "the shared ledger")])
    assert [(fault.what, fault.row) for fault in faults] == [("changed", ROWS)]


@pytest.mark.parametrize("row", range(1, ROWS + 1))
def test_rows_cut_off_at_the_end_are_found_against_a_digest_kept_elsewhere(
    template: sqlite3.Connection, row: int
) -> None:
    kept = verify(template).heads
    copy = Copy(template)
    copy.do("DELETE FROM records WHERE writer = ? AND seq >= ?", (copy.writer, row))
    assert verify(copy.connection).faults == []
    faults = against(copy.connection, [Head(copy.writer, ROWS, kept[copy.writer])])
    assert [(fault.what, fault.row) for fault in faults] == [("deleted", row)]


def test_many_breaks_are_counted_and_not_all_told(template: sqlite3.Connection) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate(connection, "ledger")
    for seq in range(1, 101):
        connection.execute(
            "INSERT INTO records (writer, seq, uid, run_id, kind, at, body, previous, digest)"
            " VALUES ('w', ?, ?, 'run', 'task', 'at', '{}', '', '')",
            (seq, str(seq)),
        )
    result = verify(connection)
    assert len(result.faults) == 21
    assert result.faults[-1] == "writer w: 80 more rows do not fit"
    connection.close()


TEXT = st.text(st.characters(codec="utf-8"), max_size=30)


@settings(max_examples=300, deadline=None)
@given(columns=st.tuples(TEXT, st.integers(1), TEXT, TEXT, TEXT, TEXT, st.none() | TEXT, TEXT, TEXT))
def test_the_quick_spelling_is_the_canonical_one(
    columns: tuple[str, int, str, str, str, str, str | None, str, str],
) -> None:
    import hashlib

    spelt = record.canonical([record.CHAIN_FORMAT, *columns])
    assert record.link(*columns) == hashlib.sha256(spelt.encode()).hexdigest()
