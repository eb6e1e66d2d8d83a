# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How time becomes billed time: sharing, rounding, factors, working hours. A validated value; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import plain_fields as plain
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.plain_fields import TermsError

SHARINGS = ("equal", "by_host", "busy")
ROUNDINGS = ("intervention", "day")
COMBINATIONS = ("highest", "multiply")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FIELDS = (
    "sharing",
    "rounding",
    "step_minutes",
    "minimum_minutes",
    "emergency_factor",
    "out_of_hours_factor",
    "factors",
    "working_hours",
    "hourly_rate",
    "currency",
)
_HOURS = ("days", "from", "until", "holidays")


@dataclass(frozen=True)
class BillingPolicy:
    """The rules of one client.

    sharing: how a run for several clients is shared: `equal`, `by_host` (hosts), `busy` (time its hosts were at work).
    rounding: what is rounded up as one: each `intervention`, or a `day`'s work of one category and agreement.
    step_minutes, minimum_minutes: None leaves them to the category of the catalogue.
    emergency_factor, out_of_hours_factor: how much more such time counts. factors: `highest` of both, or `multiply`.
    days, opens, closes, holidays: working hours; days as 0 (Monday) to 6, minutes since midnight. No days: always.
    hourly_rate, currency: money for an hour; None when bills are made elsewhere.
    """

    sharing: str = "equal"
    rounding: str = "intervention"
    step_minutes: int | None = None
    minimum_minutes: int | None = None
    emergency_factor: Decimal = Decimal(1)
    out_of_hours_factor: Decimal = Decimal(1)
    factors: str = "highest"
    days: frozenset[int] = frozenset()
    opens: int = 0
    closes: int = 1440
    holidays: frozenset[date] = frozenset()
    hourly_rate: Decimal | None = None
    currency: str = "EUR"


def parse(content: Any, where: str, base: BillingPolicy | None = None) -> BillingPolicy:
    """Check a plain mapping and put it over a base. Raises TermsError naming the field."""
    fields = plain.mapping({} if content is None else content, where, _FIELDS)
    policy = base or BillingPolicy()
    found: dict[str, Any] = {
        "sharing": plain.choice(fields, "sharing", where, SHARINGS, policy.sharing),
        "rounding": plain.choice(fields, "rounding", where, ROUNDINGS, policy.rounding),
        "factors": plain.choice(fields, "factors", where, COMBINATIONS, policy.factors),
        "step_minutes": plain.whole(fields, "step_minutes", where, 1, 1440),
        "minimum_minutes": plain.whole(fields, "minimum_minutes", where, 0, 1440),
        "emergency_factor": _factor(fields, "emergency_factor", where),
        "out_of_hours_factor": _factor(fields, "out_of_hours_factor", where),
        "hourly_rate": plain.number(fields, "hourly_rate", where),
        "currency": _currency(fields, where),
    }
    if "working_hours" in fields:
        found |= _working_hours(fields["working_hours"], f"{where}: field 'working_hours'")
    return replace(policy, **{name: value for name, value in found.items() if value is not None})


def _factor(fields: Mapping[str, Any], name: str, where: str) -> Decimal | None:
    value = plain.number(fields, name, where, most=100)
    if value is not None and value < 1:
        raise TermsError(f"{where}: field '{name}' must be at least 1: such time never counts less")
    return value


def _currency(fields: Mapping[str, Any], where: str) -> str | None:
    value = plain.text(fields, "currency", where)
    if value is not None and not (len(value) == 3 and value.isascii() and value.isupper()):
        raise TermsError(f"{where}: field 'currency' must be three capital letters such as EUR, not {value!r}")
    return value


def _working_hours(content: Any, where: str) -> dict[str, Any]:
    fields = plain.mapping(content, where, _HOURS)
    days: set[int] = set()
    for name in plain.names(fields, "days", where):
        if name not in DAYS:
            raise TermsError(f"{where}: field 'days' holds {name!r}; it may hold {', '.join(DAYS)}")
        days.add(DAYS.index(name))
    if not days:
        raise TermsError(f"{where}: field 'days' is missing or empty")
    opens = plain.clock(fields, "from", where)
    closes = plain.clock(fields, "until", where)
    if opens is None or closes is None or opens >= closes:
        raise TermsError(f"{where}: fields 'from' and 'until' must both be given, 'from' before 'until'")
    found: dict[str, Any] = {"days": frozenset(days), "opens": opens, "closes": closes}
    if fields.get("holidays") is not None:
        # Left out, those for all clients stay.
        holidays = plain.items(fields["holidays"], f"{where}: field 'holidays'")
        found["holidays"] = frozenset(plain.day_of(item, f"{where}: field 'holidays'") for item in holidays)
    return found
