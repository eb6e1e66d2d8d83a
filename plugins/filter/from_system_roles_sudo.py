# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: The ``sudo_sudoers_files`` of linux-system-roles, put into declared accounts."""

from __future__ import annotations

from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.migration.filters import declared_by

DOCUMENTATION = r"""
name: from_system_roles_sudo
short_description: The sudo list of linux-system-roles, put into declared accounts
version_added: 0.1.0
description:
  - Aliases are resolved. Rules for accounts that are not in O(accounts) are left out, since an account that is declared
    for its rule alone would lose its keys.
  - What the lists can't hold is in C(left_out), each with entry, field and the reason. A fault is an error that names
    the entry and the field.
author:
  - infogerance.perimeter contributors (@infogerance)
positional: _input
options:
  _input:
    description: The variable C(sudo_sudoers_files), unchanged.
    type: list
    elements: dict
    required: true
  accounts:
    description: The declared accounts that the rules go to.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Add the rules
  ansible.builtin.set_fact:
    access_ssh_accounts: >-
      {{ (sudo_sudoers_files | infogerance.perimeter.from_system_roles_sudo(accounts=people)).accounts }}
"""

RETURN = r"""
_value:
  description:
    - C(accounts) as O(infogerance.perimeter.ssh_accounts#module:accounts), C(addresses) as
      O(infogerance.perimeter.privileged_ips#module:addresses), and C(left_out).
  type: dict
  sample:
    accounts:
      - name: carol
        sudo: {commands: [/usr/bin/systemctl restart nginx], nopasswd: true, runas: root}
    addresses: []
    left_out: []
"""


class FilterModule:
    """Filters of the collection that take declarations of other tools."""

    def filters(self) -> dict[str, Any]:
        """Name -> function."""
        return {"from_system_roles_sudo": declared_by("system_roles", "sudo")}
