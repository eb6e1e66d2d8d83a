# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people say about an intervention: a whole one that no playbook did, or more about one that is recorded.

Nothing stored is touched: an annotation is a further row, and so is the record of work done by hand.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import (
    Ledger,
    LedgerError,
    Transaction,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import Category
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.resolution import Resolution
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.terms import ContractException

ANNOTATION_FIELDS = ("ticket", "quote", "note", "added_seconds", "client")


def annotation(
    *, ticket: str | None, quote: str | None, note: str | None, added_seconds: float | None, client: str | None
) -> dict[str, Any]:
    """The fields that say something. Raises ValueError when none does. Long notes are kept line by line."""
    said: dict[str, Any] = {}
    for key, value in (("ticket", ticket), ("quote", quote)):
        if value and value.strip():
            said[key] = value.strip()
    if note and note.strip():
        said["note"] = lines_of(note)
    if added_seconds:
        said["added_seconds"] = added_seconds
    if not said:
        raise ValueError("say something: at least one of 'ticket', 'quote', 'note' and 'time' is needed")
    if client and client.strip():
        said["client"] = client.strip()
    return said


def lines_of(text: str) -> list[str]:
    """A text as stored: its lines, and what is longer than a stored text may be in several pieces. Nothing is cut."""
    size = record.TEXT_LIMIT
    return [
        line[start : start + size]
        for line in text.strip().splitlines()
        for start in (range(0, len(line), size) if line else (0,))
    ]


@dataclass(frozen=True)
class ByHand:
    """Work that no playbook did.

    origin: where it was noted (`manual`, or the tool it was imported from). key: names it, so that it is stored once.
    duration_seconds: None when nobody knows. missing: what the source does not tell; then the record is incomplete.
    exception: of the clients' contract, which puts the work in or out of it after all.
    """

    key: str
    started: datetime
    ended: datetime
    duration_seconds: float | None
    clients: Sequence[str]
    operator: Mapping[str, Any]
    category: Category
    hosts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    origin: str = "manual"
    said: Mapping[str, Any] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)
    missing: Sequence[str] = ()
    scope_source: str = "stated"
    exception: ContractException | None = None

    @property
    def run_id(self) -> str:
        """The same for the same origin and key, so that telling it twice stores it once."""
        return hashlib.sha256(f"{self.origin}\n{self.key}".encode("utf-8", "replace")).hexdigest()[:32]

    @property
    def contract(self) -> str:
        """In or out of contract."""
        return self.category.contract if self.exception is None else self.exception.contract

    def entries(self, now: datetime) -> list[Entry]:
        """The rows, like those of a playbook's run: what reads the ledger needs not know the difference."""
        run_id, began, ended = self.run_id, record.stamp(self.started), record.stamp(self.ended)
        body: dict[str, Any] = {
            "origin": self.origin,
            "playbook": "",
            "check_mode": False,
            "clients": sorted(self.clients),
            "operator": dict(self.operator),
            "recorded_at": record.stamp(now),
            "key": self.key,
            "source": dict(self.source),
            "scope": {**Resolution(self.category, self.scope_source).as_dict(), "contract": self.contract},
        }
        if self.exception is not None:
            judged = {"contract": self.contract, "exception": self.exception.reference, "agreement": None}
            body["gate"] = {
                "clients": [{"client": client, "passed": True, **judged} for client in sorted(self.clients)]
            }
        made = [Entry(uid=f"{run_id}:{record.STARTED}", run_id=run_id, kind=record.STARTED, at=began, body=body)]
        for number, (host, clients) in enumerate(sorted(self.hosts.items()), 1):
            # The number alone in the uid: a host's name may be anything.
            uid = f"{run_id}:{record.HOST}:{number}"
            named = {"clients": sorted(clients)}
            made.append(Entry(uid=uid, run_id=run_id, kind=record.HOST, at=began, body=named, host=host))
        if self.said:
            uid = f"{run_id}:{record.ANNOTATED}:0"
            made.append(Entry(uid=uid, run_id=run_id, kind=record.ANNOTATED, at=ended, body=dict(self.said)))
        stored = {kind: sum(entry.kind == kind for entry in made) for kind in {entry.kind for entry in made}}
        end = {
            "outcome": "ok",
            "changed": None,
            "counts": None,
            "duration_seconds": self.duration_seconds,
            "stored": stored,
            "complete": not self.missing,
            "missing": list(self.missing),
        }
        made.append(Entry(uid=f"{run_id}:{record.ENDED}", run_id=run_id, kind=record.ENDED, at=ended, body=end))
        return made


def store(transaction: Transaction, work: ByHand, now: datetime) -> bool:
    """Add it unless it is there. Returns whether it was added.

    Raises ValueError when the same key stands for something else: a slip of the pen must not vanish silently.
    """
    rows = transaction.query("SELECT uid, at, host, body FROM records WHERE run_id = ?", (work.run_id,))
    entries = work.entries(now)
    if not rows:
        transaction.add(entries)
        return True
    stored = {str(row["uid"]): row for row in rows}
    for entry in entries:
        row = stored.get(entry.uid)
        if row is None or (row["at"], row["host"], _lasting(row["body"])) != (
            entry.at,
            entry.host,
            _lasting(entry.text),
        ):
            raise ValueError(
                f"key {work.key!r} is in the ledger already, with other facts (intervention {work.run_id}): correct "
                "that one, or give this one a key of its own"
            )
    return False


def _lasting(text: str) -> dict[str, Any]:
    """A body without what differs between two ways to say the same: the moment and the hand that wrote it down.

    Nor what the contract said of it: that may have been agreed anew since.
    """
    body: dict[str, Any] = json.loads(text)
    operator = body.get("operator")
    if isinstance(body.get("scope"), dict):
        body["scope"].pop("contract", None)
    return {
        **{key: value for key, value in body.items() if key not in {"recorded_at", "operator", "gate"}},
        "operator": operator.get("name") if isinstance(operator, dict) else None,
    }


def _clients(transaction: Transaction, run_id: str) -> list[str]:
    sql = "SELECT body FROM records WHERE run_id = ? AND kind IN (?, ?)"
    rows = transaction.query(sql, (run_id, record.STARTED, record.HOST))
    return sorted({str(name) for row in rows for name in json.loads(row["body"]).get("clients") or []})


def annotate(ledger: Ledger, run_id: str, said: Mapping[str, Any], *, by: str, now: datetime) -> None:
    """Say more about an intervention that is recorded already.

    Raises LedgerError when there is none of that id, or when it was not for the client that this is about: whatever was
    said would reach nobody.
    """
    with ledger.transaction() as transaction:
        if record.STARTED not in transaction.counts(run_id):
            raise LedgerError(f"ledger {ledger.path}: there is no intervention {run_id}")
        clients = _clients(transaction, run_id)
        if said.get("client") and said["client"] not in clients:
            raise LedgerError(
                f"ledger {ledger.path}: intervention {run_id} was not for client {said['client']!r} but for "
                f"{', '.join(clients) or 'nobody'}"
            )
        uid = f"{run_id}:{record.ANNOTATED}:{uuid.uuid4().hex}"
        body = {**said, "by": by}
        transaction.add([Entry(uid=uid, run_id=run_id, kind=record.ANNOTATED, at=record.stamp(now), body=body)])
