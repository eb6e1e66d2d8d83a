# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name: it runs on the controller and never on a server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Report interventions and entry points of a period
version_added: 0.1.0
author:
  - infogerance.perimeter contributors (@infogerance)
description:
  - Reads the ledger that the callback P(infogerance.perimeter.intervention#callback) keeps, and reports the
    interventions of a period, the entry points removed in it, and those still obsolete at the last look.
  - Shows a table on the terminal and writes an HTML page that needs nothing else, CSV files, a JSON file and a PDF.
  - A report for one client has nothing of another - neither its hosts nor sums that count them.
  - The ledger's hash chain is checked. A break is shown as a warning and on the page.
  - Runs on the controller as an action plugin and connects to no managed server.
attributes:
  check_mode:
    support: full
    description: In check mode no file is written; RV(ignore:changed) says whether one would be.
  diff_mode:
    support: none
    description: Does not show differences.
  idempotent:
    support: full
    description: The same ledger and options give the same bytes, and then nothing is written.
options:
  period:
    description:
      - What to report - a year V(2026), a quarter V(2026-Q4), a month V(2026-11), a day V(2026-11-23), or two of
        them joined by two dots, as in V(2026-11..2026-12).
      - An intervention belongs to the period in which it began.
    type: str
    required: true
  client:
    description:
      - Only this client. Without it, the report has everything.
      - It is an error when the ledger has never seen this client.
    type: str
  language:
    description:
      - Language of the table, of the PDF and of the CSV files' separator (semicolon for V(fr)).
      - The page opens in this language, and has a button for the other.
    type: str
    choices: [fr, en]
    default: fr
  timezone:
    description:
      - Time zone whose midnights bound the period and in which times are shown.
      - The default is the one of the clients' terms, so that a report and a bill of one period are of the same hours,
        and C(UTC) where no terms are declared.
    type: str
  directory:
    description:
      - Where to write the files. Created with mode C(0700); files have mode C(0600).
      - Without it, only the table is shown.
    type: path
  formats:
    description:
      - Which files to write.
      - V(html) has plots when the library C(vl-convert-python) is on the controller; V(pdf) needs C(weasyprint).
    type: list
    elements: str
    choices: [html, csv, json, pdf]
    default: [html, csv, json]
  fleet:
    description:
      - Write an overview of all clients, and a report for each that it leads to. Not together with O(client).
    type: bool
    default: false
  provider:
    description: The provider's name, for the head of the page.
    type: str
  logo:
    description: Path of the logo, a PNG, JPEG, GIF, WebP or SVG file of at most 256 KiB. It becomes part of the page.
    type: path
  contact:
    description: One line for the end of the page, such as whom to answer.
    type: str
  agreements:
    description:
      - Path of the clients' terms. The default is what the callback's settings say.
      - With it the report has the agreements and their balances at the period's end, and asks for what is missing.
    type: path
  catalogue:
    description: Path of the catalogue of scope categories. The default is what the callback's settings say.
    type: path
  ledger:
    description: Path of the ledger. The default is what the callback's settings say.
    type: path
  shared:
    description:
      - SQLAlchemy URL of a shared ledger to read instead, with the rights of a reporter, as in
        V(postgresql+psycopg://reports@db.example.org/perimeter_ledger). Not together with O(ledger).
      - Over a network, C(sslmode) is C(verify-full) unless the URL says otherwise. The password had better come from a
        passfile (C(?passfile=/path) or E(PGPASSFILE)). It is never recorded nor shown.
      - Needs SQLAlchemy 2 and psycopg 3 on the controller.
    type: str
notes:
  - Times are those of the controller's clock.
seealso:
  - plugin: infogerance.perimeter.intervention
    plugin_type: callback
  - plugin: infogerance.perimeter.interventions
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Report November to the client
  infogerance.perimeter.report:
    period: 2026-11
    client: acme
    language: fr
    timezone: Europe/Paris
    directory: /srv/reports
"""

RETURN = r"""
summary:
  description:
    - Sums of the period. Dry runs count only in C(check_mode). Seconds are of the runs' own duration.
  returned: success
  type: dict
  sample:
    check_mode: 1
    hosts: 2
    in_contract: 2
    incomplete: 0
    interventions: 3
    obsolete: 1
    other_changes: 0
    out_of_contract: 1
    removed: 2
    reviews_due: 0
    running: 0
    seconds: 6.135
    seconds_in_contract: 4.104
    seconds_out_of_contract: 2.031
    troubled: 0
    unclassified: 0
    waiting: 1
    ways_in: 9
files:
  description: Paths of the report's files, written or already right.
  returned: success
  type: list
  elements: str
  sample: [/srv/reports/report-acme-2026-11-fr.html]
ledger_faults:
  description: Breaks found in the ledger's hash chain; empty when it is whole.
  returned: success
  type: list
  elements: str
  sample: []
source:
  description: Which ledger was read - a path, or host, port and database of a shared one.
  returned: success
  type: str
  sample: db.example.org:5432/perimeter_ledger
table:
  description: The table as shown on the terminal.
  returned: success
  type: str
  sample: "Rapport d'infogérance: acme, 2026-11\n"
"""
