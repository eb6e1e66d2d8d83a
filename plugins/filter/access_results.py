# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: what the role access left in a host's variables, as one result a kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DOCUMENTATION = r"""
name: access_results
short_description: What the role access did on a host, one result a kind
version_added: 0.1.0
description:
  - Of what was applied, or of the plan where nothing was to apply.
  - What an earlier turn of the role in the same run applied is left out.
author:
  - infogerance.perimeter contributors (@infogerance)
options:
  _input:
    description: The host's variables, after the role has run.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what was done
  ansible.builtin.debug:
    msg: "{{ item.applied }}"
  loop: "{{ hostvars[inventory_hostname] | infogerance.perimeter.access_results }}"
"""

RETURN = r"""
_value:
  description: The results. A kind that could not be planned has none.
  type: list
  elements: dict
"""

APPLIED = "__access_applied_"
PLANNED = "__access_planned"


def access_results(variables: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """One result a kind."""
    planned = variables.get(PLANNED) or {}
    found = []
    for plan in planned.get("results") or []:
        kind = plan["entry_point_kind"]
        # A variable stays when the role runs again: only where the plan was to be applied is it of this turn.
        applies = planned["plans"].get(kind, {}).get("applies")
        applied = (variables.get(APPLIED + kind) if applies else None) or {}
        result = applied if "plan_id" in applied else plan
        if "plan_id" in result:
            found.append(result)
    return found


class FilterModule:
    """Filters of the collection for results."""

    def filters(self) -> dict[str, Any]:
        """Name -> function."""
        return {"access_results": access_results}
