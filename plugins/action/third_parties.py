# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Store what third parties announced. Runs on the controller and connects to no server."""

from __future__ import annotations

from datetime import UTC, datetime

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import announcements, who
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.configured import (
    configured_path,
    configured_setting,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import terms_files
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.plain_fields import TermsError

_OPTIONS = {
    "agreements": {"type": "path"},
    "client": {"type": "str"},
    "ledger": {"type": "path"},
}


class ActionModule(ActionBase):
    """Registers in, rows out."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=_OPTIONS)
        declared = options["agreements"] or configured_setting("agreements")
        if not declared:
            raise AnsibleActionFail(
                "third_parties: no register: set 'agreements' to the clients' terms, here or in the callback's settings"
            )
        client = (options["client"] or "").strip() or None
        now = datetime.now(UTC)
        try:
            terms = terms_files.load(declared)
            if client is not None and client not in terms.clients:
                raise TermsError(f"client: {declared} has no client {client!r}")
            announced = [one for one in announcements.of_register(terms) if client in (None, *one["clients"])]
            fresh = self._store(announced, now, who.operator(task_vars or {})["name"], options)
        except (TermsError, LedgerError) as error:
            raise AnsibleActionFail(f"third_parties: {error}") from None
        parties = [
            {"client": name, "name": party.name, "kind": party.kind, "direct_contact": _reference(party)}
            for name, its in sorted(terms.clients.items())
            for party in its.third_parties
            if client in (None, name)
        ]
        result.update(
            changed=bool(fresh),
            third_parties=parties,
            announcements=announced,
            added=[{key: entry.body[key] for key in ("third_party", "kind", "reference")} for entry in fresh],
        )
        return result

    def _store(self, announced, now, operator, options):
        ledger = Ledger(configured_path(options["ledger"]))
        if self._task.check_mode:
            if not ledger.path.exists():
                return announcements.news(lambda _sql, _values: [], announced, now, operator)
            with ledger.reading() as connection:

                def query(sql, values):
                    return connection.execute(sql, values).fetchall()

                return announcements.news(query, announced, now, operator)
        ledger.create()
        with ledger.transaction() as transaction:
            fresh = announcements.news(transaction.query, announced, now, operator)
            transaction.add(fresh)
        return fresh


def _reference(party):
    return party.direct.reference if party.direct else None
