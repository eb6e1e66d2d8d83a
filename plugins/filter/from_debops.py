# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: DebOps' lists as declared accounts and addresses."""

from __future__ import annotations

from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.migration.filters import declared_by

DOCUMENTATION = r"""
name: from_debops
short_description: DebOps' lists as declared accounts and addresses
version_added: 0.1.0
description:
  - Takes C(users__accounts), C(users__groups), C(sshd__whitelist) and C(sshd__allow), with their C(group_) and
    C(host_) kin.
  - Entries of one name are merged in order.
  - What the lists can't hold is in C(left_out), each with entry, field and the reason. A fault is an error that names
    the entry and the field.
author:
  - infogerance.perimeter contributors (@infogerance)
positional: _input
options:
  _input:
    description: Variables of DebOps by name, such as C(users__accounts) and C(sshd__whitelist).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Declare the accounts
  ansible.builtin.set_fact:
    access_ssh_accounts: "{{ ({'users__accounts': users__accounts} | infogerance.perimeter.from_debops).accounts }}"
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
      - entry: carol
        field: password
        value:
        why: passwords are not kept in a list
"""


class FilterModule:
    """Filters of the collection that take declarations of other tools."""

    def filters(self) -> dict[str, Any]:
        """Name -> function."""
        return {"from_debops": declared_by("debops", "debops")}
