# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What third parties announced, in the ledger: a row of the kind `announcement` for each new or changed one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record, statements
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.statements import Query
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.stores import Readable
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.terms import Announcement, Terms, ThirdParty


def of_register(terms: Terms) -> list[dict[str, Any]]:
    """Every announcement of every client's register, as the ledger keeps it; in order of clients and entries."""
    return [
        _plain(client, party, announcement)
        for client, its in sorted(terms.clients.items())
        for party in its.third_parties
        for announcement in party.announcements
    ]


def _plain(client: str, party: ThirdParty, one: Announcement) -> dict[str, Any]:
    return {
        "clients": [client],
        "third_party": party.name,
        "third_party_kind": party.kind,
        "reference": one.reference,
        "kind": one.kind,
        "summary": one.summary,
        "starts": record.stamp(one.starts),
        "ends": record.stamp(one.ends) if one.ends else None,
        "announced_on": one.announced_on.isoformat() if one.announced_on else None,
        "passed_on": one.passed_on.isoformat() if one.passed_on else None,
        "hosts": list(one.hosts),
        "cancelled": one.cancelled,
    }


def identity(one: Mapping[str, Any]) -> str:
    """The same for the same client, third party, kind and reference, whatever else changes."""
    spelt = record.canonical([one["clients"], one["third_party"], one["kind"], one["reference"]])
    return hashlib.sha256(spelt.encode("utf-8", "replace")).hexdigest()[:32]


def news(query: Query, announced: Iterable[Mapping[str, Any]], now: datetime, by: str) -> list[Entry]:
    """The rows to add: those that the ledger does not have, or has with other facts."""
    return [
        row for one in announced for row in statements.news(query, record.ANNOUNCEMENT, identity(one), one, now, by)
    ]


def read(connection: Readable, until: str, client: str | None = None) -> list[dict[str, Any]]:
    """Every announcement as it was last told before `until` (a stored stamp), with `id` and `recorded_at`, by start."""
    found: dict[str, dict[str, Any]] = {}
    for row, body in statements.read(connection, record.ANNOUNCEMENT, until):
        if client is None or client in body["clients"]:
            found[str(row["run_id"])] = {**body, "id": row["run_id"], "recorded_at": row["at"]}
    return sorted(found.values(), key=lambda one: (one["starts"], one["third_party"], one["reference"]))
