# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose way it is: people, from the declared lists. Pure.

A key leads to its person wherever it is found, an account by its name, an address by the network that covers it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.infogerance.perimeter.plugins.module_utils.account_entries import NAME
from ansible_collections.infogerance.perimeter.plugins.module_utils.addresses import (
    Network,
    is_hostname,
    lenient,
    parse,
)
from ansible_collections.infogerance.perimeter.plugins.module_utils.authorized_keys import BadKey, parse_declared
from ansible_collections.infogerance.perimeter.plugins.module_utils.reconcile import InvalidEntry, parse_date

__all__ = ["People", "Who"]


class Who(NamedTuple):
    """A person and what led to it: ``key``, ``account``, ``address`` or ``certificate``; (None, None) for nobody."""

    person: str | None = None
    by: str | None = None


NOBODY = Who()


class People:
    """The declared lists, by what can be met on a server. Raises InvalidEntry for a row that can't be meant.

    ``known`` rows only attribute ({person, accounts, keys, addresses, certificates}): people who have left, or who
    are declared elsewhere. They declare nothing.
    """

    def __init__(
        self,
        accounts: Iterable[Mapping[str, Any]] = (),
        addresses: Iterable[Any] = (),
        certificates: Iterable[Mapping[str, Any]] = (),
        known: Iterable[Mapping[str, Any]] = (),
        today: str = "0000-00-00",
    ) -> None:
        #: Account -> its row, expired ones left out.
        self.rows: dict[str, Mapping[str, Any]] = {}
        self.given = False
        self._accounts: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        self._declared_keys: set[tuple[str, str]] = set()
        self._networks: list[tuple[Network, str | None, bool]] = []
        self._certificates: dict[str, str | None] = {}
        self._declared_certificates: set[str] = set()
        for position, row in enumerate(accounts):
            self._account(_row(row, "accounts[%d]" % position), position, today)
        for position, item in enumerate(addresses):
            row = {"address": item} if isinstance(item, str) else _row(item, "addresses[%d]" % position)
            self._address(row, "addresses[%d]" % position, today)
        for position, item in enumerate(certificates):
            self._certificate(_row(item, "certificates[%d]" % position), "certificates[%d]" % position, today)
        for position, item in enumerate(known):
            self._known(_row(item, "people[%d]" % position), "people[%d]" % position)

    def _account(self, row: Mapping[str, Any], position: int, today: str) -> None:
        label = "accounts[%d]" % position
        name = row.get("name")
        if not isinstance(name, str) or not NAME.match(name):
            raise InvalidEntry(label, "name", "%r is no account name" % (name,))
        person = str(row.get("person") or name)
        self._accounts[name] = person
        current = not _over(row, name, today)
        if current:
            self.rows[name] = row
        for fingerprint in _fingerprints(row.get("keys") or [], name):
            self._keys.setdefault(fingerprint, person)
            if current:
                self._declared_keys.add((name, fingerprint))

    def _address(self, row: Mapping[str, Any], label: str, today: str) -> None:
        text = row.get("address")
        if not isinstance(text, str):
            raise InvalidEntry(label, "address", "is missing")
        owner = row.get("owner") or row.get("person")
        if is_hostname(text):
            return
        try:
            self._networks.append((parse(text), str(owner) if owner else None, not _over(row, text, today)))
        except ValueError as error:
            raise InvalidEntry(text, "address", str(error)) from None

    def _certificate(self, row: Mapping[str, Any], label: str, today: str) -> None:
        name = row.get("cn")
        if not isinstance(name, str) or not name:
            raise InvalidEntry(label, "cn", "is missing")
        person = str(row["person"]) if row.get("person") else None
        current = row.get("state", "present") != "absent" and not _over(row, name, today)
        for known in [name] + ([str(row["public_key"])] if row.get("public_key") else []):
            self._certificates[known] = person
            if current:
                self._declared_certificates.add(known)

    def _known(self, row: Mapping[str, Any], label: str) -> None:
        person = row.get("person")
        if not isinstance(person, str) or not person:
            raise InvalidEntry(label, "person", "is missing")
        for name in row.get("accounts") or []:
            self._accounts.setdefault(str(name), person)
        for fingerprint in _fingerprints(row.get("keys") or [], person):
            self._keys.setdefault(fingerprint, person)
        for text in row.get("addresses") or []:
            try:
                self._networks.append((parse(str(text)), person, False))
            except ValueError as error:
                raise InvalidEntry(person, "addresses", "%s %s" % (text, error)) from None
        for name in row.get("certificates") or []:
            self._certificates.setdefault(str(name), person)

    # -- asked by the families --------------------------------------------------------------------------------

    def account(self, name: str | None) -> Who:
        """The person behind an account name."""
        person = self._accounts.get(name or "")
        return Who(person, "account") if person else NOBODY

    def key(self, fingerprint: str | None, account: str | None = None) -> Who:
        """The person of a key; else of the account that it opens."""
        person = self._keys.get(fingerprint or "")
        return Who(person, "key") if person else self.account(account)

    def address(self, text: str) -> Who:
        """The person of an address: of the narrowest network with an owner that covers it."""
        network = lenient(text)
        if network is None:
            return NOBODY
        fits = [(n.prefix, person) for n, person, _now in self._networks if person and n.covers(network)]
        return Who(max(fits)[1], "address") if fits else NOBODY

    def certificate(self, *names: str | None) -> Who:
        """The person of a certificate or peer, by its name or public key."""
        for name in names:
            person = self._certificates.get(name or "")
            if person:
                return Who(person, "certificate")
        return next((found for found in map(self.account, names) if found.person), NOBODY)

    def declares_account(self, name: str | None) -> bool:
        """True where the list has the account today."""
        return name in self.rows

    def declares_key(self, account: str, fingerprint: str | None) -> bool:
        """True where the list has this key for this account today."""
        return (account, fingerprint) in self._declared_keys

    def declares_group(self, account: str, group: str) -> bool:
        """True where the list has this group for this account."""
        return group in (self.rows.get(account, {}).get("groups") or [])

    def declares_address(self, text: str) -> bool:
        """True where a declared network covers the address."""
        network = lenient(text)
        return network is not None and any(now and n.covers(network) for n, _person, now in self._networks)

    def declares_certificate(self, *names: str | None) -> bool:
        """True where one of the names (CN, public key) is declared."""
        return any(name in self._declared_certificates for name in names if name)


def _row(row: Any, label: str) -> Mapping[str, Any]:
    if not isinstance(row, Mapping):
        raise InvalidEntry(label, "row", "%r is no mapping" % (row,))
    return row


def _over(row: Mapping[str, Any], entry: str, today: str) -> bool:
    expires = row.get("expires")
    return bool(expires) and expires != "never" and parse_date(str(expires), entry, "expires") <= today


def _fingerprints(keys: Any, entry: str) -> list[str]:
    if not isinstance(keys, (list, tuple)):
        raise InvalidEntry(entry, "keys", "is no list")
    found = []
    for number, key in enumerate(keys):
        try:
            fingerprint = parse_declared(key).fingerprint
        except BadKey as error:
            raise InvalidEntry(entry, "keys[%d]" % number, str(error)) from None
        if fingerprint:
            found.append(fingerprint)
    return found
