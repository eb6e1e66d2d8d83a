# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name: it runs on the controller and never on a server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: third_parties
short_description: Check the register of third parties and store what they announced
version_added: 0.1.0
author:
  - infogerance.perimeter contributors (@infogerance)
description:
  - Reads the C(third_parties) of the clients' terms - data centres, subcontractors, registrars - and fails at the first
    fault with client, entry and field.
  - Adds a row to the ledger for each announcement (delivery, maintenance, incident) that is new or has changed. The
    report shows them.
  - Direct contacts agreed beforehand need no run of this module; the callback's gate reads them from the same files.
  - Runs on the controller as an action plugin and connects to no server.
attributes:
  check_mode:
    support: full
    description: Says what would be stored and stores nothing.
  diff_mode:
    support: none
    description: Has nothing to show.
  idempotent:
    support: full
    description: An announcement that has not changed is not stored again.
options:
  agreements:
    description: The file, or directory, of the clients' terms. The default is what the callback's settings say.
    type: path
  client:
    description: Only this client's register.
    type: str
  ledger:
    description: Path of the ledger. The default is what the callback's settings say.
    type: path
seealso:
  - plugin: infogerance.perimeter.intervention
    plugin_type: callback
"""

EXAMPLES = r"""
- name: Store what third parties announced
  infogerance.perimeter.third_parties:
    agreements: /etc/infogerance-perimeter/terms
"""

RETURN = r"""
third_parties:
  description: The register, with the reference of the direct contact where one was agreed.
  returned: success
  type: list
  elements: dict
  sample:
    - {client: acme, direct_contact: letter of 12 May, kind: datacenter, name: datacentre-north}
announcements:
  description: All announcements of the register.
  returned: success
  type: list
  elements: dict
  sample:
    - announced_on: "2026-11-20"
      cancelled: false
      clients: [acme]
      ends: "2026-12-02T03:00:00.000000Z"
      hosts: [web1]
      kind: maintenance
      passed_on: "2026-11-21"
      reference: MW-1234
      starts: "2026-12-01T21:00:00.000000Z"
      summary: Power feed A is replaced
      third_party: datacentre-north
      third_party_kind: datacenter
added:
  description: Those that are new, or have changed.
  returned: success
  type: list
  elements: dict
  sample:
    - {third_party: datacentre-north, kind: maintenance, reference: MW-1234}
"""
