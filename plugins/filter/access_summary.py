# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: the result of an entry-point module as lines to read on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: access_summary
short_description: The result of an entry-point module as lines to read
version_added: 0.1.0
description:
  - The numbers, bad news first, what was done or would be, what was found and why, and what to do next.
author:
  - infogerance.perimeter contributors (@infogerance)
positional: _input
options:
  _input:
    description: The registered result of M(infogerance.perimeter.ssh_accounts) or another entry-point module.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what the module found
  ansible.builtin.debug:
    msg: "{{ access_result | infogerance.perimeter.access_summary }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

#: Longer lists are cut on the terminal; the result and the ledger hold them whole.
MOST = 40


def access_summary(result: Mapping[str, Any]) -> list[str]:
    """Lines for a terminal: the numbers, bad news, what is done or would be, what was found, what to do next."""
    if not isinstance(result, Mapping) or "entry_point_kind" not in result:
        message = result.get("msg") if isinstance(result, Mapping) else None
        if message:
            return [str(message)]
        raise AnsibleFilterError("access_summary wants the result of an entry-point module")
    counts = result["counts"]
    found = ", ".join(f"{counts[name]} {name}" for name in ("obsolete", "missing", "protected", "unmanaged"))
    compared = ", ".join(f"{counts[name]} {name}" for name in ("declared", "observed"))
    done = f"{counts['planned']} to do, {counts['applied']} done" if counts["planned"] else "nothing to do"
    lines = [f"{result['entry_point_kind']}: {found}; {done} ({compared}, plan {result['plan_id'][:12]})"]
    for field in ("refused", "alarms", "problems", "unproved"):
        lines += _cut([f"{field}: {text}" for text in result.get(field) or []])
    told = result.get("rolled_back") or []
    lines += _cut([f"rolled back at {r['at']}: {r['why']} ({', '.join(r['actions'][:5])})" for r in told])
    applied = {(a["action"], a["kind"], a["entry"]) for a in result["applied"]}
    lines += _cut(
        [
            f"{'done' if (a['action'], a['kind'], a['entry']) in applied else 'plan'}: {_action(a)}"
            for a in result["plan"]
        ]
    )
    shown = {(a["kind"], a["entry"]) for a in result["plan"]}
    for field in ("obsolete", "missing", "protected", "unmanaged"):
        rows = [r for r in result[field] if (r["kind"], r["entry"]) not in shown]
        lines += _cut([f"{field}: {r['kind']} {r['entry']}: {r['reason']}{_since(r)}" for r in rows])
    status = (result.get("confirmation") or {}).get("status", "")
    lines += [f"confirmation: {status}"] if status in ("confirmed", "rolled back", "unknown") else []
    for field in ("access_not_controlled", "notes"):
        lines += _cut([f"{field}: {text}" for text in result.get(field) or []])
    return lines + _next(result)


def _action(action: Mapping[str, Any]) -> str:
    person = f" ({action['person']})" if action.get("person") else ""
    return f"{action['action']} {action['kind']} {action['entry']}{person}: {action['reason']}"


def _since(row: Mapping[str, Any]) -> str:
    return f", disabled since {row['since']}" if row.get("since") else ""


def _cut(lines: list[str]) -> list[str]:
    return lines if len(lines) <= MOST else [*lines[:MOST], f"... and {len(lines) - MOST} more"]


def _next(result: Mapping[str, Any]) -> list[str]:
    """What a reader would do now; nothing where all is well."""
    if result.get("refused"):
        return ["next: nothing was changed; mend the list, or raise the limit that refused it if it is meant"]
    said = []
    if result["plan"] and not result["applied"]:
        said.append("next: this is a look only; run infogerance.perimeter.reconcile to carry it out")
    takes = {a["entry"] for a in result["plan"] if a["action"] in ("disable", "remove")}
    if any(r["entry"] not in takes for r in result["obsolete"] if not r.get("since")):
        said.append("next: set access_obsolete to disable to close what is obsolete")
    elif any(r.get("since") for r in result["obsolete"]) and not takes:
        said.append("next: what is disabled is removed with access_obsolete set to remove, after access_grace days")
    if result["unmanaged"] and not said:
        said.append("next: what is unmanaged is only reported; declare it, or name it in access_manage")
    return said


class FilterModule:
    """Filters of the collection for results."""

    def filters(self) -> dict[str, Any]:
        """Name -> function."""
        return {"access_summary": access_summary}
