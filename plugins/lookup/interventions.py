# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interventions of a period, for playbooks and templates."""

from __future__ import annotations

DOCUMENTATION = r"""
name: interventions
short_description: Read interventions from the ledger
version_added: 0.1.0
author:
  - infogerance.perimeter contributors (@infogerance)
description:
  - Returns the interventions that began in a period, oldest first, each with its hosts, its changed or failed tasks,
    and its entry-point changes.
options:
  _terms:
    description:
      - Periods, each as V(2026), V(2026-Q4), V(2026-11), V(2026-11-23) or two of them joined by two dots.
    type: list
    elements: str
    required: true
  client:
    description: Only this client's interventions, and of those only its hosts.
    type: str
  timezone:
    description: Time zone whose midnights bound the periods.
    type: str
    default: UTC
  ledger:
    description: Path of the ledger. The default is what the callback's settings say.
    type: path
  shared:
    description:
      - SQLAlchemy URL of a shared ledger to read instead, with the rights of a reporter, as in
        V(postgresql+psycopg://reports@db.example.org/perimeter_ledger). Not together with O(ledger).
      - The password had better come from a passfile (C(?passfile=/path) or E(PGPASSFILE)). It is never shown.
      - Needs SQLAlchemy 2 and psycopg 3 on the controller.
    type: str
seealso:
  - plugin: infogerance.perimeter.intervention
    plugin_type: callback
  - module: infogerance.perimeter.report
"""

EXAMPLES = r"""
- name: Count what was out of contract in November
  ansible.builtin.debug:
    msg: "{{ runs | selectattr('contract', 'eq', 'out') | length }} out of contract"
  vars:
    runs: "{{ query('infogerance.perimeter.interventions', '2026-11', client='acme') }}"
"""

RETURN = r"""
_raw:
  description:
    - One dictionary an intervention. Its C(hosts), C(tasks), C(reviews) and C(changes) are lists.
  type: list
  elements: dict
"""

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    """Thin: options in, plain values out."""

    def run(self, terms, variables=None, **kwargs):
        from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import reading, record
        from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.configured import configured_store
        from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import LedgerError
        from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.period import PeriodError, parse

        self.set_options(var_options=variables, direct=kwargs)
        if not terms:
            raise AnsibleLookupError("interventions: a period is needed, for example '2026-11'")
        found = []
        try:
            with configured_store(self.get_option("ledger"), self.get_option("shared")).reading() as connection:
                for term in terms:
                    period = parse(term, self.get_option("timezone"))
                    start, end = record.stamp(period.start), record.stamp(period.end)
                    found += reading.interventions(connection, start, end, self.get_option("client"))
        except (LedgerError, PeriodError) as error:
            raise AnsibleLookupError(f"interventions: {error}") from None
        return found
