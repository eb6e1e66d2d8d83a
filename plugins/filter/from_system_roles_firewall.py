# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: The ``firewall`` list of linux-system-roles as declared addresses."""

from __future__ import annotations

from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.migration.filters import declared_by

DOCUMENTATION = r"""
name: from_system_roles_firewall
short_description: The firewall list of linux-system-roles as declared addresses
version_added: 0.1.0
description:
  - Takes sources of zones, ipsets that zones take as sources, and rich rules that accept an address.
  - The zone C(trusted) and zones whose target is C(ACCEPT) go to the list C(trusted).
  - What the lists can't hold is in C(left_out), each with entry, field and the reason. A fault is an error that names
    the entry and the field.
author:
  - infogerance.perimeter contributors (@infogerance)
positional: _input
options:
  _input:
    description: The variable C(firewall), unchanged.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Declare the addresses
  ansible.builtin.set_fact:
    access_privileged_ips: "{{ (firewall | infogerance.perimeter.from_system_roles_firewall).addresses }}"
"""

RETURN = r"""
_value:
  description:
    - C(accounts) as O(infogerance.perimeter.ssh_accounts#module:accounts), C(addresses) as
      O(infogerance.perimeter.privileged_ips#module:addresses), and C(left_out).
  type: dict
  sample:
    accounts: []
    addresses:
      - address: 192.0.2.7
        list: trusted
        reason: firewalld zone trusted
    left_out: []
"""


class FilterModule:
    """Filters of the collection that take declarations of other tools."""

    def filters(self) -> dict[str, Any]:
        """Name -> function."""
        return {"from_system_roles_firewall": declared_by("system_roles", "firewall")}
