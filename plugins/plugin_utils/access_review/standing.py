# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a client's access review stands: who signed off what and when, what has changed since, whether it is due.

It says what people stated and what the lists said. Whether the servers agree with the lists is another question, which
the look at each server answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.access_review.lists import Lists, difference
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.schema import CLIENTS
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.stores import Connection

# By the ledger's index of clients, as each store spells it.
_OF_CLIENT = f"""SELECT run_id, at, host, body FROM records
  WHERE {{condition}} AND kind = '{record.ACCESS_REVIEW}' AND at < ? ORDER BY at, id"""  # noqa: S608
_CLIENTS = f"SELECT DISTINCT {{clients}} FROM records WHERE kind = '{record.ACCESS_REVIEW}' AND at < ?"  # noqa: S608
SELECT_CLIENT = _OF_CLIENT.format(condition=f"{CLIENTS} = ?")
# The worst first.
STATES = ("never", "objected", "overdue", "changed", "current")


def standings(connection: Connection, until: str, client: str | None, today: date) -> list[dict[str, Any]]:
    """One for each client whose lists were ever signed off or noted before `until` (a stored stamp), by name."""
    spelt = connection.spelling.clients
    rows = connection.execute(_CLIENTS.format(clients=spelt), (until,)).fetchall()
    listed = [row[0] for row in rows if isinstance(row[0], str)]
    wanted = sorted(listed) if client is None else [record.canonical([client])]
    found = []
    for clients in wanted:
        condition, values = connection.spelling.with_clients(clients)
        rows = connection.execute(_OF_CLIENT.format(condition=condition), (*values, until)).fetchall()
        if rows:
            found.append(standing(str(json.loads(clients)[0]), rows, today))
    return found


def known_lists(rows: Iterable[Sequence[Any]]) -> dict[str, dict[str, str]]:
    """What was known last of each server: kind to digest. rows: of SELECT_CLIENT."""
    found: dict[str, dict[str, str]] = {}
    for _run_id, _at, host, text in rows:
        if host is not None:
            found[str(host)] = {kind: its["digest"] for kind, its in json.loads(text)["lists"].items()}
    return found


def standing(client: str, rows: Iterable[Sequence[Any]], today: date) -> dict[str, Any]:
    """One client's. rows: of SELECT_CLIENT, oldest first.

    `state` is the worst that holds: never, objected, overdue, changed, current. `compared_at`: when the lists were seen
    last; None when nobody has looked at them since the review, and then nothing is known of changes. `earlier`: servers
    that the last review left out, each with host, signed_at, reviewer, decision and due of its own last one; `due` is
    the first of all.
    """
    head: Mapping[str, Any] = {}
    signed_at: str | None = None
    review: str | None = None
    compared_at: str | None = None
    signed: dict[str, Lists] = {}
    later: dict[str, tuple[str, Lists]] = {}
    # Servers that the last review left out: each stands as its own last review says.
    earlier: dict[str, dict[str, Any]] = {}
    for run_id, at, host, text in rows:
        body = json.loads(text)
        if body["what"] == "signed_off" and host is None:
            left_out = frozenset(body.get("left_out") or ())
            of_before = {"signed_at": signed_at, **{key: head.get(key) for key in ("reviewer", "decision", "due")}}
            earlier = {
                name: {"host": name, **earlier.get(name, of_before)} for name in sorted(left_out) if name in signed
            }
            signed = {name: lists for name, lists in signed.items() if name in left_out}
            later = {name: seen for name, seen in later.items() if name in left_out}
            compared_at = compared_at if signed or later else None
            head, signed_at, review = body, str(at), str(run_id)
        elif body["what"] == "signed_off" and run_id == review:
            signed[str(host)] = body["lists"]
        elif body["what"] == "noted" and host is None:
            compared_at = str(at)
        elif body["what"] == "noted":
            later[str(host)] = (str(at), body["lists"])
    changed = (
        [
            {"host": host, "seen_at": at, "new": host not in signed, **each}
            for host, (at, lists) in sorted(later.items())
            for each in difference(signed.get(host, {}), lists)
        ]
        if review
        else []
    )
    shown = signed if review else {host: lists for host, (_at, lists) in later.items() if lists}
    counts: dict[str, int] = {}
    for lists in shown.values():
        for kind, its in lists.items():
            counts[kind] = counts.get(kind, 0) + its["count"]
    due = min((its["due"] for its in (head, *earlier.values()) if its.get("due")), default=None)
    overdue = bool(due and due < today.isoformat())
    objected = any(its.get("decision") == "objected" for its in (head, *earlier.values()))
    state = (
        "never" if review is None
        else "objected" if objected
        else "overdue" if overdue
        else "changed" if changed
        else "current"
    )  # fmt: skip
    return {
        "client": client,
        "state": state,
        "review_id": review,
        "signed_at": signed_at,
        "reviewer": head.get("reviewer"),
        "decision": head.get("decision"),
        "recorded_by": head.get("by"),
        "note": head.get("note"),
        "due": due,
        "overdue": overdue,
        "digest": head.get("digest"),
        "earlier": list(earlier.values()),
        "hosts": sorted(shown),
        "counts": dict(sorted(counts.items())),
        "changed": changed,
        "compared_at": compared_at,
    }
