# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows to store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger


def entries(count: int, run_id: str = "run", first: int = 1) -> Iterator[Entry]:
    """Rows to store."""
    for number in range(first, first + count):
        yield Entry(
            uid=f"{run_id}:{number}",
            run_id=run_id,
            kind="task",
            at=f"2026-11-23T20:00:{number % 60:02d}.{number:06d}Z",
            body={"number": number, "text": 'é "quoted" \\ / \u20ac'},
            host="web1" if number % 2 else None,
        )


def add(ledger: Ledger, count: int, run_id: str = "run", first: int = 1) -> None:
    """Store rows."""
    ledger.create()
    with ledger.transaction() as transaction:
        transaction.add(entries(count, run_id, first))


def forge(ledger: Ledger, *statements: str, chain_from: int | None = None) -> None:
    """Work on the file as somebody who has it, and chain everything anew from a row on when asked."""
    connection = sqlite3.connect(ledger.path, isolation_level=None)
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _sql in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    if chain_from is not None:
        before = connection.execute("SELECT digest FROM records WHERE seq = ?", (chain_from - 1,)).fetchone()
        previous = before[0] if before else record.GENESIS
        for row in connection.execute(
            "SELECT writer, seq, uid, run_id, kind, at, host, body FROM records WHERE seq >= ? ORDER BY seq",
            (chain_from,),
        ).fetchall():
            digest = record.link(*row, previous)
            connection.execute("UPDATE records SET previous = ?, digest = ? WHERE seq = ?", (previous, digest, row[1]))
            previous = digest
    for _name, sql in triggers:
        connection.execute(sql)
    connection.close()
