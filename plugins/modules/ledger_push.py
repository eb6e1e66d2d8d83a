# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name: it runs on the controller and never on a server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ledger_push
short_description: Push the local ledger to the shared one
version_added: 0.1.0
author:
  - infogerance.perimeter contributors (@infogerance)
description:
  - Sends the rows of the local ledger that a shared ledger, a PostgreSQL database, does not have yet. Each row arrives
    once, whatever is cut when.
  - Both sides compare the last row and digest of each writer first. A file that was edited, cut or forked since is
    refused, and the first row that differs is named.
  - The callback P(infogerance.perimeter.intervention#callback) pushes after each run, too. This module is for a timer,
    and for what had to wait.
  - Runs on the controller as an action plugin and connects to no managed server.
requirements:
  - On the controller, SQLAlchemy 2, psycopg 3, Alembic and tenacity.
attributes:
  check_mode:
    support: full
    description: In check mode nothing is sent; RV(remaining) says how many rows wait.
  diff_mode:
    support: none
    description: Does not show differences.
  idempotent:
    support: full
    description: A second push finds everything there.
options:
  shared:
    description:
      - SQLAlchemy URL of the shared ledger, as in V(postgresql+psycopg://ctl1@db.example.org/perimeter_ledger).
      - Over a network, C(sslmode) is C(verify-full) unless the URL says otherwise. Any parameter of libpq may stand in
        the query, such as C(sslrootcert) and C(passfile).
      - The password had better come from a passfile or the environment, as libpq reads it. It is never recorded nor
        shown.
      - The default is what the callback's settings say.
    type: str
  ledger:
    description: Path of the local ledger. The default is what the callback's settings say.
    type: path
  wait:
    description: How long to try, in seconds. What was sent by then counts.
    type: float
    default: 60.0
  thorough:
    description: Check the whole chain of the local ledger first, not only what is sent.
    type: bool
    default: true
  must_arrive:
    description:
      - Whether the task fails when rows still wait, for instance because the shared ledger is down.
      - It fails in any case when a writer is refused.
    type: bool
    default: true
  sign_key:
    description:
      - Path of an SSH key that signs this machine's chain before it is sent - a private key without a passphrase, or a
        public key whose private one an agent holds. Nobody is asked for anything.
      - When it cannot be used, RV(notices) says so, and the rows are sent all the same.
      - The default is what the callback's settings say; without any, nothing is signed.
    type: path
seealso:
  - plugin: infogerance.perimeter.intervention
    plugin_type: callback
"""

EXAMPLES = r"""
- name: Push what waits, from a timer
  infogerance.perimeter.ledger_push:
    shared: postgresql+psycopg://ctl1@db.example.org/perimeter_ledger?passfile=/etc/infogerance-perimeter/pgpass
    must_arrive: false
"""

RETURN = r"""
pushed:
  description: How many rows were stored on the shared ledger by this push.
  returned: when not in check mode
  type: int
  sample: 4
already:
  description: How many were there, although the local ledger had not been told.
  returned: when not in check mode
  type: int
  sample: 0
remaining:
  description: How many rows wait.
  returned: success
  type: int
  sample: 0
heads:
  description: For each writer, the number and digest of the last row that the shared ledger acknowledged.
  returned: when not in check mode
  type: dict
  sample:
    6444b319406499ce:
      digest: f4917e1dc4f93dd0cf978b4fa2fc970abf57672dd6394a85c4222492e8d28826
      seq: 4
refused:
  description: A sentence for each writer whose local rows disagree with the shared ledger.
  returned: when not in check mode
  type: list
  elements: str
  sample: []
notices:
  description: What somebody should know, though nothing was refused.
  returned: when not in check mode
  type: list
  elements: str
  sample: []
problem:
  description: Why the push stopped early; empty when it came to its end.
  returned: when not in check mode
  type: str
  sample: ""
signed:
  description: Up to which row this machine's chain was signed by this push; null when nothing new was.
  returned: when not in check mode
  type: int
  sample: 5
target:
  description: Host, port and database of the shared ledger.
  returned: success
  type: str
  sample: db.example.org:5432/perimeter_ledger
"""
