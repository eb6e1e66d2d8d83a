# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name: it runs on the controller and never on a server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: intervention
short_description: Record work done by hand, or say more about a recorded run
version_added: 0.1.0
author:
  - infogerance.perimeter contributors (@infogerance)
description:
  - With O(action=record) it records an intervention that no playbook did - a phone call, work at a console, a visit to
    the data centre. It is kept, classified, reported and billed like a playbook's run.
  - With O(action=annotate) it adds ticket, quote, note and time to the run in progress, or to an earlier one by its
    O(run_id).
  - With O(action=correct) it gives an earlier intervention the time it really took, another category or a note, with a
    reason. What was recorded stays - a correction is a further row.
  - Runs on the controller as an action plugin and connects to no server.
attributes:
  check_mode:
    support: full
    description: In check mode nothing is written.
  diff_mode:
    support: none
    description: Does not show differences.
  idempotent:
    support: partial
    description:
      - The same facts are recorded once, on however many hosts. A correction is a row each time.
      - Adding to a run is never a change of the task's host.
options:
  action:
    description: What to do.
    type: str
    choices: [record, annotate, correct]
    required: true
  client:
    description:
      - For whom the work was. Needed to record.
      - With O(action=annotate), whom this is about, when the run is for several clients. What is said of such a run
        without a client appears in no client's report.
      - A client that neither the inventory nor the ledger knows is refused, unless O(new_client=true).
    type: str
  hosts:
    description:
      - The servers that were worked on, if any. A server that the inventory gives to another client is refused.
    type: list
    elements: str
    default: []
  category:
    description: The scope category, by its name in the catalogue. Needed to record.
    type: str
  start:
    description:
      - When the work began, ISO 8601 as in V(2026-11-23T10:00). Two of O(start), O(end) and O(duration) are needed.
    type: str
  end:
    description: When it ended, ISO 8601. Not in the future.
    type: str
  duration:
    description:
      - How long it took - minutes (V(90), up to V(1440)), V(1h30), V(2h), V(45m) or V(1:30); at most 31 days.
      - With O(action=correct) the time it really took, in place of the recorded one and of what was added before;
        V(0) is allowed.
    type: str
  timezone:
    description: Time zone of O(start) and O(end) where they do not say it.
    type: str
    default: UTC
  operator:
    description: Who did it. The default is who runs the playbook.
    type: str
  ticket:
    description: Reference of the ticket.
    type: str
  quote:
    description: Reference of the quote that the client has accepted.
    type: str
  note:
    description: What was done, in words that the client may read. Never a secret.
    type: str
  time:
    description: Time to add to the recorded one, written as O(duration).
    type: str
  run_id:
    description: An earlier intervention, by its id in the ledger.
    type: str
  reason:
    description: Why it is corrected. Needed to correct.
    type: str
  key:
    description:
      - A name of your choice for the work recorded by hand, for instance the ticket's number. The same key is recorded
        once; with other facts it is an error.
      - Without it, all facts together are the name.
    type: str
  new_client:
    description: Whether O(client) may be one that nobody knows yet.
    type: bool
    default: false
  catalogue:
    description: Path of the catalogue. The default is what the callback's settings say.
    type: path
  ledger:
    description: Path of the ledger. The default is what the callback's settings say.
    type: path
notes:
  - To add to the run in progress the callback P(infogerance.perimeter.intervention#callback) must be enabled, and
    C(no_log) must be off for the task.
  - Saying the same on many hosts, or several times in a loop, counts once - time, too.
seealso:
  - plugin: infogerance.perimeter.intervention
    plugin_type: callback
  - module: infogerance.perimeter.interventions_info
"""

EXAMPLES = r"""
- name: Record a visit to the data centre
  infogerance.perimeter.intervention:
    action: record
    client: acme
    hosts: [web1]
    category: new_hardware
    start: 2026-11-23T14:00
    duration: 1h30
    timezone: Europe/Paris
    operator: ada
    ticket: T-4711
    quote: Q-2026-118
    note: Fitted two more disks.

- name: Add the ticket and ten minutes of preparation to this run
  infogerance.perimeter.intervention:
    action: annotate
    ticket: T-4712
    time: 10

- name: Correct the time of an earlier one
  infogerance.perimeter.intervention:
    action: correct
    run_id: 4b2c9d53ef0a41b9a0a3a9f1e1f0c2d7
    duration: 45m
    reason: The run waited half an hour for a reply from the client.
"""

RETURN = r"""
run_id:
  description: Id of the intervention in the ledger.
  returned: success
  type: str
  sample: 0ecc0b2ed5e74c3de47519d39ce47285
category:
  description: Its category.
  returned: O(action=record)
  type: str
  sample: new_hardware
contract:
  description: Whether that is V(in) or V(out) of contract.
  returned: O(action=record)
  type: str
  sample: out
started_at:
  description: When it began, in UTC.
  returned: O(action=record)
  type: str
  sample: "2026-11-23T13:00:00+00:00"
ended_at:
  description: When it ended, in UTC.
  returned: O(action=record)
  type: str
  sample: "2026-11-23T14:30:00+00:00"
"""
