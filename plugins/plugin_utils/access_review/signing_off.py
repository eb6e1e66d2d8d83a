# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep in the ledger who reviewed which lists, and what lists were seen since. Rows are only ever added.

A review has one row that says who, when and until when (no host), and a row for each server with its lists. What is
seen later is kept where it differs from what was known.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.access_review.lists import Lists, overall
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.access_review.standing import (
    SELECT_CLIENT,
    known_lists,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger

SIGNED_OFF, NOTED = "signed_off", "noted"
DECISIONS = ("confirmed", "objected")


@dataclass(frozen=True)
class Signature:
    """reviewer: who looked and decided, as stated. by: who ran the command. every_days: when the next one is due."""

    reviewer: str
    decision: str
    by: str
    note: str | None
    every_days: int


def sign_off(
    ledger: Ledger,
    client: str,
    hosts: Mapping[str, Lists],
    signature: Signature,
    now: datetime,
    left_out: Iterable[str] = (),
) -> str:
    """Store a review of these lists. Returns its id. Raises LedgerError.

    left_out: the client's other servers, which this review says nothing of: their own last one stays theirs.
    """
    run_id = uuid.uuid4().hex
    head = {
        "what": SIGNED_OFF,
        "reviewer": signature.reviewer,
        "decision": signature.decision,
        "by": signature.by,
        "note": signature.note,
        "due": (now + timedelta(days=signature.every_days)).date().isoformat(),
        "digest": overall(hosts),
        "hosts": len(hosts),
        "left_out": sorted(left_out),
    }
    with ledger.transaction() as transaction:
        transaction.add(_entries(run_id, client, head, hosts, now))
    return run_id


def note(ledger: Ledger, clients: Mapping[str, Mapping[str, Lists]], now: datetime) -> int:
    """Store what the lists say now: one row a client, and one for each server whose lists differ from what was known.

    A server without any list is one that had lists, or it is not noted.
    Returns how many servers differed. Raises LedgerError.
    """
    differing = 0
    with ledger.transaction() as transaction:
        for client, hosts in sorted(clients.items()):
            known = known_lists(transaction.query(SELECT_CLIENT, (record.canonical([client]), "9999")))
            new = {host: lists for host, lists in hosts.items() if known.get(host, {}) != _digests(lists)}
            listed = sum(map(bool, hosts.values()))
            if not (listed or new):
                continue
            differing += len(new)
            head = {"what": NOTED, "digest": overall(hosts), "hosts": listed, "differing": len(new)}
            transaction.add(_entries(uuid.uuid4().hex, client, head, new, now))
    return differing


def _digests(lists: Lists) -> dict[str, str]:
    return {kind: its["digest"] for kind, its in lists.items()}


def _entries(
    run_id: str, client: str, head: Mapping[str, Any], hosts: Mapping[str, Lists], now: datetime
) -> list[Entry]:
    at = record.stamp(now)
    made = [
        Entry(
            uid=f"{run_id}:{record.ACCESS_REVIEW}",
            run_id=run_id,
            kind=record.ACCESS_REVIEW,
            at=at,
            body={**head, "clients": [client]},
        )
    ]
    for number, (host, lists) in enumerate(sorted(hosts.items()), start=1):
        made.append(
            Entry(
                uid=f"{run_id}:{record.ACCESS_REVIEW}:{number}",
                run_id=run_id,
                kind=record.ACCESS_REVIEW,
                at=at,
                body={"what": head["what"], "clients": [client], "lists": lists},
                host=host,
            )
        )
    return made
