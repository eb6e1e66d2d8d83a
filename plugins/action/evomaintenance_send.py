# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin of `evomaintenance_send`: which interventions, and where to. Runs on the controller."""

from __future__ import annotations

from datetime import UTC, datetime

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.evomaintenance import api, database, rows, sending
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import reading, record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.configured import configured_path
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.model import OWN_PLAYBOOKS
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.period import PeriodError, parse

_OPTIONS = {
    "period": {"type": "str", "required": True},
    "timezone": {"type": "str", "default": "UTC"},
    "client": {"type": "str"},
    "database": {"type": "str", "no_log": True},
    "api_url": {"type": "str"},
    "api_key": {"type": "str", "no_log": True},
    "ca_file": {"type": "path"},
    "ledger": {"type": "path"},
}


class ActionModule(ActionBase):
    """Runs where ansible-playbook runs, whatever the task's host is."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(
            argument_spec=_OPTIONS,
            required_one_of=[["database", "api_url"]],
            mutually_exclusive=[["database", "api_url"]],
            required_together=[["api_url", "api_key"]],
            required_by={"ca_file": ["api_url"]},
        )
        ledger = Ledger(configured_path(options["ledger"]))
        if not ledger.path.exists():
            raise AnsibleActionFail(f"there is no ledger at {ledger.path}")
        try:
            period = parse(options["period"], options["timezone"])
            target = (
                database.Database(options["database"])
                if options["database"]
                else api.Api(options["api_url"], options["api_key"], options["ca_file"])
            )
            start, end = record.stamp(period.start), record.stamp(period.end)
            with ledger.reading() as connection:
                found = reading.interventions(connection, start, end, options["client"])
            found = [run for run in found if rows.wanted(run, OWN_PLAYBOOKS)]
            with target:
                done = sending.send(ledger, target, found, datetime.now(UTC), pretend=self._task.check_mode)
        except (LedgerError, PeriodError, database.SendError) as error:
            raise AnsibleActionFail(str(error)) from None
        result.update(changed=done.sent > 0, sent=done.sent, known=done.known, waiting=done.waiting)
        if done.problem:
            result.update(failed=True, msg=f"{len(done.waiting)} rows wait. {done.problem}")
        return result
