# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What listens or runs against what is declared: undeclared, gone, changed, as declared. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .baseline import left_out
from .declarations import Rule
from .item import AT_REST, Item

__all__ = ["Comparison", "compare"]

WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - compared, not listened on
_COMPARED = ("user", "program", "unit", "image", "server", "tls", "state")


@dataclass
class Comparison:
    """changed: (declared, observed, what differs). unchecked: declared and not seen, where not all could be looked at.

    left_out: how many the baseline or loopback keeps from the noise.
    """

    undeclared: list[Item] = field(default_factory=list)
    gone: list[Item] = field(default_factory=list)
    changed: list[tuple[Item, Item, list[str]]] = field(default_factory=list)
    matched: list[tuple[Item, Item]] = field(default_factory=list)
    unchecked: list[Item] = field(default_factory=list)
    left_out: int = 0


def compare(
    declared: Sequence[Item],
    observed: Sequence[Item],
    rules: Iterable[Rule] = (),
    *,
    loopback: bool = False,
    blind: Collection[str] = (),
) -> Comparison:
    """Each declared item with what fits it best; what is left on either side is gone, or undeclared.

    rules: the baseline. loopback: whether what only the server itself can reach must be declared, too. blind: kinds of
    which not everything could be looked at, so that nobody knows whether what was not seen is gone.
    """
    made = Comparison()
    rules = list(rules)
    by_name: dict[tuple[str, str], list[int]] = {}
    for place, item in enumerate(observed):
        by_name.setdefault((item.kind, item.name), []).append(place)
    taken: set[int] = set()
    pending: list[Item] = []
    # Who says more chooses first: to who says less any is right.
    for wanted in sorted(declared, key=_vagueness):
        fits = [place for place in by_name.get((wanted.kind, wanted.name), ()) if place not in taken]
        if fits:
            best = min(fits, key=lambda place: len(_differences(wanted, observed[place])))
            taken.add(best)
            _sort_in(made, wanted, observed[best])
        else:
            pending.append(wanted)
    loud = [place for place, item in enumerate(observed) if item.kind == "port" and not item.quiet]
    for wanted in pending:
        # The same program or unit on another port has moved.
        moved = [place for place in loud if place not in taken and _kin(wanted, observed[place])]
        if len(moved) == 1:
            taken.add(moved[0])
            _sort_in(made, wanted, observed[moved[0]])
        elif wanted.kind in blind:
            made.unchecked.append(wanted)
        elif _at_rest(wanted):
            made.matched.append((wanted, wanted))
        else:
            made.gone.append(wanted)
    for place, item in enumerate(observed):
        if place in taken or item.quiet:
            continue
        if left_out(item, rules) or _at_rest(item) or (not loopback and _only_loopback(item)):
            made.left_out += 1
        else:
            made.undeclared.append(item)
    return made


def _vagueness(wanted: Item) -> int:
    unsaid = sum(getattr(wanted, name) is None for name in _COMPARED)
    return unsaid - len(wanted.addresses) - bool(wanted.ports)


def _kin(wanted: Item, item: Item) -> bool:
    if wanted.kind != "port" or wanted.protocol != item.protocol or not (wanted.program or wanted.unit):
        return False
    return all(getattr(wanted, name) in (None, getattr(item, name)) for name in ("program", "unit", "user"))


def _sort_in(made: Comparison, wanted: Item, item: Item) -> None:
    found = _differences(wanted, item)
    if found:
        made.changed.append((wanted, item, found))
    else:
        made.matched.append((wanted, item))


def _differences(wanted: Item, item: Item) -> list[str]:
    found = []
    if wanted.port != item.port:
        found.append("port: %s, declared %s" % (item.port, wanted.port))
    for address in wanted.addresses:
        if not _covers(item.addresses, address):
            found.append("address: %s, declared %s" % (", ".join(item.addresses) or "none", address))
        elif address not in WILDCARDS and any(one in WILDCARDS for one in item.addresses):
            found.append("address: every one, declared %s alone" % address)
    for name in _COMPARED:
        before, now = getattr(wanted, name), getattr(item, name)
        if before is not None and before != now and not (name == "image" and _reference(before) == _reference(now)):
            found.append("%s: %s, declared %s" % (name, _said(now), _said(before)))
    if wanted.ports and item.ports and wanted.ports != item.ports:
        # Apache's <VirtualHost *> names none: it has those of Listen.
        found.append("ports: %s, declared %s" % (_listed(item.ports), _listed(wanted.ports)))
    return found


def _reference(image: str | None) -> str:
    """An image by its whole name: Docker leaves its own registry and the newest tag unsaid."""
    first, slash, _rest = (image or "").partition("/")
    whole = image or ""
    if not slash:
        whole = "docker.io/library/" + whole
    elif first != "localhost" and not set(".:") & set(first):
        whole = "docker.io/" + whole
    return whole if set(":@") & set(whole.rpartition("/")[2]) else whole + ":latest"


def _said(value: Any) -> str:
    return "unknown" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _listed(ports: Iterable[int]) -> str:
    return ", ".join(map(str, ports)) or "none"


def _covers(addresses: Iterable[str], address: str) -> bool:
    """Whether who listens at these is reached at that one: a wildcard of IPv6 takes IPv4, too."""
    version = ipaddress.ip_address(address).version
    wild = ("::",) if version == 6 else WILDCARDS
    return any(one == address or one in wild for one in addresses)


def _only_loopback(item: Item) -> bool:
    return (
        item.kind == "port"
        and bool(item.addresses)
        and all(ipaddress.ip_address(one).is_loopback for one in item.addresses)
    )


def _at_rest(item: Item) -> bool:
    """What does not run and nobody declared is nobody's concern; a failed unit is."""
    return item.state in AT_REST
