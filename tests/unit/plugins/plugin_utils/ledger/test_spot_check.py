# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report's own check: what was done to the rows that it rests on is told."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record, spot_check
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger

DAY = "2026-11-{:02d}T20:00:00.000000Z"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three runs of three rows, one a day; then one more run, so that each has a neighbour."""
    ledger = Ledger(tmp_path / "l")
    ledger.create()
    with ledger.transaction() as transaction:
        for day in range(1, 5):
            run = f"run{day}"
            transaction.add(
                Entry(uid=f"{run}:{kind}", run_id=run, kind=kind, at=DAY.format(day), body={"day": day})
                for kind in (record.STARTED, record.TASK, record.ENDED)
            )
    return ledger.path


def checked(path: Path, *statements: str, runs: tuple[str, ...] = ("run2", "run3")) -> list[str]:
    """What is said of days 2 and 3 after somebody with the file has worked on it."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("DROP TRIGGER IF EXISTS records_no_update")
    connection.execute("DROP TRIGGER IF EXISTS records_no_delete")
    for statement in statements:
        connection.execute(statement)
    try:
        return spot_check.faults(connection, DAY.format(2), DAY.format(4), runs)
    finally:
        connection.close()


def test_an_untouched_ledger_has_no_faults(path: Path) -> None:
    assert checked(path) == []
    assert checked(path, runs=()) == []


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE records SET body = '{}' WHERE seq = 5", "row 5 was changed"),
        ("UPDATE records SET digest = 'x' WHERE seq = 5", "row 5 was changed"),
        ("UPDATE records SET host = 'x' WHERE seq = 7", "row 7 was changed"),
        ("UPDATE records SET body = x'ff' WHERE seq = 5", "row 5 was changed"),
        ("DELETE FROM records WHERE seq = 5", "row 5 is missing"),
        ("DELETE FROM records WHERE seq IN (5, 6)", "row 5 is missing (up to 6)"),
        ("DELETE FROM records WHERE run_id = 'run3'", "row 7 is missing (up to 9)"),
        ("DELETE FROM records WHERE run_id IN ('run2', 'run3')", "row 4 is missing (up to 9)"),
        ("UPDATE records SET digest = 'x' WHERE seq = 3", "row 4 does not follow the row before it"),
    ],
)
def test_what_was_touched_is_named(path: Path, statement: str, fault: str) -> None:
    runs = tuple(run for run in ("run2", "run3") if run not in statement)
    assert any(fault in found for found in checked(path, statement, runs=runs))


def test_a_row_that_was_made_anew_with_its_digest_is_found_by_the_row_after_it(path: Path) -> None:
    connection = sqlite3.connect(path)
    row = connection.execute(
        "SELECT writer, seq, uid, run_id, kind, at, host, previous FROM records WHERE seq = 5"
    ).fetchone()
    connection.close()
    digest = record.link(*row[:7], '{"forged":1}', row[7])
    statement = f"UPDATE records SET body = '{{\"forged\":1}}', digest = '{digest}' WHERE seq = 5"
    assert any("row 5 was changed" in found for found in checked(path, statement))


def test_many_faults_are_counted(path: Path) -> None:
    connection = sqlite3.connect(path)
    (writer,) = connection.execute("SELECT DISTINCT writer FROM records").fetchone()
    connection.close()
    ledger = Ledger(path)
    with ledger.transaction() as transaction:
        transaction.add(
            Entry(uid=f"more:{n}", run_id="run2", kind=record.TASK, at=DAY.format(4), body={}) for n in range(40)
        )
    found = checked(path, "UPDATE records SET body = '{\"x\":1}' WHERE uid LIKE 'more:%'")
    assert (len(found), found[-1]) == (21, "and 20 more")
    assert writer in found[0]
