# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who could get in when a server was last looked at: the newest review of each host and kind that tells it."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.stores import Connection, listed


def last_looks(connection: Connection, until: str, client: str | None = None) -> list[dict[str, Any]]:
    """One row a host and kind: host, clients, entry_point_kind, at, run_id, ways_in, left_out; in order of names.

    until: a stored stamp, excluded. A look stays the newest one until the next, however old it is: its date is told
    with it. client: only its hosts, and nothing of other clients.
    """
    field = connection.spelling.field
    newest: dict[tuple[str, str], int] = {}
    # The names of fields are this file's own.
    sql = f"""SELECT id, host, {field("entry_point_kind")} AS entry_point_kind FROM records
      WHERE kind = 'review' AND at < ? AND {field("ways_in")} IS NOT NULL ORDER BY at, id"""  # noqa: S608
    for row in connection.execute(sql, (until,)):
        newest[(str(row["host"]), str(row["entry_point_kind"]))] = row["id"]
    rows = {
        row["id"]: row
        for marks, part in listed(list(newest.values()))
        for row in connection.execute(f"SELECT id, at, run_id, body FROM records WHERE id IN {marks}", part)  # noqa: S608
    }
    found: list[dict[str, Any]] = []
    for (host, kind), number in sorted(newest.items()):
        row = rows[number]
        body = json.loads(row["body"])
        clients = [str(name) for name in body.get("clients") or []]
        if client is not None and client not in clients:
            continue
        found.append(
            {
                "host": host,
                "clients": clients if client is None else [client],
                "entry_point_kind": kind,
                "at": row["at"],
                "run_id": row["run_id"],
                "ways_in": body["ways_in"],
                "left_out": body.get("ways_in_left_out", 0),
            }
        )
    return found
