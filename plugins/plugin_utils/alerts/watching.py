# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One round over the hosts: judge what was measured, store what became of the alerts, and tell who is to be told."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts import judging, life, policy, rows, wording
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts.life import Alert, Event, ToTell
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts.messengers import Messenger, NotTold
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.statements import Query
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.speaking import Speaker
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.wording import LANGUAGES

_MISSING = {
    "file": "there is no directory for notices (resource_alerts_directory)",
    "email": "there is no mail server (resource_alerts_smtp)",
}


@dataclass(frozen=True)
class Observed:
    """One host: whose it is, what was measured there, and what was declared for it."""

    host: str
    clients: tuple[str, ...]
    readings: Sequence[Mapping[str, Any]]
    unread: Sequence[Mapping[str, Any]]
    measured: Sequence[str]
    policy: policy.Policy


@dataclass
class Watched:
    """alerts: those still open. events: what happened now. told, untold: lines on who was, and who could not be."""

    alerts: list[Alert] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    tellings: list[ToTell] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


def watch(
    ledger: Ledger,
    observed: Sequence[Observed],
    messengers: Mapping[str, Messenger],
    *,
    by: str,
    provider: str = "",
    zone: tzinfo = UTC,
    now: datetime,
    pretend: bool = False,
) -> Watched:
    """Raises LedgerError, before anybody is told. messengers: by means. pretend: nothing is stored, nobody is told."""
    done = Watched()
    if pretend:
        with _reading(ledger) as query:
            _decide(done, query, observed, now)
        return done
    ledger.create()
    with ledger.transaction() as transaction:
        _decide(done, transaction.query, observed, now)
        transaction.add(rows.of_event(event, now, by) for event in done.events)
    speakers = {language: Speaker(language, zone) for language in LANGUAGES}
    for message in wording.messages(done.tellings, speakers, provider):
        name, means = message.recipient.name, message.recipient.means
        try:
            if means not in messengers:
                raise NotTold(_MISSING[means])
            where = messengers[means].send(message, now)
        except NotTold as error:
            done.untold.append(f"{name}: {len(message.about)} alerts: {error}")
            continue
        done.files += [where] if means == "file" else []
        # After it went: what was not told is never recorded as told, and a cut here tells it twice.
        with ledger.transaction() as transaction:
            transaction.add(
                rows.of_telling(alert, occasion, message.recipient, means, where, now, by)
                for alert, occasion in message.about
            )
        done.told += [
            {
                "host": alert.host,
                "cause": alert.cause,
                "occasion": occasion,
                "who": name,
                "means": means,
                "where": where,
            }
            for alert, occasion in message.about
        ]
    return done


@contextlib.contextmanager
def _reading(ledger: Ledger) -> Any:
    if not ledger.path.exists():
        yield lambda _sql, _parameters: []
        return
    with ledger.reading() as connection:
        yield lambda sql, parameters: connection.execute(sql, parameters).fetchall()


def _decide(done: Watched, query: Query, observed: Sequence[Observed], now: datetime) -> None:
    known = rows.last(query, (one.host for one in observed))
    for one in observed:
        mine = {cause: alert for (host, cause), alert in known.items() if host == one.host}
        standing = {cause: alert for cause, alert in mine.items() if not alert.closed_at}
        for judgement in judging.judge(one.readings, one.unread, one.measured, one.policy, standing):
            alert = mine.pop(judgement.cause, None)
            events, telling = life.steps(one.host, one.clients, judgement, alert, one.policy, now)
            done.events += events
            if telling is not None:
                done.tellings.append(telling)
            alert = events[0].alert if events else alert
            if alert is not None and not alert.closed_at:
                done.alerts.append(alert)
        # What is over and gone has no reading any more.
        late = (life.owed(alert, one.policy, now) for alert in mine.values() if alert.closed_at)
        done.tellings += [telling for telling in late if telling is not None]


def lines(done: Watched, observed: Sequence[Observed]) -> list[str]:
    """What an operator reads on the terminal."""
    speaker = Speaker("en", UTC)
    happened = {life.OPENED: 0, life.RAISED: 0, life.OVERDUE: 0, life.CLOSED: 0, life.REOPENED: 0}
    for event in done.events:
        happened[event.event] += 1
    said = [
        f"{len(observed)} hosts, {len(done.alerts)} open alerts ("
        + ", ".join(f"{count} {name}" for name, count in happened.items())
        + f" now), {len(done.told)} tellings"
    ]
    for alert in sorted(done.alerts, key=lambda one: (one.state != "overdue", one.host, one.cause)):
        plain = alert.as_dict()
        said.append(f"{alert.state}: {wording.line(speaker, plain, with_deadline=True)} [{alert.cause}]")
    said += [f"closed: {event.alert.host} {event.alert.cause}" for event in done.events if event.event == life.CLOSED]
    said += [f"not told: {text}" for text in done.untold]
    for one in observed:
        said += [f"not measured: {one.host} {row['kind']}:{row['name']}: {row['why']}" for row in one.unread]
    return said
