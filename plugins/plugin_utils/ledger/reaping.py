# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mark the runs that ended without saying so."""

from __future__ import annotations

import json
from datetime import datetime

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.process import Identity, gone
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Transaction

_OPEN = """SELECT s.run_id, s.at, s.body FROM records s WHERE s.kind = 'started' AND NOT EXISTS
  (SELECT 1 FROM records e WHERE e.run_id = s.run_id AND e.kind IN ('ended', 'interrupted')) ORDER BY s.id"""


def reap(transaction: Transaction, here: Identity, now: datetime) -> list[str]:
    """Add an `interrupted` entry for each open run whose process is gone. Returns their run ids.

    A run judged wrongly may still add its own end, which then counts.
    """
    reaped: list[str] = []
    for run_id, at, body in transaction.query(_OPEN):
        try:
            process = Identity.from_dict(json.loads(body).get("process") or {})
        except (AttributeError, ValueError):
            # Spoilt: whether it still runs cannot be told, and no later run may go unrecorded for it.
            continue
        reason = gone(process, here, datetime.fromisoformat(at), now)
        if not reason:
            continue
        # The end's true moment is unknown; the last thing that the run stored is what can be proved.
        last = transaction.query("SELECT max(at) FROM records WHERE run_id = ?", (run_id,))[0][0]
        transaction.add(
            [
                Entry(
                    uid=f"{run_id}:{record.INTERRUPTED}",
                    run_id=run_id,
                    kind=record.INTERRUPTED,
                    at=last,
                    body={
                        "outcome": "interrupted",
                        "complete": False,
                        "reason": reason,
                        "found_at": record.stamp(now),
                        "stored": transaction.counts(run_id),
                    },
                )
            ]
        )
        reaped.append(run_id)
    return reaped
