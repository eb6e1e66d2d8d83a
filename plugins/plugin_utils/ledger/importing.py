# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take interventions over from files: what the system log kept, exported ledgers, the log of evomaintenance.

Whatever it is, taking it over twice stores it once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import (
    by_hand,
    evomaintenance_log,
    last_resort,
    record,
    transfer,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.evomaintenance_log import Noted
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, Transaction
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import Category


class ImportRefused(ValueError):
    """Nothing was taken over; the message names file, line and reason."""


@dataclass
class Imported:
    """rows: how many were added; interventions: of how many. known: how many facts the ledger had already. unreadable:
    a sentence for each damaged line, with file and line. notices: what else somebody should know."""

    rows: int = 0
    interventions: int = 0
    known: int = 0
    unreadable: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def from_logs_and_exports(ledger: Ledger, files: Sequence[Path], now: datetime, *, pretend: bool = False) -> Imported:
    """Last-resort lines out of logs (anything else in them is passed over), and whole exports. All files or none.

    Raises ImportRefused, LedgerError, OSError.
    """
    result = Imported()

    def work(transaction: Transaction) -> None:
        for path in files:
            # A log may hold anything; what is not UTF-8 is no line of ours.
            with path.open(encoding="utf-8", errors="replace") as source:
                first = source.readline()
                source.seek(0)
                if transfer.is_export(first):
                    try:
                        taken = transfer.take_over(transaction, transfer.parse(source))
                    except transfer.TransferError as error:
                        raise ImportRefused(f"{path}: {error}") from None
                    result.rows += taken.added
                    result.known += taken.known
                    continue
                for number, text in enumerate(source, 1):
                    try:
                        lines = list(last_resort.found(text))
                    except ValueError as error:
                        result.unreadable.append(f"{path}, line {number}: {error}")
                        continue
                    for value in lines:
                        added = last_resort.store(transaction, value, record.stamp(now))
                        result.rows += added
                        result.known += not added

    all_or_nothing(ledger, work, pretend)
    return result


def from_evomaintenance(
    ledger: Ledger,
    files: Sequence[Path],
    now: datetime,
    *,
    owners: Callable[[Noted], tuple[str, list[str]]],
    category: Category,
    operator: Mapping[str, Any],
    zone: tzinfo | None = None,
    pretend: bool = False,
) -> Imported:
    """Each record as an intervention. owners: the host's name in the inventory, and its clients.

    Raises ImportRefused when a host has no client: nobody could be billed, and nobody would see it.
    """
    texts = {str(path): path.read_text(encoding="utf-8", errors="replace").split("\n") for path in files}
    return from_evomaintenance_texts(
        ledger, texts, now, owners=owners, category=category, operator=operator, zone=zone, pretend=pretend
    )


def from_evomaintenance_texts(
    ledger: Ledger,
    texts: Mapping[str, Sequence[str]],
    now: datetime,
    *,
    owners: Callable[[Noted], tuple[str, list[str]]],
    category: Category,
    operator: Mapping[str, Any],
    zone: tzinfo | None = None,
    pretend: bool = False,
) -> Imported:
    """The same for lines that were read elsewhere, by the name of where."""
    result = Imported()
    works: list[by_hand.ByHand] = []
    ownerless: dict[str, None] = {}
    for path, lines in texts.items():
        parsed = evomaintenance_log.parse(lines, zone)
        result.unreadable += [f"{path}, {fault}" for fault in parsed.faults]
        if parsed.unfinished:
            result.notices.append(f"{path}: the last record is not finished and is left for the next time")
        seen: dict[str, int] = {}
        for noted in parsed.records:
            host, clients = owners(noted)
            if not clients:
                ownerless[noted.host] = None
                continue
            works.append(_work(noted, host, clients, category, operator, seen))
    if ownerless:
        raise ImportRefused(f"whose hosts are these? Give their clients: {', '.join(ownerless)}")

    def store(transaction: Transaction) -> None:
        before = transaction.query("SELECT count(*) FROM records")[0][0]
        for work in works:
            try:
                added = by_hand.store(transaction, work, now)
                result.interventions += added
                result.known += not added
            except ValueError:
                # Taken over before, under another category or owner: what was recorded stays.
                result.known += 1
        result.rows = int(transaction.query("SELECT count(*) FROM records")[0][0]) - int(before)

    all_or_nothing(ledger, store, pretend)
    return result


def _work(
    noted: Noted,
    host: str,
    clients: list[str],
    category: Category,
    operator: Mapping[str, Any],
    seen: dict[str, int],
) -> by_hand.ByHand:
    name = record.canonical([noted.logged, noted.host, noted.user, noted.address, noted.begin_text, noted.message])
    seen[name] = seen.get(name, 0) + 1
    begun = noted.begun
    return by_hand.ByHand(
        # Told twice in one file, it happened twice.
        key=record.canonical([name, seen[name]]),
        started=begun or noted.ended,
        ended=noted.ended,
        duration_seconds=None if begun is None else (noted.ended - begun).total_seconds(),
        clients=clients,
        operator={
            "name": noted.user or "(unknown)",
            "name_source": "evomaintenance",
            "from_address": noted.address,
            "recorded_by": operator.get("name"),
        },
        category=category,
        hosts={host: clients},
        origin="evomaintenance",
        said={"note": by_hand.lines_of(noted.message)} if noted.message else {},
        source={
            "logged": noted.logged,
            "begin": noted.begin_text,
            "host": noted.host,
            "fqdn": noted.fqdn,
            "hooks": noted.hooks,
            "commits": list(noted.commits),
        },
        missing=() if begun is not None else ("the log does not say when it began",),
        scope_source="import",
    )


class _Pretended(Exception):
    """Leaves the transaction without a trace."""


def all_or_nothing(ledger: Ledger, work: Callable[[Transaction], None], pretend: bool) -> None:
    if not pretend:
        ledger.create()
    try:
        with ledger.transaction() as transaction:
            work(transaction)
            if pretend:
                raise _Pretended
    except _Pretended:
        pass
