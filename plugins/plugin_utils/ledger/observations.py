# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a look at a server found beside ways in: from a module's result to what the ledger keeps, and back. No I/O.

A result says what it is by ``observation_kind``. A kind or a column that is not named here is not kept: whatever else a
module returns stays out of the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.last_looks import newest
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.stores import Connection

_TEXT_LIMIT = 300
_ROWS_LIMIT = 500
_NOTES = 20


@dataclass(frozen=True)
class Kept:
    """rows: the key of the result's rows. needed: columns without which a row says nothing.

    texts, numbers, flags: their columns that are kept.
    """

    rows: str
    needed: Sequence[str]
    texts: Sequence[str]
    numbers: Sequence[str] = ()
    flags: Sequence[str] = ()


KINDS: Mapping[str, Kept] = {
    "user_runtimes": Kept(
        "runtimes",
        ("kind", "path"),
        (
            *("ecosystem", "kind", "path", "account", "what", "version", "base", "locked_by", "locked_at"),
            *("installed_at", "detail", "responsible"),
        ),
        ("lock_age_days",),
        ("running",),
    ),
    "monitoring": Kept(
        "differences",
        ("state", "kind", "name"),
        ("state", "kind", "name", "protocol", "address", "user", "program", "unit", "image", "server", "changed"),
        ("port",),
        ("tls",),
    ),
    "privileged_sessions": Kept(
        "unexplained",
        ("kind", "account", "began"),
        ("kind", "account", "began", "ended", "tty", "address", "program", "key", "source"),
        ("count",),
        ("interactive",),
    ),
}


def recognised(result: Any) -> Iterator[Mapping[str, Any]]:
    """The observations in a task's result: itself, or the items of its loop. Known by keys, not by a name."""
    if not isinstance(result, Mapping):
        return
    if result.get("observation_kind") in KINDS:
        yield result
        return
    items = result.get("results")
    if isinstance(items, Sequence) and not isinstance(items, (str, bytes)):
        for item in items:
            if isinstance(item, Mapping) and "observation_kind" in item and "results" not in item:
                yield from recognised(item)


def extract(result: Mapping[str, Any]) -> dict[str, Any]:
    """The body of the row. What is no row is counted as `unreadable`, so that nothing is lost silently."""
    kept = KINDS[result["observation_kind"]]
    given = result.get(kept.rows)
    rows = list(given) if isinstance(given, Sequence) and not isinstance(given, (str, bytes)) else []
    good = [_row(row, kept) for row in rows if isinstance(row, Mapping) and all(row.get(key) for key in kept.needed)]
    counts = result.get("counts")
    limits = result.get("limits")
    return {
        "observation_kind": str(result["observation_kind"]),
        "counts": {str(key): value for key, value in counts.items() if isinstance(value, int)}
        if isinstance(counts, Mapping)
        else {},
        "rows": good[:_ROWS_LIMIT],
        "left_out": len(good[_ROWS_LIMIT:]),
        "unreadable": len(rows) - len(good),
        "limits": [str(text)[:_TEXT_LIMIT] for text in limits][:_NOTES] if isinstance(limits, list) else [],
    }


def _row(row: Mapping[str, Any], kept: Kept) -> dict[str, Any]:
    made: dict[str, Any] = {key: str(row[key])[:_TEXT_LIMIT] for key in kept.texts if row.get(key) not in (None, "")}
    made.update({key: row[key] for key in kept.numbers if record.is_number(row.get(key))})
    made.update({key: row[key] for key in kept.flags if isinstance(row.get(key), bool)})
    return made


def last_observations(connection: Connection, until: str, client: str | None = None) -> list[dict[str, Any]]:
    """The newest of each host and kind: host, clients, observation_kind, at, run_id, counts, rows, left_out, limits.

    until: a stored stamp, excluded. client: only its hosts, and nothing of other clients.
    """
    keys = ("counts", "rows", "left_out", "limits")
    return [
        {**look.about, "observation_kind": look.name, **{key: look.body[key] for key in keys}}
        for look in newest(connection, "observation", "observation_kind", "rows", until, client)
    ]
