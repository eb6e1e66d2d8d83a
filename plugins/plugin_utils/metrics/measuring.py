# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gauges from the ledger: what stands on each server, what was last done for whom, what waits. Only reads.

A row that somebody spoilt is passed over, and the rest is told; `verify` names it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts import rows
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import outbox

PREFIX = "infogerance_perimeter_"
STATES = ("obsolete", "disabled", "missing", "protected", "unmanaged")


@dataclass(frozen=True)
class Gauge:
    """What is measured: name without prefix, in base units, and what it means.

    unit: `s`, or what is counted, in braces: Prometheus's OTLP receiver makes another name of a gauge with the unit 1.
    """

    name: str
    help: str
    unit: str = "{value}"


ENTRIES = Gauge("entries", "Entry points when the server was last looked at, by state.", "{entry}")
LOOKED = Gauge("last_look_timestamp_seconds", "When the server was last compared with its declared list.", "s")
SUCCEEDED = Gauge(
    "last_success_timestamp_seconds",
    "When the playbook last ended for the client with no host failed or unreachable.",
    "s",
)
RAN = Gauge("last_run_timestamp_seconds", "When the playbook last ended for the client, however it went.", "s")
CRL = Gauge("crl_expiry_timestamp_seconds", "When the revocation list of the server's authority expires.", "s")
CRL_STATE = Gauge("crl_current", "1 while the revocation list is fit for service, else 0.")
OUTBOX = Gauge("outbox_rows", "Rows of the local ledger that the shared one has not acknowledged.", "{row}")
ALERTS = Gauge(
    "resource_alerts", "Resource alerts that are not closed, by state; overdue: inaction despite reminders.", "{alert}"
)
GAUGES = (ENTRIES, LOOKED, SUCCEEDED, RAN, CRL, CRL_STATE, ALERTS, OUTBOX)


@dataclass(frozen=True)
class Sample:
    """One value with its labels, which are text that any receiver takes: some of it comes from servers."""

    gauge: Gauge
    value: float
    labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, text in self.labels.items():
            self.labels[name] = text.encode("utf-8", "replace").decode("utf-8")


def seconds(stamp: str) -> float:
    """A stored stamp, or a date of a certificate, as seconds since 1970. Raises ValueError."""
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


def measure(connection: sqlite3.Connection, since: str, client: str | None, targets: Iterable[str]) -> list[Sample]:
    """All samples, in order of gauges and labels.

    since: a stored stamp; a server or run that was last met before is left out, for it is no part of today's fleet.
    client: only its hosts and runs, and no outbox. targets: shared ledgers that the settings name.
    """
    found = [*_servers(connection, since, client), *_runs(connection, since, client), *_alerts(connection, client)]
    if client is None:
        known = {str(row[0]) for row in connection.execute("SELECT DISTINCT target FROM pushed")}
        for target in known | set(targets):
            found.append(Sample(OUTBOX, outbox.waiting(connection, target), {"target": target}))
    order = {gauge.name: number for number, gauge in enumerate(GAUGES)}
    # A file with the same series twice is refused as a whole. What a server says of itself for two kinds is one series
    # for some gauges: the lower value, which is the worse one, stays.
    once: dict[tuple[str, tuple[tuple[str, str], ...]], Sample] = {}
    for sample in found:
        series = (sample.gauge.name, tuple(sorted(sample.labels.items())))
        if series not in once or sample.value < once[series].value:
            once[series] = sample
    return sorted(once.values(), key=lambda sample: (order[sample.gauge.name], sorted(sample.labels.items())))


def _servers(connection: sqlite3.Connection, since: str, client: str | None) -> Iterator[Sample]:
    # SQLite gives the other columns of the row that has the maximum.
    newest = connection.execute(
        "SELECT host, body, max(at || printf('%020d', id)) FROM records WHERE kind = 'review' AND at >= ?"
        " AND json_valid(body) GROUP BY host, json_extract(body, '$.entry_point_kind')",
        (since,),
    )
    for host, text, mark in newest:
        body = _mapping(json.loads(text))
        clients = _names(body.get("clients"))
        moment = _moment(str(mark)[:-20])
        if moment is None or (client is not None and client not in clients):
            continue
        whose = client if client is not None else ",".join(clients)
        labels = {"client": whose, "host": str(host), "kind": str(body.get("entry_point_kind"))}
        yield Sample(LOOKED, moment, labels)
        # Reviews of older releases have no such field; what they counted was the state before the run.
        left = _mapping(body.get("left") or body.get("counts"))
        for state in STATES:
            if isinstance(left.get(state), int):
                yield Sample(ENTRIES, left[state], {**labels, "state": state})
        crl = _mapping(body.get("crl"))
        where = {"client": whose, "host": str(host)}
        readable = True
        if crl.get("expires"):
            # A server said so: a date that is none must not take every other server's figures along.
            expiry = _moment(str(crl["expires"]))
            readable = expiry is not None
            if expiry is not None:
                yield Sample(CRL, expiry, where)
        if crl.get("state"):
            yield Sample(CRL_STATE, float(readable and crl["state"] in ("current", "expiring")), where)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _names(value: Any) -> list[str]:
    return [str(name) for name in value] if isinstance(value, list) else []


def _moment(stamp: str) -> float | None:
    try:
        return seconds(stamp)
    except (ValueError, OverflowError, OSError):
        return None


def _alerts(connection: sqlite3.Connection, client: str | None) -> Iterator[Sample]:
    # A client that once had an alert goes on being told: a series that ends looks like a monitoring that died.
    counted: dict[tuple[str, str, str], int] = {}
    for alert in rows.of_client(rows.read(connection), client):
        for name in alert.clients or [""]:
            for state in ("open", "overdue"):
                key = (name, alert.criticality, state)
                counted[key] = counted.get(key, 0) + (alert.state == state)
    for (name, criticality, state), number in counted.items():
        yield Sample(ALERTS, number, {"client": name, "criticality": criticality, "state": state})


def _runs(connection: sqlite3.Connection, since: str, client: str | None) -> Iterator[Sample]:
    """Judged by the client's own hosts: another client's broken server is no failure of this one's run."""
    newest_first = connection.execute(
        "SELECT e.run_id, e.at, json_extract(e.body, '$.outcome') AS outcome,"
        " json_extract(s.body, '$.playbook') AS playbook"
        " FROM records e JOIN records s ON s.run_id = e.run_id AND s.kind = 'started'"
        " WHERE e.kind IN ('ended', 'interrupted') AND e.at >= ? AND json_valid(e.body) AND json_valid(s.body)"
        " ORDER BY e.at DESC",
        (since,),
    ).fetchall()
    ran: dict[tuple[str, str], float] = {}
    done: dict[tuple[str, str], float] = {}
    for run_id, at, outcome, playbook in newest_first:
        moment = _moment(str(at))
        # Work by hand has no playbook.
        if not playbook or moment is None:
            continue
        for name, well in _clients_of(connection, run_id).items():
            if client in (None, name):
                ran.setdefault((name, str(playbook)), moment)
                if well and outcome in ("ok", "failed", "unreachable"):
                    done.setdefault((name, str(playbook)), moment)
    for gauge, moments in ((RAN, ran), (SUCCEEDED, done)):
        for (name, playbook), at in moments.items():
            yield Sample(gauge, at, {"client": name, "playbook": playbook})


def _clients_of(connection: sqlite3.Connection, run_id: str) -> dict[str, bool]:
    """Each client of a run, and whether all its hosts were reached and none failed; nothing of one that is spoilt."""
    found: dict[str, bool] = {}
    try:
        for clients, verdict in connection.execute(
            "SELECT clients, verdict FROM intervention_hosts WHERE run_id = ?", (run_id,)
        ):
            for name in _names(json.loads(clients or "[]")) or [""]:
                found[name] = found.get(name, True) and verdict not in (None, "failed", "unreachable")
    except ValueError:
        return {}
    except sqlite3.OperationalError as error:
        if "JSON" not in str(error):
            raise
        return {}
    return found
