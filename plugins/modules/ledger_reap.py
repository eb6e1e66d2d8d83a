# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name: it runs on the controller and never on a server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ledger_reap
short_description: Mark runs that ended without saying so
version_added: 0.1.0
author:
  - infogerance.perimeter contributors (@infogerance)
description:
  - Finds the interventions in the local ledger that are still open though their process is gone (by boot id, pid and
    the pid's start time), and marks them as C(interrupted). Each recorded run does the same at its start.
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
  ledger:
    description: Path of the ledger. The default is what the callback's settings say.
    type: path
"""

EXAMPLES = r"""
- name: Mark what was killed
  infogerance.perimeter.ledger_reap:
"""

RETURN = r"""
interrupted:
  description: Ids of the interventions that were marked.
  returned: success
  type: list
  elements: str
  sample: [fb1fc1b86ff043d8b5efe13fed0bb939]
"""
