# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What billing and the gate need of the ledger: interventions without their tasks and entry points."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.work import Work, from_records
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.reading import runs_of_client
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.stores import Connection, listed

# What is said of a run after it began, in the order in which it was said.
_SAID = (record.CORRECTED, record.ANNOTATED)


def worked(
    connection: Connection,
    start: str,
    end: str,
    *,
    client: str | None = None,
    billable: bool = False,
    runs: Sequence[str] | None = None,
    spoilt: list[str] | None = None,
) -> list[Work]:
    """Interventions that began from start (included) to end (excluded), both stored stamps, oldest first.

    client: only those with a host of it; their other hosts are kept, because time is shared with them. billable: only
    those that may use up an agreement. runs: only these, whoever's they are. spoilt: takes the ids of those that
    cannot be read, and the others are returned; without it, the first of them raises LedgerError.
    """
    where = "i.started_at >= ? AND i.started_at < ?"
    if billable:
        # An exception may put one client's part of a run out of contract, so the gate's word counts, too.
        judged = connection.spelling.field("gate", "clients", of="i.started")
        where += f" AND i.check_mode = 0 AND (i.contract = 'out' OR {judged} IS NOT NULL)"
    # Only texts of this code are put into the statements.
    sql = f"SELECT * FROM interventions i WHERE {where}"  # noqa: S608
    if runs is None and client is not None:
        runs = runs_of_client(connection, client, start)
    try:
        if runs is None:
            rows = connection.execute(sql, (start, end)).fetchall()
        else:
            rows = [
                row
                for marks, part in listed(runs)
                for row in connection.execute(f"{sql} AND i.run_id IN {marks}", (start, end, *part))
            ]
    except sqlite3.OperationalError as error:
        if "JSON" not in str(error):
            raise
        rows = _one_by_one(connection, sql, start, end, runs, spoilt)
    rows.sort(key=lambda row: (row["started_at"], row["run_id"]))
    bodies = _bodies(connection, [str(row["run_id"]) for row in rows])
    found: list[Work] = []
    for row in rows:
        run_id = str(row["run_id"])
        try:
            found.append(_work(row, bodies[run_id]))
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            _cannot_be_read(run_id, error, spoilt)
    return found


def _one_by_one(
    connection: Connection, sql: str, start: str, end: str, runs: Sequence[str] | None, spoilt: list[str] | None
) -> list[Any]:
    """SQLite gives up a whole question at the first text that is no JSON: what can be read, run by run."""
    if runs is None:
        started = "SELECT run_id FROM records WHERE kind = ? AND at >= ? AND at < ?"
        runs = [str(run_id) for (run_id,) in connection.execute(started, (record.STARTED, start, end))]
    rows: list[Any] = []
    for run_id in runs:
        try:
            rows += connection.execute(f"{sql} AND i.run_id = ?", (start, end, run_id)).fetchall()
        except sqlite3.OperationalError as error:
            _cannot_be_read(run_id, error, spoilt)
    return rows


def _cannot_be_read(run_id: str, error: Exception, spoilt: list[str] | None) -> None:
    if spoilt is None:
        raise LedgerError(
            f"intervention {run_id} cannot be read ({type(error).__name__}: {error}): action `verify` tells which row "
            "was changed"
        ) from None
    if run_id not in spoilt:
        spoilt.append(run_id)


def _work(row: Any, texts: Sequence[tuple[str, str, str]]) -> Work:
    # A moment that is none would be met only later, where nobody knows whose it is.
    datetime.fromisoformat(row["started_at"])
    said = [(kind, host, json.loads(text)) for kind, host, text in texts]
    return from_records(
        dict(row),
        json.loads(row["started"]),
        json.loads(row["ended"] or "{}"),
        [(host, list(body.get("clients") or [])) for kind, host, body in said if kind == record.HOST],
        [body for kind, _host, body in said if kind == record.GATE],
        [body for kind, _host, body in said if kind in _SAID],
    )


def noted(connection: Connection, quotes: Sequence[str]) -> list[str]:
    """Runs for which somebody noted one of these quotes."""
    found: set[str] = set()
    sql = "SELECT run_id, body FROM records WHERE kind = ? AND body LIKE ?"
    for run_id, text in connection.execute(sql, (record.ANNOTATED, '%"quote"%')):
        try:
            body = json.loads(text)
        except ValueError:
            continue
        if isinstance(body, dict) and body.get("quote") in quotes:
            found.add(str(run_id))
    return sorted(found)


def _bodies(connection: Connection, ids: Sequence[str]) -> defaultdict[str, list[tuple[str, str, str]]]:
    groups: defaultdict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for marks, part in listed(ids):
        sql = f"""SELECT run_id, kind, host, body FROM records
          WHERE kind IN (?, ?, ?, ?) AND run_id IN {marks} ORDER BY id"""  # noqa: S608
        for run_id, kind, host, body in connection.execute(sql, (record.HOST, record.GATE, *_SAID, *part)):
            groups[str(run_id)].append((kind, host, body))
    return groups
