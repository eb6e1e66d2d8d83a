# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was worked, as billing needs it: one value for each intervention. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import emergency_allowed

# Outcomes in which nobody worked.
IDLE = ("running", "no_hosts")


@dataclass(frozen=True)
class Said:
    """What a later row says. client None: of the whole run.

    milliseconds: the time that it really took, all told. added: time to add. agreement, ticket: which ones. contract:
    `in` or `out` after all. noted: the agreement is only a note; it counts when it is declared.
    """

    client: str | None = None
    milliseconds: int | None = None
    added: int = 0
    agreement: str | None = None
    ticket: str | None = None
    contract: str | None = None
    noted: bool = False


@dataclass(frozen=True)
class Party:
    """What the gate said of one client of the run. emergency: whether the reason given was a way on for its work."""

    contract: str | None = None
    agreement: str | None = None
    exception: str | None = None
    passed: bool = True
    emergency: bool = True


@dataclass(frozen=True)
class Work:
    """One intervention. milliseconds: its length, None when unknown. estimated: it was killed, so only until what it
    stored last. busy: milliseconds that each host was at work. results: task results seen. emergency: the reason given.
    """

    run_id: str
    started_at: str
    outcome: str = "ok"
    check_mode: bool = False
    category: str | None = None
    label: Mapping[str, str] = field(default_factory=dict)
    contract: str | None = None
    playbook: str | None = None
    operator: str | None = None
    note: str | None = None
    milliseconds: int | None = None
    estimated: bool = False
    hosts: Sequence[tuple[str, Sequence[str]]] = ()
    busy: Mapping[str, int] = field(default_factory=dict)
    parties: Mapping[str, Party] = field(default_factory=dict)
    emergency: str | None = None
    said: Sequence[Said] = ()
    results: int = 0
    named: Sequence[str] = ()

    @property
    def clients(self) -> list[str]:
        """Sorted, each once: those of its hosts, and those it was recorded for by name."""
        return sorted({*self.named, *(client for _host, owners in self.hosts for client in owners)})

    def hosts_of(self, client: str) -> tuple[str, ...]:
        """Sorted."""
        return tuple(sorted(host for host, owners in self.hosts if client in owners))

    @property
    def whole(self) -> int:
        """Milliseconds of the whole run, by the last word on it."""
        total = self.milliseconds or 0
        for one in self.said:
            if one.client is None:
                total = (total if one.milliseconds is None else one.milliseconds) + one.added
        return total

    def part(self, client: str, shared: int) -> int:
        """Milliseconds of one client, whose share of the whole is given: what is said of this client goes first."""
        own, added = shared, 0
        for one in self.said:
            if one.client is None and one.milliseconds is not None:
                own, added = shared, 0
            elif one.client == client:
                if one.milliseconds is not None:
                    own, added = one.milliseconds, 0
                added += one.added
        return own + added

    def time_was_said(self, client: str) -> bool:
        """Whether somebody has corrected the time or added to it."""
        return any(one.client in {None, client} and (one.milliseconds is not None or one.added) for one in self.said)

    def last_said(self, client: str, name: str, *, shared: bool = True) -> Said | None:
        """The last word that names an agreement (or a ticket) for this client. shared: or for all of several."""
        whose = {None, client} if shared or len(self.clients) < 2 else {client}
        found = [one for one in self.said if one.client in whose and getattr(one, name)]
        return found[-1] if found else None


def from_records(
    row: Mapping[str, Any],
    started: Mapping[str, Any],
    ended: Mapping[str, Any],
    hosts: Sequence[tuple[str, Sequence[str]]],
    gates: Sequence[Mapping[str, Any]],
    said: Sequence[Mapping[str, Any]],
) -> Work:
    """From what the ledger holds of one intervention.

    row: its line of the view `interventions`. started, ended: bodies of its ends. gates: bodies of the gate's later
    rows. said: bodies of corrections and annotations, oldest first.
    """
    scope, category = dict(started.get("scope") or {}), row["category"]
    if not any(body.get("category") for body in said):
        # Hosts that came to be known only during the run may have made it another kind of work.
        for body in gates:
            category, scope["label"] = body.get("category") or category, body.get("label") or scope.get("label")
    for body in said:
        if body.get("label"):
            scope["label"] = body["label"]
    parties: dict[str, Party] = {}
    gate: Mapping[str, Any] = started.get("gate") or {}
    for found in (gate, *gates):
        for item in found.get("clients") or []:
            if item.get("client"):
                parties[str(item["client"])] = _party(item)
    milliseconds, estimated = _length(row, ended)
    emergency = gate.get("emergency")
    return Work(
        run_id=str(row["run_id"]),
        started_at=str(row["started_at"]),
        outcome=str(row["outcome"]),
        check_mode=bool(row["check_mode"] or ended.get("check_mode")),
        category=category,
        label=dict(scope.get("label") or {}),
        contract=row["contract"],
        playbook=row["playbook"],
        operator=row["operator"],
        note=row["note"],
        milliseconds=milliseconds,
        estimated=estimated,
        hosts=tuple((host, tuple(owners)) for host, owners in hosts),
        busy={str(host): int(value) for host, value in (ended.get("busy_ms") or {}).items()},
        parties=parties,
        emergency=str(emergency) if emergency else None,
        said=tuple(_said(body) for body in said),
        named=tuple(str(name) for name in started.get("clients") or []),
        results=int((ended.get("results") or {}).get("seen") or 0),
    )


def _party(item: Mapping[str, Any]) -> Party:
    return Party(
        item.get("contract"),
        item.get("agreement"),
        item.get("exception"),
        bool(item.get("passed", True)),
        emergency_allowed(item),
    )


def _length(row: Mapping[str, Any], ended: Mapping[str, Any]) -> tuple[int | None, bool]:
    duration = ended.get("duration_seconds")
    if duration is not None:
        return _milliseconds(duration), False
    if row["ended_at"] is None:
        return None, False
    spent = datetime.fromisoformat(row["ended_at"]) - datetime.fromisoformat(row["started_at"])
    return max(0, round(spent.total_seconds() * 1000)), True


def _said(body: Mapping[str, Any]) -> Said:
    corrected, added = body.get("duration_seconds"), body.get("added_seconds")
    return Said(
        client=body.get("client"),
        milliseconds=None if corrected is None else _milliseconds(corrected),
        added=_milliseconds(added) if added else 0,
        agreement=body.get("agreement") or body.get("quote"),
        ticket=body.get("ticket"),
        contract=body.get("contract"),
        noted=not body.get("agreement"),
    )


def _milliseconds(seconds: Any) -> int:
    # Through the decimal text, as it was written: a binary float would bring its error in.
    return int(Decimal(str(seconds)) * 1000)
