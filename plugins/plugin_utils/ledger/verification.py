# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walk each writer's chain and say where a row was edited, removed, added or moved."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry


@dataclass(frozen=True)
class Verification:
    """rows: how many were read. heads: the last digest of each writer. faults: one sentence for each break."""

    rows: int
    heads: dict[str, str]
    faults: list[str] = field(default_factory=list)


def verify(connection: sqlite3.Connection) -> Verification:
    """Check every row. Rows cut off at the end of a chain can only be found against a head kept elsewhere."""
    faults: list[str] = []
    heads: dict[str, str] = {}
    expected: dict[str, int] = {}
    rows = 0
    for row in connection.execute(
        "SELECT writer, seq, uid, run_id, kind, at, host, body, previous, digest FROM records ORDER BY writer, seq"
    ):
        rows += 1
        writer, seq = str(row["writer"]), int(row["seq"])
        entry = Entry(uid=row["uid"], run_id=row["run_id"], kind=row["kind"], at=row["at"], host=row["host"])
        wanted = expected.get(writer, 1)
        if seq != wanted:
            faults.append(
                f"writer {writer}: row {wanted} is missing" + (f" (up to {seq - 1})" if seq > wanted + 1 else "")
            )
        elif row["previous"] != heads.get(writer, record.GENESIS):
            faults.append(f"writer {writer}: row {seq} does not follow the row before it")
        computed = record.digest(writer=writer, seq=seq, entry=entry, text=row["body"], previous=row["previous"])
        if computed != row["digest"]:
            faults.append(f"writer {writer}: row {seq} was changed")
        heads[writer] = str(row["digest"])
        expected[writer] = seq + 1
    return Verification(rows, heads, faults)
