# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name: it runs on the controller and never on a server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ledger_import
short_description: Take interventions over from files
version_added: 0.1.0
author:
  - infogerance.perimeter contributors (@infogerance)
description:
  - Reads three kinds of files - logs that hold the lines which the callback leaves when it cannot record (plain syslog,
    C(journalctl) with any output format of one line an entry, or the captured output of a run), files written by
    M(infogerance.perimeter.ledger_export), and the log of evomaintenance.
  - Whatever is taken over twice is stored once.
  - Runs on the controller as an action plugin and connects to no server.
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
  files:
    description: Files on the controller. All are taken over, or none.
    type: list
    elements: path
    required: true
  format:
    description:
      - V(ledger) for logs and exports, told apart by their first line.
      - V(evomaintenance) for C(/var/log/evomaintenance.log).
    type: str
    choices: [ledger, evomaintenance]
    default: ledger
  clients:
    description:
      - With O(format=evomaintenance), the client, or the list of clients, of each host, where the inventory does not
        tell. A host without a client is refused.
    type: dict
    default: {}
  category:
    description: With O(format=evomaintenance), the scope category of these records; the catalogue's default otherwise.
    type: str
  timezone:
    description:
      - With O(format=evomaintenance), the servers' time zone. The log gives the beginning without one; without this
        option it is taken to be that of the record's own head.
    type: str
  catalogue:
    description: Path of the catalogue. The default is what the callback's settings say.
    type: path
  ledger:
    description: Path of the ledger. The default is what the callback's settings say.
    type: path
"""

EXAMPLES = r"""
- name: Record what only the system log knows
  infogerance.perimeter.ledger_import:
    files: [/var/log/syslog, /var/log/syslog.1]

- name: Take the old records over
  infogerance.perimeter.ledger_import:
    files: [/srv/collected/web1-evomaintenance.log]
    format: evomaintenance
    timezone: Europe/Paris
    clients:
      web1: acme
"""

RETURN = r"""
rows:
  description: How many rows were added to the ledger.
  returned: success
  type: int
  sample: 4
known:
  description: How many lines, rows or records the ledger had already.
  returned: success
  type: int
  sample: 0
unreadable:
  description: A sentence for each damaged line of a log; the others were taken over.
  returned: success
  type: list
  elements: str
  sample: ["/var/log/syslog, line 1204: a last-resort line that is cut off or damaged"]
notices:
  description: What else somebody should know.
  returned: success
  type: list
  elements: str
  sample: []
"""
