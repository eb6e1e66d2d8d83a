# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An alert's life, from the rows that tell it: opened once, told, answered, overdue, closed, back again. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts.judging import Judgement
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts.policy import (
    CRITICALITIES,
    Policy,
    Recipient,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import clean, stamp

OPENED = "opened"
RAISED = "raised"
TOLD = "told"
ANSWERED = "answered"
OVERDUE = "overdue"
CLOSED = "closed"
REOPENED = "reopened"
# What an overdue alert proposes for work on it.
INACTION = "inaction_despite_reminders"
# An alert that nobody handles for a year has hundreds of reminders: the last ones tell enough.
_EVIDENCE = 40
# Whom a notice did not reach is told so long afterwards that something is over; later it is no news.
OWED = timedelta(days=7)


@dataclass
class Alert:
    """One episode: a host and a cause, from opening to closing. Stamps are stored ones.

    deadline: by when it should be handled. told: who, when, by which means, on which occasion. overdue_at: since when
    it counts as inaction; an answer takes that back. value, limit: when it was opened, raised or closed. answers: in
    the order in which they were given. occasion: the last one on which its recipients were to be told.
    """

    id: str
    host: str
    cause: str
    clients: list[str]
    criticality: str
    opened_at: str
    deadline: str
    value: float | None = None
    unit: str = ""
    limit: float | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    told: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    overdue_at: str | None = None
    overdue_count: int = 0
    closed_at: str | None = None
    closed_because: str | None = None
    closings: int = 0
    reopened: int = 0
    occasion: str = OPENED
    events: int = 0

    @property
    def state(self) -> str:
        """`open`, `overdue` (inaction despite reminders) or `closed`."""
        return "closed" if self.closed_at else "overdue" if self.overdue_at else "open"

    @property
    def reminders(self) -> int:
        """How often somebody was reminded."""
        return len({row["occasion"] for row in self.told if _reminds(row)})

    @property
    def unanswered(self) -> int:
        """Reminders since the last answer."""
        since = self.answers[-1]["at"] if self.answers else ""
        return len({row["occasion"] for row in self.told if _reminds(row) and row["at"] > since})

    @property
    def effective_deadline(self) -> str:
        """The deadline, or the later day that the last answer named."""
        return max(self.deadline, (self.answers[-1].get("until") or "") if self.answers else "")

    def as_dict(self) -> dict[str, Any]:
        """For results, JSON and the report."""
        kind, _colon, name = self.cause.partition(":")
        return {
            "id": self.id,
            "host": self.host,
            "clients": list(self.clients),
            "cause": self.cause,
            "kind": kind,
            "name": name,
            "state": self.state,
            "criticality": self.criticality,
            "opened_at": self.opened_at,
            "deadline": self.effective_deadline,
            "value": self.value,
            "unit": self.unit,
            "limit": self.limit,
            "detail": dict(self.detail),
            "told": [dict(row) for row in self.told],
            "reminders": self.reminders,
            "answers": [dict(row) for row in self.answers],
            "overdue_at": self.overdue_at,
            "reopened": self.reopened,
            "closed_at": self.closed_at,
            "closed_because": self.closed_because,
        }


@dataclass(frozen=True)
class Event:
    """A row to add. body: all but the clients, which every row has."""

    alert: Alert
    event: str
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ToTell:
    """Who is told of an alert. occasion: `opened`, `raised-3`, `reminder-1`, `overdue-1`, `closed` or `reopened-1`."""

    alert: Alert
    occasion: str
    recipients: tuple[Recipient, ...]


def identity(host: str, cause: str, opened_at: str) -> str:
    """The id of an episode."""
    return hashlib.sha256(f"{host}\n{cause}\n{opened_at}".encode("utf-8", "replace")).hexdigest()[:32]


def fold(rows: Iterable[Mapping[str, Any]]) -> list[Alert]:
    """Alerts from their rows (`run_id`, `host`, `at`, `body`), in the order in which they were stored."""
    found: dict[str, Alert] = {}
    for row in rows:
        body, at, number = row["body"], str(row["at"]), str(row["run_id"])
        event = body.get("event")
        if event == OPENED:
            found.setdefault(
                number,
                Alert(
                    number, str(row["host"]), str(body["cause"]), [str(name) for name in body.get("clients") or []],
                    str(body["criticality"]), at, str(body["deadline"]),
                ),
            )  # fmt: skip
        alert = found.get(number)
        if alert is not None:
            apply(alert, str(event), at, body)
    return list(found.values())


def apply(alert: Alert, event: str, at: str, body: Mapping[str, Any]) -> None:
    """What one row makes of an alert."""
    alert.events += 1
    if event in (OPENED, RAISED, CLOSED, REOPENED):
        alert.value, alert.unit = body.get("value"), str(body.get("unit") or "")
        alert.limit, alert.detail = body.get("limit"), dict(body.get("detail") or {})
    if event == RAISED:
        alert.criticality, alert.deadline = str(body["criticality"]), str(body["deadline"])
        alert.occasion = f"raised-{alert.events}"
    elif event == TOLD:
        alert.told.append(
            {"at": at, **{key: body.get(key) for key in ("who", "address", "means", "where", "language", "occasion")}}
        )
        if _reminds(alert.told[-1]):
            alert.occasion = str(body["occasion"])
    elif event == ANSWERED:
        answer = {"at": at, **{key: body.get(key) for key in ("by", "note", "until", "recorded_by")}}
        alert.answers.append(answer)
        # One that is recorded late was given before others, and says nothing about what came after it.
        alert.answers.sort(key=lambda row: str(row["at"]))
        if alert.answers[-1] is answer:
            alert.overdue_at = None
    elif event == OVERDUE:
        alert.overdue_at = at
        alert.overdue_count += 1
        alert.occasion = f"overdue-{alert.overdue_count}"
    elif event == CLOSED:
        alert.closed_at, alert.closed_because = at, str(body.get("because") or "over")
        alert.closings += 1
        alert.occasion = CLOSED if alert.closings == 1 else f"{CLOSED}-{alert.closings}"
    elif event == REOPENED:
        alert.closed_at, alert.closed_because, alert.deadline = None, None, str(body["deadline"])
        alert.reopened += 1
        alert.occasion = f"{REOPENED}-{alert.reopened}"


def steps(
    host: str,
    clients: Sequence[str],
    judgement: Judgement,
    alert: Alert | None,
    policy: Policy,
    now: datetime,
) -> tuple[list[Event], ToTell | None]:
    """What happens to a cause now. alert: its last one, None when there is none. It is brought up to date as well.

    The events are to be stored; whoever is told is stored by the caller, once it was done.
    """
    at = stamp(now)
    bad = judgement.seen and judgement.level is not None and not judgement.gone
    events: list[Event] = []
    occasion: str | None = None
    if alert is not None and alert.closed_at:
        if not bad:
            return [], owed(alert, policy, now)
        deadline = _when_back(alert, policy, now)
        if deadline is None:
            alert = None
        else:
            events.append(_event(alert, REOPENED, at, {**_measured(judgement), "deadline": deadline}))
            occasion = alert.occasion
    if alert is None:
        if not bad or judgement.level is None:
            return [], None
        deadline = stamp(now + policy.schedules[judgement.level].deadline)
        alert = Alert(
            identity(host, judgement.cause, at), host, judgement.cause, list(clients), judgement.level, at, deadline
        )
        event = _event(
            alert, OPENED, at, {**_measured(judgement), "criticality": judgement.level, "deadline": deadline}
        )
        return [event], ToTell(alert, alert.occasion, policy.recipients)
    if judgement.gone or (judgement.seen and judgement.level is None):
        event = _event(alert, CLOSED, at, {**_measured(judgement), "because": judgement.gone or "over"})
        return [event], owed(alert, policy, now)
    if bad and judgement.level is not None and _worse(judgement.level, alert.criticality):
        deadline = min(alert.deadline, stamp(now + policy.schedules[judgement.level].deadline))
        body = {**_measured(judgement), "criticality": judgement.level, "deadline": deadline}
        events.append(_event(alert, RAISED, at, body))
        occasion = alert.occasion
    elif _reminder_due(alert, policy, now):
        occasion = f"reminder-{alert.reminders + 1}"
    if _is_inaction(alert, policy, now):
        events.append(_event(alert, OVERDUE, at, evidence(alert)))
        occasion = alert.occasion
    if occasion is None:
        return events, owed(alert, policy, now)
    return events, ToTell(alert, occasion, policy.recipients)


def owed(alert: Alert, policy: Policy, now: datetime) -> ToTell | None:
    """Who is still to be told of the last occasion, such as after the mail server was away. None when nobody is."""
    told = {(row["occasion"], row["who"], row["address"], row["means"]) for row in alert.told}
    knew = {known[1:] for known in told}
    if alert.closed_at:
        if stamp(now - OWED) > alert.closed_at:
            return None
    elif _is_paused(alert, now):
        return None
    those = []
    for one in policy.recipients:
        known = (clean(one.name), clean(one.address), one.means)
        # Whoever was never told that it began need not hear that it is over.
        if (alert.occasion, *known) not in told and (known in knew or not alert.closed_at):
            those.append(one)
    return ToTell(alert, alert.occasion, tuple(those)) if those else None


def evidence(alert: Alert) -> dict[str, Any]:
    """Why work on this is out of contract: the deadline, who was reminded when and how, what was answered."""
    return {
        "deadline": alert.effective_deadline,
        "reminders": [dict(row) for row in alert.told if row["occasion"] == "opened" or _reminds(row)][-_EVIDENCE:],
        "answers": [dict(row) for row in alert.answers],
        "unanswered": alert.unanswered,
    }


def proposals(alerts: Iterable[Alert], hosts: Iterable[str], cause: str | None = None) -> list[dict[str, Any]]:
    """For each overdue alert of these hosts (and that cause): the category that work on it should have, and why."""
    wanted = set(hosts)
    return [
        {
            "host": alert.host,
            "cause": alert.cause,
            "alert": alert.id,
            "category": INACTION,
            "since": alert.overdue_at,
            "evidence": evidence(alert),
        }
        for alert in alerts
        if alert.state == "overdue" and alert.host in wanted and cause in (None, alert.cause)
    ]


def _event(alert: Alert, event: str, at: str, body: Mapping[str, Any]) -> Event:
    whole = {"cause": alert.cause, **body}
    apply(alert, event, at, whole)
    return Event(alert, event, whole)


def _measured(judgement: Judgement) -> dict[str, Any]:
    return {
        "value": judgement.value,
        "unit": judgement.unit,
        "limit": judgement.limit,
        "detail": dict(judgement.detail),
    }


def _worse(level: str, than: str) -> bool:
    return CRITICALITIES.index(level) > CRITICALITIES.index(than)


def _when_back(alert: Alert, policy: Policy, now: datetime) -> str | None:
    """The deadline of an alert that is back before a reminder would have come; None when it is another one now."""
    try:
        closed, deadline = datetime.fromisoformat(str(alert.closed_at)), datetime.fromisoformat(alert.deadline)
    except ValueError:
        # What somebody spoilt; `verify` names it.
        return None
    if now - closed > policy.schedules[alert.criticality].reminder:
        return None
    # Neither forgotten nor held against anybody: the time for which it was over does not count.
    return stamp(deadline + (now - closed))


def _reminder_due(alert: Alert, policy: Policy, now: datetime) -> bool:
    # Whom nothing could be told until now is told of the last occasion, whenever that is, and not reminded of it.
    if not policy.recipients or not alert.told or _is_paused(alert, now):
        return False
    return stamp(now - policy.schedules[alert.criticality].reminder) >= _last_asked(alert)


def _is_paused(alert: Alert, now: datetime) -> bool:
    """Whether the last answer stands: nobody was asked since, and its day has not come."""
    answered = bool(alert.answers) and alert.answers[-1]["at"] >= _last_asked(alert)
    return answered and stamp(now) < alert.effective_deadline


def _last_asked(alert: Alert) -> str:
    """When somebody was last told to do something. That it is over, or back, must not put the next reminder off."""
    quiet = (CLOSED, REOPENED)
    return max((str(row["at"]) for row in alert.told if not str(row["occasion"]).startswith(quiet)), default="")


def _is_inaction(alert: Alert, policy: Policy, now: datetime) -> bool:
    if alert.overdue_at is not None or stamp(now) <= alert.effective_deadline:
        return False
    # A reminder of a minute ago is not unanswered yet: each had as long as there is between two of them.
    old = stamp(now - policy.schedules[alert.criticality].reminder)
    since = alert.answers[-1]["at"] if alert.answers else ""
    ripe = {row["occasion"] for row in alert.told if _reminds(row) and since < row["at"] <= old}
    return len(ripe) >= policy.reminders_needed


def _reminds(row: Mapping[str, Any]) -> bool:
    return str(row["occasion"]).startswith("reminder-")
