# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin of `ledger_push`: options in, a bounded push, its result out. Runs on the controller."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import outbox, pushing, shared_url, signing
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.configured import (
    configured_path,
    configured_setting,
    configured_shared,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError

_OPTIONS = {
    "shared": {"type": "str", "no_log": True},
    "ledger": {"type": "path"},
    "wait": {"type": "float", "default": 60.0},
    "thorough": {"type": "bool", "default": True},
    "must_arrive": {"type": "bool", "default": True},
    "sign_key": {"type": "path"},
}


class ActionModule(ActionBase):
    """Runs where ansible-playbook runs, whatever the task's host is."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=_OPTIONS)
        if options["wait"] <= 0:
            raise AnsibleActionFail("wait: must be more than 0 seconds")
        ledger = Ledger(configured_path(options["ledger"]))
        try:
            url = options["shared"] or configured_shared()
            if not url:
                raise AnsibleActionFail("no shared ledger is set: see the option 'shared' of ledger_push")
            target = shared_url.parse(url).target
            if self._task.check_mode:
                with ledger.reading() as connection:
                    waiting = outbox.waiting(connection, target)
                result.update(changed=waiting > 0, target=target, remaining=waiting)
                return result
            signed, unsigned_because = self._signed(ledger, options["sign_key"] or configured_setting("sign_key"))
            pushed = pushing.push(ledger, url, options["wait"], thorough=options["thorough"])
            pushed.notices += unsigned_because
        except LedgerError as error:
            raise AnsibleActionFail(str(error)) from None
        result.update(pushed.as_dict(), changed=bool(pushed.pushed or signed), target=target, signed=signed)
        if pushed.refused or (options["must_arrive"] and not pushed.complete):
            said = [*pushed.refused, pushed.problem]
            result.update(
                failed=True,
                msg=f"{pushed.remaining} rows wait. " + "; ".join(sentence for sentence in said if sentence),
            )
        return result

    def _signed(self, ledger, key):
        """Up to which row; and why nothing was signed. A key in trouble keeps no row from being sent."""
        try:
            row = signing.sign(ledger, Path(key).expanduser(), datetime.now(UTC)) if key else None
        except LedgerError as error:
            return None, [f"not signed: {error}"]
        return row, []
