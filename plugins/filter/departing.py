# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: a server's declared lists seen for one person who leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: departing
short_description: A server's declared lists seen for one person who leaves
version_added: 0.1.0
description:
  - Tells what the lists say is the person's, what they are without the person's rows, and what to add to them so that
    accounts which no list names are closed, too.
author:
  - infogerance.perimeter contributors (@infogerance)
positional: _input
options:
  _input:
    description: The person, as the lists write it.
    type: str
    required: true
  accounts:
    description: The declared accounts, as in M(infogerance.perimeter.ssh_accounts).
    type: list
    elements: dict
    default: []
  addresses:
    description: The declared addresses, as in M(infogerance.perimeter.privileged_ips).
    type: list
    elements: raw
    default: []
  certificates:
    description: The declared certificates, as in M(infogerance.perimeter.vpn_certificates).
    type: list
    elements: dict
    default: []
  manage:
    description: What may be taken away, as in M(infogerance.perimeter.ssh_accounts).
    type: dict
    default: {}
  more:
    description: What else is the person's - C(accounts), C(keys), C(addresses), C(certificates), each a list of texts.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show what the lists say is hers
  ansible.builtin.debug:
    msg: "{{ ('carol.petit' | infogerance.perimeter.departing(accounts=access_ssh_accounts)).who }}"
"""

RETURN = r"""
_value:
  description:
    - C(who) is the person with accounts, keys, addresses and certificates, as in
      O(infogerance.perimeter.ways_in_info#module:people).
    - C(accounts) and C(manage) are for closing; C(left) holds the three lists without the person's rows.
  type: dict
"""

NAMES = ("accounts", "keys", "addresses", "certificates")


def departing(
    person: Any,
    accounts: Sequence[Mapping[str, Any]] = (),
    addresses: Sequence[Any] = (),
    certificates: Sequence[Mapping[str, Any]] = (),
    manage: Mapping[str, Any] | None = None,
    more: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """The lists for closing, and for looking what remains. Raises AnsibleFilterError for a person without a name."""
    if not isinstance(person, str) or not person.strip():
        raise AnsibleFilterError("departing: the person has no name")
    extra = {name: [str(text) for text in (more or {}).get(name) or ()] for name in NAMES}
    mine = [row for row in accounts if row.get("person") == person]
    # A shared account, such as root's, is nobody's: only the person's keys in it are.
    own = [str(row["name"]) for row in mine if not row.get("system")]
    keys = [str(key) for row in mine for key in row.get("keys") or ()]
    networks = [str(row["address"]) for row in addresses if isinstance(row, Mapping) and row.get("owner") == person]
    names = [str(row["cn"]) for row in certificates if row.get("person") == person]
    declared = {str(row.get("name")) for row in accounts}
    unnamed = [name for name in dict.fromkeys(extra["accounts"]) if name not in declared]
    managed = dict(manage or {})
    managed["names"] = list(dict.fromkeys([*(managed.get("names") or ()), *extra["accounts"]]))
    return {
        "who": {
            "person": person,
            "accounts": list(dict.fromkeys([*own, *extra["accounts"]])),
            "keys": list(dict.fromkeys([*keys, *extra["keys"]])),
            "addresses": list(dict.fromkeys([*networks, *extra["addresses"]])),
            "certificates": list(dict.fromkeys([*names, *extra["certificates"]])),
        },
        "accounts": [*accounts, *({"name": name, "person": person} for name in unnamed)],
        "manage": managed,
        "left": {
            "accounts": [row for row in accounts if row.get("person") != person],
            "addresses": [row for row in addresses if not isinstance(row, Mapping) or row.get("owner") != person],
            "certificates": [row for row in certificates if row.get("person") != person],
        },
    }


class FilterModule:
    """Filters of the collection for departures."""

    def filters(self) -> dict[str, Any]:
        """Name -> function."""
        return {"departing": departing}
