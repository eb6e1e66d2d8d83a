# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger as lines of JSON and back: nothing is lost, nothing comes twice, nothing forged comes in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import transfer
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.paged import PagedConnection
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.transfer import Taken, TransferError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.verification import verify

COLUMNS = ", ".join(transfer.COLUMNS)


def made(path: Path, texts: list[str]) -> Ledger:
    """A ledger with one row for each text."""
    ledger = Ledger(path)
    ledger.create()
    with ledger.transaction() as transaction:
        transaction.add(
            Entry(uid=f"r:{n}", run_id="r", kind="task", at="2026-11-23T20:00:00.000000Z", body={"t": text}, host=text)
            for n, text in enumerate(texts)
        )
    return ledger


def rows(ledger: Ledger) -> list[tuple[Any, ...]]:
    """Everything in it."""
    with ledger.reading() as connection:
        return [tuple(row) for row in connection.execute(f"SELECT {COLUMNS} FROM records ORDER BY writer, seq")]


def taken(ledger: Ledger, path: Path) -> Taken:
    """Import a file."""
    ledger.create()
    with ledger.transaction() as transaction, path.open(encoding="utf-8") as source:
        return transfer.take_over(transaction, transfer.parse(source))


@given(st.lists(st.text(max_size=40), max_size=12))
@settings(max_examples=40, deadline=None)
def test_export_and_import_give_the_same_rows_and_chains(tmp_path_factory: Any, texts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("transfer")
    first, second = made(folder / "a", texts), Ledger(folder / "b")
    assert transfer.export(first, folder / "f") == len(texts)
    assert taken(second, folder / "f") == Taken(len(texts), 0)
    assert rows(second) == rows(first)
    assert taken(second, folder / "f") == Taken(0, len(texts))
    assert verify(PagedConnection(second, page=3)).faults == []
    transfer.export(second, folder / "g")
    assert (folder / "g").read_bytes() == (folder / "f").read_bytes()


def edited(number: int, **change: Any) -> Callable[[list[str]], list[str]]:
    """Change a field of a line."""

    def change_line(lines: list[str]) -> list[str]:
        value = {**json.loads(lines[number]), **change}
        return [*lines[:number], json.dumps({key: item for key, item in value.items() if item != "drop"})] + lines[
            number + 1 :
        ]

    return change_line


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda lines: lines[:-1], "the file has 4 rows of 5"),
        (lambda lines: lines[1:], "line 1: is not the head"),
        (lambda lines: [*lines[:2], *lines[3:]], "line 3: row 3 of writer .* does not follow row 1"),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "line 2: row 2 of writer .* does not follow row 0"),
        (lambda lines: [*lines[:3], lines[3][:40], *lines[4:]], "line 4: is not JSON"),
        (edited(2, body='{"t":"other"}'), "line 3: row 2 of writer .* was changed"),
        (edited(2, host="other"), "line 3: row 2 of writer .* was changed"),
        (edited(2, seq="2"), "line 3: field 'seq' is missing or of a wrong type"),
        (edited(2, seq=True), "line 3: field 'seq' is missing or of a wrong type"),
        (edited(2, digest="drop"), "line 3: field 'digest' is missing"),
        (edited(0, format=2), "line 1: is not the head"),
        (lambda lines: [*lines, lines[-1]], "line 7: row 5 of writer .* does not follow"),
    ],
)
def test_a_file_that_was_touched_is_refused_as_a_whole(
    tmp_path: Path, spoil: Callable[[list[str]], list[str]], message: str
) -> None:
    transfer.export(made(tmp_path / "a", list("abcde")), tmp_path / "f")
    lines = (tmp_path / "f").read_text(encoding="ascii").splitlines()
    (tmp_path / "g").write_text("\n".join(spoil(lines)) + "\n", encoding="ascii")
    target = Ledger(tmp_path / "b")
    with pytest.raises(TransferError, match=message):
        taken(target, tmp_path / "g")
    assert rows(target) == []


def test_a_ledger_that_has_another_history_refuses_the_file(tmp_path: Path) -> None:
    first = made(tmp_path / "a", list("abc"))
    transfer.export(first, tmp_path / "f")
    other = Ledger(tmp_path / "b")
    # The same rows under another writer: they would be there twice.
    other.create()
    with other.transaction() as transaction:
        transaction.add(
            [Entry(uid="r:1", run_id="r", kind="task", at="2026-11-23T20:00:00.000000Z", body={}, host="x")]
        )
    before = rows(other)
    with pytest.raises(TransferError, match="this ledger has 'r:1' from another writer"):
        taken(other, tmp_path / "f")
    assert rows(other) == before


def test_the_file_is_for_its_owner_alone_and_replaces_the_old_one_when_it_is_whole(tmp_path: Path) -> None:
    ledger = made(tmp_path / "a", list("abc"))
    (tmp_path / "f").write_text("old")
    transfer.export(ledger, tmp_path / "f")
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "f"]


def test_a_paged_walk_finds_what_a_whole_one_finds(tmp_path: Path) -> None:
    import sqlite3

    ledger = made(tmp_path / "a", list("abcdefghij"))
    connection = sqlite3.connect(ledger.path)
    connection.execute("DROP TRIGGER records_no_update")
    connection.execute("DROP TRIGGER records_no_delete")
    connection.execute("UPDATE records SET body = '{}' WHERE seq = 4")
    connection.execute("DELETE FROM records WHERE seq = 7")
    connection.commit()
    connection.close()
    with ledger.reading() as whole:
        expected = verify(whole)
    assert expected.faults
    for page in (1, 2, 3, 100):
        assert verify(PagedConnection(ledger, page=page)) == expected
