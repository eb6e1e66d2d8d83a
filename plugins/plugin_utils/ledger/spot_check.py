# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the rows that a report rests on, in the time that a report may take.

Each row's own digest, that it follows the writer's row before it, that the row after it follows it, and that no row is
missing in the period. What it says is about these rows; that nothing else was touched only `verify` can tell.
"""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.stores import Readable, listed

_SAID = 20
# Neighbours are looked for in the whole chain: a shared ledger keeps rows in it that reports leave out.
_ROWS = """SELECT r.writer, r.seq, r.uid, r.run_id, r.kind, r.at, r.host, r.body, r.previous, r.digest,
    b.digest AS before, a.previous AS after
  FROM records r
  LEFT JOIN chained b ON b.writer = r.writer AND b.seq = r.seq - 1
  LEFT JOIN chained a ON a.writer = r.writer AND a.seq = r.seq + 1
  WHERE r.run_id IN {marks} ORDER BY r.writer, r.seq"""


def faults(connection: Readable, start: str, end: str, run_ids: Sequence[str]) -> list[str]:
    """One sentence for each break. start, end: the report's period, as stored stamps."""
    found: list[str] = []
    for row in (row for marks, part in listed(run_ids) for row in connection.execute(_ROWS.format(marks=marks), part)):
        writer, seq, uid, run_id, kind, at, host, body, previous, digest, before, after = tuple(row)
        try:
            computed = record.link(writer, seq, uid, run_id, kind, at, host, body, previous)
        except (TypeError, UnicodeEncodeError):
            computed = ""
        if computed != digest or (after is not None and after != digest):
            found.append(f"writer {writer}: row {seq} was changed")
        # A row that is missing before it is told below.
        elif previous != (record.GENESIS if seq == 1 else before) and (before is not None or seq == 1):
            found.append(f"writer {writer}: row {seq} does not follow the row before it")
    found += _missing(connection, start, end)
    return [*found[:_SAID], f"and {len(found) - _SAID} more"] if len(found) > _SAID else found


def _span(connection: Readable, start: str, end: str) -> tuple[int, int]:
    """From the run before the period's first one to the run after its last one, as they were stored."""
    first, last = connection.execute(
        "SELECT min(id), max(id) FROM records WHERE kind = 'started' AND at >= ? AND at < ?", (start, end)
    ).fetchone()
    if first is None:
        # Nobody is left: between the neighbours in time.
        (first,) = connection.execute(
            "SELECT coalesce((SELECT id FROM records WHERE kind = 'started' AND at < ? ORDER BY at DESC LIMIT 1), 0)",
            (start,),
        ).fetchone()
        last = first
    # By the rows' own order, so that this looks at few of them: an empty text keeps a store from the index by kind.
    (low,) = connection.execute(
        "SELECT coalesce((SELECT id FROM records WHERE id < ? AND kind || '' = 'started' ORDER BY id DESC LIMIT 1), 0)",
        (first,),
    ).fetchone()
    (high,) = connection.execute(
        "SELECT coalesce((SELECT id FROM records WHERE id > ? AND kind || '' = 'started' ORDER BY id LIMIT 1),"
        " (SELECT max(id) FROM records))",
        (last,),
    ).fetchone()
    return int(low), int(high or 0)


def _missing(connection: Readable, start: str, end: str) -> list[str]:
    """Gaps among the rows that were stored while the period's runs were."""
    found: list[str] = []
    for writer, low, high, count in connection.execute(
        "SELECT writer, min(seq), max(seq), count(*) FROM chained WHERE id BETWEEN ? AND ? GROUP BY writer",
        _span(connection, start, end),
    ).fetchall():
        if high - low + 1 == count:
            continue
        wanted = low
        for (seq,) in connection.execute(
            "SELECT seq FROM chained WHERE writer = ? AND seq BETWEEN ? AND ? ORDER BY seq", (writer, low, high)
        ):
            if seq > wanted:
                upto = f" (up to {seq - 1})" if seq > wanted + 1 else ""
                found.append(f"writer {writer}: row {wanted} is missing{upto}")
            wanted = seq + 1
    return found
