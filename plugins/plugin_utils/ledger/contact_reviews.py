# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a client's contact page was looked through last, in the ledger: a `contact_review` row for each new state."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.stores import Readable

Query = Callable[[str, tuple[Any, ...]], Sequence[sqlite3.Row]]

_ROWS = "SELECT run_id, at, body FROM records WHERE kind = 'contact_review'"


def news(query: Query, client: str, reviews: Sequence[Mapping[str, Any]], now: datetime, by: str) -> list[Entry]:
    """The row to add, unless the ledger's last one says the same.

    reviews: `contact` (a name, None for the whole page), `reviewed_on` and `due` (plain days) of each.
    """
    number = hashlib.sha256(f"contacts\n{client}".encode("utf-8", "replace")).hexdigest()[:32]
    known = query(f"{_ROWS} AND run_id = ? ORDER BY id", (number,))
    body = record.clean({"clients": [client], "reviews": list(reviews)})
    if known:
        last = json.loads(known[-1]["body"])
        last.pop("recorded_by", None)
        if last == body:
            return []
    uid = f"contact_review:{number}:{len(known)}"
    return [Entry(uid, number, record.CONTACT_REVIEW, record.stamp(now), {**body, "recorded_by": by})]


def read(connection: Readable, until: str, client: str | None, today: date) -> list[dict[str, Any]]:
    """Each client's reviews as they were told last before `until` (a stored stamp): `client`, `reviews`, `overdue`.

    overdue: those of the reviews that were to be made again before `today`.
    """
    found: dict[str, dict[str, Any]] = {}
    for row in connection.execute(f"{_ROWS} AND at < ? ORDER BY id", (until,)):
        try:
            body = json.loads(row["body"])
        except ValueError:
            # What somebody spoilt must not keep the rest from being read: `verify` names it.
            continue
        (name,) = body["clients"]
        if client in (None, name):
            late = [each for each in body["reviews"] if each["due"] < today.isoformat()]
            found[name] = {"client": name, "reviews": body["reviews"], "overdue": late}
    return [found[name] for name in sorted(found)]
