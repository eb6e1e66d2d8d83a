# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: what the role access found on all hosts of a play, as lines to read on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.filter.access_results import PLANNED, access_results

DOCUMENTATION = r"""
name: access_overview
short_description: What the role access found on all hosts, as lines to read
version_added: 0.1.0
description:
  - One line of totals, then one for each host and kind with something to do or to tell, the worst first. Hosts where
    all is as declared are only counted; hosts without an answer, and those that nothing is declared for, are named.
author:
  - infogerance.perimeter contributors (@infogerance)
positional: _input, hostvars
options:
  _input:
    description: Names of the hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all hosts, after the role has run.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show all hosts together
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts_all | infogerance.perimeter.access_overview(hostvars) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

WITHOUT_LISTS = (
    "Declare access_ssh_accounts, access_privileged_ips or access_vpn_certificates; the playbook "
    "infogerance.perimeter.adopt writes lists from what the servers have."
)
#: A fleet's list is for the eye; the results and the ledger hold it whole.
MOST = 40


def access_overview(hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lines for a terminal."""
    names = list(hosts)
    rows: list[tuple[tuple[int, ...], str]] = []
    totals = {"obsolete": 0, "missing": 0, "refused": 0}
    silent: list[str] = []
    bare: list[str] = []
    well = 0
    for name in names:
        results = access_results(hostvars[name]) if name in hostvars else []
        if not results:
            # The role skips a host that no list is declared for.
            skipped = name in hostvars and hostvars[name].get(PLANNED, {}).get("skipped")
            (bare if skipped else silent).append(name)
        before = len(rows)
        for result in results:
            left = result.get("left") or result["counts"]
            refused, alarms = len(result.get("refused") or []), len(result.get("alarms") or [])
            totals["obsolete"] += left["obsolete"]
            totals["missing"] += left["missing"]
            totals["refused"] += bool(refused)
            told = [
                (refused, "refused"),
                (alarms, "alarms"),
                (left["obsolete"], "obsolete"),
                (left.get("disabled", 0), "disabled"),
                (left["missing"], "missing"),
                (result["counts"]["applied"], "done"),
            ]
            said = ", ".join(f"{count} {word}" for count, word in told if count)
            if said:
                rows.append((tuple(-count for count, _word in told), f"{name} {result['entry_point_kind']}: {said}"))
        well += bool(results) and len(rows) == before
    summed = f"{totals['obsolete']} obsolete and open, {totals['missing']} missing, {totals['refused']} refused"
    undeclared = f", nothing declared: {len(bare)}" if bare else ""
    lines = [f"{len(names)} hosts: {summed}; as declared: {well}{undeclared}, without an answer: {len(silent)}"]
    found = [text for _order, text in sorted(rows)]
    lines += found if len(found) <= MOST else [*found[:MOST], f"... and {len(found) - MOST} more"]
    if silent:
        lines.append(f"without an answer: {_some(silent)}")
    if bare:
        lines += [f"nothing declared: {_some(bare)}", WITHOUT_LISTS]
    return lines


def _some(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


class FilterModule:
    """Filters of the collection for a whole fleet."""

    def filters(self) -> dict[str, Any]:
        """Name -> function."""
        return {"access_overview": access_overview}
