# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: ``evolinux_users`` as declared accounts."""

from __future__ import annotations

from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.migration.filters import declared_by

DOCUMENTATION = r"""
name: from_evolinux_users
short_description: Evolix's evolinux_users as declared accounts
version_added: 0.1.0
description:
  - The role C(evolinux-users) of Evolix gives each user a shell, sudo by group, and keys that nothing takes away
    again.
  - What the lists can't hold is in C(left_out), each with entry, field and the reason. A fault is an error that names
    the entry and the field.
author:
  - infogerance.perimeter contributors (@infogerance)
positional: _input
options:
  _input:
    description: The variable C(evolinux_users), unchanged.
    type: dict
    required: true
  create:
    description: Which users the role makes on this host, as its C(evolinux_users_create).
    type: str
    default: always
  groups:
    description: Groups that the role puts each user into.
    type: list
    elements: str
    default: [evolinux-ssh, evolinux-sudo, adm]
"""

EXAMPLES = r"""
- name: Declare the provider's staff
  ansible.builtin.set_fact:
    access_ssh_accounts: "{{ (evolinux_users | infogerance.perimeter.from_evolinux_users).accounts }}"
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
        person: Carol Petit
        shell: /bin/bash
    addresses: []
    left_out:
      - entry: evolinux_users.carol
        field: password_hash
        value:
        why: passwords are not kept in a list; an account that is there keeps its own
"""


class FilterModule:
    """Filters of the collection that take declarations of other tools."""

    def filters(self) -> dict[str, Any]:
        """Name -> function."""
        return {"from_evolinux_users": declared_by("evolix", "evolinux_users")}
