# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a module's result to what the ledger keeps of entry points. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_REASON_LIMIT = 500


@dataclass(frozen=True)
class EntryPoints:
    """review: what was looked at, with counts. changes: one for each entry applied, planned or found obsolete."""

    review: dict[str, Any]
    changes: tuple[dict[str, Any], ...]


def recognised(result: Any) -> Iterator[Mapping[str, Any]]:
    """The entry-point results in a task's result: itself, or the items of its loop. Known by keys, not by a name."""
    if not isinstance(result, Mapping):
        return
    if isinstance(result.get("entry_point_kind"), str) and isinstance(result.get("plan_id"), str):
        yield result
        return
    items = result.get("results")
    if isinstance(items, Sequence) and not isinstance(items, (str, bytes)):
        for item in items:
            if isinstance(item, Mapping) and "entry_point_kind" in item and "results" not in item:
                yield from recognised(item)


def extract(result: Mapping[str, Any]) -> EntryPoints:
    """What was applied, what is planned and not applied, and what is obsolete and in neither list.

    An item that is not a mapping with kind and entry is counted as `unreadable`, so that nothing is lost silently.
    """
    unreadable = 0
    seen: set[tuple[str, str]] = set()
    changes: list[dict[str, Any]] = []
    for key, status in (("applied", "applied"), ("plan", "planned"), ("obsolete", "reported")):
        items = result.get(key) or []
        if not isinstance(items, Sequence) or isinstance(items, (str, bytes)):
            unreadable += 1
            continue
        group: set[tuple[str, str]] = set()
        for item in items:
            if not isinstance(item, Mapping) or not item.get("kind") or item.get("entry") in (None, ""):
                unreadable += 1
                continue
            name = (str(item["kind"]), str(item["entry"]))
            if name in seen:
                continue
            group.add(name)
            changes.append(
                {
                    "entry_point_kind": str(result["entry_point_kind"]),
                    "plan_id": str(result["plan_id"]),
                    "kind": name[0],
                    "entry": name[1],
                    "action": str(item.get("action") or "report"),
                    "reason": str(item.get("reason") or "")[:_REASON_LIMIT],
                    "person": str(item["person"]) if item.get("person") else None,
                    "status": status,
                }
            )
        # Only after the list: one entry may take several actions in one plan.
        seen |= group
    counts = result.get("counts")
    refused = result.get("refused") or []
    review: dict[str, Any] = {
        "entry_point_kind": str(result["entry_point_kind"]),
        "plan_id": str(result["plan_id"]),
        "counts": {str(key): value for key, value in counts.items() if isinstance(value, int)}
        if isinstance(counts, Mapping)
        else {},
        "refused": [str(reason)[:_REASON_LIMIT] for reason in refused][:20] if isinstance(refused, list) else [],
        "unreadable": unreadable,
    }
    return EntryPoints(review, tuple(changes))
