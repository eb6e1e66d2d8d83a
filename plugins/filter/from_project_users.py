# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: ``project_users_db`` with its present and absent lists as declared accounts."""

from __future__ import annotations

from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.migration.filters import declared_by

DOCUMENTATION = r"""
name: from_project_users
short_description: Evolix's project_users_db as declared accounts
version_added: 0.1.0
description:
  - Who is in a present list and in no absent one is declared. A name that is not in the database is an error.
  - What the lists can't hold is in C(left_out), each with entry, field and the reason. A fault is an error that names
    the entry and the field.
author:
  - infogerance.perimeter contributors (@infogerance)
positional: _input
options:
  _input:
    description: The variable C(project_users_db), unchanged.
    type: dict
    required: true
  present:
    description: The names of C(project_users_present_for_all), C(..._for_group) and C(..._for_host), put together.
    type: list
    elements: str
    default: []
  absent:
    description: The names of the three absent lists, put together.
    type: list
    elements: str
    default: []
  main_group:
    description: The variable C(project_users_main_group).
    type: str
  groups:
    description: Further groups that the role puts each user into.
    type: list
    elements: str
    default: [evolinux-ssh]
"""

EXAMPLES = r"""
- name: Declare the project's people
  ansible.builtin.set_fact:
    access_ssh_accounts: >-
      {{ (project_users_db | infogerance.perimeter.from_project_users(
            present=project_users_present_for_all + project_users_present_for_host,
            absent=project_users_absent_for_all, main_group=project_users_main_group)).accounts }}
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
      - entry: project_users_db.carol
        field: password_hash
        value:
        why: passwords are not kept in a list; an account that is there keeps its own
"""


class FilterModule:
    """Filters of the collection that take declarations of other tools."""

    def filters(self) -> dict[str, Any]:
        """Name -> function."""
        return {"from_project_users": declared_by("evolix", "project_users")}
