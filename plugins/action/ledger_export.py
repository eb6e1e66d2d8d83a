# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin of `ledger_export`: the whole ledger into one file."""

from __future__ import annotations

from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import transfer
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.configured import configured_path
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError


class ActionModule(ActionBase):
    """Runs where ansible-playbook runs, whatever the task's host is."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(
            argument_spec={"dest": {"type": "path", "required": True}, "ledger": {"type": "path"}}
        )
        ledger = Ledger(configured_path(options["ledger"]))
        dest = Path(options["dest"]).expanduser()
        if not ledger.path.exists():
            raise AnsibleActionFail(f"there is no ledger at {ledger.path}")
        if dest.exists() and (not dest.is_file() or dest.samefile(ledger.path)):
            raise AnsibleActionFail(f"dest: {dest} is the ledger itself, or no plain file")
        try:
            if self._task.check_mode:
                with ledger.reading() as connection:
                    rows = int(connection.execute("SELECT count(*) FROM records").fetchone()[0])
            else:
                rows = transfer.export(ledger, dest)
        except LedgerError as error:
            raise AnsibleActionFail(str(error)) from None
        except OSError as error:
            raise AnsibleActionFail(f"{dest} cannot be written: {error.strerror}") from None
        result.update(changed=True, rows=rows, dest=str(dest))
        return result
