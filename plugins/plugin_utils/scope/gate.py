# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""May this run start? Decided for each client whose hosts it targets; every rule looked at is kept. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import Category
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.terms import (
    Agreement,
    ClientTerms,
    ContractException,
    Terms,
)

MODES = ("off", "warn", "block")
EMERGENCY_VARIABLE = "infogerance_emergency"
THIRD_PARTY_VARIABLE = "infogerance_third_party"
# The controller itself, as a helper beside the clients' hosts.
CONTROLLER = frozenset({"localhost", "127.0.0.1", "::1"})
REASON_LENGTH = 500
# `-e infogerance_emergency=yes` gives a text; it says no more than a flag does.
_FLAGS = frozenset({"y", "yes", "n", "no", "t", "true", "f", "false", "on", "off", "none", "null"})


@dataclass(frozen=True)
class Target:
    """One host of the run, its clients and its groups."""

    host: str
    clients: tuple[str, ...] = ()
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Check:
    """One rule looked at for one client."""

    rule: str
    passed: bool
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """A plain copy."""
        return {"rule": self.rule, "passed": self.passed, "detail": self.detail}


@dataclass(frozen=True)
class Verdict:
    """What holds for one client; client None: hosts of which nobody knows whose they are.

    used_percent: of the agreement's time, before this run; None when it has a price only.
    """

    client: str | None
    hosts: tuple[str, ...]
    contract: str
    passed: bool
    exception: str | None = None
    agreement: Agreement | None = None
    used_percent: int | None = None
    checks: tuple[Check, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As it is recorded."""
        return {
            "client": self.client,
            "contract": self.contract,
            "passed": self.passed,
            "exception": self.exception,
            "agreement": self.agreement.id if self.agreement else None,
            "agreement_kind": self.agreement.kind if self.agreement else None,
            "used_percent": self.used_percent,
            "checks": [check.as_dict() for check in self.checks],
        }


@dataclass(frozen=True)
class Decision:
    """The gate's word on a run. emergency: the reason given, else None. trouble: why nothing could be decided."""

    mode: str
    verdicts: tuple[Verdict, ...] = ()
    emergency: str | None = None
    trouble: str | None = None
    warnings: tuple[str, ...] = field(default_factory=tuple)

    @property
    def passed(self) -> bool:
        """Whether each client's work may start."""
        return self.trouble is None and all(verdict.passed for verdict in self.verdicts)

    @property
    def blocked(self) -> bool:
        """Whether the run must not start."""
        return self.mode == "block" and not self.passed

    @property
    def word(self) -> str:
        """`passed`, `warned`, `blocked`, or `off` when nobody asked and something would have been refused."""
        if self.passed:
            return "passed"
        return {"block": "blocked", "warn": "warned"}.get(self.mode, "off")

    def after(self, before: Decision, asked: Collection[str | None]) -> Decision:
        """This decision for the clients that were asked again; for the others that were known, what `before` says."""
        known = {verdict.client: verdict for verdict in before.verdicts if verdict.client not in asked}
        return replace(self, verdicts=tuple(known.get(verdict.client, verdict) for verdict in self.verdicts))

    def contract(self, otherwise: str) -> str:
        """The run's contract: out of contract as soon as it is so for one client."""
        found = {verdict.contract for verdict in self.verdicts}
        return "out" if "out" in found else "in" if found else otherwise

    def as_dict(self) -> dict[str, Any]:
        """As it is recorded. What went wrong may quote what was typed: only that it did."""
        return {
            "mode": self.mode,
            "word": self.word,
            "emergency": self.emergency,
            "undecided": self.trouble is not None,
            "clients": [verdict.as_dict() for verdict in self.verdicts],
        }


def reason(value: Any) -> str | None:
    """The reason of an emergency, when the variable holds one: a flag alone says nothing that a client could read."""
    words = " ".join(value.split()) if isinstance(value, str) else ""
    if words.casefold() in _FLAGS or not any(char.isalpha() for char in words):
        return None
    return words[:REASON_LENGTH]


def decide(
    category: Category,
    targets: Iterable[Target],
    terms: Terms,
    used: Mapping[tuple[str, str], int | None],
    *,
    mode: str,
    today: date,
    emergency: str | None = None,
    third_party: str | None = None,
) -> Decision:
    """Decide for each client. used: seconds used of each (client, agreement id); None where that could not be read."""
    verdicts = tuple(
        _verdict(category, client, hosts, terms.of(client), used, today, emergency, third_party)
        for client, hosts in _parties(targets)
    )
    warnings = tuple(_running_low(verdict) for verdict in verdicts if (verdict.used_percent or 0) >= 80)
    return Decision(mode, verdicts, emergency, None, warnings)


def _parties(targets: Iterable[Target]) -> list[tuple[str | None, dict[str, frozenset[str]]]]:
    """Each client with its hosts. Hosts of nobody come last; the controller beside others' hosts is left out."""
    found: dict[str | None, dict[str, frozenset[str]]] = {}
    for target in targets:
        for client in target.clients or (None,):
            found.setdefault(client, {})[target.host] = target.groups
    nobody = found.pop(None, {})
    if found:
        nobody = {host: groups for host, groups in nobody.items() if host not in CONTROLLER}
    parties: list[tuple[str | None, dict[str, frozenset[str]]]] = sorted(
        ((name, hosts) for name, hosts in found.items()), key=lambda party: str(party[0])
    )
    return [*parties, (None, nobody)] if nobody else parties


def _verdict(
    category: Category,
    client: str | None,
    hosts: Mapping[str, frozenset[str]],
    terms: ClientTerms,
    used: Mapping[tuple[str, str], int | None],
    today: date,
    emergency: str | None,
    third_party: str | None,
) -> Verdict:
    contract, ways, reference = str(category.contract), category.agreement, None
    exception, checks = excepted(category.name, hosts, terms, today, third_party)
    if exception is not None:
        contract, ways, reference = exception.contract, exception.agreement, exception.reference
    names = tuple(sorted(hosts))
    if contract == "in":
        return Verdict(client, names, contract, True, reference, checks=tuple(checks))
    chosen: Agreement | None = None
    percent: int | None = None
    if client is None:
        checks.append(Check("client", False, "nobody knows whose hosts these are, so nobody can have agreed"))
    for agreement in terms.agreements:
        fault, detail, its_percent = _fault(agreement, category, ways, used.get((client or "", agreement.id), 0), today)
        if not fault and chosen is not None:
            fault, detail = True, f"{chosen.id} came first"
        checks.append(Check(f"agreement {agreement.id}", not fault, detail))
        if not fault:
            chosen, percent = agreement, its_percent
    urgent = emergency is not None and "emergency" in ways
    if emergency is not None:
        checks.append(Check("emergency", urgent, "a reason was given" if urgent else "is no way on for this category"))
    return Verdict(client, names, contract, chosen is not None or urgent, reference, chosen, percent, tuple(checks))


def excepted(
    category: str,
    hosts: Mapping[str, frozenset[str]],
    terms: ClientTerms,
    today: date,
    third_party: str | None,
) -> tuple[ContractException | None, list[Check]]:
    """The exception of a client's contract that applies, the first of them, and each that was looked at.

    category: its name. hosts: the client's hosts that are worked on, each with its groups.
    """
    found: ContractException | None = None
    checks: list[Check] = []
    for exception in terms.exceptions:
        mismatch = exception.mismatch(category, hosts, third_party, today)
        if found is not None and mismatch is None:
            mismatch = f"{found.reference} came first"
        checks.append(Check(f"exception {exception.reference}", mismatch is None, mismatch or exception.contract))
        if mismatch is None:
            found = exception
    return found, checks


def _fault(
    agreement: Agreement, category: Category, ways: Sequence[str], seconds: int | None, today: date
) -> tuple[bool, str, int | None]:
    """Whether it does not pass, the detail, and how much of it is used."""
    if not agreement.covers(category.name):
        return True, f"is for {', '.join(agreement.categories)}", None
    if agreement.kind not in ways:
        return True, f"a {agreement.kind} is no way on for this category", None
    state = agreement.state(today)
    if state == "not_accepted":
        accepted = agreement.accepted_on
        return True, f"accepted only on {accepted.isoformat()}" if accepted else "not accepted yet", None
    if state == "not_yet_valid" and agreement.valid_from is not None:
        return True, f"begins on {agreement.valid_from.isoformat()}", None
    if state == "expired" and agreement.valid_until is not None:
        return True, f"expired after {agreement.valid_until.isoformat()}", None
    if agreement.seconds is None:
        return False, "valid", None
    if seconds is None:
        return True, "how much of it is used cannot be read from the ledger", None
    percent = seconds * 100 // agreement.seconds
    spoken = f"{_hours(seconds)} of {_hours(agreement.seconds)} used ({percent} %)"
    return percent >= 100 and agreement.overrun == "refuse", spoken, percent


def _running_low(verdict: Verdict) -> str:
    agreement = verdict.agreement
    name = agreement.id if agreement else ""
    state = "is used up" if (verdict.used_percent or 0) >= 100 else "is running low"
    return f"client {verdict.client}: agreement {name} {state}: {verdict.used_percent} % of its time is used"


def _hours(seconds: int) -> str:
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d}"
