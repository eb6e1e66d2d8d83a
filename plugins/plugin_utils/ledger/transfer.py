# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole ledger as lines of JSON, and back: every row with its place in its writer's chain, nothing left out.

The first line says what it is and how many rows follow; each further line is one row:

    {"infogerance_perimeter":"ledger_export","format":1,"rows":2}
    {"infogerance_perimeter":"row","writer":"...","seq":1,"uid":"...",...,"body":"{...}","previous":"...","digest":"..."}

A file that was cut off, edited or put together wrongly is refused as a whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.last_resort import MARK
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, Transaction

WHAT = "ledger_export"
ROW = "row"
COLUMNS = ("writer", "seq", "uid", "run_id", "kind", "at", "host", "body", "previous", "digest")
_BATCH = 5000


class TransferError(ValueError):
    """A file that cannot be taken over; the message names its line."""


@dataclass(frozen=True)
class Taken:
    """added: rows that were new. known: rows that the ledger had already."""

    added: int
    known: int


def export(ledger: Ledger, path: Path) -> int:
    """Write the whole ledger to a file (mode 0600, put in place when it is whole). Returns the number of rows.

    Read in short transactions, so that no run has to wait; rows that come meanwhile are left for the next time.
    Raises LedgerError and OSError.
    """
    with ledger.reading() as connection:
        count, last = connection.execute("SELECT count(*), coalesce(max(id), 0) FROM records").fetchone()
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as target:
            target.write(_line({MARK: WHAT, "format": 1, "rows": int(count)}))
            for row in _rows(ledger, int(last)):
                target.write(_line({MARK: ROW, **dict(zip(COLUMNS, row, strict=True))}))
            target.flush()
            os.fsync(target.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return int(count)


def _rows(ledger: Ledger, last: int) -> Iterator[tuple[Any, ...]]:
    # In the order in which they came: each writer's rows are in order, and so is what one writer says of another's run.
    after = 0
    sql = f"SELECT id, {', '.join(COLUMNS)} FROM records WHERE id > ? AND id <= ? ORDER BY id LIMIT ?"  # noqa: S608
    while True:
        with ledger.reading() as connection:
            batch = connection.execute(sql, (after, last, _BATCH)).fetchall()
        if not batch:
            return
        for row in batch:
            yield tuple(row)[1:]
        after = int(batch[-1]["id"])


def _line(value: dict[str, Any]) -> str:
    # ASCII, with escapes: no editor, pager or transport changes it.
    return json.dumps(value, separators=(",", ":")) + "\n"


def is_export(first_line: str) -> bool:
    """Whether a file that begins with this line is such an export."""
    return first_line.startswith("{") and f'"{MARK}":"{WHAT}"' in first_line.replace(" ", "")


def parse(lines: Iterable[str]) -> Iterator[tuple[Any, ...]]:
    """The rows of an export, each checked: types, digest, and that it follows its writer's row before it.

    Raises TransferError. Only when the last row has come is the file known to be whole: take nothing over before.
    """
    numbered = enumerate(lines, 1)
    header = _object(*next(numbered, (1, "")))
    if header.get(MARK) != WHAT or header.get("format") != 1 or not isinstance(header.get("rows"), int):
        raise TransferError("line 1: is not the head of a ledger's export of format 1")
    chains: dict[str, tuple[int, str]] = {}
    count = 0
    for number, text in numbered:
        if not text.strip():
            continue
        value = _object(number, text)
        if value.get(MARK) != ROW:
            raise TransferError(f"line {number}: is no row of an export")
        for name in COLUMNS:
            wanted = int if name == "seq" else (str, type(None)) if name == "host" else str
            if name not in value or not isinstance(value[name], wanted) or isinstance(value[name], bool):
                raise TransferError(f"line {number}: field {name!r} is missing or of a wrong type")
        row = tuple(value[name] for name in COLUMNS)
        writer, seq, uid, run_id, kind, at, host, body, previous, digest = row
        before = chains.get(writer, (0, record.GENESIS))
        if (seq, previous) != (before[0] + 1, before[1]):
            raise TransferError(f"line {number}: row {seq} of writer {writer} does not follow row {before[0]}")
        if record.link(writer, seq, uid, run_id, kind, at, host, body, previous) != digest:
            raise TransferError(f"line {number}: row {seq} of writer {writer} was changed")
        chains[writer] = (seq, digest)
        count += 1
        yield row
    if count != header["rows"]:
        raise TransferError(f"the file has {count} rows of {header['rows']}: it was cut off")


def _object(number: int, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        raise TransferError(f"line {number}: is not JSON") from None
    if not isinstance(value, dict):
        raise TransferError(f"line {number}: is not a JSON object")
    return value


def take_over(transaction: Transaction, rows: Iterable[tuple[Any, ...]]) -> Taken:
    """Add the rows that the ledger does not have, in their own chains. Raises TransferError where both disagree."""
    placed = transaction.query("SELECT writer, max(seq) FROM records GROUP BY writer")
    last = {str(writer): int(seq) for writer, seq in placed}
    added = known = 0
    for row in rows:
        writer, seq, uid, digest = row[0], row[1], row[2], row[9]
        if seq <= last.get(writer, 0):
            here = transaction.query("SELECT digest FROM records WHERE writer = ? AND seq = ?", (writer, seq))
            if not here or here[0][0] != digest:
                raise TransferError(f"row {seq} of writer {writer} is another one in this ledger")
            known += 1
            continue
        # The chain before it was compared row by row, so the first new row follows the ledger's last one.
        if transaction.query("SELECT 1 FROM records WHERE uid = ?", (uid,)):
            raise TransferError(f"row {seq} of writer {writer}: this ledger has {uid!r} from another writer")
        transaction.query(
            "INSERT INTO records (writer, seq, uid, run_id, kind, at, host, body, previous, digest)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        added += 1
    return Taken(added, known)
