# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts that are stated again and again, a row for each change: what is new is added, and the last row counts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.stores import Readable

Query = Callable[[str, tuple[Any, ...]], Sequence[sqlite3.Row]]

_ROWS = "SELECT run_id, at, body FROM records WHERE kind = ?"


def news(query: Query, kind: str, number: str, facts: Mapping[str, Any], now: datetime, by: str) -> list[Entry]:
    """The row to add, unless the last one of this number says the same. by: who states it, which is no news."""
    known = query(f"{_ROWS} AND run_id = ? ORDER BY id", (kind, number))
    body = record.clean(facts)
    if known:
        last = json.loads(known[-1]["body"])
        last.pop("recorded_by", None)
        if last == body:
            return []
    return [Entry(f"{kind}:{number}:{len(known)}", number, kind, record.stamp(now), {**body, "recorded_by": by})]


def read(connection: Readable, kind: str, until: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Every row stated before `until` (a stored stamp), oldest first: the row (run_id, at), and its facts."""
    for row in connection.execute(f"{_ROWS} AND at < ? ORDER BY id", (kind, until)):
        try:
            body = json.loads(row["body"])
        except ValueError:
            # What somebody spoilt must not keep the rest from being read: `verify` names it.
            continue
        yield row, body
