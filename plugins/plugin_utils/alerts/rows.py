# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alerts in the ledger: rows of the kind `alert`, chained like all others. An alert's rows share its id as run_id."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts import life
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts.life import Alert, Event
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts.policy import Recipient
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.statements import Query
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.stores import Readable

_ROWS = "SELECT run_id, host, at, body FROM records WHERE kind = 'alert'"


def read(connection: Readable, until: str | None = None) -> list[Alert]:
    """Every alert as it was at a moment, oldest first. until: a stored stamp, excluded."""
    sql, parameters = (f"{_ROWS} AND at < ? ORDER BY id", (until,)) if until else (f"{_ROWS} ORDER BY id", ())
    return _alerts(connection.execute(sql, parameters))


def of_client(alerts: Iterable[Alert], client: str | None) -> list[Alert]:
    """Those of one client; of all when it is None. A shared server's other clients are none of this one's business."""
    if client is None:
        return list(alerts)
    return [dataclasses.replace(alert, clients=[client]) for alert in alerts if client in alert.clients]


def last(query: Query, hosts: Iterable[str]) -> dict[tuple[str, str], Alert]:
    """(host, cause) to its last alert. query: runs a SELECT, of a transaction or of a connection that reads."""
    wanted = json.dumps(sorted(set(hosts)))
    sql = f"{_ROWS} AND host IN (SELECT value FROM json_each(?)) ORDER BY id"  # noqa: S608 - our own text
    return {(alert.host, alert.cause): alert for alert in _alerts(query(sql, (wanted,)))}


def still_open(query: Query, hosts: Iterable[str]) -> dict[tuple[str, str], Alert]:
    """As `last`, without those that are over."""
    return {what: alert for what, alert in last(query, hosts).items() if not alert.closed_at}


def _alerts(rows: Iterable[Any]) -> list[Alert]:
    plain = ({**dict(row), "body": body} for row in rows if isinstance(body := _body(row["body"]), dict))
    return sorted(life.fold(plain), key=lambda alert: (alert.opened_at, alert.host, alert.cause))


def _body(text: str) -> Any:
    # What somebody spoilt must not keep the rest from being read: `verify` names it.
    try:
        return json.loads(text)
    except ValueError:
        return None


def of_event(event: Event, at: datetime, by: str) -> Entry:
    """The row of something that happened to an alert. by: who ran it."""
    alert = event.alert
    number = {
        life.OVERDUE: f"{event.event}:{alert.overdue_count}",
        life.RAISED: f"{event.event}:{alert.criticality}",
        life.CLOSED: event.event if alert.closings == 1 else f"{event.event}:{alert.closings}",
        life.REOPENED: f"{event.event}:{alert.reopened}",
    }.get(event.event, event.event)
    return _entry(alert, number, at, {"event": event.event, "recorded_by": by, **event.body})


def of_telling(
    alert: Alert, occasion: str, recipient: Recipient, means: str, where: str, at: datetime, by: str
) -> Entry:
    """The row that says who was told, when, by which means, and where that can be found."""
    who = hashlib.sha256(f"{recipient.name}\n{recipient.address}\n{means}".encode("utf-8", "replace")).hexdigest()[:16]
    body = {
        "event": life.TOLD,
        "cause": alert.cause,
        "occasion": occasion,
        "who": recipient.name,
        "address": recipient.address,
        "means": means,
        "where": where,
        "language": recipient.language,
        "recorded_by": by,
    }
    return _entry(alert, f"told:{occasion}:{who}", at, body)


def of_answer(alert: Alert, answer: Mapping[str, Any], at: datetime) -> Entry:
    """The row of what the client answered. answer: by, note, until, recorded_by."""
    spelt = record.canonical(record.clean({**answer, "at": record.stamp(at)}))
    mark = hashlib.sha256(spelt.encode("utf-8")).hexdigest()[:16]
    return _entry(alert, f"answered:{mark}", at, {"event": life.ANSWERED, "cause": alert.cause, **answer})


def _entry(alert: Alert, what: str, at: datetime, body: Mapping[str, Any]) -> Entry:
    return Entry(
        uid=f"alert:{alert.id}:{what}",
        run_id=alert.id,
        kind=record.ALERT,
        at=record.stamp(at),
        body={"clients": sorted(alert.clients), **body},
        host=alert.host,
    )
