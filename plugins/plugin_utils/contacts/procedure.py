# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who must be contacted, in which case, when, by what means: checked and made plain. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.contacts import weekly
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import plain_fields as plain
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import third_parties
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import LANGUAGES
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.plain_fields import TermsError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.terms import Contact, ThirdParty

# Whose people they are: the client's, ours, a third party's, the level-1 support of the client's own users.
SIDES = ("client", "provider", "third_party", "level1")
MEANS = ("phone", "email", "url")
# Case -> whose people answer, and whether at any hour.
REQUIRED: Mapping[str, tuple[str, bool]] = {
    "incident": ("client", True),
    "security_incident": ("client", True),
    "resource_alert": ("client", False),
    "access_change": ("client", False),
    "planned_maintenance": ("client", False),
    "support_request": ("provider", False),
    "emergency": ("provider", True),
    "third_party_incident": ("third_party", True),
    "end_user_request": ("level1", False),
}
_TOP = ("client", "language", "timezone", "reviewed_on", "review_days", "contacts", "cases", "not_applicable")
_CONTACT = ("id", "side", "name", "role", "email", "phone", "url", "reviewed_on")
_CASE = ("case", "side", "label", "always", "note", "windows")
_WINDOW = ("days", "from", "to", "steps")
_STEP = ("contact", "by", "after_minutes")
_ID = re.compile(r"[a-z0-9][a-z0-9_.:-]{0,63}\Z")


@dataclass(frozen=True)
class Person:
    """One contact: `values` as third_parties.Contact has them."""

    id: str
    side: str
    contact: Contact
    reviewed_on: date | None = None

    def means(self, by: str) -> str:
        """The number or address of a means; empty where there is none."""
        return str(getattr(self.contact, by))


@dataclass(frozen=True)
class Step:
    """One step of an escalation. after_minutes: counted from the first."""

    contact: str
    by: str
    after_minutes: int


@dataclass(frozen=True)
class Window:
    """When these steps hold."""

    span: weekly.Span
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Case:
    """One case. label: of a case of the client's own, by language; the built-in ones have words."""

    name: str
    side: str
    always: bool
    windows: tuple[Window, ...]
    label: Mapping[str, str] | None = None
    note: str = ""


@dataclass(frozen=True)
class Procedure:
    """The whole page. not_applicable: required cases that this client does not have, with the reason."""

    client: str
    language: str
    zone_name: str
    reviewed_on: date
    review_days: int
    people: tuple[Person, ...]
    cases: tuple[Case, ...]
    not_applicable: Mapping[str, str]

    @property
    def review_due(self) -> date:
        """By when it is to be looked through again."""
        return self.reviewed_on + timedelta(days=self.review_days)

    def person(self, number: str) -> Person:
        """A contact by its id."""
        return next(one for one in self.people if one.id == number)

    def overdue(self, today: date) -> list[str]:
        """One sentence for each review that is overdue."""
        return [
            f"{'the page' if who is None else f'contact {who.id}'} was to be reviewed by {due.isoformat()}"
            for who, _reviewed, due in self._reviews()
            if today > due
        ]

    @property
    def reviews(self) -> list[dict[str, Any]]:
        """For the ledger: `contact` (a name, None for the whole page), `reviewed_on` and `due`."""
        return [
            {
                "contact": who.contact.name if who else None,
                "reviewed_on": reviewed.isoformat(),
                "due": due.isoformat(),
            }
            for who, reviewed, due in self._reviews()
        ]

    def _reviews(self) -> list[tuple[Person | None, date, date]]:
        """The page's, and those of contacts that have one of their own: whose, when, and when again."""
        dated = [(one, one.reviewed_on) for one in self.people if one.reviewed_on]
        return [
            (who, reviewed, reviewed + timedelta(days=self.review_days))
            for who, reviewed in [(None, self.reviewed_on), *dated]
        ]

    @property
    def unused(self) -> list[str]:
        """Contacts that no case leads to."""
        used = {step.contact for case in self.cases for window in case.windows for step in window.steps}
        return [one.id for one in self.people if one.id not in used]

    def as_dict(self) -> dict[str, Any]:
        """A plain copy in one order, by which a change is known."""
        return {
            "client": self.client,
            "language": self.language,
            "timezone": self.zone_name,
            "reviewed_on": self.reviewed_on.isoformat(),
            "review_days": self.review_days,
            "contacts": {
                one.id: {
                    "side": one.side,
                    **{key: value for key, value in asdict(one.contact).items() if value},
                    "reviewed_on": one.reviewed_on.isoformat() if one.reviewed_on else None,
                }
                for one in self.people
            },
            "cases": {
                case.name: {
                    "side": case.side,
                    "always": case.always,
                    "label": dict(case.label) if case.label else None,
                    "note": case.note,
                    "windows": [
                        {"when": window.span.as_dict(), "steps": [asdict(step) for step in window.steps]}
                        for window in case.windows
                    ],
                }
                for case in self.cases
            },
            "not_applicable": dict(self.not_applicable),
        }


def today_of(content: Any, now: datetime) -> date:
    """The day that it is where the procedure's times are. What is no zone is refused by `parse`."""
    zone = plain.zone({"timezone": content.get("timezone")}, "timezone", "contact_page")
    return now.astimezone(ZoneInfo(zone or "UTC")).date()


def parse(content: Any, today: date, parties: Sequence[ThirdParty] = ()) -> Procedure:
    """Check what is declared. parties: the client's register; its contacts are there as `<party>:<number>`.

    Raises TermsError at the first fault, naming entry and field.
    """
    fields = plain.mapping(_given(content), "contact_page", _TOP)
    where = "contact_page"
    reviewed = plain.day(fields, "reviewed_on", where)
    if reviewed is None:
        raise TermsError(f"{where}: field 'reviewed_on' is missing: when was the page last looked through?")
    if reviewed > today:
        raise TermsError(f"{where}: field 'reviewed_on' lies in the future: {reviewed.isoformat()}")
    people = [*_people(fields, today), *_of_register(parties)]
    ids = [one.id for one in people]
    twice = next((number for number in ids if ids.count(number) > 1), None)
    if twice:
        raise TermsError(f"contacts: contact '{twice}': field 'id' is used twice")
    procedure = Procedure(
        client=str(plain.text(fields, "client", where, required=True)),
        language=plain.choice(fields, "language", where, LANGUAGES, "fr"),
        zone_name=plain.zone(fields, "timezone", where) or "UTC",
        reviewed_on=reviewed,
        review_days=plain.whole(fields, "review_days", where, 1, 3660) or 180,
        people=tuple(people),
        cases=_cases(fields, {one.id: one for one in people}),
        not_applicable=_not_applicable(fields),
    )
    _covered(procedure)
    return procedure


def _given(content: Any) -> Any:
    # Ansible fills in what an option does not say with null.
    return (
        {key: value for key, value in content.items() if value is not None} if isinstance(content, Mapping) else content
    )


def _people(fields: Mapping[str, Any], today: date) -> list[Person]:
    found = []
    for number, item in enumerate(plain.items(fields.get("contacts"), "contacts"), start=1):
        given = plain.mapping(_given(item), f"contacts: entry {number}")
        identity = str(plain.text(given, "id", f"contacts: entry {number}", required=True))
        where = f"contacts: contact '{identity}'"
        plain.mapping(given, where, _CONTACT)
        if not _ID.match(identity):
            raise TermsError(f"{where}: field 'id' may hold a-z, 0-9 and . _ : - only")
        reviewed = plain.day(given, "reviewed_on", where)
        if reviewed is not None and reviewed > today:
            raise TermsError(f"{where}: field 'reviewed_on' lies in the future: {reviewed.isoformat()}")
        values = {key: value for key, value in given.items() if key in ("name", "role", *MEANS)}
        side = plain.choice(given, "side", where, SIDES, None)
        found.append(Person(identity, side, third_parties.contact(values, where), reviewed))
    return found


def _of_register(parties: Sequence[ThirdParty]) -> list[Person]:
    found = []
    for party in parties:
        for number, contact in enumerate(party.contacts, start=1):
            role = f"{party.name}, {contact.role}" if contact.role else party.name
            named = Contact(contact.name, role, contact.email, contact.phone, contact.url)
            found.append(Person(f"{party.name}:{number}", "third_party", named))
    return found


def _cases(fields: Mapping[str, Any], people: Mapping[str, Person]) -> tuple[Case, ...]:
    found: list[Case] = []
    for number, item in enumerate(plain.items(fields.get("cases"), "cases"), start=1):
        given = plain.mapping(_given(item), f"cases: entry {number}")
        name = str(plain.text(given, "case", f"cases: entry {number}", required=True))
        where = f"cases: case '{name}'"
        plain.mapping(given, where, _CASE)
        if any(name == other.name for other in found):
            raise TermsError(f"{where}: field 'case' is used twice")
        found.append(_case(name, given, where, people))
    return tuple(found)


def _case(name: str, given: Mapping[str, Any], where: str, people: Mapping[str, Person]) -> Case:
    known = REQUIRED.get(name)
    label = None
    if known is None:
        label = plain.mapping(given.get("label") or {}, f"{where}: field 'label'", LANGUAGES)
        for language in LANGUAGES:
            plain.text(label, language, f"{where}: field 'label'", required=True)
    elif "label" in given or "side" in given:
        raise TermsError(f"{where}: is built in: leave 'label' and 'side' out")
    side = known[0] if known else plain.choice(given, "side", where, SIDES, None)
    always = given.get("always", known[1] if known else False)
    if not isinstance(always, bool):
        raise TermsError(f"{where}: field 'always' must be true or false, not {always!r}")
    if known and known[1] and not always:
        raise TermsError(f"{where}: field 'always': this case may come at any hour")
    windows: list[Window] = []
    for number, item in enumerate(plain.items(given.get("windows"), f"{where}: field 'windows'"), start=1):
        windows.append(_window(item, f"{where}: window {number}", side, people))
    if not windows:
        raise TermsError(f"{where}: field 'windows' is missing or empty: nobody would be contacted")
    overlap = weekly.overlap([window.span for window in windows])
    if overlap is not None:
        raise TermsError(f"{where}: field 'windows': two of them hold on {weekly.spoken(overlap)}")
    gap = weekly.gap([window.span for window in windows]) if always else None
    if gap is not None:
        raise TermsError(f"{where}: field 'windows': nobody is contacted on {weekly.spoken(gap)}")
    return Case(name, side, always, tuple(windows), label, plain.text(given, "note", where) or "")


def _window(content: Any, where: str, side: str, people: Mapping[str, Person]) -> Window:
    fields = plain.mapping(_given(content), where, _WINDOW)
    span = weekly.parse(fields, where)
    steps: list[Step] = []
    for number, item in enumerate(plain.items(fields.get("steps"), f"{where}: field 'steps'"), start=1):
        at = f"{where}: step {number}"
        given = plain.mapping(_given(item), at, _STEP)
        contact = str(plain.text(given, "contact", at, required=True))
        if contact not in people:
            raise TermsError(f"{at}: field 'contact': there is no contact {contact!r}")
        by = plain.choice(given, "by", at, MEANS, None)
        if not people[contact].means(by):
            raise TermsError(f"{at}: field 'by': contact {contact!r} has no {by}")
        after = plain.whole(given, "after_minutes", at, 0, 7 * 1440) or 0
        if not steps and after:
            raise TermsError(f"{at}: field 'after_minutes': the first step is taken at once")
        if steps and after <= steps[-1].after_minutes:
            raise TermsError(
                f"{at}: field 'after_minutes' must be more than the step's before ({steps[-1].after_minutes})"
            )
        steps.append(Step(contact, by, after))
    if not steps:
        raise TermsError(f"{where}: field 'steps' is missing or empty: nobody would be contacted")
    if people[steps[0].contact].side != side:
        raise TermsError(f"{where}: step 1: field 'contact': {steps[0].contact!r} is not of the side {side!r}")
    return Window(span, tuple(steps))


def _not_applicable(fields: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, item in enumerate(plain.items(fields.get("not_applicable"), "not_applicable"), start=1):
        where = f"not_applicable: entry {number}"
        given = plain.mapping(item, where, ("case", "reason"))
        name = plain.choice(given, "case", where, tuple(REQUIRED), None)
        if name in found:
            raise TermsError(f"{where}: case '{name}': field 'case' is used twice")
        found[name] = str(plain.text(given, "reason", where, required=True))
    return found


def _covered(procedure: Procedure) -> None:
    there = {case.name for case in procedure.cases}
    for name in REQUIRED:
        if name in there and name in procedure.not_applicable:
            raise TermsError(f"not_applicable: case '{name}' is declared, too")
        if name not in there and name not in procedure.not_applicable:
            raise TermsError(f"cases: the required case '{name}' is missing: declare it, or say why it does not apply")
