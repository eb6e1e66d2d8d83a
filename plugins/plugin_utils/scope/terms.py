# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was agreed with each client, as values: agreements, exceptions from the catalogue, billing. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any
from zoneinfo import ZoneInfo

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.policy import BillingPolicy

KINDS = ("quote", "time_count")
OVERRUNS = ("refuse", "allow")


@dataclass(frozen=True)
class Agreement:
    """One accepted quote or time-count contract (or one that waits to be accepted).

    categories: what it covers; empty means every category. seconds: its time; None when it has a price only.
    valid_from, valid_until: first and last day, None when open. overrun: whether work may start once it is used up.
    """

    id: str
    kind: str
    categories: tuple[str, ...] = ()
    seconds: int | None = None
    amount: Decimal | None = None
    currency: str = "EUR"
    valid_from: date | None = None
    valid_until: date | None = None
    accepted_by: str | None = None
    accepted_on: date | None = None
    overrun: str = "refuse"

    def covers(self, category: str) -> bool:
        """Whether it is for this kind of work."""
        return not self.categories or category in self.categories

    def state(self, today: date) -> str:
        """`valid`, `not_accepted`, `not_yet_valid` or `expired`, whatever was used of it."""
        if self.accepted_on is None or self.accepted_on > today:
            return "not_accepted"
        if self.valid_from is not None and today < self.valid_from:
            return "not_yet_valid"
        if self.valid_until is not None and today > self.valid_until:
            return "expired"
        return "valid"


@dataclass(frozen=True)
class ContractException:
    """Where one client's contract differs from the catalogue: hardware that we maintain, a direct contact agreed upon.

    reference: where that is written. hosts, host_groups, third_parties: globs; each that is given must hold.
    """

    reference: str
    category: str
    contract: str
    hosts: tuple[str, ...] = ()
    host_groups: tuple[str, ...] = ()
    third_parties: tuple[str, ...] = ()
    agreement: tuple[str, ...] = ()
    valid_from: date | None = None
    valid_until: date | None = None

    def mismatch(
        self, category: str, hosts: Mapping[str, frozenset[str]], third_party: str | None, today: date
    ) -> str | None:
        """Why it does not apply; None when it does. hosts: the client's hosts of this run, each with its groups."""
        if category != self.category:
            return f"is for {self.category}"
        if self.valid_from is not None and today < self.valid_from:
            return f"begins on {self.valid_from.isoformat()}"
        if self.valid_until is not None and today > self.valid_until:
            return f"ended on {self.valid_until.isoformat()}"
        if not hosts and (self.hosts or self.host_groups):
            return "is for some hosts, and none is named"
        for host, groups in sorted(hosts.items()):
            if self.hosts and not _any(self.hosts, [host]):
                return f"is not for host {host}"
            if self.host_groups and not _any(self.host_groups, groups):
                return f"is not for the groups of host {host}"
        if self.third_parties and third_party is None:
            return f"is for {', '.join(self.third_parties)}, and no third party is named"
        if self.third_parties and third_party is not None and not _any(self.third_parties, [third_party]):
            return f"is for {', '.join(self.third_parties)}, not for the third party that is named"
        return None


@dataclass(frozen=True)
class Contact:
    """Whom to reach, by at least one means."""

    name: str
    role: str = ""
    email: str = ""
    phone: str = ""
    url: str = ""


@dataclass(frozen=True)
class Announcement:
    """What a third party told. starts, ends: moments; ends None: nobody knows. announced_on, passed_on: days."""

    reference: str
    kind: str
    summary: str
    starts: datetime
    ends: datetime | None = None
    announced_on: date | None = None
    passed_on: date | None = None
    hosts: tuple[str, ...] = ()
    cancelled: bool = False


@dataclass(frozen=True)
class ThirdParty:
    """One entry of a client's register. direct: the exception that a direct contact agreed beforehand makes."""

    name: str
    kind: str
    contacts: tuple[Contact, ...] = ()
    customer_reference: str = ""
    direct: ContractException | None = None
    announcements: tuple[Announcement, ...] = ()


@dataclass(frozen=True)
class ClientTerms:
    """All that was agreed with one client. exports: what other tools call it; see docs/billing.md.

    exceptions: those that agreed direct contacts with third parties make are among them.
    """

    agreements: tuple[Agreement, ...] = ()
    exceptions: tuple[ContractException, ...] = ()
    third_parties: tuple[ThirdParty, ...] = ()
    billing: BillingPolicy = field(default_factory=BillingPolicy)
    language: str = "fr"
    exports: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Terms:
    """The terms of all clients. zone_name: whose midnights begin a day."""

    clients: Mapping[str, ClientTerms] = field(default_factory=dict)
    billing: BillingPolicy = field(default_factory=BillingPolicy)
    zone_name: str = "UTC"

    def of(self, client: str | None) -> ClientTerms:
        """That client's terms, or those of a client of whom nothing is declared."""
        return self.clients.get(client or "") or ClientTerms(billing=self.billing)

    @property
    def zone(self) -> tzinfo:
        """The time zone of days and working hours."""
        return UTC if self.zone_name == "UTC" else ZoneInfo(self.zone_name)

    def today(self, now: datetime) -> date:
        """The day of that moment."""
        return now.astimezone(self.zone).date()


def _any(patterns: tuple[str, ...], names: Any) -> bool:
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
