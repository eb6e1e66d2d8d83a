# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a client's contact page was looked through last, in the ledger: a `contact_review` row for each new state."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record, statements
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.statements import Query
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.stores import Readable


def news(query: Query, client: str, reviews: Sequence[Mapping[str, Any]], now: datetime, by: str) -> list[Entry]:
    """The row to add, unless the ledger's last one says the same.

    reviews: `contact` (a name, None for the whole page), `reviewed_on` and `due` (plain days) of each.
    """
    number = hashlib.sha256(f"contacts\n{client}".encode("utf-8", "replace")).hexdigest()[:32]
    facts = {"clients": [client], "reviews": list(reviews)}
    return statements.news(query, record.CONTACT_REVIEW, number, facts, now, by)


def read(connection: Readable, until: str, client: str | None, today: date) -> list[dict[str, Any]]:
    """Each client's reviews as they were told last before `until` (a stored stamp): `client`, `reviews`, `overdue`.

    overdue: those of the reviews that were to be made again before `today`.
    """
    found: dict[str, dict[str, Any]] = {}
    for _row, body in statements.read(connection, record.CONTACT_REVIEW, until):
        (name,) = body["clients"]
        if client in (None, name):
            late = [each for each in body["reviews"] if each["due"] < today.isoformat()]
            found[name] = {"client": name, "reviews": body["reviews"], "overdue": late}
    return [found[name] for name in sorted(found)]
