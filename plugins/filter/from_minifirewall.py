# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: The variables of the role minifirewall as declared addresses."""

from __future__ import annotations

from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.migration.filters import declared_by

DOCUMENTATION = r"""
name: from_minifirewall
short_description: minifirewall's variables as declared addresses
version_added: 0.1.0
description:
  - C(minifirewall_privilegied_ips) go to the list C(privileged), the trusted ones to C(trusted).
  - What the lists can't hold is in C(left_out), each with entry, field and the reason. A fault is an error that names
    the entry and the field.
author:
  - infogerance.perimeter contributors (@infogerance)
positional: _input
options:
  _input:
    description: The role's variables by name, such as C(minifirewall_trusted_ips).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Declare the addresses
  ansible.builtin.set_fact:
    access_privileged_ips: >-
      {{ ({'minifirewall_trusted_ips': minifirewall_trusted_ips,
           'minifirewall_privilegied_ips': minifirewall_privilegied_ips}
          | infogerance.perimeter.from_minifirewall).addresses }}
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
        reason: minifirewall_trusted_ips
    left_out: []
"""


class FilterModule:
    """Filters of the collection that take declarations of other tools."""

    def filters(self) -> dict[str, Any]:
        """Name -> function."""
        return {"from_minifirewall": declared_by("evolix", "minifirewall")}
