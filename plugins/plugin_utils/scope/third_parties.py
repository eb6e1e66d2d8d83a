# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check a client's third parties: who they are, whom to reach, what they announced, what was agreed. No I/O.

A direct contact that was agreed beforehand is an exception from the catalogue, so the gate needs nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import plain_fields as plain
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.plain_fields import TermsError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.terms import (
    Announcement,
    Contact,
    ContractException,
    ThirdParty,
)

# What a direct contact is about, in the catalogue.
CATEGORY = "third_party_contact"
KINDS = (
    *("datacenter", "hosting_provider", "network_operator", "registrar", "certificate_authority", "subcontractor"),
    *("software_vendor", "hardware_vendor", "service_provider", "other"),
)
ANNOUNCEMENTS = ("delivery", "maintenance", "incident")
_PARTY = ("name", "kind", "contacts", "customer_reference", "direct_contact", "announcements")
_CONTACT = ("name", "role", "email", "phone", "url")
_MEANS = ("email", "phone", "url")
_DIRECT = ("reference", "agreed_on", "valid_from", "valid_until", "hosts")
_ANNOUNCEMENT = ("reference", "kind", "summary", "starts", "ends", "announced_on", "passed_on", "hosts", "cancelled")
_GLOB = re.compile(r"[*?\[\]]")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+\Z")
_PHONE = re.compile(r"\+?[0-9][0-9 ().-]{3,24}\Z")


def parse(content: Any, where: str, zone: tzinfo) -> tuple[ThirdParty, ...]:
    """A client's register. where: names the client. zone: whose clock the announcements go by. Raises TermsError."""
    found: list[ThirdParty] = []
    for position, item in enumerate(plain.items(content, f"{where}: field 'third_parties'"), start=1):
        party = _party(item, f"{where}: third party {position}", where, zone)
        if any(party.name == other.name for other in found):
            raise TermsError(f"{where}: third party '{party.name}': field 'name' is used twice")
        found.append(party)
    return tuple(found)


def _party(content: Any, position: str, client: str, zone: tzinfo) -> ThirdParty:
    fields = plain.mapping(content, position)
    name = str(plain.text(fields, "name", position, required=True))
    where = f"{client}: third party '{name}'"
    plain.mapping(fields, where, _PARTY)
    if _GLOB.search(name):
        # It is held against patterns.
        raise TermsError(f"{where}: field 'name' may not hold any of * ? [ ]")
    announced: list[Announcement] = []
    for number, item in enumerate(plain.items(fields.get("announcements"), f"{where}: field 'announcements'"), start=1):
        one = _announcement(item, f"{where}: announcement {number}", where, zone)
        if any((one.kind, one.reference) == (other.kind, other.reference) for other in announced):
            raise TermsError(
                f"{where}: announcement '{one.reference}': field 'reference' is used twice for a {one.kind}"
            )
        announced.append(one)
    contacts = plain.items(fields.get("contacts"), f"{where}: field 'contacts'")
    return ThirdParty(
        name=name,
        kind=plain.choice(fields, "kind", where, KINDS, None),
        contacts=tuple(contact(item, f"{where}: contact {number}") for number, item in enumerate(contacts, start=1)),
        customer_reference=plain.text(fields, "customer_reference", where) or "",
        direct=_direct(fields.get("direct_contact"), name, where),
        announcements=tuple(announced),
    )


def contact(content: Any, where: str) -> Contact:
    """One contact. Raises TermsError without a means that can be used."""
    fields = plain.mapping(content, where, _CONTACT)
    values = {
        name: " ".join((plain.text(fields, name, where, required=name == "name") or "").split()) for name in _CONTACT
    }
    for name, pattern, example in (("email", EMAIL, "noc@example.org"), ("phone", _PHONE, "+33 1 99 00 12 34")):
        if values[name] and not pattern.match(values[name]):
            raise TermsError(f"{where}: field '{name}': {values[name]!r} cannot be reached; write it as {example!r}")
    if values["url"] and not re.match(r"https?://[^\s/]+", values["url"]):
        raise TermsError(f"{where}: field 'url': {values['url']!r} is no http or https address")
    if not any(values[name] for name in _MEANS):
        raise TermsError(f"{where}: one of the fields {', '.join(_MEANS)} is needed: nobody could be reached")
    return Contact(**values)


def _direct(content: Any, party: str, where: str) -> ContractException | None:
    if content is None:
        return None
    where = f"{where}: direct_contact"
    fields = plain.mapping(content, where, _DIRECT)
    reference = str(plain.text(fields, "reference", where, required=True))
    agreed = plain.day(fields, "agreed_on", where)
    if agreed is None:
        raise TermsError(f"{where}: field 'agreed_on' is missing: a direct contact is agreed beforehand")
    first, last = plain.day(fields, "valid_from", where), plain.day(fields, "valid_until", where)
    for name, day in (("valid_from", first), ("valid_until", last)):
        if day is not None and day < agreed:
            raise TermsError(f"{where}: field '{name}' is before 'agreed_on': a direct contact is agreed beforehand")
    if first is not None and last is not None and last < first:
        raise TermsError(f"{where}: field 'valid_until' is before 'valid_from'")
    return ContractException(
        reference=reference,
        category=CATEGORY,
        contract="in",
        hosts=plain.names(fields, "hosts", where),
        third_parties=(party,),
        valid_from=first or agreed,
        valid_until=last,
    )


def _announcement(content: Any, position: str, party: str, zone: tzinfo) -> Announcement:
    fields = plain.mapping(content, position)
    reference = str(plain.text(fields, "reference", position, required=True))
    where = f"{party}: announcement '{reference}'"
    plain.mapping(fields, where, _ANNOUNCEMENT)
    kind = plain.choice(fields, "kind", where, ANNOUNCEMENTS, None)
    starts, ends = _moment(fields, "starts", where, zone), _moment(fields, "ends", where, zone, last=True)
    if starts is None:
        raise TermsError(f"{where}: field 'starts' is missing")
    if ends is not None and ends < starts:
        raise TermsError(f"{where}: field 'ends' is before 'starts'")
    cancelled = fields.get("cancelled", False)
    if not isinstance(cancelled, bool):
        raise TermsError(f"{where}: field 'cancelled' must be true or false, not {cancelled!r}")
    announced, passed = plain.day(fields, "announced_on", where), plain.day(fields, "passed_on", where)
    if announced is not None and passed is not None and passed < announced:
        raise TermsError(f"{where}: field 'passed_on' is before 'announced_on'")
    return Announcement(
        reference=reference,
        kind=kind,
        summary=str(plain.text(fields, "summary", where, required=True)),
        starts=starts,
        ends=ends,
        announced_on=announced,
        passed_on=passed,
        hosts=plain.names(fields, "hosts", where),
        cancelled=cancelled,
    )


def _moment(fields: Mapping[str, Any], name: str, where: str, zone: tzinfo, *, last: bool = False) -> datetime | None:
    """A moment, or a whole day: its first moment, or its last minute."""
    value = fields.get(name)
    if value is None:
        return None
    found = value
    if isinstance(value, str):
        try:
            found = (
                datetime.fromisoformat(value.strip()) if len(value.strip()) > 10 else date.fromisoformat(value.strip())
            )
        except ValueError:
            found = None
    if isinstance(found, date) and not isinstance(found, datetime):
        found = datetime.combine(found, time(23, 59) if last else time())
    try:
        if isinstance(found, datetime):
            return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        # In UTC it is before the first or after the last day that there is.
        pass
    raise TermsError(f"{where}: field '{name}' must be a time such as \"2026-12-01T22:00\" or a day, not {value!r}")


def direct_contacts(parties: Sequence[ThirdParty]) -> tuple[ContractException, ...]:
    """The exceptions that agreed direct contacts make."""
    return tuple(party.direct for party in parties if party.direct is not None)
