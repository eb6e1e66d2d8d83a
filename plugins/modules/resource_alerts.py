# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name: it runs on the controller and never on a server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: resource_alerts
short_description: Keep alerts of what servers run short of, and tell who is to be told
version_added: 0.1.0
author:
  - infogerance.perimeter contributors (@infogerance)
description:
  - Judges what M(infogerance.perimeter.resources_info) measured against each host's thresholds.
  - An alert is a host and a cause, such as V(disk:/var). It is opened once, becomes more critical when it gets worse,
    is reminded of on a schedule, and is closed when it is over by a margin.
  - Who was told, when and by which means is stored as rows of the ledger, and so is everything else about it.
  - Past its deadline, with its reminders unanswered, it becomes inaction despite reminders.
  - Runs on the controller as an action plugin and connects to no server.
attributes:
  check_mode:
    support: full
    description: Says what would be opened and closed, stores nothing and tells nobody.
  diff_mode:
    support: none
    description: Has nothing to show.
  idempotent:
    support: partial
    description: A second run opens nothing twice. Whether a reminder is due depends on the time.
options:
  observed:
    description: The hosts that were measured. Alerts of other hosts stay as they are.
    type: list
    elements: dict
    required: true
    suboptions:
      host:
        description: The host's inventory name.
        type: str
        required: true
      readings:
        description: As RV(infogerance.perimeter.resources_info#module:readings).
        type: list
        elements: dict
        required: true
      unread:
        description: As RV(infogerance.perimeter.resources_info#module:unread). Nothing of such a kind is called over.
        type: list
        elements: dict
        default: []
      measured:
        description:
          - As RV(infogerance.perimeter.resources_info#module:measured). What is of such a kind and was not found any
            more is gone.
        type: list
        elements: str
        required: true
      thresholds:
        description: As O(infogerance.perimeter.resource_alerts#role:main:resource_alerts_thresholds).
        type: list
        elements: dict
        default: []
      schedule:
        description:
          - For V(warning) and for V(critical), C(deadline_hours) and C(reminder_hours).
        type: dict
        required: true
      reminders_needed:
        description: So many reminders must be unanswered before an alert past its deadline is inaction.
        type: int
        default: 2
      recipients:
        description: Who is told - C(name), C(address), C(language), and C(means), V(file) or V(email).
        type: list
        elements: dict
        default: []
  directory:
    description: Where notices of the means V(file) are written, one a recipient and run. Made where it is missing.
    type: path
  smtp:
    description: The mail server for recipients who are told by e-mail.
    type: dict
    suboptions:
      host:
        description: The server.
        type: str
        required: true
      sender:
        description: The sender's address.
        type: str
        required: true
      port:
        description: The port. The default goes by O(smtp.tls) - 587, 465 or 25.
        type: int
      tls:
        description: V(none) is for a server on this machine, without a password.
        type: str
        choices: [starttls, implicit, none]
        default: starttls
      user:
        description: The user, with O(smtp.password).
        type: str
      password:
        description: The password.
        type: str
      ca_file:
        description: The authorities that may vouch for the server. The default is the system's.
        type: path
  provider:
    description: Who signs the notices.
    type: str
    default: ""
  timezone:
    description: Time zone of the times in notices.
    type: str
    default: UTC
  ledger:
    description: Path of the ledger. The default is what the callback's settings say.
    type: path
notes:
  - A host whose declarations are wrong is left out and named, the others are judged, and the task fails.
  - An alert's clients are the host's, by C(infogerance_client) or its groups C(client_<name>).
  - What is open is read from the local ledger, so one controller should keep a host's alerts.
seealso:
  - module: infogerance.perimeter.resources_info
  - module: infogerance.perimeter.resource_alerts_info
  - module: infogerance.perimeter.alert_answer
"""

EXAMPLES = r"""
- name: Judge one host
  infogerance.perimeter.resource_alerts:
    observed:
      - host: web1
        readings: "{{ measured.readings }}"
        unread: "{{ measured.unread }}"
        measured: "{{ measured.measured }}"
        schedule:
          warning: {deadline_hours: 168, reminder_hours: 48}
          critical: {deadline_hours: 24, reminder_hours: 6}
        recipients:
          - {name: Jeanne Martin, address: jeanne.martin@example.org}
    directory: /srv/notices
"""

RETURN = r"""
alerts:
  description: Alerts that are open on these hosts, as in RV(infogerance.perimeter.resource_alerts_info#module:alerts).
  returned: success
  type: list
  elements: dict
events:
  description: What happened now - C(opened), C(raised), C(overdue), C(closed) or C(reopened).
  returned: success
  type: list
  elements: dict
  sample:
    - {cause: "disk:/srv/data", event: opened, host: web1}
told:
  description: Who was told now.
  returned: success
  type: list
  elements: dict
  sample:
    - cause: disk:/srv/data
      host: web1
      means: file
      occasion: opened
      where: alerts-20261125T224233591827Z-Jeanne_Martin-fr.txt
      who: Jeanne Martin
untold:
  description: Who should have been told and could not be, and why.
  returned: success
  type: list
  elements: str
  sample: ["Jeanne Martin: 1 alerts: there is no directory for notices"]
files:
  description: The notices that were written.
  returned: success
  type: list
  elements: str
  sample: [/srv/notices/alerts-20261125T224233591827Z-Jeanne_Martin-fr.txt]
lines:
  description: All of it, to read on a terminal.
  returned: success
  type: list
  elements: str
  sample:
    - 1 hosts, 1 open alerts (1 opened, 0 raised, 0 overdue, 0 closed now), 1 tellings
"""
