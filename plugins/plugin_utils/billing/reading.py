# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a statement from a ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.statement import (
    Statement,
    lines,
    statement,
    used_seconds,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.work import Work
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.stores import Connection
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.worked import noted, worked
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import Category
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.terms import Agreement, Terms

_EVER = "0000"
_ALWAYS = "9999"


def read_statement(
    connection: Connection,
    *,
    client: str | None,
    terms: Terms,
    categories: Mapping[str, Category],
    start: datetime,
    end: datetime,
    now: datetime,
    until: datetime | None = None,
    spoilt: list[str] | None = None,
) -> Statement:
    """A client's statement (or that of all) from start (included) to end (excluded). connection: of Ledger.reading().

    Whatever may use up an agreement is read to `until` (excluded) or to the last record; the period itself is read
    whole. spoilt: see `worked`.
    """
    first, last = record.stamp(start), record.stamp(end)
    work = {item.run_id: item for item in worked(connection, first, last, client=client, spoilt=spoilt)}
    if any(terms.of(name).agreements for name in ([client] if client else terms.clients)):
        for item in _using(connection, client, terms, record.stamp(until) if until else _ALWAYS, spoilt):
            work.setdefault(item.run_id, item)
    return statement(work.values(), client=client, terms=terms, categories=categories, first=first, end=last, now=now)


def read_used(connection: Connection, client: str, terms: Terms, categories: Mapping[str, Category]) -> dict[str, int]:
    """Billed seconds that each agreement of this client has used so far, by its id."""
    work = _using(connection, client, terms, _ALWAYS)
    used = used_seconds(lines(work, client=client, terms=terms, categories=categories))
    return {agreement: seconds for (name, agreement), seconds in used.items() if name == client}


def _using(
    connection: Connection, client: str | None, terms: Terms, until: str, spoilt: list[str] | None = None
) -> Iterator[Work]:
    """What may use up an agreement: work from its first day on, and any before for which it was noted afterwards."""
    clients = [client] if client else list(terms.clients)
    since = min(_since(terms, clients), until)
    if since > _EVER:
        names = sorted({one.id for name in clients for one in terms.of(name).agreements})
        yield from worked(connection, _EVER, since, billable=True, runs=noted(connection, names), spoilt=spoilt)
    yield from worked(connection, since, until, client=client, billable=True, spoilt=spoilt)


def _since(terms: Terms, clients: list[str]) -> str:
    """Where to begin to read: a day before the first agreement, as a stored stamp."""
    agreements: list[Agreement] = [item for name in clients for item in terms.of(name).agreements]
    days = [item.valid_from for item in agreements]
    if not days or any(day is None for day in days):
        return _EVER
    earliest = min(day for day in days if day is not None)
    if earliest <= date(1, 1, 2):
        return _EVER
    return record.stamp(datetime(earliest.year, earliest.month, earliest.day, tzinfo=UTC) - timedelta(days=1))
