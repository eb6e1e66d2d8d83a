# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin of `ledger_reap`: mark the runs that ended without saying so."""

from __future__ import annotations

from datetime import UTC, datetime

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import process, reaping
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.configured import configured_path
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError


class _Pretended(Exception):
    """Leaves the transaction without a trace."""


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
        reaped = []
        try:
            with ledger.transaction() as transaction:
                reaped = reaping.reap(transaction, process.own(), datetime.now(UTC))
                if self._task.check_mode:
                    raise _Pretended
        except _Pretended:
            pass
        except LedgerError as error:
            raise AnsibleActionFail(str(error)) from None
        result.update(changed=bool(reaped), interrupted=reaped)
        return result
