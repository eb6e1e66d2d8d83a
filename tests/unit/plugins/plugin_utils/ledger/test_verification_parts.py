# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A ledger checked in parts is whole exactly when the walk along it finds nothing, wherever it is cut."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from pathlib import Path

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record, verification_parts
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.verification import Head, verify
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.verification_parts import Part, checked

AT = "2026-11-23T20:00:00.000000Z"
# Writers of one, three and four rows; the ledger's own one comes among them.
OTHERS = {"0" * 16: 3, "8" * 16: 1, "f" * 16: 4}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Ledger(tmp_path_factory.mktemp("parts") / "ledger.sqlite3")
    made.create()
    with made.transaction() as transaction:
        transaction.add(
            Entry(uid=f"run:{number}", run_id="run", kind="task", at=AT, body={"text": 'é "quoted" \\ \u2028'})
            for number in range(5)
        )
    with sqlite3.connect(made.path) as connection:
        for name in ("records_no_update", "records_no_delete"):
            connection.execute(f"DROP TRIGGER {name}")
        for writer, rows in OTHERS.items():
            previous = record.GENESIS
            for seq in range(1, rows + 1):
                columns = (writer, seq, f"{writer}:{seq}", "other", "task", AT, None, "{}", previous)
                previous = record.link(*columns)
                connection.execute(
                    "INSERT INTO records (writer, seq, uid, run_id, kind, at, host, body, previous, digest)"
                    " VALUES (?,?,?,?,?,?,?,?,?,?)",
                    (*columns, previous),
                )
    return made.path


@pytest.fixture
def ledger(template: Path, tmp_path: Path) -> Ledger:
    return Ledger(shutil.copy(template, tmp_path / "ledger.sqlite3"))


def places(ledger: Ledger) -> list[tuple[str, int]]:
    with ledger.reading() as connection:
        return [tuple(row) for row in connection.execute("SELECT writer, seq FROM chained ORDER BY writer, seq")]


def walked(ledger: Ledger) -> list[str]:
    with ledger.reading() as connection:
        return verify(connection).faults


def forge(ledger: Ledger, sql: str, *values: object) -> None:
    with sqlite3.connect(ledger.path) as connection:
        assert connection.execute(sql, values).rowcount > 0


def fits(ledger: Ledger, cuts: tuple[tuple[str, int], ...]) -> bool:
    edges = [None, *cuts, None]
    return all(checked(ledger, Part(*pair)) is not None for pair in itertools.pairwise(edges))


def every_cut(ledger: Ledger, most: int = 1) -> list[tuple[tuple[str, int], ...]]:
    found = [place for place in places(ledger) if isinstance(place[0], str)]
    return [cuts for count in range(most + 1) for cuts in itertools.combinations(found, count)]


def test_cut_anywhere_a_whole_ledger_fits_and_its_heads_are_the_walks(ledger: Ledger) -> None:
    with ledger.reading() as connection:
        wanted = verify(connection)
    assert wanted.rows == 13
    for cuts in every_cut(ledger, most=2):
        assert fits(ledger, cuts)
    for processes in (2, 5):
        assert verification_parts.unbroken(ledger, processes, worth=1) == wanted


EDITS = [
    *(f"UPDATE records SET {name} = 'forged' WHERE id = ?" for name in ("uid", "kind", "at", "host", "body")),
    "UPDATE records SET previous = 'x' WHERE id = ?",
    "UPDATE records SET digest = 'x' WHERE id = ?",
    "UPDATE records SET body = x'00' WHERE id = ?",
    "UPDATE records SET writer = x'30' WHERE id = ?",
    "UPDATE records SET writer = '9' WHERE id = ?",
    "UPDATE records SET seq = 'five' WHERE id = ?",
    "UPDATE records SET seq = seq + 100 WHERE id = ?",
    "UPDATE records SET seq = -seq WHERE id = ?",
]


@pytest.mark.parametrize("row", [1, 5, 6, 8, 9, 13])
@pytest.mark.parametrize("sql", EDITS)
def test_a_forged_row_fits_in_no_cut(ledger: Ledger, sql: str, row: int) -> None:
    forge(ledger, sql, row)
    assert walked(ledger)
    for cuts in every_cut(ledger):
        assert not fits(ledger, cuts), cuts
    assert ledger.verify().faults == walked(ledger)


@pytest.mark.parametrize("row", range(1, 14))
def test_a_deleted_row_fits_in_no_cut_unless_it_was_the_last_of_its_writer(ledger: Ledger, row: int) -> None:
    forge(ledger, "DELETE FROM records WHERE id = ?", row)
    whole = walked(ledger) == []
    assert whole == (row in (5, 8, 9, 13))
    for cuts in every_cut(ledger):
        assert fits(ledger, cuts) == whole


def test_processes_and_the_walk_agree_on_a_forged_ledger(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    forge(ledger, "UPDATE records SET body = '[]' WHERE id = 7")
    monkeypatch.setattr(verification_parts, "WORTH", 1)
    monkeypatch.setattr(verification_parts, "_cores", lambda: 3)
    assert verification_parts.unbroken(ledger) is None
    assert ledger.verify().faults == walked(ledger) == [f"writer {'0' * 16}: row 2 was changed"]


def test_rows_that_changed_places_fit_in_no_cut(ledger: Ledger) -> None:
    for old, new in ((2, 99), (3, 2), (99, 3)):
        forge(ledger, "UPDATE records SET seq = ? WHERE writer = ? AND seq = ?", new, "0" * 16, old)
    assert walked(ledger)
    for cuts in every_cut(ledger):
        assert not fits(ledger, cuts), cuts


def test_a_small_ledger_and_a_single_core_start_no_process(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(module: str) -> list[str]:
        raise AssertionError(module)

    monkeypatch.setattr(verification_parts.interpreter, "command", refuse)
    assert verification_parts.unbroken(ledger, 4) is None
    assert verification_parts.unbroken(ledger, 1, worth=1) is None
    with pytest.raises(AssertionError):
        verification_parts.unbroken(ledger, 4, worth=1)


def test_a_process_that_dies_leaves_the_verdict_to_the_walk(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification_parts.interpreter, "command", lambda _module: ["false"])
    assert verification_parts.unbroken(ledger, 2, worth=1) is None


def test_a_number_that_is_none_is_refused_by_who_would_write_after_it(ledger: Ledger) -> None:
    with ledger.transaction() as transaction:
        own = transaction.writer
    forge(ledger, "UPDATE records SET seq = 'five' WHERE writer = ? AND seq = 5", own)
    assert ledger.verify([Head(own, 5, "d" * 64)]).faults
    with pytest.raises(LedgerError, match="the last row of writer .* has the number 'five'"), ledger.transaction():
        pass


def test_heads_known_from_elsewhere_are_compared_all_the_same(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification_parts, "WORTH", 1)
    monkeypatch.setattr(verification_parts, "_cores", lambda: 2)
    found = ledger.verify([Head("f" * 16, 9, "d" * 64, "a report")])
    assert found.faults == [f"writer {'f' * 16}: row 5 is missing (up to 9); a report has it"]
