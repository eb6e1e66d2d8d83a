# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declared list of privileged IPs: read whole, duplicates and overlaps resolved and told.

Pure: no server, no clock, no resolver of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Callable

from .addresses import Coverage, Network, allowed_names, is_hostname, parse, refusal
from .reconcile import InvalidEntry, parse_date

__all__ = ["Entry", "Rules", "Settled", "collapse", "read_entries", "settle"]

FIELDS = ("address", "family", "owner", "reason", "ticket", "expires", "list")
LISTS = ("privileged", "trusted")
#: Turns an allowed hostname into addresses. Raises OSError.
Resolver = Callable[[str], Sequence[str]]


@dataclass(frozen=True)
class Rules:
    """What the list may hold. ``allow`` names exceptions as the user wrote them."""

    allow: Sequence[str] = ()
    min_prefix: Mapping[int, int] = field(default_factory=lambda: {4: 16, 6: 32})
    max_addresses: int = 20000


@dataclass(frozen=True)
class Entry:
    """One address or network with what the list says about it."""

    network: Network
    lists: frozenset[str]
    owner: str | None = None
    reason: str | None = None
    ticket: str | None = None
    expires: str | None = None

    @functools.cached_property
    def text(self) -> str:
        """The canonical notation, which is the entry's name."""
        return str(self.network)


@dataclass(frozen=True)
class Settled:
    """One entry an address: ``active`` today, and ``lapsed`` ones. ``notes`` tells what was made of the rest."""

    active: Mapping[str, Entry]
    lapsed: Mapping[str, Entry]
    notes: tuple[str, ...] = ()


def read_entries(rows: Sequence[Any], rules: Rules, resolve: Resolver | None = None) -> tuple[list[Entry], list[str]]:
    """Validate the whole list. Raises InvalidEntry at the first bad row; returns entries and what was normalised."""
    if len(rows) > rules.max_addresses:
        raise InvalidEntry(
            "addresses", "max_addresses", "%d entries, at most %d are taken" % (len(rows), rules.max_addresses)
        )
    allowed = allowed_names(rules.allow)
    entries: list[Entry] = []
    notes: list[str] = []
    plain = frozenset(LISTS[:1])
    for number, row in enumerate(rows):
        if isinstance(row, str):
            # The short way of the usual row; whatever is unusual about it takes the long one.
            try:
                network = parse(row)
            except ValueError:
                pass
            else:
                if str(network) == row and refusal(network, rules.min_prefix) is None:
                    entries.append(Entry(network, plain))
                    continue
        entries += _read(row, number, allowed, rules, resolve, notes)
    return entries, notes


def _read(
    row: Any,
    number: int,
    allowed: frozenset[str],
    rules: Rules,
    resolve: Resolver | None,
    notes: list[str],
) -> Iterable[Entry]:
    if isinstance(row, str):
        row = {"address": row}
    where = "addresses[%d]" % number
    if not isinstance(row, dict):
        raise InvalidEntry(where, "address", "is neither a text nor a dictionary")
    given = row.get("address")
    if not isinstance(given, str) or not given.strip():
        raise InvalidEntry(where, "address", "is missing" if given in (None, "") else "%r is no text" % (given,))
    given = given.strip()
    where = "%s (%s)" % (where, given[:80])
    unknown = sorted(str(k) for k in set(row) - set(FIELDS))
    if unknown:
        raise InvalidEntry(where, unknown[0], "is unknown; there are %s" % ", ".join(FIELDS))
    for name in FIELDS:
        if name not in ("address", "list") and row.get(name) is not None and not isinstance(row[name], str):
            raise InvalidEntry(where, name, "%r is no text" % (row[name],))
    name_of_list = row.get("list") or LISTS[0]
    if name_of_list not in LISTS:
        raise InvalidEntry(where, "list", "%r is none of %s" % (name_of_list, ", ".join(LISTS)))
    expires = row.get("expires") or None
    if expires is not None:
        expires = parse_date(expires, where, "expires")
    for network in _networks(given, where, allowed, resolve, notes):
        _check(network, where, row.get("family") or None, allowed, rules)
        yield Entry(
            network=network,
            lists=frozenset((name_of_list,)),
            owner=row.get("owner") or None,
            reason=row.get("reason") or None,
            ticket=row.get("ticket") or None,
            expires=expires,
        )


def _networks(
    given: str, where: str, allowed: frozenset[str], resolve: Resolver | None, notes: list[str]
) -> Sequence[Network]:
    if is_hostname(given) and given.lower().rstrip(".") in allowed and resolve is not None:
        try:
            found = sorted({parse(text) for text in resolve(given)})
        except (OSError, ValueError) as error:
            raise InvalidEntry(where, "address", "can't be resolved on the server: %s" % error) from None
        if not found:
            raise InvalidEntry(where, "address", "resolves to nothing on the server")
        notes.append("%s resolves to %s on the server" % (given, ", ".join(str(n) for n in found)))
        return found
    try:
        network = parse(given)
    except ValueError as error:
        raise InvalidEntry(where, "address", str(error)) from None
    if str(network) != given:
        notes.append("%s is written %s" % (given, network))
    return (network,)


def _check(network: Network, where: str, family: str | None, allowed: frozenset[str], rules: Rules) -> None:
    if family is not None and family != network.family:
        if family not in ("ipv4", "ipv6"):
            raise InvalidEntry(where, "family", "%r is neither ipv4 nor ipv6" % family)
        raise InvalidEntry(where, "family", "is %s, the address is %s" % (family, network.family))
    why = refusal(network, rules.min_prefix)
    if why is not None and str(network) not in allowed:
        raise InvalidEntry(where, "address", "%s; name it in allow if it is meant" % why)


def settle(entries: Sequence[Entry], today: str, departed: Mapping[str, str]) -> Settled:
    """One entry an address. Access stands as long as one of several rows gives it, and each list counts."""
    active: dict[str, Entry] = {}
    lapsed: dict[str, Entry] = {}
    notes: list[str] = []
    for entry in entries:
        over = (entry.expires is not None and entry.expires <= today) or departed.get(entry.owner or "", "9") <= today
        pool = lapsed if over else active
        known = pool.get(entry.text)
        if known is None:
            pool[entry.text] = entry
            continue
        # The row that lasts longest speaks for all: no date is for ever.
        first, second = sorted((known, entry), key=lambda e: e.expires or "9999-99-99", reverse=True)
        pool[entry.text] = replace(first, lists=first.lists | second.lists)
        if not over:
            notes.append(
                "%s is declared more than once; the row that lasts longest counts, on all its lists" % entry.text
            )
    for text in active:
        lapsed.pop(text, None)
    return Settled(active, lapsed, tuple(_unique(notes)))


def collapse(texts: Mapping[str, Network]) -> tuple[set[str], dict[str, str]]:
    """Drop what a wider network of the same place covers. Returns what is left, and covered -> covering."""
    index = Coverage(texts.values())
    left: set[str] = set()
    covered: dict[str, str] = {}
    for text, network in texts.items():
        wider = index.widest(network, strictly=True)
        if wider is None:
            left.add(text)
        else:
            covered[text] = str(wider)
    return left, covered


def _unique(notes: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(notes))
