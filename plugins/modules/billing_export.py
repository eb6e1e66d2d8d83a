# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name: it runs on the controller and never on a server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: billing_export
short_description: Export time and money of a period for a billing or ticket tool
version_added: 0.1.0
author:
  - infogerance.perimeter contributors (@infogerance)
description:
  - Makes the statement of a period from the ledger and the clients' terms - time shared between clients, weighed and
    rounded as agreed - and writes its lines into one file for a spreadsheet, a program, Kimai, Dolibarr or GLPI.
  - Each line is exported once for each format. The ledger keeps what was exported, with its figures; a line whose
    figures were corrected afterwards is named in RV(ignore:corrected_since).
  - Dry runs, blocked runs and runs that have not ended are never exported.
  - Runs on the controller as an action plugin and connects to no server and no tool.
extends_documentation_fragment:
  - infogerance.perimeter.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  period:
    description:
      - Which interventions, by when they began - as in M(infogerance.perimeter.report). Midnights are those of the
        C(timezone) in the clients' terms.
    type: str
    required: true
  format:
    description:
      - V(csv) is a spreadsheet with heads in O(language). V(json) is for programs.
      - V(kimai) is a list of bodies for C(POST /api/timesheets); V(kimai_csv) is for Kimai's import plugin, with the
        semicolon as separator.
      - V(dolibarr) is a list of interventions, each with the body for C(POST /interventions) and those for its lines.
      - V(glpi) is the body of one C(POST apirest.php/TicketTask).
    type: str
    choices: [csv, json, kimai, kimai_csv, dolibarr, glpi]
    default: csv
  directory:
    description: Where to write the file. Created with mode C(0700); the file has mode C(0600).
    type: path
    required: true
  client:
    description: Only this client's lines.
    type: str
  language:
    description:
      - Language of V(csv), with its separator and decimal mark. The tools' texts are in each client's language.
    type: str
    choices: [fr, en]
    default: fr
  in_contract:
    description: Whether work in contract is exported, too, as not billable, with the time worked.
    type: bool
    default: false
  again:
    description:
      - Whether to export what was exported before once more - all of the period, corrected or not.
      - Take its earlier entries out of the tool first.
    type: bool
    default: false
  operators:
    description:
      - What the tools call each operator - a mapping with C(name) and C(email) for V(kimai_csv), C(kimai_user) for
        V(kimai), and C(glpi_user) for V(glpi), both numbers.
    type: dict
    default: {}
  agreements:
    description: Path of the clients' terms. The default is what the callback's settings say.
    type: path
  catalogue:
    description: Path of the catalogue of scope categories. The default is what the callback's settings say.
    type: path
  ledger:
    description: Path of the ledger. The default is what the callback's settings say.
    type: path
notes:
  - Kimai and GLPI keep times without a zone - C(timezone) in the clients' terms must be theirs.
  - Two controllers with a ledger each do not know of each other's exports. Export from one of them.
seealso:
  - module: infogerance.perimeter.report
"""

EXAMPLES = r"""
- name: November's billable time for Kimai
  infogerance.perimeter.billing_export:
    period: 2026-11
    format: kimai
    directory: /srv/billing
  register: november

- name: Hand it over
  ansible.builtin.uri:
    url: https://kimai.example.org/api/timesheets
    method: POST
    headers:
      Authorization: "Bearer {{ kimai_token }}"
    body_format: json
    body: "{{ item }}"
  loop: "{{ lookup('ansible.builtin.file', november.file) | from_json if november.file else [] }}"
"""

RETURN = r"""
file:
  description: Path of the file; none when there is nothing to export.
  returned: success
  type: str
  sample: /srv/billing/time-kimai-all-2026-11-fr-3f2a9c1b.json
lines:
  description: How many lines were exported.
  returned: success
  type: int
  sample: 2
known:
  description: How many lines of the period had been exported before.
  returned: success
  type: int
  sample: 0
corrected_since:
  description: Interventions that were exported before with other figures than they have now.
  returned: success
  type: list
  elements: str
  sample: []
unreadable:
  description:
    - Interventions with a row that somebody has spoilt. They are in no file. Those of earlier times that may use up an
      agreement are told, too.
  returned: success
  type: list
  elements: str
  sample: []
seconds:
  description: Time of the exported lines, as the tool is told.
  returned: success
  type: int
  sample: 1800
amounts:
  description: Sums of the exported lines' prices by currency, as exact text.
  returned: success
  type: dict
  sample: {EUR: "45.00"}
"""
