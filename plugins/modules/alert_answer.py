# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name: it runs on the controller and never on a server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: alert_answer
short_description: Store what a client answered to an alert
version_added: 0.1.0
author:
  - infogerance.perimeter contributors (@infogerance)
description:
  - Adds a row to the ledger that says who answered what, and when.
  - Reminders pause until the alert's deadline, or until O(until) where that is later. If the alert is still open then,
    they go on, and count anew.
  - An alert that had become inaction despite reminders is none any more.
  - Runs on the controller as an action plugin and connects to no server.
attributes:
  check_mode:
    support: full
    description: Checks the answer and stores nothing.
  diff_mode:
    support: none
    description: Has nothing to show.
  idempotent:
    support: partial
    description: The same answer with the same O(at) is stored once.
options:
  host:
    description: The host's inventory name.
    type: str
    required: true
  cause:
    description: The cause, such as V(disk:/var).
    type: str
    required: true
  by:
    description: Who answered.
    type: str
    required: true
  note:
    description: What they answered.
    type: str
    required: true
  at:
    description: When, as ISO 8601. The default is now.
    type: str
  until:
    description: By when they promised to have handled it, as ISO 8601, at most 92 days after O(at).
    type: str
  timezone:
    description: Whose clock O(at) and O(until) are by when they do not say.
    type: str
    default: UTC
  ledger:
    description: Path of the ledger. The default is what the callback's settings say.
    type: path
seealso:
  - module: infogerance.perimeter.resource_alerts
"""

EXAMPLES = r"""
- name: The client called
  infogerance.perimeter.alert_answer:
    host: web1
    cause: disk:/var
    by: Jeanne Martin
    note: Old exports will be deleted on Friday.
    until: "2026-11-27T18:00"
    timezone: Europe/Paris
"""

RETURN = r"""
alert:
  description: The alert after the answer, as in RV(infogerance.perimeter.resource_alerts_info#module:alerts).
  returned: success
  type: dict
"""
