# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: what a departure's run found on all hosts, as one summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.clients import clients_of

DOCUMENTATION = r"""
name: departure_summary
short_description: What a departure's run found on all hosts, as one summary
version_added: 0.1.0
description:
  - Puts together what the role P(infogerance.perimeter.departure#role) kept for each host.
author:
  - infogerance.perimeter contributors (@infogerance)
positional: _input
options:
  _input:
    description: The variables of the hosts, C(hostvars).
    type: dict
    required: true
  hosts:
    description: The hosts that were to be looked at.
    type: list
    elements: str
    required: true
  left_out:
    description: Hosts that the run was kept from, by a limit.
    type: list
    elements: str
    default: []
  person:
    description: The person.
    type: str
    required: true
  since:
    description: The first day without access.
    type: str
    required: true
  today:
    description: Today.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Put it together
  ansible.builtin.set_fact:
    summary: "{{ hostvars | infogerance.perimeter.departure_summary(
      hosts=groups.all, person='carol.petit', since='2026-11-24', today='2026-11-24') }}"
"""

RETURN = r"""
_value:
  description:
    - C(hosts), one row a host with C(clients), C(closed), C(left), C(kept), C(unseen), and C(state) - V(proved),
      V(open), V(planned), V(unreachable), V(failed) or V(left_out).
    - C(complete) is true when every host is C(proved), and C(lines) tells it all for a terminal.
  type: dict
"""


def departure_summary(
    variables: Mapping[str, Any],
    hosts: Sequence[str],
    person: str,
    since: str,
    today: str,
    left_out: Sequence[str] = (),
) -> dict[str, Any]:
    """One row a host, in the order of the names."""
    rows = [_row(str(host), variables.get(host) or {}, planned=since > today) for host in sorted(hosts)]
    rows += [
        {**_row(str(host), variables.get(host) or {}, planned=False), "state": "left_out"} for host in sorted(left_out)
    ]
    complete = bool(rows) and all(row["state"] == "proved" for row in rows)
    lines = [f"{person}, first day without access {since}: " + _counted(rows)]
    for row in rows:
        lines += _told(row)
    return {
        "person": person,
        "since": since,
        "at": today,
        "hosts": rows,
        "complete": complete,
        "lines": lines,
    }


def _row(host: str, kept: Mapping[str, Any], *, planned: bool) -> dict[str, Any]:
    left = [
        {
            "kind": str(way["kind"]),
            "path": str(way["path"]),
            "account": way.get("account"),
            "entry": way.get("entry"),
            "why": str(way["why"]),
            "declared": bool(way.get("declared")),
            "command": (way.get("closes_with") or {}).get("command"),
        }
        for way in kept.get("__departure_left") or ()
    ]
    looked = "__departure_left" in kept
    fault = kept.get("__departure_fault")
    unseen = [str(text) for text in kept.get("__departure_limits") or ()]
    if not looked:
        state = "failed" if fault else "unreachable"
    elif fault:
        state = "failed"
    elif planned:
        state = "planned"
    else:
        # What could not be looked at may hide a way: that is no proof.
        state = "open" if left or unseen else "proved"
    closed = [
        {"kind": str(row["kind"]), "entry": str(row["entry"]), "action": str(row["action"])}
        for row in kept.get("__departure_closed") or ()
    ]
    protected = [
        {"kind": str(row["kind"]), "entry": str(row["entry"]), "reason": str(row["reason"])}
        for row in kept.get("__departure_kept") or ()
    ]
    return {
        "host": host,
        "clients": clients_of(kept.get("infogerance_client"), [str(name) for name in kept.get("group_names") or ()]),
        "state": state,
        "fault": str(fault) if fault else None,
        "closed": closed,
        "left": left,
        "kept": protected,
        "unseen": unseen,
    }


def _counted(rows: Sequence[Mapping[str, Any]]) -> str:
    states = [str(row["state"]) for row in rows]
    found = [f"{states.count(state)} {state}" for state in dict.fromkeys(sorted(states))]
    closed = sum(len(row["closed"]) for row in rows)
    return f"{len(rows)} hosts ({', '.join(found) or 'none'}), {closed} ways closed"


def _told(row: Mapping[str, Any]) -> list[str]:
    lines = [f"{row['host']}: {row['state']}" + (f", {row['fault']}" if row["fault"] else "")]
    lines += [f"  {way['action']}: {way['kind']} {way['entry']}" for way in row["closed"]]
    lines += [f"  kept: {way['kind']} {way['entry']}: {way['reason']}" for way in row["kept"]]
    for way in row["left"]:
        who = " ".join(str(way[name]) for name in ("account", "entry") if way[name])
        how = "take it off the list" if way["declared"] else f"close it: {way['command']}"
        lines.append(f"  still open: {way['kind']} {way['path']} {who}: {way['why']}; {how}")
    return lines + [f"  not looked at: {text}" for text in row["unseen"]]


class FilterModule:
    """Filters of the collection for departures."""

    def filters(self) -> dict[str, Any]:
        """Name -> function."""
        return {"departure_summary": departure_summary}
