# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way in that the server has, one short row each: whose it is, and why it is there. Pure.

The plan tells what is wrong; this tells what is there, the declared ones too. It is what the ledger keeps of a look at
a server, so it holds names and dates, and nothing that opens anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable

from .reconcile import Declared, Finding, Key, Observed, Plan

__all__ = ["LIMIT", "ways_in", "what_is_left"]

#: A list of ten thousand addresses would fill every record; what is left out is counted.
LIMIT = 500

DECLARED, DISABLED, OBSOLETE, PROTECTED, UNMANAGED = "declared", "disabled", "obsolete", "protected", "unmanaged"


def ways_in(
    plumbing: Sequence[str],
    declared: Iterable[Declared],
    observed: Iterable[Observed],
    made: Plan,
    more: Callable[[Observed], Mapping[str, Any]],
) -> tuple[list[dict[str, Any]], int]:
    """Rows, and how many were left out.

    plumbing: kinds of entries that let nobody in by themselves (a revocation list). What hangs below an entry (a key
    of an account) is counted; it has a row of its own only where it is not declared and what it hangs on is.
    made: the plan of just these entries. more: columns of the kind's own.
    """
    wanted = {entry.key: entry for entry in declared}
    found = {entry.key: entry for entry in observed}
    standing = _standing(made)
    below: dict[Key, Counter[str]] = {}
    for entry in found.values():
        if entry.parent is not None:
            below.setdefault(entry.parent, Counter())[entry.kind] += 1
    there: list[tuple[str, str, Observed]] = []
    for key, entry in found.items():
        how, why = standing.get(key, (DECLARED, ""))
        if entry.parent is not None:
            above = found.get(entry.parent)
            covered = above is None or above.disabled_since is not None or entry.parent in standing
            if how == DECLARED or covered:
                continue
        elif entry.kind in plumbing:
            continue
        there.append((DISABLED if entry.disabled_since else how, why, entry))
    # What is not as it should be comes first: it is the last to be left out.
    there.sort(key=lambda one: one[0] == DECLARED)
    rows = []
    for how, why, entry in there[:LIMIT]:
        want = wanted.get(entry.key)
        row: dict[str, Any] = {
            "kind": entry.kind,
            "entry": entry.entry,
            "person": (want.person if want else None) or entry.person,
            "standing": how,
            "expires": (want.expires if want else None) or entry.attributes.get("expires"),
        }
        if why:
            row["reason"] = why
        if entry.disabled_since:
            row["since"] = entry.disabled_since
        if entry.key in below:
            row["has"] = dict(sorted(below[entry.key].items()))
        row.update(more(entry))
        rows.append(row)
    return rows, max(0, len(there) - LIMIT)


def _standing(made: Plan) -> dict[Key, tuple[str, str]]:
    groups: tuple[tuple[str, tuple[Finding, ...]], ...] = (
        (UNMANAGED, made.unmanaged),
        (PROTECTED, made.protected),
        (OBSOLETE, made.obsolete),
    )
    return {(finding.kind, finding.entry): (how, finding.reason) for how, group in groups for finding in group}


def what_is_left(seen: Plan) -> dict[str, int]:
    """How many findings stand at the end of a run. What is disabled and waits for its removal is counted apart."""
    disabled = sum(1 for finding in seen.obsolete if finding.since)
    return {
        "obsolete": len(seen.obsolete) - disabled,
        "disabled": disabled,
        "missing": len(seen.missing),
        "protected": len(seen.protected),
        "unmanaged": len(seen.unmanaged),
    }
