# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From which value on is something an alert, how long may it wait, and who is told? Checked and made plain. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import plain_fields as plain
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import third_parties
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import LANGUAGES
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.plain_fields import TermsError

# In order of rising criticality. Monitoring plugins have the same two words.
CRITICALITIES = ("warning", "critical")
KINDS = ("disk", "inodes", "memory", "load", "certificate", "check")
# Of these, less is worse.
FALLING = ("memory", "certificate")
_THRESHOLD = ("kind", "name", "warning", "critical", "margin", "ignore")
_SCHEDULE = ("deadline_hours", "reminder_hours")
_RECIPIENT = ("name", "address", "language", "means")
# How a notice gets there: a file in a directory, or an e-mail.
MEANS = ("file", "email")
LONGEST_HOURS = 24 * 366


@dataclass(frozen=True)
class Threshold:
    """For what it is (`name` is a glob), the two limits, and by how much a value must be better before it is over.

    ignore: whether no alert is wanted at all. A check brings its own limits.
    """

    kind: str
    name: str = "*"
    warning: float | None = None
    critical: float | None = None
    margin: float = 0.0
    ignore: bool = False

    def holds(self, kind: str, name: str) -> bool:
        """Whether it is for this thing."""
        return kind == self.kind and fnmatchcase(name, self.name)

    def level(self, value: float, better_by: float = 0.0) -> str | None:
        """How critical the value is. better_by: how much worse it is looked at."""
        for criticality, limit in (("critical", self.critical), ("warning", self.warning)):
            if limit is None:
                continue
            if value - better_by <= limit if self.kind in FALLING else value + better_by >= limit:
                return criticality
        return None

    def limit(self, criticality: str) -> float | None:
        """The value that makes it so critical."""
        return self.critical if criticality == "critical" else self.warning


# What holds where nothing is declared: percent used, percent available, load for each processor, days.
BUILTIN = (
    Threshold("disk", "*", 85, 95, 3),
    Threshold("inodes", "*", 85, 95, 3),
    Threshold("memory", "*", 10, 5, 3),
    Threshold("load", "*", 2, 4, 0.5),
    Threshold("certificate", "*", 21, 7, 0),
    Threshold("check"),
)


@dataclass(frozen=True)
class Schedule:
    """deadline: how long an alert may wait. reminder: how long after being told somebody is told again."""

    deadline: timedelta
    reminder: timedelta


@dataclass(frozen=True)
class Recipient:
    """Who is told, and by which of MEANS. address: where, as it is written on the notice."""

    name: str
    address: str = ""
    language: str = "fr"
    means: str = "file"


@dataclass(frozen=True)
class Policy:
    """All that was declared for one host. reminders_needed: so many must be unanswered before it is inaction."""

    thresholds: tuple[Threshold, ...] = BUILTIN
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    reminders_needed: int = 2
    recipients: tuple[Recipient, ...] = ()

    def threshold(self, kind: str, name: str) -> Threshold | None:
        """The first that is for this thing; None where no alert is wanted."""
        found = next((item for item in self.thresholds if item.holds(kind, name)), None)
        return None if found is None or found.ignore else found


def parse(content: Mapping[str, Any], where: str) -> Policy:
    """Check what one host declares: thresholds, schedule, reminders_needed, recipients. Raises TermsError."""
    declared = plain.items(content.get("thresholds"), f"{where}: thresholds")
    recipients = plain.items(content.get("recipients"), f"{where}: recipients")
    schedule = plain.mapping(content.get("schedule") or {}, f"{where}: schedule", CRITICALITIES)
    needed = plain.whole(content, "reminders_needed", where, 1, 100)
    return Policy(
        thresholds=(
            *(_threshold(item, f"{where}: thresholds: entry {number}") for number, item in enumerate(declared, 1)),
            *BUILTIN,
        ),
        schedules={name: _schedule(schedule.get(name), f"{where}: schedule: {name}") for name in CRITICALITIES},
        reminders_needed=2 if needed is None else needed,
        recipients=tuple(
            _recipient(item, f"{where}: recipients: entry {number}") for number, item in enumerate(recipients, 1)
        ),
    )


def _threshold(content: Any, where: str) -> Threshold:
    # Ansible fills in what an option does not say with null.
    given = {key: value for key, value in plain.mapping(content, where).items() if value is not None}
    fields = plain.mapping(given, where, _THRESHOLD)
    kind = plain.choice(fields, "kind", where, KINDS, None)
    name = plain.text(fields, "name", where) or "*"
    where = f"{where} ({kind} {name})"
    ignore = fields.get("ignore", False)
    if not isinstance(ignore, bool):
        raise TermsError(f"{where}: field 'ignore' must be true or false, not {ignore!r}")
    warning, critical = (_number(fields, key, where) for key in CRITICALITIES)
    margin = _number(fields, "margin", where, least=-1)
    if margin is not None and margin < 0:
        raise TermsError(f"{where}: field 'margin' cannot be less than nothing: {margin:g}")
    if kind == "check" and not (warning is critical is margin is None):
        raise TermsError(f"{where}: a check brings its own limits: leave 'warning', 'critical' and 'margin' out")
    if kind != "check" and not ignore and warning is critical is None:
        raise TermsError(f"{where}: one of the fields 'warning' and 'critical' is needed, or 'ignore'")
    if warning is not None and critical is not None:
        wrong = critical > warning if kind in FALLING else critical < warning
        if wrong:
            raise TermsError(
                f"{where}: field 'critical' ({critical:g}) would be reached before 'warning' ({warning:g})"
            )
    if kind in ("disk", "inodes", "memory"):
        for key, value in (("warning", warning), ("critical", critical)):
            if value is not None and value > 100:
                raise TermsError(f"{where}: field '{key}' is a percentage: {value:g} is more than 100")
    builtin = next(item for item in BUILTIN if item.kind == kind)
    return Threshold(kind, name, warning, critical, builtin.margin if margin is None else margin, ignore)


def _number(fields: Mapping[str, Any], name: str, where: str, least: int = 0) -> float | None:
    found = plain.number(fields, name, where, above=least)
    return None if found is None else float(found)


def _schedule(content: Any, where: str) -> Schedule:
    fields = plain.mapping(content or {}, where, _SCHEDULE)
    hours = []
    for name in _SCHEDULE:
        value = plain.number(fields, name, where, most=LONGEST_HOURS)
        if value is None:
            raise TermsError(f"{where}: field '{name}' is missing")
        hours.append(timedelta(hours=float(value)))
    return Schedule(*hours)


def _recipient(content: Any, where: str) -> Recipient:
    given = {key: value for key, value in plain.mapping(content, where).items() if value is not None}
    fields = plain.mapping(given, where, _RECIPIENT)
    # One line each: they become the head of a notice.
    name = " ".join(str(plain.text(fields, "name", where, required=True)).split())
    address = " ".join((plain.text(fields, "address", where) or "").split())
    means = plain.choice(fields, "means", where, MEANS, "file")
    if means == "email" and not third_parties.EMAIL.match(address):
        raise TermsError(f"{where} ({name}): field 'address': {address!r} is no e-mail address")
    return Recipient(name, address, plain.choice(fields, "language", where, LANGUAGES, "fr"), means)
