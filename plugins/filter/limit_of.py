# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: a limit given as a count or a percentage, as a number."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: limit_of
short_description: A limit given as a count or a percentage, as a number
version_added: 0.1.0
description:
  - V(5) is five. V(20%) is that share of the population, at least three. V(100%) is the whole population.
author:
  - infogerance.perimeter contributors (@infogerance)
positional: population
options:
  _input:
    description: The limit.
    type: str
    required: true
  population:
    description: The number that the percentage is taken of.
    type: int
    required: true
"""

EXAMPLES = r"""
- name: At most a fifth of the hosts
  ansible.builtin.debug:
    msg: "{{ '20%' | infogerance.perimeter.limit_of(ansible_play_hosts | length) }}"
"""

RETURN = r"""
_value:
  description: The largest number allowed.
  type: int
"""


def limit_of(limit: Any, population: int) -> int:
    """The largest number that the limit allows out of ``population``."""
    # Not above: Ansible executes this file wherever any filter of the collection is used.
    from ansible_collections.infogerance.perimeter.plugins.module_utils.reconcile import InvalidEntry, parse_limit

    try:
        return parse_limit(str(limit)).of(int(population))
    except InvalidEntry as error:
        raise AnsibleFilterError(f"limit_of: {error.message}") from error


class FilterModule:
    """Filters of the collection for limits."""

    def filters(self) -> dict[str, Any]:
        """Name -> function."""
        return {"limit_of": limit_of}
