# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name: it runs on the controller and never on a server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ledger_export
short_description: Write the whole ledger into one file
version_added: 0.1.0
author:
  - infogerance.perimeter contributors (@infogerance)
description:
  - Writes every row with its place in its writer's chain as a line of JSON, and a first line that says how many follow.
    M(infogerance.perimeter.ledger_import) brings it back without a difference.
  - Runs on the controller as an action plugin and connects to no server.
extends_documentation_fragment:
  - infogerance.perimeter.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: none
options:
  dest:
    description: The file. Written with mode C(0600) and put in place when it is whole.
    type: path
    required: true
  ledger:
    description: Path of the ledger. The default is what the callback's settings say.
    type: path
"""

EXAMPLES = r"""
- name: Keep a copy
  infogerance.perimeter.ledger_export:
    dest: /srv/backup/ledger.jsonl
"""

RETURN = r"""
rows:
  description: How many rows the file has.
  returned: success
  type: int
  sample: 1043
dest:
  description: The file.
  returned: success
  type: str
  sample: /srv/backup/ledger.jsonl
"""
