# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client's statement for a period: what was worked, what of it is billed, and what is left of each agreement. Pure.

`statement(work, client=..., terms=..., categories=..., first=..., end=..., now=...)` returns a `Statement`:

- `lines`: one `Line` for each intervention and client, oldest first - run, category, contract, `milliseconds` worked,
  `billed_seconds`, agreement, emergency, and how it is billed (`bill`);
- `categories`: a `Total` for each category; `total`: of everything;
- `agreements`: one `Balance` for each declared agreement - time or price agreed, used over its whole life, left, state.

`as_dict()` of each gives plain values: whole numbers for times, text for exact decimals, so that JSON changes nothing.
`read_statement` in reading.py makes one from a ledger. `client=None` makes the lines of every client.

Time is shared, weighed and rounded exactly: milliseconds are whole numbers, factors are fractions, and the parts of a
run for several clients add up to the run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing import working_hours
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.policy import BillingPolicy
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.sharing import share, weights
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.work import IDLE, Work
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import gate
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import Billing, Category
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.terms import Agreement, Terms

THRESHOLDS = (80, 100)


@dataclass(frozen=True)
class Line:
    """One intervention for one client.

    milliseconds: this client's part of the time. out_of_hours: of those, outside working hours. billed_seconds: after
    factors and rounding. bill: `included` (in contract), `time`, `agreed` (a price was agreed), `none` (a dry run, a
    blocked run, one still running or without category). unagreed: out of contract, and no agreement is known.
    corrected: a later row changed the time. estimated: killed, so the time is what can be proved.
    """

    run_id: str
    started_at: str
    client: str
    category: str | None
    label: Mapping[str, str]
    contract: str | None
    bill: str
    milliseconds: int
    out_of_hours: int
    billed_seconds: int
    agreement: str | None
    agreement_kind: str | None
    exception: str | None
    emergency: str | None
    unagreed: bool
    amount: Decimal | None
    currency: str
    outcome: str
    check_mode: bool
    corrected: bool
    estimated: bool
    playbook: str | None
    operator: str | None
    note: str | None
    ticket: str | None
    hosts: Sequence[str]

    def as_dict(self) -> dict[str, Any]:
        """A plain copy."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            **plain,
            "label": dict(self.label),
            "amount": None if self.amount is None else str(self.amount),
            "hosts": list(self.hosts),
        }


@dataclass(frozen=True)
class Total:
    """Sums of some lines. Dry runs and blocked runs do not count."""

    lines: int = 0
    milliseconds: int = 0
    billed_seconds: int = 0
    emergency_seconds: int = 0
    unagreed: int = 0
    amounts: Mapping[str, Decimal] = field(default_factory=dict)

    def plus(self, line: Line) -> Total:
        """With one more line."""
        amounts = dict(self.amounts)
        if line.amount is not None:
            amounts[line.currency] = amounts.get(line.currency, Decimal(0)) + line.amount
        return Total(
            self.lines + 1,
            self.milliseconds + line.milliseconds,
            self.billed_seconds + line.billed_seconds,
            self.emergency_seconds + (line.billed_seconds if line.emergency else 0),
            self.unagreed + line.unagreed,
            amounts,
        )

    def as_dict(self) -> dict[str, Any]:
        """A plain copy."""
        return {
            "lines": self.lines,
            "milliseconds": self.milliseconds,
            "billed_seconds": self.billed_seconds,
            "emergency_seconds": self.emergency_seconds,
            "unagreed": self.unagreed,
            "amounts": {currency: str(amount) for currency, amount in sorted(self.amounts.items())},
        }


@dataclass(frozen=True)
class Balance:
    """One agreement and what is left of it.

    used_seconds: billed time over its whole life, until now. left_seconds: may be negative; None when only a price was
    agreed. percent: of the time, whole, rounded down. warning: 80 or 100 once that much is used, else None.
    state: `valid`, `not_accepted`, `not_yet_valid`, `expired` or `exhausted`.
    """

    client: str
    agreement: Agreement
    used_seconds: int
    left_seconds: int | None
    percent: int | None
    warning: int | None
    state: str

    def as_dict(self) -> dict[str, Any]:
        """A plain copy."""
        its = self.agreement
        return {
            "client": self.client,
            "id": its.id,
            "kind": its.kind,
            "categories": list(its.categories),
            "seconds": its.seconds,
            "amount": None if its.amount is None else str(its.amount),
            "currency": its.currency,
            "valid_from": its.valid_from and its.valid_from.isoformat(),
            "valid_until": its.valid_until and its.valid_until.isoformat(),
            "accepted_by": its.accepted_by,
            "accepted_on": its.accepted_on and its.accepted_on.isoformat(),
            "used_seconds": self.used_seconds,
            "left_seconds": self.left_seconds,
            "percent": self.percent,
            "warning": self.warning,
            "state": self.state,
        }


@dataclass(frozen=True)
class Statement:
    """See this file's beginning."""

    client: str | None
    lines: Sequence[Line]
    categories: Mapping[str, Total]
    total: Total
    agreements: Sequence[Balance]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, templates and results."""
        return {
            "client": self.client,
            "lines": [line.as_dict() for line in self.lines],
            "categories": {name: total.as_dict() for name, total in self.categories.items()},
            "total": self.total.as_dict(),
            "agreements": [balance.as_dict() for balance in self.agreements],
        }


def statement(
    work: Iterable[Work],
    *,
    client: str | None,
    terms: Terms,
    categories: Mapping[str, Category],
    first: str,
    end: str,
    now: datetime,
) -> Statement:
    """The statement from first (included) to end (excluded), both as stored stamps.

    work: every intervention that counts for the period or for an agreement's balance. now: decides what is expired.
    """
    every = lines(work, client=client, terms=terms, categories=categories)
    found = [line for line in every if first <= line.started_at < end]
    total = Total()
    by_category: dict[str, Total] = {}
    for line in found:
        if line.bill == "none":
            continue
        total = total.plus(line)
        name = line.category or ""
        by_category[name] = by_category.get(name, Total()).plus(line)
    used = used_seconds(every)
    clients = sorted(terms.clients) if client is None else [client]
    return Statement(
        client,
        found,
        {name: by_category[name] for name in sorted(by_category)},
        total,
        [
            balance(name, agreement, used.get((name, agreement.id), 0), terms, now)
            for name in clients
            for agreement in terms.of(name).agreements
        ],
    )


def balance(client: str, agreement: Agreement, used: int, terms: Terms, now: datetime) -> Balance:
    """What is left of an agreement of which that many seconds are used."""
    state = agreement.state(terms.today(now))
    if agreement.seconds is None:
        return Balance(client, agreement, used, None, None, None, state)
    percent = used * 100 // agreement.seconds
    reached = [threshold for threshold in THRESHOLDS if percent >= threshold]
    if state == "valid" and percent >= 100:
        state = "exhausted"
    return Balance(client, agreement, used, agreement.seconds - used, percent, reached[-1] if reached else None, state)


def used_seconds(every: Iterable[Line]) -> dict[tuple[str, str], int]:
    """Billed seconds of each client's agreement."""
    used: defaultdict[tuple[str, str], int] = defaultdict(int)
    for line in every:
        if line.agreement is not None:
            used[(line.client, line.agreement)] += line.billed_seconds
    return dict(used)


def lines(work: Iterable[Work], *, client: str | None, terms: Terms, categories: Mapping[str, Category]) -> list[Line]:
    """Every line of that client, or of all, oldest first, rounded by each client's policy."""
    found: list[tuple[Line, Fraction]] = []
    for item in sorted(work, key=lambda one: (one.started_at, one.run_id)):
        clients = item.clients
        parts = share(item.whole, weights(terms.billing.sharing, clients, item.hosts, item.busy))
        for name, part in zip(clients, parts, strict=True):
            if client is None or name == client:
                found.append(_line(item, name, item.part(name, part), terms))
    return _rounded(found, terms, categories)


def _line(item: Work, client: str, milliseconds: int, terms: Terms) -> tuple[Line, Fraction]:
    """A line before rounding, and its time with factors, in milliseconds."""
    its = terms.of(client)
    party = item.parties.get(client)
    corrected = item.time_was_said(client)
    contract, exception = _contract(item, client, terms)
    agreement, declared = _agreement(item, client, terms)
    emergency = item.emergency if contract == "out" and (party is None or party.emergency) else None
    # What is noted of a run for several clients may be one's own business: it goes to nobody, as in the report. So
    # does the note of a correction, below.
    ticket = item.last_said(client, "ticket", shared=False)
    span = max(item.whole, milliseconds)
    outside = working_hours.outside(datetime.fromisoformat(item.started_at), span, its.billing, terms.zone)
    _inside, out_of_hours = share(milliseconds, [max(0, span - outside), outside])
    refused = item.outcome == "blocked" and (item.results == 0 or (party is not None and not party.passed))
    if item.check_mode or refused or contract is None or (item.outcome in IDLE and not corrected):
        bill = "none"
    elif contract == "in":
        bill = "included"
    else:
        bill = "agreed" if declared is not None and declared.amount is not None else "time"
    weighed = Fraction(0)
    if bill in {"time", "agreed"}:
        inside_factor, outside_factor = _factors(its.billing, bool(emergency))
        weighed = (milliseconds - out_of_hours) * inside_factor + out_of_hours * outside_factor
    line = Line(
        run_id=item.run_id,
        started_at=item.started_at,
        client=client,
        category=item.category,
        label=item.label,
        contract=contract,
        bill=bill,
        milliseconds=milliseconds,
        out_of_hours=out_of_hours,
        billed_seconds=0,
        agreement=agreement if bill in {"time", "agreed"} else None,
        agreement_kind=declared.kind if declared is not None and bill in {"time", "agreed"} else None,
        exception=exception,
        emergency=emergency,
        unagreed=bill in {"time", "agreed"} and agreement is None,
        amount=None,
        currency=its.billing.currency,
        outcome=item.outcome,
        check_mode=item.check_mode,
        corrected=corrected,
        estimated=item.estimated and not corrected,
        playbook=item.playbook,
        operator=item.operator,
        note=item.note if len(item.clients) < 2 else None,
        ticket=ticket.ticket if ticket is not None else None,
        hosts=item.hosts_of(client),
    )
    return line, weighed


def _contract(item: Work, client: str, terms: Terms) -> tuple[str | None, str | None]:
    """In or out of contract for this client, and the exception that says so.

    The gate has judged the kind of work that it knew of. A corrected one is held against the exceptions anew, by what
    the record tells: it has no groups of hosts and no third party.
    """
    party = item.parties.get(client)
    if not any(one.contract for one in item.said):
        if party is None:
            return item.contract, None
        return party.contract or item.contract, party.exception
    day = terms.today(datetime.fromisoformat(item.started_at))
    hosts: dict[str, frozenset[str]] = dict.fromkeys(item.hosts_of(client), frozenset())
    exception, _checks = gate.excepted(item.category or "", hosts, terms.of(client), day, None)
    return (item.contract, None) if exception is None else (exception.contract, exception.reference)


def _agreement(item: Work, client: str, terms: Terms) -> tuple[str | None, Agreement | None]:
    """Which agreement the work rests on, by name and as it is declared: what was noted last, else what the gate took.

    A note counts when the agreement is declared and accepted, covers the work, and had not expired. What the gate took
    stands, unless the work was corrected to a kind that it does not cover.
    """
    declared = {one.id: one for one in terms.of(client).agreements}
    party, said = item.parties.get(client), item.last_said(client, "agreement")
    category, day = item.category or "", terms.today(datetime.fromisoformat(item.started_at))
    if said is not None:
        one = declared.get(said.agreement or "")
        accepted = one is not None and one.accepted_on is not None and day <= (one.valid_until or day)
        if not said.noted or (one is not None and accepted and one.covers(category)):
            return said.agreement, one
    if party is not None and party.agreement is not None:
        one = declared.get(party.agreement)
        if one is None or one.covers(category) or not any(word.contract for word in item.said):
            return party.agreement, one
    return None, None


def _rounded(found: Sequence[tuple[Line, Fraction]], terms: Terms, categories: Mapping[str, Category]) -> list[Line]:
    groups: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
    for position, (line, weighed) in enumerate(found):
        if weighed > 0:
            key: tuple[Any, ...] = (line.client, line.run_id)
            if terms.of(line.client).billing.rounding == "day":
                day = datetime.fromisoformat(line.started_at).astimezone(terms.zone).date()
                key = (line.client, day, line.category, line.agreement, line.emergency is not None)
            groups[key].append(position)
    result = [line for line, _weighed in found]
    for positions in groups.values():
        line = result[positions[0]]
        policy = terms.of(line.client).billing
        step, least = _steps(policy, categories.get(line.category or ""))
        billed = round_up(sum((found[position][1] for position in positions), Fraction(0)), step, least)
        # Steps and minimum are whole minutes, and so are the parts: a tool that takes the started minute would make
        # more of them than was billed.
        parts = [60 * part for part in share(billed // 60, [found[position][1] for position in positions])]
        amounts: list[Decimal | None] = [None] * len(parts)
        if policy.hourly_rate is not None and line.bill == "time":
            # Rounded once for what is rounded as one: prices of the parts would not add up to that of the whole.
            cents = int(money(billed, policy.hourly_rate).scaleb(2))
            amounts = [Decimal(part).scaleb(-2) for part in share(cents, parts)]
        for position, part, amount in zip(positions, parts, amounts, strict=True):
            result[position] = replace(result[position], billed_seconds=part, amount=amount)
    return result


def round_up(milliseconds: Fraction, step: int, least: int) -> int:
    """Seconds for each started step, and no fewer than the least; nothing for no time at all. step, least: seconds."""
    if milliseconds <= 0:
        return 0
    steps = -(-milliseconds // (step * 1000))
    return max(int(steps) * step, least)


def money(seconds: int, hourly_rate: Decimal) -> Decimal:
    """The price of that time, to the cent, half a cent up."""
    cents = Fraction(hourly_rate) * seconds / 36 + Fraction(1, 2)
    return Decimal(cents.numerator // cents.denominator).scaleb(-2)


def _steps(policy: BillingPolicy, category: Category | None) -> tuple[int, int]:
    usual = category.billing if category is not None else Billing()
    step = usual.step_minutes if policy.step_minutes is None else policy.step_minutes
    least = usual.minimum_minutes if policy.minimum_minutes is None else policy.minimum_minutes
    return step * 60, least * 60


def _factors(policy: BillingPolicy, emergency: bool) -> tuple[Fraction, Fraction]:
    urgent = Fraction(policy.emergency_factor) if emergency else Fraction(1)
    outside = Fraction(policy.out_of_hours_factor)
    return urgent, urgent * outside if policy.factors == "multiply" else max(urgent, outside)
