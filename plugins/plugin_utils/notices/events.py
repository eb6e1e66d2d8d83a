# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody wants to be told of, found in the ledger.

The ledger is the queue: a notice is wanted as long as no row says that it was sent. So none can be lost between a run
and its notice, and the run itself does nothing for it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.recorder import run_verdict

EVENTS = ("blocked", "failed_reconcile", "removed", "emergency")
_FAILED = ("failed", "unreachable", "aborted", "interrupted")
_REMOVALS = ("disable", "remove", "purge")
_RECONCILE = "infogerance.perimeter.reconcile"
_CATEGORY = "access_reconciliation"


@dataclass(frozen=True)
class Notice:
    """One event of one intervention, as far as some clients may know of it.

    hosts, removed: those of the clients asked for; outcome: on these. entries of removed: host, kind, entry, action,
    reason.
    """

    event: str
    run_id: str
    started_at: str
    ended_at: str
    outcome: str
    playbook: str
    operator: str
    label: Mapping[str, str]
    clients: Sequence[str]
    hosts: Sequence[str]
    removed: Sequence[Mapping[str, str]] = ()
    emergency: str | None = None

    @property
    def likeness(self) -> str:
        """The same for what says the same again: a run that fails every hour."""
        said: list[Any] = [self.event, self.playbook, self.outcome, list(self.clients), list(self.hosts)]
        said.append([[each["host"], each["kind"], each["entry"]] for each in self.removed])
        said.append(self.emergency)
        return hashlib.sha256(record.canonical(said).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def found(
    connection: sqlite3.Connection, since: str, events: Sequence[str], clients: Sequence[str] | None
) -> list[Notice]:
    """Notices of what ended from `since` (a stored stamp) on, oldest first.

    clients: only interventions on hosts of these, and nothing of others. None: everything.
    """
    ended = connection.execute(
        "SELECT DISTINCT run_id FROM records WHERE kind IN (?, ?) AND at >= ?",
        (record.ENDED, record.INTERRUPTED, since),
    ).fetchall()
    notices: list[Notice] = []
    for (run_id,) in ended:
        row = connection.execute("SELECT * FROM interventions WHERE run_id = ?", (run_id,)).fetchone()
        if row is not None and row["ended_at"] is not None and not row["check_mode"]:
            notices += _of_run(connection, row, events, clients)
    return sorted(notices, key=lambda notice: (notice.ended_at, notice.run_id, EVENTS.index(notice.event)))


def _of_run(
    connection: sqlite3.Connection, row: sqlite3.Row, events: Sequence[str], clients: Sequence[str] | None
) -> list[Notice]:
    started = json.loads(row["started"])
    scope, gate = started.get("scope") or {}, started.get("gate") or {}
    hosts = connection.execute(
        "SELECT host, clients, counts FROM intervention_hosts WHERE run_id = ?", (row["run_id"],)
    ).fetchall()
    owners = {str(host): [str(name) for name in json.loads(names or "[]")] for host, names, _counts in hosts}
    outcome, verdicts = str(row["outcome"]), None
    if clients is not None:
        shared = any(name not in clients for names in owners.values() for name in names)
        owners = {host: [name for name in names if name in clients] for host, names in owners.items()}
        owners = {host: names for host, names in owners.items() if names}
        if not owners:
            return []
        counts = [json.loads(text) for host, _names, text in hosts if host in owners and text]
        # Another client's failure is not this one's.
        if shared and counts and outcome in {"ok", "failed", "unreachable"}:
            outcome = run_verdict({key: sum(each.get(key, 0) for each in counts) for key in ("failed", "unreachable")})
        later = connection.execute(
            "SELECT body FROM records WHERE run_id = ? AND kind = ?", (row["run_id"], record.GATE)
        )
        said = {
            item.get("client"): item
            for each in (gate, *(json.loads(body) for (body,) in later))
            for item in each.get("clients") or []
        }
        verdicts = [said[name] for name in sorted({*clients} & {*said}) if any(name in its for its in owners.values())]
    told = _events(row, outcome, started, gate, verdicts)
    removed = [
        {key: str(change[key] or "") for key in ("host", "kind", "entry", "action", "reason")}
        for change in connection.execute(
            "SELECT * FROM entry_point_changes WHERE run_id = ? AND status = 'applied' ORDER BY id", (row["run_id"],)
        )
        if change["action"] in _REMOVALS and change["host"] in owners
    ]
    if removed:
        told.append("removed")
    return [
        Notice(
            event=event,
            run_id=str(row["run_id"]),
            started_at=str(row["started_at"]),
            ended_at=str(row["ended_at"]),
            outcome=outcome,
            playbook=str(row["playbook"] or ""),
            operator=str(row["operator"] or ""),
            label=dict(scope.get("label") or {}),
            clients=sorted({name for names in owners.values() for name in names}),
            hosts=sorted(owners),
            removed=removed if event == "removed" else (),
            emergency=str(gate["emergency"]) if event == "emergency" else None,
        )
        for event in events
        if event in told
    ]


def _events(
    row: sqlite3.Row,
    outcome: str,
    started: Mapping[str, Any],
    gate: Mapping[str, Any],
    verdicts: Sequence[Mapping[str, Any]] | None,
) -> list[str]:
    """verdicts: what the gate said of each client asked for; None when everything is."""
    told = []
    if outcome == "blocked":
        # Who has agreed is not who held it up.
        if not verdicts or not all(item.get("passed") for item in verdicts):
            told.append("blocked")
    # The reason is about the work of those who have it not in their contract.
    elif gate.get("emergency") and (not verdicts or any(item.get("contract") != "in" for item in verdicts)):
        told.append("emergency")
    reconciles = row["playbook"] == _RECONCILE or (started.get("scope") or {}).get("category") == _CATEGORY
    if reconciles and outcome in _FAILED:
        told.append("failed_reconcile")
    return told
