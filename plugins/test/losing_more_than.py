# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test: a host's plan takes more than so many ways in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DOCUMENTATION = r"""
name: losing_more_than
short_description: A host's plan takes more than so many ways in
version_added: 0.1.0
description:
  - Looks at the plans that role C(infogerance.perimeter.access) has just made for the host, all kinds together.
author:
  - infogerance.perimeter contributors (@infogerance)
options:
  _input:
    description: Name of the host.
    type: str
    required: true
  hostvars:
    description: The variables of all hosts.
    type: dict
    required: true
  takes:
    description: How many may go.
    type: int
    required: true
"""

EXAMPLES = r"""
- name: Which hosts would lose more than two ways in
  ansible.builtin.debug:
    msg: "{{ ansible_play_hosts | select('infogerance.perimeter.losing_more_than', hostvars, 2) | list }}"
"""

RETURN = r"""
_value:
  description: True if more would go.
  type: bool
"""


def losing_more_than(host: str, hostvars: Mapping[str, Any], takes: int) -> bool:
    """True where the host's plans disable or remove more than ``takes`` entries, all kinds together."""
    plans = hostvars[host].get("__access_planned", {}).get("plans") or {}
    return sum(int(plan["takes"]) for plan in plans.values()) > int(takes)


class TestModule:
    """Tests of the collection for plans."""

    def tests(self) -> dict[str, Any]:
        """Name -> function."""
        return {"losing_more_than": losing_more_than}
