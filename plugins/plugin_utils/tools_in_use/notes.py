# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a note of a privileged shell to an intervention in the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import by_hand, importing
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, Transaction
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import Category

ORIGIN = "shell_hook"


def work(
    note: Mapping[str, Any], host: str, clients: Sequence[str], category: Category, recorded_by: str | None
) -> by_hand.ByHand:
    """The intervention that a note tells of. Raises ValueError for a note without a beginning."""
    began = datetime.fromisoformat(note["began"]).astimezone(UTC)
    ended = datetime.fromisoformat(note["ended"]).astimezone(UTC) if note["ended"] else None
    message = str(note["message"] or "").strip()
    missing = []
    if ended is None:
        missing.append("the shell was ended from outside: when, and what was done, was not noted")
    elif not message:
        missing.append("nobody said what was done")
    return by_hand.ByHand(
        # The note's own name: taken over twice, it is one intervention.
        key=f"{host} {note['name']}",
        started=began,
        ended=ended or began,
        duration_seconds=None if ended is None else (ended - began).total_seconds(),
        clients=clients,
        operator={
            "name": note["user"] or "(unknown)",
            "name_source": ORIGIN,
            "from_address": note["address"],
            "recorded_by": recorded_by,
        },
        category=category,
        hosts={host: clients},
        origin=ORIGIN,
        said={"note": by_hand.lines_of(message)} if message else {},
        source={"tty": note["tty"]},
        missing=missing,
        scope_source="import",
    )


def store(
    ledger: Ledger, works: Sequence[by_hand.ByHand], now: datetime, *, pretend: bool = False
) -> tuple[int, list[str]]:
    """Store all or none; returns how many were new, and the keys of those that the ledger has with other facts.

    pretend: find that out and store nothing. The ledger must be there.
    """
    added = 0
    refused: list[str] = []
    if not works:
        return added, refused

    def each(transaction: Transaction) -> None:
        nonlocal added
        for one in works:
            try:
                added += by_hand.store(transaction, one, now)
            except ValueError:
                # Taken over while the answer was being typed, or for another client or category: what was recorded
                # stays, and what is new is for somebody to read.
                refused.append(one.key)

    importing.all_or_nothing(ledger, each, pretend)
    return added, refused
