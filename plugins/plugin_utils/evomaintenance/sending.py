# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send what the ledger has to evomaintenance, and keep in the ledger what was sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.evomaintenance.database import SendError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.evomaintenance.rows import Row, rows
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger


class Target(Protocol):
    """Where to. `target` names it, without secrets; what was sent there is kept under that name."""

    target: str

    def send(self, row: Row) -> None:
        """Raises SendError."""


@dataclass
class Sent:
    """sent, known: rows that were sent now, and before. problem: why it stopped; empty when all is there."""

    sent: int = 0
    known: int = 0
    problem: str = ""
    waiting: list[str] = field(default_factory=list)


def uid(target: str, run_id: str, host: str) -> str:
    """Names the fact that this row was sent there."""
    return f"{run_id}:{record.DELIVERED}:{hashlib.sha256(f'{target} {host}'.encode()).hexdigest()[:24]}"


def send(ledger: Ledger, target: Target, runs: Sequence[Mapping[str, Any]], now: datetime, *, pretend: bool) -> Sent:
    """Send each host of each run that was not sent before. Stops at the first row that is not taken: the next time
    goes on there. A row is kept as sent right after; if that last step is cut, the API gets this one row again.
    """
    result = Sent()
    with ledger.reading() as connection:
        stored = {
            str(name)
            for (name,) in connection.execute("SELECT uid FROM records WHERE kind = ?", (record.DELIVERED,)).fetchall()
        }
        ids = json.dumps([run["run_id"] for run in runs])
        addresses = dict(
            tuple(row)
            for row in connection.execute(
                "SELECT run_id, json_extract(body, '$.operator.from_address') FROM records"
                " WHERE kind = 'started' AND run_id IN (SELECT value FROM json_each(?))",
                (ids,),
            ).fetchall()
        )
    for run in runs:
        run_id = str(run["run_id"])
        for row in rows(run, addresses.get(run_id)):
            name = uid(target.target, run_id, row.hostname)
            if name in stored:
                result.known += 1
            elif result.problem:
                result.waiting.append(f"{run_id} {row.hostname}")
            else:
                try:
                    if not pretend:
                        target.send(row)
                        _keep(ledger, target.target, run_id, row, name, now)
                    result.sent += 1
                except SendError as error:
                    result.problem = str(error)
                    result.waiting.append(f"{run_id} {row.hostname}")
    return result


def _keep(ledger: Ledger, target: str, run_id: str, row: Row, name: str, now: datetime) -> None:
    body = {"target": target}
    entry = Entry(uid=name, run_id=run_id, kind=record.DELIVERED, at=record.stamp(now), body=body, host=row.hostname)
    with ledger.transaction() as transaction:
        transaction.add([entry])
