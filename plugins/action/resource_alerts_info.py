# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read alerts from the ledger. Runs on the controller and connects to no server."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts import life, rows
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.configured import configured_path
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError

_OPTIONS = {
    "host": {"type": "str"},
    "client": {"type": "str"},
    "cause": {"type": "str"},
    "states": {
        "type": "list",
        "elements": "str",
        "choices": ["open", "overdue", "closed"],
        "default": ["open", "overdue"],
    },
    "ledger": {"type": "path"},
}


class ActionModule(ActionBase):
    """Filters in, alerts and proposals out."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=_OPTIONS)
        ledger = Ledger(configured_path(options["ledger"]))
        if not ledger.path.exists():
            raise AnsibleActionFail(f"there is no ledger at {ledger.path}: has resource_alerts run yet?")
        try:
            with ledger.reading() as connection:
                known = rows.of_client(rows.read(connection), options["client"])
        except LedgerError as error:
            raise AnsibleActionFail(str(error)) from None
        found = [
            alert
            for alert in known
            if options["host"] in (None, alert.host)
            and options["cause"] in (None, alert.cause)
            and alert.state in options["states"]
        ]
        proposed = life.proposals(found, {alert.host for alert in found})
        result.update(changed=False, alerts=[alert.as_dict() for alert in found], proposed=proposed)
        return result
