# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin of `ledger_verify`: walk every chain, compare with what was acknowledged elsewhere."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import outbox, verification
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.configured import configured_path
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.paged import PagedConnection
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError


class ActionModule(ActionBase):
    """Runs where ansible-playbook runs, whatever the task's host is."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec={"ledger": {"type": "path"}})
        ledger = Ledger(configured_path(options["ledger"]))
        if not ledger.path.exists():
            raise AnsibleActionFail(f"there is no ledger at {ledger.path}")
        try:
            checked = verification.verify(PagedConnection(ledger))
            with ledger.reading() as connection:
                elsewhere = verification.against(connection, outbox.heads(connection))
        except LedgerError as error:
            raise AnsibleActionFail(str(error)) from None
        faults = [*checked.faults, *(fault.text for fault in elsewhere)]
        first = [
            {"writer": fault.writer, "row": fault.row, "what": fault.what} for fault in [*checked.first, *elsewhere]
        ]
        result.update(changed=False, rows=checked.rows, heads=checked.heads, faults=faults, first=first)
        if faults:
            result.update(failed=True, msg=f"the ledger {ledger.path} was tampered with or is damaged: {faults[0]}")
        return result
