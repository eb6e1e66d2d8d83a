# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name: it runs on the controller and never on a server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ledger_verify
short_description: Check that nobody has touched the ledger
version_added: 0.1.0
author:
  - infogerance.perimeter contributors (@infogerance)
description:
  - Walks the hash chain of every writer in the local ledger, and compares it with what a shared ledger has
    acknowledged. Fails and names the first row of each writer that was changed, deleted, inserted or moved.
  - Runs on the controller as an action plugin and connects to no server. Runs that record meanwhile need not wait.
extends_documentation_fragment:
  - infogerance.perimeter.attributes
  - infogerance.perimeter.attributes.info_module
options:
  ledger:
    description: Path of the ledger. The default is what the callback's settings say.
    type: path
notes:
  - Rows that were cut off at the very end, or a chain that was made anew as a whole, show only against a digest that is
    kept elsewhere - that of a shared ledger, or of a report.
seealso:
  - module: infogerance.perimeter.ledger_push
"""

EXAMPLES = r"""
- name: Check the ledger
  infogerance.perimeter.ledger_verify:
"""

RETURN = r"""
rows:
  description: How many rows were read.
  returned: always
  type: int
  sample: 1043
heads:
  description: Digest of the last row of each writer. Kept elsewhere, it proves later that nothing was cut off.
  returned: always
  type: dict
  sample: {7f3c0a1be2d94c55: 0f9c6e6a3a8cbb2e1c3c8f0a6b1d4e5f708192a3b4c5d6e7f8091a2b3c4d5e6f}
faults:
  description: One sentence for each break; empty when all is well.
  returned: always
  type: list
  elements: str
  sample: ["writer 7f3c0a1be2d94c55: row 12 was changed"]
first:
  description: The first break of each writer - its row, and what became of it.
  returned: always
  type: list
  elements: dict
  sample:
    - writer: 7f3c0a1be2d94c55
      row: 12
      what: changed
"""
