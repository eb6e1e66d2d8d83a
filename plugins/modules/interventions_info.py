# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name: it runs on the controller and never on a server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: interventions_info
short_description: Read interventions from the ledger
version_added: 0.1.0
author:
  - infogerance.perimeter contributors (@infogerance)
description:
  - Returns the interventions that all given filters let through, oldest first, each with its hosts, its changed or
    failed tasks, its entry-point changes and what people said about it.
  - For one client, nothing of another comes out.
  - Runs on the controller as an action plugin and connects to no managed server.
extends_documentation_fragment:
  - infogerance.perimeter.attributes
  - infogerance.perimeter.attributes.info_module
options:
  period:
    description:
      - When they began - a year V(2026), a quarter V(2026-Q4), a month V(2026-11), a day V(2026-11-23), or two of them
        joined by two dots.
      - O(period) or O(run_id) is needed.
    type: str
  timezone:
    description: Time zone whose midnights bound the period.
    type: str
    default: UTC
  client:
    description: Only this client's interventions, and of those only its hosts.
    type: str
  host:
    description: Only those that targeted this host.
    type: str
  run_id:
    description: Only this one.
    type: str
  category:
    description: Only this scope category, corrections heeded.
    type: str
  contract:
    description: Only in or out of contract, or V(none) for those without a verdict.
    type: str
    choices: [in, out, none]
  outcome:
    description: Only with this outcome.
    type: str
    choices: [ok, failed, unreachable, no_hosts, aborted, interrupted, running, blocked]
  operator:
    description: Only by this operator.
    type: str
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
seealso:
  - plugin: infogerance.perimeter.interventions
    plugin_type: lookup
  - module: infogerance.perimeter.intervention
"""

EXAMPLES = r"""
- name: What was out of contract for acme in November?
  infogerance.perimeter.interventions_info:
    period: 2026-11
    client: acme
    contract: out
  register: extra

- name: Say how long that took
  ansible.builtin.debug:
    msg: "{{ extra.interventions | sum(attribute='duration_seconds') }} seconds"
"""

RETURN = r"""
count:
  description: How many were found.
  returned: success
  type: int
  sample: 1
source:
  description: Which ledger was read - a path, or host, port and database of a shared one.
  returned: success
  type: str
  sample: /var/lib/infogerance-perimeter/ledger.sqlite3
interventions:
  description: One dictionary an intervention.
  returned: success
  type: list
  elements: dict
  contains:
    run_id: {description: Its id, type: str, sample: fb1fc1b86ff043d8b5efe13fed0bb939}
    origin:
      description: V(playbook), V(manual), or the tool it was imported from.
      type: str
      sample: playbook
    playbook: {description: The playbook; empty for work by hand, type: str, sample: site.yml}
    operator: {description: Who did it, type: str, sample: root}
    started_at: {description: In UTC, type: str, sample: "2026-11-24T00:24:34.269821Z"}
    ended_at: {description: In UTC; null while it runs, type: str, sample: "2026-11-24T00:24:34.652670Z"}
    duration_seconds:
      description: What it took - as recorded or corrected, and the time that was added.
      type: float
      sample: 600.383
    recorded_seconds: {description: What the recording measured, type: float, sample: 0.383}
    added_seconds: {description: What people added, type: float, sample: 600.0}
    outcome: {description: How it ended, type: str, sample: ok}
    complete: {description: Whether nothing is missing in the record; null while it runs, type: bool, sample: true}
    missing: {description: What is missing, type: list, elements: str, sample: []}
    check_mode:
      description: Whether it was a dry run - by C(--check), or because every task ran in check mode.
      type: bool
      sample: false
    category: {description: Scope category, type: str, sample: routine_maintenance}
    contract: {description: "V(in), V(out) or null", type: str, sample: in}
    scope_source: {description: What decided the category, type: str, sample: default}
    tickets: {description: References of tickets, type: list, elements: str, sample: [T-4712]}
    quotes: {description: References of quotes, type: list, elements: str, sample: []}
    note: {description: What people said about it, type: str, sample: The queue had stopped.}
    annotations:
      description: What was said, by whom and when.
      type: list
      elements: dict
      sample:
        - added_seconds: 600.0
          at: "2026-11-24T00:24:34.645267Z"
          by: root
          client: null
          note: The queue had stopped.
          quote: null
          ticket: T-4712
    clients: {description: Named by work done by hand, type: list, elements: str, sample: []}
    hosts:
      description: Its hosts with clients, verdict and counts.
      type: list
      elements: dict
      sample:
        - clients: [acme]
          counts: {changed: 1, failed: 0, ignored: 0, ok: 2, rescued: 0, skipped: 0, unreachable: 0}
          host: web1
          verdict: changed
    tasks:
      description: Tasks that changed, failed or did not reach a host.
      type: list
      elements: dict
      sample:
        - action: ansible.builtin.command
          at: "2026-11-24T00:24:34.606025Z"
          host: web1
          ignored: 0
          location: site.yml:5
          name: Restart the queue
          status: changed
    reviews: {description: Looks at entry points, type: list, elements: dict, sample: []}
    changes: {description: "Entries applied, planned or found obsolete", type: list, elements: dict, sample: []}
"""
