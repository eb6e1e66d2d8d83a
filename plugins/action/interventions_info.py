# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read interventions from the ledger. Runs on the controller and connects to no server."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import reading, record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.configured import configured_store
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.period import PeriodError, parse

_OUTCOMES = ["ok", "failed", "unreachable", "no_hosts", "aborted", "interrupted", "running", "blocked"]
_OPTIONS = {
    "period": {"type": "str"},
    "timezone": {"type": "str", "default": "UTC"},
    "client": {"type": "str"},
    "host": {"type": "str"},
    "run_id": {"type": "str"},
    "category": {"type": "str"},
    "contract": {"type": "str", "choices": ["in", "out", "none"]},
    "outcome": {"type": "str", "choices": _OUTCOMES},
    "operator": {"type": "str"},
    "ledger": {"type": "path"},
    "shared": {"type": "str", "no_log": True},
}


class ActionModule(ActionBase):
    """Filters in, interventions out."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(
            argument_spec=_OPTIONS, required_one_of=[["period", "run_id"]]
        )
        names = ("client", "host", "run_id", "category", "contract", "outcome", "operator")
        filters = {name: (options[name] or "").strip() or None for name in names}
        try:
            store = configured_store(options["ledger"], options["shared"])
            if options["period"]:
                period = parse(options["period"], options["timezone"])
                filters.update(start=record.stamp(period.start), end=record.stamp(period.end))
            with store.reading() as connection:
                found = reading.wanted(connection, reading.Wanted(**filters))
        except (LedgerError, PeriodError) as error:
            raise AnsibleActionFail(str(error)) from None
        result.update(changed=False, count=len(found), interventions=found, source=store.shown)
        return result
