# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Store what a client answered to an alert. Runs on the controller and connects to no server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts import life, rows
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record, spent_time, who
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.configured import configured_path
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.period import PeriodError, named_zone

_OPTIONS = {
    "host": {"type": "str", "required": True},
    "cause": {"type": "str", "required": True},
    "by": {"type": "str", "required": True},
    "note": {"type": "str", "required": True},
    "at": {"type": "str"},
    "until": {"type": "str"},
    "timezone": {"type": "str", "default": "UTC"},
    "ledger": {"type": "path"},
}
# A promise may be kept late, but not for ever: the reminders would never come back.
_LONGEST_PROMISE = timedelta(days=92)


class ActionModule(ActionBase):
    """An answer in, a row out."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=_OPTIONS)
        now = datetime.now(UTC)
        try:
            result.update(self._answer(options, who.operator(task_vars or {})["name"], now))
        except (LedgerError, PeriodError, ValueError) as error:
            raise AnsibleActionFail(f"alert_answer: {error}") from None
        return result

    def _answer(self, options, operator, now):
        for name in ("by", "note"):
            if not options[name].strip():
                raise ValueError(f"{name}: is empty")
        zone = named_zone(options["timezone"])
        at = spent_time.moment("at", options["at"], zone) if options["at"] else now
        if at > now + timedelta(minutes=5):
            raise ValueError("at: lies in the future")
        until = spent_time.moment("until", options["until"], zone) if options["until"] else None
        if until is not None and not at < until <= at + _LONGEST_PROMISE:
            raise ValueError(f"until: must come after the answer, and at most {_LONGEST_PROMISE.days} days after")
        ledger = Ledger(configured_path(options["ledger"]))
        if not ledger.path.exists():
            raise ValueError(f"there is no ledger at {ledger.path}")
        answer = {
            "by": options["by"].strip(),
            "note": options["note"].strip(),
            "until": record.stamp(until) if until else None,
            "recorded_by": operator,
        }
        if self._task.check_mode:
            with ledger.reading() as connection:
                alert = self._alert(lambda sql, values: connection.execute(sql, values).fetchall(), options)
            return {"changed": True, "alert": alert.as_dict()}
        with ledger.transaction() as transaction:
            alert = self._alert(transaction.query, options)
            if record.stamp(at) < alert.opened_at:
                raise ValueError(f"at: is before the alert was opened ({alert.opened_at})")
            entry = rows.of_answer(alert, answer, at)
            known = transaction.query("SELECT 1 FROM records WHERE uid = ?", (entry.uid,))
            transaction.add([entry])
            alert = self._alert(transaction.query, options)
        return {"changed": not known, "alert": alert.as_dict()}

    def _alert(self, query, options) -> life.Alert:
        host, cause = options["host"], options["cause"]
        standing = rows.still_open(query, [host])
        if (host, cause) not in standing:
            there = ", ".join(sorted(name for _host, name in standing)) or "none"
            raise ValueError(f"host {host!r} has no open alert of cause {cause!r}; open there: {there}")
        return standing[(host, cause)]
