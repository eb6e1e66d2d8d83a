# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name: it runs on the controller and never on a server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: resource_alerts_info
short_description: Read alerts from the ledger, and what they propose
version_added: 0.1.0
author:
  - infogerance.perimeter contributors (@infogerance)
description:
  - Returns the alerts that all given filters let through, oldest first.
  - For each one that is inaction despite reminders it proposes that scope category for work on it, with the evidence.
  - Runs on the controller as an action plugin and connects to no server.
extends_documentation_fragment:
  - infogerance.perimeter.attributes
  - infogerance.perimeter.attributes.info_module
options:
  host:
    description: Only alerts of this host.
    type: str
  client:
    description: Only alerts of this client's hosts.
    type: str
  cause:
    description: Only alerts of this cause, such as V(disk:/var).
    type: str
  states:
    description: Only alerts in these states. V(overdue) is inaction despite reminders.
    type: list
    elements: str
    choices: [open, overdue, closed]
    default: [open, overdue]
  ledger:
    description: Path of the ledger. The default is what the callback's settings say.
    type: path
seealso:
  - module: infogerance.perimeter.resource_alerts
  - module: infogerance.perimeter.intervention
"""

EXAMPLES = r"""
- name: What is proposed for work on web1's disk?
  infogerance.perimeter.resource_alerts_info:
    host: web1
    cause: disk:/var
  register: known

- name: Record what was done by hand under the proposed category
  infogerance.perimeter.intervention:
    action: record
    client: acme
    hosts: [web1]
    category: "{{ (known.proposed | first).category | default('routine_maintenance') }}"
    duration: 1h
    start: "2026-11-25T09:00"
"""

RETURN = r"""
alerts:
  description: The alerts.
  returned: success
  type: list
  elements: dict
  sample:
    - answers: []
      cause: disk:/srv/data
      clients: [acme]
      closed_at: null
      closed_because: null
      criticality: warning
      deadline: "2026-12-02T22:42:28.104925Z"
      detail: {available_bytes: 884736, size_bytes: 8388608}
      host: web1
      id: 1f8c1fd0b4f3f7a6d8a4a4f4b9dfe6f2
      kind: disk
      limit: 85.0
      name: /srv/data
      opened_at: "2026-11-25T22:42:28.104925Z"
      overdue_at: null
      reminders: 0
      reopened: 0
      state: open
      told: []
      unit: "%"
      value: 89.45
proposed:
  description: For each overdue alert, the category that work on it should have, and why.
  returned: success
  type: list
  elements: dict
  contains:
    host:
      description: The host.
      type: str
    cause:
      description: The cause.
      type: str
    category:
      description: Always V(inaction_despite_reminders).
      type: str
    evidence:
      description: The deadline, whoever was told when and by which means, answers, and how many reminders had none.
      type: dict
"""
