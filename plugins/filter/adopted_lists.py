# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: what a server has today as a file of declared lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: adopted_lists
short_description: What a server has today as a file of declared lists
version_added: 0.1.0
description:
  - Makes the text of a file of variables that the role P(infogerance.perimeter.access#role) reads as it is. What is
    doubtful has a comment with C(review:).
  - Texts of the server's users can't become templates or further lines of the file.
author:
  - infogerance.perimeter contributors (@infogerance)
positional: _input
options:
  _input:
    description: The host's name, for the heading.
    type: str
    required: true
  day:
    description: The day, for the heading.
    type: str
    required: true
  accounts:
    description: The result of M(infogerance.perimeter.ssh_accounts_info).
    type: dict
    default: {}
  addresses:
    description: The result of M(infogerance.perimeter.privileged_ips_info).
    type: dict
    default: {}
  certificates:
    description: The result of M(infogerance.perimeter.vpn_certificates_info).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Read the accounts
  infogerance.perimeter.ssh_accounts_info:
  register: accounts

- name: Show the lists
  ansible.builtin.debug:
    msg: "{{ (inventory_hostname | infogerance.perimeter.adopted_lists(day='2026-11-25', accounts=accounts)).text }}"
"""

RETURN = r"""
_value:
  description: C(text) of the file, and the numbers of C(entries) and C(reviews) in it.
  type: dict
"""


def adopted_lists(
    host: Any,
    day: str,
    accounts: Mapping[str, Any] | None = None,
    addresses: Mapping[str, Any] | None = None,
    certificates: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The file. Raises AnsibleFilterError for what is no result of the modules."""
    # Not above: Ansible executes this file wherever any filter of the collection is used.
    from ansible_collections.infogerance.perimeter.plugins.plugin_utils.migration.adopted import adopted

    given = {"accounts": accounts or {}, "addresses": addresses or {}, "certificates": certificates or {}}
    for name, value in given.items():
        if not isinstance(value, Mapping):
            raise AnsibleFilterError(f"adopted_lists: {name}: wants a module's result")
    try:
        return adopted(str(host), str(day), **given)
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(f"adopted_lists: no result of a module that reads: {error!r}") from error


class FilterModule:
    """Filters of the collection for adopting."""

    def filters(self) -> dict[str, Any]:
        """Name -> function."""
        return {"adopted_lists": adopted_lists}
