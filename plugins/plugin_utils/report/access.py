# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who can still get in: people and servers, from the last look at each server. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

# A way in that ends within so many days is told, and a check that is older than so many is due again.
EXPIRING_DAYS = 45
CHECK_DAYS = 90
UNDECLARED = ("obsolete", "unmanaged")
# What hangs below an account: a row of its own means that it is too much.
_BELOW = ("ssh_key", "ssh_group", "ssh_sudo")
# Of nobody known, these share one line: their entries name no account.
_NAMELESS = ("privileged_ip", "way_in")


def open_ways(looks: Iterable[Mapping[str, Any]], today: date) -> list[dict[str, Any]]:
    """One row a way in that lets somebody in now, in order of person, server and entry.

    looks: as ledger.ways_in.last_looks gives them. today: the report's own day. `person` is None where nobody is
    named; `ends` is the first day without access, `expiring` whether that is near, and not over.
    """
    rows: list[dict[str, Any]] = []
    now, near = today.isoformat(), (today + timedelta(days=EXPIRING_DAYS)).isoformat()
    for look in looks:
        for way in look["ways_in"]:
            if way.get("standing") == "disabled" or way.get("open") is False:
                continue
            ends = min(filter(None, (way.get("expires"), way.get("certificate_expires"))), default=None)
            standing = way.get("standing") or "declared"
            # The account's owner is not who left a strange key in it.
            stranger = way["kind"] in _BELOW and standing in UNDECLARED
            rows.append(
                {
                    "host": look["host"],
                    "clients": look["clients"],
                    "kind": way["kind"],
                    "entry": way["entry"],
                    "person": None if stranger else way.get("person"),
                    "standing": standing,
                    "reason": way.get("reason") or "",
                    "root": bool(way.get("root")),
                    "ends": ends,
                    "expiring": bool(ends and standing == "declared" and now < ends <= near),
                    "seen_at": look["at"],
                }
            )
    return sorted(rows, key=lambda row: (row["person"] is None, row["person"] or "", row["host"], row["entry"]))


def matrix(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One line a person: name, named, and for each server the marks of what they have there.

    Who is not named goes by the entry; addresses and other ways without a person share one line (name None). A mark
    has kind, count, state (declared, expiring, undeclared or protected), root, and the earliest end.
    """
    lines: dict[tuple[bool, str], dict[str, Any]] = {}
    for row in rows:
        named = row["person"] is not None
        nameless = not named and row["kind"] in _NAMELESS
        name = row["person"] if named else "" if nameless else row["entry"]
        line = lines.setdefault((not named, str(name)), {"name": name or None, "named": named, "servers": {}})
        marks = line["servers"].setdefault(row["host"], {})
        state = state_of(row)
        key = (_family(row["kind"]), state, row["root"])
        mark = marks.setdefault(
            key, {"kind": row["kind"], "count": 0, "state": state, "root": row["root"], "ends": None}
        )
        mark["count"] += 1
        mark["ends"] = min(filter(None, (mark["ends"], row["ends"])), default=None)
    order = sorted(lines.items())
    return [
        {**line, "servers": {host: [marks[key] for key in sorted(marks)] for host, marks in line["servers"].items()}}
        for _key, line in order
    ]


def state_of(row: Mapping[str, Any]) -> str:
    """declared, expiring, undeclared or protected."""
    if row["standing"] in UNDECLARED:
        return "undeclared"
    if row["expiring"]:
        return "expiring"
    return "protected" if row["standing"] == "protected" else "declared"


def checks(looks: Iterable[Mapping[str, Any]], today: date) -> dict[str, dict[str, Any]]:
    """For each server: when it was last looked at (the oldest of its kinds counts), and whether that is due again."""
    found: dict[str, str] = {}
    for look in looks:
        found[look["host"]] = min(found.get(look["host"], look["at"]), look["at"])
    limit = (today - timedelta(days=CHECK_DAYS)).isoformat()
    return {host: {"at": at, "due": at[:10] < limit} for host, at in sorted(found.items())}


def _family(kind: str) -> str:
    return "vpn" if kind in {"vpn_certificate", "wireguard_peer"} else kind
