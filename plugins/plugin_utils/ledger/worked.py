# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What billing and the gate need of the ledger: interventions without their tasks and entry points."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.work import Work, from_records
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record

# What is said of a run after it began, in the order in which it was said.
_SAID = (record.CORRECTED, "annotated")
_HAS_CLIENT = """ AND (EXISTS (SELECT 1 FROM records h, json_each(h.body, '$.clients') c
    WHERE h.run_id = i.run_id AND h.kind = 'host' AND c.value = ?)
  OR EXISTS (SELECT 1 FROM json_each(i.started, '$.clients') n WHERE n.value = ?))"""
# An exception may put one client's part of a run out of contract, so the gate's word counts, too.
_MAY_BE_BILLED = """ AND i.check_mode = 0 AND (i.contract = 'out'
  OR json_extract(i.started, '$.gate.clients') IS NOT NULL)"""


def worked(
    connection: sqlite3.Connection,
    start: str,
    end: str,
    *,
    client: str | None = None,
    billable: bool = False,
) -> list[Work]:
    """Interventions that began from start (included) to end (excluded), both stored stamps, oldest first.

    client: only those with a host of it; their other hosts are kept, because time is shared with them. billable: only
    those that may use up an agreement.
    """
    where, values = "i.started_at >= ? AND i.started_at < ?", [start, end]
    if client is not None:
        where, values = where + _HAS_CLIENT, [*values, client, client]
    if billable:
        where += _MAY_BE_BILLED
    # Only texts of this file are put into the statement.
    sql = f"SELECT * FROM interventions i WHERE {where} ORDER BY i.started_at, i.run_id"  # noqa: S608
    found: list[Work] = []
    for row in connection.execute(sql, values).fetchall():
        rows = _bodies(connection, str(row["run_id"]))
        found.append(
            from_records(
                dict(row),
                json.loads(row["started"]),
                json.loads(row["ended"] or "{}"),
                [(host, list(body.get("clients") or [])) for kind, host, body in rows if kind == record.HOST],
                [body for kind, _host, body in rows if kind == record.GATE],
                [body for kind, _host, body in rows if kind in _SAID],
            )
        )
    return found


def _bodies(connection: sqlite3.Connection, run_id: str) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (kind, host, json.loads(body))
        for kind, host, body in connection.execute(
            "SELECT kind, host, body FROM records WHERE run_id = ? AND kind IN (?, ?, ?, ?) ORDER BY id",
            (run_id, record.HOST, record.GATE, *_SAID),
        )
    ]
