# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Correct what an intervention is said to be, without touching what was recorded: a further row, which then counts."""

from __future__ import annotations

import uuid
from datetime import datetime

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import Category


def correct(
    ledger: Ledger,
    run_id: str,
    *,
    by: str,
    reason: str,
    now: datetime,
    category: Category | None = None,
    note: str = "",
    duration_seconds: float | None = None,
) -> None:
    """Give an intervention another category, a note, or the time that it really took. by and reason are required.

    duration_seconds takes the place of the recorded duration and of all time added before; 0 is allowed.
    Raises LedgerError when the run is unknown, and ValueError when nothing is corrected.
    """
    if not by.strip() or not reason.strip():
        raise ValueError("a correction needs 'by' and 'reason'")
    if category is None and not note.strip() and duration_seconds is None:
        raise ValueError("a correction needs 'category', 'note' or 'duration'")
    if duration_seconds is not None and duration_seconds < 0:
        raise ValueError("a correction's 'duration' cannot be less than nothing")
    body: dict[str, object] = {"by": by, "reason": reason}
    if category is not None:
        body |= {"category": category.name, "contract": category.contract, "label": dict(category.label)}
    if note.strip():
        body["note"] = note
    if duration_seconds is not None:
        body["duration_seconds"] = duration_seconds
    with ledger.transaction() as transaction:
        if record.STARTED not in transaction.counts(run_id):
            raise LedgerError(f"ledger {ledger.path}: there is no intervention {run_id}")
        uid = f"{run_id}:{record.CORRECTED}:{uuid.uuid4().hex}"
        transaction.add([Entry(uid=uid, run_id=run_id, kind=record.CORRECTED, at=record.stamp(now), body=body)])
