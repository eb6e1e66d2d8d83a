# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The newest row of a kind for each host: what was seen when a server was last looked at."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.stores import Connection, listed


@dataclass(frozen=True)
class Look:
    """name: what was looked at. about: host, clients, at and run_id. body: the row as it was stored."""

    name: str
    about: Mapping[str, Any]
    body: Mapping[str, Any]


def newest(
    connection: Connection, kind: str, named_by: str, having: str, until: str, client: str | None
) -> Iterator[Look]:
    """One look a host and name, in their order; only rows that have something in their field `having`.

    named_by, having: fields of the body, from the code alone. until: a stored stamp, excluded. A look stays the newest
    one until the next, however old it is: its date is told with it. client: only its hosts, and nothing of others.
    """
    field = connection.spelling.field
    last: dict[tuple[str, str], int] = {}
    sql = f"""SELECT id, host, {field(named_by)} AS name FROM records
      WHERE kind = ? AND at < ? AND {field(having)} IS NOT NULL ORDER BY at, id"""  # noqa: S608
    for row in connection.execute(sql, (kind, until)):
        last[(str(row["host"]), str(row["name"]))] = row["id"]
    rows = {
        row["id"]: row
        for marks, part in listed(list(last.values()))
        for row in connection.execute(f"SELECT id, at, run_id, body FROM records WHERE id IN {marks}", part)  # noqa: S608
    }
    for (host, name), number in sorted(last.items()):
        row = rows[number]
        body = json.loads(row["body"])
        clients = [str(each) for each in body.get("clients") or []]
        if client is not None and client not in clients:
            continue
        shown = clients if client is None else [client]
        yield Look(name, {"host": host, "clients": shown, "at": row["at"], "run_id": row["run_id"]}, body)
