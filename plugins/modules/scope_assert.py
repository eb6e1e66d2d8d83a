# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name: it runs on the controller and never on a server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: scope_assert
short_description: Fail unless the run is recorded and its scope is watched over
version_added: 0.1.0
author:
  - infogerance.perimeter contributors (@infogerance)
description:
  - Fails when the callback P(infogerance.perimeter.intervention#callback) is not loaded, so when nobody records the
    run and no gate is kept.
  - The complement of the callback's gate. The gate cannot be skipped by tags, but whoever can override the
    configuration can leave the callback out. This task can be skipped by tags, but does not depend on the
    configuration. Together they are hard to pass by accident.
  - Runs on the controller as an action plugin and connects to no server.
attributes:
  check_mode:
    support: full
    description: Changes nothing.
  diff_mode:
    support: none
    description: Has nothing to show.
  idempotent:
    support: full
    description: Changes nothing.
options:
  gate:
    description: The least strictness that the callback's gate must have.
    type: str
    choices: ["off", warn, block]
    default: "off"
  recorded:
    description: Whether the run's start must be in the ledger.
    type: bool
    default: true
  categories:
    description: Fail unless the run's scope category is one of these. Any is right when the list is empty.
    type: list
    elements: str
    default: []
notes:
  - Write it into C(pre_tasks) with the tag V(always), before anything else.
seealso:
  - plugin: infogerance.perimeter.intervention
    plugin_type: callback
"""

EXAMPLES = r"""
- name: Nobody runs this unwatched
  infogerance.perimeter.scope_assert:
    gate: block
    categories: [migration]
  run_once: true
  tags: [always]
"""

RETURN = r"""
run_id:
  description: The run's id in the ledger.
  returned: success
  type: str
  sample: 3f0c2b1d5e0a4c6f8f0e9a7b6c5d4e3f
gate:
  description: How strict the gate is.
  returned: success
  type: str
  sample: block
category:
  description: The run's scope category, null when it could not be told.
  returned: success
  type: str
  sample: routine_maintenance
contract:
  description: V(in) or V(out), after the clients' exceptions.
  returned: success
  type: str
  sample: in
"""
