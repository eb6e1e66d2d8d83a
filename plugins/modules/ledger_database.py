# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name: the SQL is made on the controller, psql on the host runs it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ledger_database
short_description: Make or upgrade a shared ledger's database on its PostgreSQL host
version_added: 0.1.0
author:
  - infogerance.perimeter contributors (@infogerance)
description:
  - Makes the database, its owner, the roles of operators and reporters with their logins, brings the schema to this
    release's version, and sets the rights. Operators insert and see digests, reporters read, nobody updates or deletes.
  - Everything is checked before the first change. What somebody else made is refused and stays as it is, namely a
    database of another owner and a login that is no member of the two groups.
  - Works through C(psql) as the system user C(postgres) on the host, so the task needs C(become). The SQL goes through
    its standard input. Passwords never leave the controller; the server gets their stored form (SCRAM-SHA-256).
  - The role P(infogerance.perimeter.ledger#role) uses it, and sets up TLS and C(pg_hba.conf), too.
requirements:
  - On the controller, SQLAlchemy 2, psycopg 3 and Alembic.
  - On the host, PostgreSQL 14 or newer with C(psql), and C(runuser).
attributes:
  check_mode:
    support: full
    description: In check mode RV(actions) says what would be done. Rights are tried out and rolled back.
  diff_mode:
    support: none
    description: Does not show differences.
  idempotent:
    support: full
    description: A second run changes nothing.
options:
  database:
    description: Name of the database.
    type: str
    default: perimeter_ledger
  owner:
    description: The role that owns it. It cannot log in.
    type: str
    default: perimeter_owner
  operators_role:
    description: The group of those who push. It cannot log in.
    type: str
    default: perimeter_operators
  reporters_role:
    description: The group of those who read. It cannot log in.
    type: str
    default: perimeter_reporters
  operators:
    description:
      - Logins that push, each a dictionary with C(name), and C(password) or C(certificate=true).
      - C(password) is printable ASCII. With C(certificate) there is none, and the login's TLS certificate
        has its name as CN.
    type: list
    elements: dict
    default: []
  reporters:
    description: Logins that read, as in O(operators).
    type: list
    elements: dict
    default: []
  networks:
    description: Networks that the logins come from, for RV(hba).
    type: list
    elements: str
    default: []
  port:
    description: Port by which the cluster's socket is named.
    type: int
    default: 5432
seealso:
  - module: infogerance.perimeter.ledger_push
"""

EXAMPLES = r"""
- name: Make the team's ledger
  infogerance.perimeter.ledger_database:
    operators:
      - name: ctl1
        password: "{{ vault_ctl1 }}"
    reporters:
      - name: reports
        certificate: true
  become: true
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample:
    - set the password of ctl1
hba:
  description: Lines for C(pg_hba.conf), to stand before all others. The module does not write them.
  returned: success
  type: list
  elements: str
  sample:
    - hostssl perimeter_ledger +perimeter_operators,+perimeter_reporters 192.0.2.0/24 scram-sha-256
    - host perimeter_ledger all all reject
undeclared:
  description: Members of the two groups that were not declared. They are told and not taken away.
  returned: success
  type: list
  elements: str
  sample:
    - old1 in perimeter_operators
version_before:
  description: Version of the schema before; none when there was no ledger.
  returned: success
  type: str
  sample: "0002"
version:
  description: Version of the schema now.
  returned: success
  type: str
  sample: "0002"
"""
