# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: Entries of an LDAP directory (LDIF) as declared accounts."""

from __future__ import annotations

from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.migration.filters import declared_by

DOCUMENTATION = r"""
name: from_ldif
short_description: Entries of an LDAP directory as declared accounts
version_added: 0.1.0
description:
  - Takes entries with objectClass C(posixAccount), with C(sshPublicKey), C(memberOf) and the C(memberUid) of
    C(posixGroup).
  - Who is locked in the directory is not declared.
  - What the lists can't hold is in C(left_out), each with entry, field and the reason. A fault is an error that names
    the entry and the field.
author:
  - infogerance.perimeter contributors (@infogerance)
positional: _input
options:
  _input:
    description: The text that C(ldapsearch) or C(slapcat) writes.
    type: str
    required: true
  groups:
    description: Groups of the directory to carry over. By default all.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Declare the people of the directory
  ansible.builtin.set_fact:
    people: "{{ lookup('ansible.builtin.file', 'people.ldif') | infogerance.perimeter.from_ldif(groups=['adm']) }}"
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
      - entry: 12 entries
        field: userpassword
        value:
        why: passwords are not kept in a list
"""


class FilterModule:
    """Filters of the collection that take declarations of other tools."""

    def filters(self) -> dict[str, Any]:
        """Name -> function."""
        return {"from_ldif": declared_by("directory", "tree")}
