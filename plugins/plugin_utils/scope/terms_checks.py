# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the plain content of files of clients' terms to Terms. No I/O: files are read in terms_files.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing import export_targets, policy
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import plain_fields as plain
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import third_parties
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import (
    AGREEMENTS,
    CONTRACTS,
    LANGUAGES,
    Catalogue,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.plain_fields import TermsError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.terms import (
    KINDS,
    OVERRUNS,
    Agreement,
    ClientTerms,
    ContractException,
    Terms,
)

FORMAT_VERSION = 1
_TOP = ("version", "timezone", "billing", "clients")
_CLIENT = ("agreements", "exceptions", "third_parties", "billing", "language", "exports")
_AGREEMENT = (
    "id",
    "kind",
    "categories",
    "hours",
    "amount",
    "currency",
    "valid_from",
    "valid_until",
    "accepted_by",
    "accepted_on",
    "overrun",
)
_EXCEPTION = (
    "reference",
    "category",
    "contract",
    "hosts",
    "host_groups",
    "third_parties",
    "agreement",
    "valid_from",
    "valid_until",
)


def merge(contents: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Put several files together. A client, and each setting for all, may be in one of them only."""
    merged: dict[str, Any] = {"version": FORMAT_VERSION, "clients": {}}
    for name, content in contents:
        fields = plain.mapping(content, name, _TOP)
        if fields.get("version") != FORMAT_VERSION:
            raise TermsError(f"{name}: field 'version' must be {FORMAT_VERSION}, not {fields.get('version')!r}")
        for key in ("timezone", "billing"):
            if key in fields and key in merged:
                raise TermsError(f"{name}: field '{key}' is set in another file already")
            if key in fields:
                merged[key] = fields[key]
        for client, terms in plain.mapping(fields.get("clients") or {}, f"{name}: field 'clients'").items():
            if client in merged["clients"]:
                raise TermsError(f"{name}: client '{client}' is declared in another file already")
            merged["clients"][client] = terms
    return merged


def parse(content: Any) -> Terms:
    """Check plain content and build Terms. Raises TermsError at the first fault."""
    fields = plain.mapping(content, "terms", _TOP)
    if fields.get("version") != FORMAT_VERSION:
        raise TermsError(f"terms: field 'version' must be {FORMAT_VERSION}, not {fields.get('version')!r}")
    billing = policy.parse(fields.get("billing"), "field 'billing'")
    clients = plain.mapping(fields.get("clients") or {}, "field 'clients'")
    zone_name = plain.zone(fields, "timezone", "terms") or "UTC"
    zone = Terms(zone_name=zone_name).zone
    found = {name: _client(f"client '{name}'", value, billing, zone) for name, value in clients.items()}
    _has_hours(billing, [billing, *(its.billing for its in found.values())], "field 'billing'")
    return Terms(clients=found, billing=billing, zone_name=zone_name)


def _has_hours(its: policy.BillingPolicy, whose: Iterable[policy.BillingPolicy], where: str) -> None:
    # Without working hours every hour is one: the factor would count for nothing, silently.
    if its.out_of_hours_factor > 1 and not any(one.days for one in whose):
        raise TermsError(f"{where}: field 'out_of_hours_factor' needs 'working_hours': nothing is out of hours else")


def check_categories(terms: Terms, catalogue: Catalogue) -> None:
    """A mistyped category would cover nothing, silently. Raises TermsError."""
    for client, its in terms.clients.items():
        for agreement in its.agreements:
            for category in agreement.categories:
                if category not in catalogue.categories:
                    raise TermsError(
                        f"client '{client}': agreement '{agreement.id}': field 'categories' names an unknown "
                        f"category, {category!r}"
                    )
        register = third_parties.direct_contacts(its.third_parties)
        for exception in its.exceptions:
            if exception.category not in catalogue.categories and exception not in register:
                raise TermsError(
                    f"client '{client}': exception '{exception.reference}': field 'category' names an unknown "
                    f"category, {exception.category!r}"
                )


def _client(where: str, content: Any, billing: policy.BillingPolicy, zone: tzinfo) -> ClientTerms:
    fields = plain.mapping({} if content is None else content, where, _CLIENT)
    if isinstance(fields.get("billing"), Mapping) and "sharing" in fields["billing"]:
        raise TermsError(
            f"{where}: field 'billing': 'sharing' is for all clients: one run must be shared by one rule for its parts "
            "to make up the whole"
        )
    own = policy.parse(fields.get("billing"), f"{where}: field 'billing'", billing)
    if "out_of_hours_factor" in (fields.get("billing") or {}):
        _has_hours(own, [own], f"{where}: field 'billing'")
    agreements: list[Agreement] = []
    for position, item in enumerate(plain.items(fields.get("agreements"), f"{where}: field 'agreements'"), start=1):
        agreement = _agreement(where, position, item)
        if any(agreement.id == other.id for other in agreements):
            raise TermsError(f"{where}: agreement '{agreement.id}': field 'id' is used twice")
        agreements.append(agreement)
    parties = third_parties.parse(fields.get("third_parties"), where, zone)
    exceptions = enumerate(plain.items(fields.get("exceptions"), f"{where}: field 'exceptions'"), start=1)
    return ClientTerms(
        agreements=tuple(agreements),
        exceptions=(
            *(_exception(where, position, item) for position, item in exceptions),
            *third_parties.direct_contacts(parties),
        ),
        third_parties=parties,
        billing=own,
        language=plain.choice(fields, "language", where, LANGUAGES, "fr"),
        exports=export_targets.parse(fields.get("exports"), f"{where}: field 'exports'"),
    )


def _agreement(client: str, position: int, content: Any) -> Agreement:
    fields = plain.mapping(content, f"{client}: agreement {position}")
    identity = plain.text(fields, "id", f"{client}: agreement {position}", required=True)
    where = f"{client}: agreement '{identity}'"
    plain.mapping(fields, where, _AGREEMENT)
    kind = plain.choice(fields, "kind", where, KINDS, None)
    categories = plain.names(fields, "categories", where)
    if not categories:
        raise TermsError(f"{where}: field 'categories' is missing or empty: name categories, or write 'all'")
    if "all" in categories and len(categories) > 1:
        raise TermsError(f"{where}: field 'categories': 'all' stands alone")
    hours = plain.number(fields, "hours", where, most=1_000_000)
    amount = plain.number(fields, "amount", where)
    if kind == "time_count" and hours is None:
        raise TermsError(f"{where}: field 'hours' is missing: a time count needs a balance")
    if hours is None and amount is None:
        raise TermsError(f"{where}: one of the fields 'hours' and 'amount' is needed")
    seconds = None
    if hours is not None:
        exact = hours * 3600
        if exact != exact.to_integral_value():
            raise TermsError(f"{where}: field 'hours' is no whole number of seconds: {fields['hours']!r}")
        seconds = int(exact)
    accepted_by, accepted_on = plain.text(fields, "accepted_by", where), plain.day(fields, "accepted_on", where)
    if (accepted_by is None) != (accepted_on is None):
        raise TermsError(f"{where}: fields 'accepted_by' and 'accepted_on' belong together")
    first, last = _validity(fields, where)
    return Agreement(
        id=str(identity),
        kind=kind,
        categories=() if categories == ("all",) else categories,
        seconds=seconds,
        amount=amount,
        currency=policy.parse({"currency": fields.get("currency")}, where).currency,
        valid_from=first,
        valid_until=last,
        accepted_by=accepted_by,
        accepted_on=accepted_on,
        overrun=plain.choice(fields, "overrun", where, OVERRUNS, "refuse"),
    )


def _exception(client: str, position: int, content: Any) -> ContractException:
    fields = plain.mapping(content, f"{client}: exception {position}")
    reference = plain.text(fields, "reference", f"{client}: exception {position}", required=True)
    where = f"{client}: exception '{reference}'"
    plain.mapping(fields, where, _EXCEPTION)
    contract = plain.choice(fields, "contract", where, CONTRACTS, None)
    agreement = plain.names(fields, "agreement", where)
    for item in agreement:
        if item not in AGREEMENTS:
            raise TermsError(f"{where}: field 'agreement' holds {item!r}; it may hold {', '.join(AGREEMENTS)}")
    if (contract == "out") != bool(agreement):
        raise TermsError(f"{where}: field 'agreement' is for 'contract: out', and needed there")
    first, last = _validity(fields, where)
    return ContractException(
        reference=str(reference),
        category=str(plain.text(fields, "category", where, required=True)),
        contract=contract,
        hosts=plain.names(fields, "hosts", where),
        host_groups=plain.names(fields, "host_groups", where),
        third_parties=plain.names(fields, "third_parties", where),
        agreement=agreement,
        valid_from=first,
        valid_until=last,
    )


def _validity(fields: Mapping[str, Any], where: str) -> tuple[Any, Any]:
    first, last = plain.day(fields, "valid_from", where), plain.day(fields, "valid_until", where)
    if first is not None and last is not None and last < first:
        raise TermsError(f"{where}: field 'valid_until' is before 'valid_from'")
    return first, last
