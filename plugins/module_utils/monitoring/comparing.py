# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What listens or runs against what is declared: undeclared, gone, changed, as declared. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .baseline import left_out
from .declarations import Rule
from .item import Item

__all__ = ["Comparison", "compare"]

WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - compared, not listened on
_COMPARED = ("user", "program", "unit", "image", "server", "tls", "state")


@dataclass
class Comparison:
    """changed: (declared, observed, what differs). left_out: how many the baseline or loopback keeps from the noise."""

    undeclared: list[Item] = field(default_factory=list)
    gone: list[Item] = field(default_factory=list)
    changed: list[tuple[Item, Item, list[str]]] = field(default_factory=list)
    matched: list[tuple[Item, Item]] = field(default_factory=list)
    left_out: int = 0


def compare(
    declared: Sequence[Item], observed: Sequence[Item], rules: Iterable[Rule] = (), *, loopback: bool = False
) -> Comparison:
    """Each declared item with what fits it best; what is left on either side is gone, or undeclared.

    rules: the baseline. loopback: whether what only the server itself can reach must be declared, too.
    """
    made = Comparison()
    rules = list(rules)
    free = list(observed)
    pending: list[Item] = []
    for wanted in declared:
        fits = [item for item in free if _same(wanted, item)]
        if fits:
            best = min(fits, key=lambda item: len(_differences(wanted, item)))
            free.remove(best)
            _sort_in(made, wanted, best)
        else:
            pending.append(wanted)
    for wanted in pending:
        # The same program or unit on another port has moved.
        moved = [item for item in free if wanted.kind == item.kind == "port" and _kin(wanted, item)]
        if len(moved) == 1:
            free.remove(moved[0])
            _sort_in(made, wanted, moved[0])
        elif wanted.state not in ("inactive", "stopped"):
            made.gone.append(wanted)
        else:
            made.matched.append((wanted, wanted))
    for item in free:
        if left_out(item, rules) or _at_rest(item) or (not loopback and _only_loopback(item)):
            made.left_out += 1
        else:
            made.undeclared.append(item)
    return made


def _same(wanted: Item, item: Item) -> bool:
    return (wanted.kind, wanted.name) == (item.kind, item.name)


def _kin(wanted: Item, item: Item) -> bool:
    if wanted.protocol != item.protocol or not (wanted.program or wanted.unit):
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
        if before is not None and before != now:
            found.append("%s: %s, declared %s" % (name, _said(now), _said(before)))
    if wanted.ports and wanted.ports != item.ports:
        found.append("ports: %s, declared %s" % (_listed(item.ports), _listed(wanted.ports)))
    return found


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
    return item.state in ("inactive", "stopped")
