# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The local file as the outbox: which rows wait, and what a shared ledger has acknowledged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, Transaction
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.verification import Connection, Head

BATCH = 500

# A row as it travels: writer, seq, uid, run_id, kind, at, host, body, previous, digest.
Row = tuple[str, int, str, str, str, str, str | None, str, str, str]


@dataclass(frozen=True)
class Acknowledged:
    """The last row of a writer that a shared ledger said it has. ledger_id: which shared ledger that was."""

    ledger_id: str
    writer: str
    seq: int
    digest: str


def last_rows(connection: Connection) -> dict[str, int]:
    """The number of each writer's last row. A file has several writers when it was copied from another machine."""
    return {str(w): int(n) for w, n in connection.execute("SELECT writer, max(seq) FROM chained GROUP BY writer")}


def acknowledged(connection: Connection, target: str) -> list[Acknowledged]:
    """What the shared ledger at that place has acknowledged, each ledger that ever was there, oldest first."""
    rows = connection.execute(
        "SELECT ledger_id, writer, seq, digest FROM pushed WHERE target = ? ORDER BY at, writer", (target,)
    )
    return [Acknowledged(str(i), str(w), int(n), str(d)) for i, w, n, d in rows]


def waiting(connection: Connection, target: str) -> int:
    """How many rows of the file the shared ledger at that place has not acknowledged."""
    known = acknowledged(connection, target)
    # Another ledger may have been put in that place: only what the last one has counts.
    current = {item.writer: item.seq for item in known if item.ledger_id == known[-1].ledger_id}
    return sum(max(0, last - current.get(writer, 0)) for writer, last in last_rows(connection).items())


def heads(connection: Connection, target: str | None = None) -> list[Head]:
    """Everything that any shared ledger acknowledged: what this file must still have.

    target: what the one at that place acknowledged, as seen from here: what it must still have itself.
    """
    rows = connection.execute("SELECT writer, seq, digest, target FROM pushed ORDER BY writer, seq")
    if target is None:
        return [Head(str(w), int(n), str(d), f"the shared ledger {t}") for w, n, d, t in rows]
    return [Head(str(w), int(n), str(d), "this machine's ledger") for w, n, d, t in rows if t == target]


def acknowledge(transaction: Transaction, target: str, items: Iterable[Acknowledged], at: str) -> None:
    """Keep what was acknowledged."""
    for item in items:
        transaction.query(
            "INSERT OR REPLACE INTO pushed (target, ledger_id, writer, seq, digest, at) VALUES (?, ?, ?, ?, ?, ?)",
            (target, item.ledger_id, item.writer, item.seq, item.digest, at),
        )


def batch(ledger: Ledger, writer: str, after: int, limit: int = BATCH) -> list[Row]:
    """A writer's next rows. Read in short transactions: an open one would keep runs from writing."""
    with ledger.reading() as connection:
        return [
            tuple(row)
            for row in connection.execute(
                "SELECT writer, seq, uid, run_id, kind, at, host, body, previous, digest FROM chained"
                " WHERE writer = ? AND seq > ? ORDER BY seq LIMIT ?",
                (writer, after, limit),
            )
        ]
