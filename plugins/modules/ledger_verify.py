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
  - Or walks those of a shared ledger, and compares them with what it has acknowledged to this machine.
  - Looks at the signatures in it, says which heads are signed and by whom, and fails when one is not good.
  - Runs on the controller as an action plugin and connects to no managed server. Runs that record meanwhile need not
    wait.
requirements:
  - For signatures, C(ssh-keygen) of OpenSSH 8.9 or newer on the controller.
extends_documentation_fragment:
  - infogerance.perimeter.attributes
  - infogerance.perimeter.attributes.info_module
options:
  ledger:
    description: Path of the ledger. The default is what the callback's settings say.
    type: path
  shared:
    description:
      - SQLAlchemy URL of a shared ledger to check instead, with the rights of a reporter, as in
        V(postgresql+psycopg://reports@db.example.org/perimeter_ledger). What it acknowledged to O(ledger) is compared.
      - Over a network, C(sslmode) is C(verify-full) unless the URL says otherwise. The password had better come from a
        passfile (C(?passfile=/path) or E(PGPASSFILE)). It is never recorded nor shown.
      - Needs SQLAlchemy 2 and psycopg 3 on the controller.
    type: str
  allowed_signers:
    description:
      - Path of an allowed_signers file, as in ssh-keygen(1) - who may sign, by which key, and from when until when.
      - The signature counts when the key was valid at the moment that it was made. A file that limits namespaces must
        allow V(ledger-head@infogerance-perimeter).
      - Without it, only that each signature fits its row and key is checked, and RV(signatures[].signer) is null.
    type: path
  all_signatures:
    description:
      - Look at every signature, which takes about five milliseconds each. Otherwise at the newest of each writer and
        key, which covers what was before.
    type: bool
    default: false
  max_unsigned:
    description:
      - Fail when more rows than this came after a writer's last good signature; signatures do not count. While a run is
        recorded, its rows are not signed yet. Needs O(allowed_signers).
      - The default is not to ask for signatures.
    type: int
notes:
  - Rows that were cut off at the very end, or a chain that was made anew as a whole, show only against a digest that is
    kept elsewhere - that of a shared ledger, or of a report.
seealso:
  - module: infogerance.perimeter.ledger_push
"""

EXAMPLES = r"""
- name: Check the ledger
  infogerance.perimeter.ledger_verify:

- name: Check the team's, and who signed it
  infogerance.perimeter.ledger_verify:
    shared: postgresql+psycopg://reports@db.example.org/perimeter_ledger?passfile=/etc/infogerance-perimeter/pgpass
    allowed_signers: /etc/infogerance-perimeter/allowed_signers
"""

RETURN = r"""
source:
  description: Which ledger was read - a path, or host, port and database of a shared one.
  returned: always
  type: str
  sample: /var/lib/infogerance-perimeter/ledger.sqlite3
rows:
  description: How many rows were read.
  returned: always
  type: int
  sample: 5
heads:
  description: Digest of the last row of each writer. Kept elsewhere, it proves later that nothing was cut off.
  returned: always
  type: dict
  sample: {573e5686edc7a718: daa370ac9ad304451245e01ee2ce701a15d3418e84b43008f149bc3e6b0998bc}
faults:
  description: One sentence for each break; empty when all is well.
  returned: always
  type: list
  elements: str
  sample: ["writer 573e5686edc7a718: row 2 was changed"]
first:
  description: The first break of each writer - its row, and what became of it.
  returned: always
  type: list
  elements: dict
  sample:
    - writer: 573e5686edc7a718
      row: 2
      what: changed
signatures:
  description: The signatures that were looked at.
  returned: always
  type: list
  elements: dict
  contains:
    writer: {description: Whose chain is signed, type: str, sample: 573e5686edc7a718}
    row: {description: Up to which row, type: int, sample: 5}
    place: {description: The row that holds the signature, type: int, sample: 6}
    at: {description: When it was made, type: str, sample: "2026-11-25T22:50:11.201344Z"}
    key: {description: Fingerprint of the key, type: str, sample: "SHA256:0O5oIATA4vMMxxo8amEuYcRezXFWWXsOuNrWyOp3KQA"}
    signer: {description: The principal that O(allowed_signers) has for it, type: str, sample: ada@example.org}
    fault: {description: Why it does not count; empty when it is good, type: str, sample: ""}
unsigned:
  description: For each writer, how many rows came after its last good signature; signatures do not count.
  returned: always
  type: dict
  sample: {573e5686edc7a718: 0}
"""
