# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declared lists as a review sees them: a digest of each, and the names of what is on it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import canonical

# Kind of entry point -> the variable that declares it, and what names an entry.
VARIABLES: Mapping[str, str] = {
    "ssh_accounts": "access_ssh_accounts",
    "privileged_ips": "access_privileged_ips",
    "vpn_certificates": "access_vpn_certificates",
}
_NAMES: Mapping[str, tuple[str, ...]] = {
    "ssh_accounts": ("name",),
    "privileged_ips": ("address",),
    "vpn_certificates": ("cn", "serial"),
}
# A longer list is told by its digest and count alone.
NAMED_ENTRIES = 500
Lists = dict[str, dict[str, Any]]


class ListError(ValueError):
    """A declared list that cannot be read; the message names host, variable and entry."""


def of_host(host: str, given: Mapping[str, Any]) -> Lists:
    """The lists of one server by kind: `digest`, `count`, and `entries` (name to a short digest), if not too many.

    given: kind to list. The order of a list says nothing, so it does not count.
    """
    found: Lists = {}
    for kind, value in sorted(given.items()):
        where = f"{host}: {VARIABLES[kind]}"
        if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
            raise ListError(f"{where} must be a list, not {type(value).__name__}")
        entries: dict[str, str] = {}
        for place, given_entry in enumerate(value, start=1):
            # privileged_ips takes a bare address.
            bare = kind == "privileged_ips" and isinstance(given_entry, str)
            entry = {"address": given_entry} if bare else given_entry
            if not isinstance(entry, Mapping):
                raise ListError(f"{where}: entry {place} must be a mapping, not {type(entry).__name__}")
            name = " ".join(str(entry[key]) for key in _NAMES[kind] if entry.get(key)) or f"entry {place}"
            while name in entries:
                name += "'"
            entries[name] = _digest(_plain(entry, where))
        found[kind] = {"digest": _digest(sorted(entries.values())), "count": len(entries)}
        if len(entries) <= NAMED_ENTRIES:
            found[kind]["entries"] = {name: text[:16] for name, text in entries.items()}
    return found


def overall(hosts: Mapping[str, Lists]) -> str:
    """One digest of all lists of all these servers: what a reviewer signs. A server without any adds nothing."""
    listed = {host: lists for host, lists in hosts.items() if lists}
    return _digest({host: {kind: its["digest"] for kind, its in lists.items()} for host, lists in listed.items()})


def difference(before: Lists, after: Lists) -> list[dict[str, Any]]:
    """What differs, kind by kind: `added`, `removed` and `altered` names; None where a list was too long to name."""
    found: list[dict[str, Any]] = []
    for kind in sorted({*before, *after}):
        first, second = before.get(kind), after.get(kind)
        if first is not None and second is not None and first["digest"] == second["digest"]:
            continue
        found.append(
            {
                "kind": kind,
                "before": None if first is None else first["count"],
                "after": None if second is None else second["count"],
                **_named(first, second),
            }
        )
    return found


def _named(first: Mapping[str, Any] | None, second: Mapping[str, Any] | None) -> dict[str, list[str] | None]:
    old: Mapping[str, str] | None = {} if first is None else first.get("entries")
    new: Mapping[str, str] | None = {} if second is None else second.get("entries")
    if old is None or new is None:
        return {"added": None, "removed": None, "altered": None}
    return {
        "added": sorted(set(new) - set(old)),
        "removed": sorted(set(old) - set(new)),
        "altered": sorted(name for name in old if name in new and old[name] != new[name]),
    }


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any, where: str) -> Any:
    """JSON's types only, with no field that says nothing, whoever made the value."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (date, float)):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item, where) for key, item in value.items() if item is not None}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [_plain(item, where) for item in value]
    raise ListError(f"{where} holds a value of type {type(value).__name__}")
