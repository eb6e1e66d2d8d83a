# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: A table in CSV as declared accounts and addresses."""

from __future__ import annotations

from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.migration.filters import declared_by

DOCUMENTATION = r"""
name: from_csv
short_description: A table in CSV as declared accounts and addresses
version_added: 0.1.0
description:
  - A row with an address is a privileged IP, one with a name an account. Several groups or keys stand in one cell.
  - What the lists can't hold is in C(left_out), each with entry, field and the reason. A fault is an error that names
    the entry and the field.
author:
  - infogerance.perimeter contributors (@infogerance)
positional: _input
options:
  _input:
    description: The text of the table, with a header.
    type: str
    required: true
  columns:
    description: Our field to the column's name, where they differ. Fields are C(name), C(person), C(comment), C(uid),
      C(shell), C(home), C(groups), C(keys), C(expires), C(address), C(list) and C(owner).
    type: dict
    default: {}
  delimiter:
    description: What stands between cells.
    type: str
    default: ','
  separators:
    description: Characters that stand between several groups or keys of one cell.
    type: str
    default: ";|\n"
"""

EXAMPLES = r"""
- name: Declare the people of a table
  ansible.builtin.set_fact:
    people: >-
      {{ lookup('ansible.builtin.file', 'people.csv') | infogerance.perimeter.from_csv(columns={'name': 'login'}) }}
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
      - entry: column
        field: phone
        value:
        why: is mapped to no field
"""


class FilterModule:
    """Filters of the collection that take declarations of other tools."""

    def filters(self) -> dict[str, Any]:
        """Name -> function."""
        return {"from_csv": declared_by("directory", "table")}
