# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name: it runs on the controller and never on a server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: evomaintenance_send
short_description: Send interventions to evomaintenance's database or API
version_added: 0.1.0
author:
  - infogerance.perimeter contributors (@infogerance)
description:
  - Sends the interventions of a period to the PostgreSQL table C(evomaint) or to the HTTP API of evomaintenance, a row
    for each host, with its six fields - host, user, address, begin, end and details.
  - What was sent is kept in the ledger, so that sending again sends only what is new. The details end with the
    intervention's id.
  - Dry runs, blocked runs, the collection's own bookkeeping and what was imported from evomaintenance are left out.
  - Runs on the controller as an action plugin.
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
    description: Which interventions, by when they began - as in M(infogerance.perimeter.report).
    type: str
    required: true
  timezone:
    description: Time zone whose midnights bound the period.
    type: str
    default: UTC
  client:
    description: Only this client's.
    type: str
  database:
    description:
      - URL of the database, as in V(postgresql://evomaint@db.example.org/evomaint). Over a network C(sslmode) is
        C(verify-full) unless the URL says otherwise; C(sslrootcert) names the authority's file.
      - Let the password come from a passfile (C(?passfile=/path) or E(PGPASSFILE)).
      - The role needs INSERT on the table. If it has SELECT, too, a row that is there is never added twice.
      - Needs psycopg 3 on the controller.
    type: str
  api_url:
    description: URL of the API. Only C(https), and its certificate is verified. Redirections are not followed.
    type: str
  api_key:
    description: Its key.
    type: str
  ca_file:
    description: File of the authority that vouches for the API's certificate; the system's authorities without it.
    type: path
  ledger:
    description: Path of the ledger. The default is what the callback's settings say.
    type: path
notes:
  - If this program dies between the API's answer and the ledger's commit, that one row is sent again.
"""

EXAMPLES = r"""
- name: Keep the old table up to date
  infogerance.perimeter.evomaintenance_send:
    period: 2026-11
    database: postgresql://evomaint@db.example.org/evomaint?passfile=/etc/infogerance-perimeter/pgpass
"""

RETURN = r"""
sent:
  description: How many rows were sent now.
  returned: always
  type: int
  sample: 2
known:
  description: How many had been sent before.
  returned: always
  type: int
  sample: 0
waiting:
  description: Intervention and host of each row that was not taken.
  returned: always
  type: list
  elements: str
  sample: []
"""
