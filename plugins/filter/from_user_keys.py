# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: The keys that GitHub and GitLab publish of a user as a declared account."""

from __future__ import annotations

from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.migration.filters import declared_by

DOCUMENTATION = r"""
name: from_user_keys
short_description: The keys that GitHub or GitLab publish as a declared account
version_added: 0.1.0
description:
  - One key a line. A text without a key is an error, for such an account would be locked out.
  - What the lists can't hold is in C(left_out), each with entry, field and the reason. A fault is an error that names
    the entry and the field.
author:
  - infogerance.perimeter contributors (@infogerance)
positional: _input
options:
  _input:
    description: The text of C(https://github.com/USER.keys) or of GitLab's.
    type: str
    required: true
  name:
    description: The account.
    type: str
    required: true
  person:
    description: The person. By default the account's name.
    type: str
  groups:
    description: The account's groups.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Declare an account
  ansible.builtin.set_fact:
    carol: "{{ lookup('ansible.builtin.file', 'carol.keys') | infogerance.perimeter.from_user_keys(name='carol') }}"
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
        person: carol
        keys:
          - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGu2Q7oq5vTgCzVnbU0IZkY3w1lyRrpYyqLh0yD1bJ1x
    addresses: []
    left_out: []
"""


class FilterModule:
    """Filters of the collection that take declarations of other tools."""

    def filters(self) -> dict[str, Any]:
        """Name -> function."""
        return {"from_user_keys": declared_by("key_list", "user_keys")}
