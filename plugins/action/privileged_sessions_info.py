# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of `privileged_sessions_info`: which intervention is behind each session."""

from __future__ import annotations

from datetime import timedelta

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import reading, record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.configured import configured_store
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.tools_in_use import matching

_OPTIONS = {
    "days": {"type": "int", "default": 7},
    "tolerance": {"type": "int", "default": 15},
    "operators": {"type": "dict", "default": {}},
    "shared_accounts": {"type": "list", "elements": "str", "default": ["root"]},
    "max_seconds": {"type": "int", "default": 60},
    "ledger": {"type": "path"},
    "shared": {"type": "str", "no_log": True},
}
# A session may belong to an intervention that began long before it.
_BEFORE = timedelta(days=2)


class ActionModule(ActionBase):
    """The module reads the server, this reads the ledger."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=_OPTIONS)
        if options["tolerance"] < 0:
            raise AnsibleActionFail(f"tolerance: {options['tolerance']} is less than 0")
        operators = {}
        for account, names in options["operators"].items():
            operators[str(account)] = [names] if isinstance(names, str) else list(names)
        try:
            store = configured_store(options["ledger"], options["shared"])
        except LedgerError as error:
            raise AnsibleActionFail(str(error)) from None
        wanted = {key: options[key] for key in ("days", "max_seconds")}
        seen = self._execute_module(
            module_name="infogerance.perimeter.privileged_sessions_info", module_args=wanted, task_vars=task_vars
        )
        result.update(seen)
        if "sessions" not in seen:
            return result
        host = task_vars["inventory_hostname"]
        sessions = seen["sessions"]
        runs = []
        if sessions:
            start = record.stamp(matching.moment(sessions[0]["began"]) - _BEFORE)
            try:
                with store.reading() as connection:
                    runs = reading.wanted(connection, reading.Wanted(start=start, host=host))
            except LedgerError as error:
                raise AnsibleActionFail(str(error)) from None
        matched = matching.match(
            sessions, runs, timedelta(minutes=options["tolerance"]), operators, options["shared_accounts"]
        )
        left = matching.unexplained(matched)
        shells = sum(row["interactive"] for row in left)
        result.update(
            sessions=matched,
            unexplained=left,
            counts={
                "sessions": len(matched),
                "explained": sum(row["intervention"] is not None for row in matched),
                "unexplained_shells": shells,
                "unexplained_others": len(left) - shells,
                "limits": len(seen["limits"]),
            },
            observation_kind="privileged_sessions",
        )
        return result
