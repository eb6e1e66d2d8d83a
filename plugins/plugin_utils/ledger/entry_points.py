# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a module's result to what the ledger keeps of entry points. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record

_REASON_LIMIT = 500
_NAME_LIMIT = 300
_ROWS_LIMIT = 500

# What is kept of a way in: names, dates and yes or no. A column that is not named here is not kept.
_TEXTS = ("kind", "entry", "person", "standing", "expires", "certificate_expires", "since", "reason")
_FLAGS = ("open", "root")


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
    left = result.get("left")
    if isinstance(left, Mapping):
        review["left"] = {str(key): value for key, value in left.items() if isinstance(value, int)}
    crl = result.get("crl")
    if isinstance(crl, Mapping):
        review["crl"] = {key: str(crl[key])[:_NAME_LIMIT] for key in ("state", "expires") if crl.get(key)}
    rows = result.get("ways_in")
    if isinstance(rows, Sequence) and not isinstance(rows, (str, bytes)):
        kept = [_way_in(row) for row in rows if isinstance(row, Mapping) and row.get("kind") and row.get("entry")]
        review["ways_in"] = kept[:_ROWS_LIMIT]
        review["unreadable"] += len(rows) - len(kept)
        left_out = result.get("ways_in_left_out")
        review["ways_in_left_out"] = (left_out if record.is_number(left_out) else 0) + len(kept[_ROWS_LIMIT:])
    return EntryPoints(review, tuple(changes))


def _way_in(row: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {key: str(row[key])[:_NAME_LIMIT] for key in _TEXTS if row.get(key)}
    kept.update({key: row[key] for key in _FLAGS if isinstance(row.get(key), bool)})
    below = row.get("has")
    if isinstance(below, Mapping):
        kept["has"] = {str(key): value for key, value in below.items() if isinstance(value, int)}
    return kept
