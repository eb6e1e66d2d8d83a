# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what was measured on hosts and keep their alerts. Runs on the controller and connects to no server."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts import messengers, policy, watching
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import inventory, who
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.configured import configured_path
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices.channel import ChannelError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices.smtp import TLS
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.period import PeriodError, named_zone
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.plain_fields import TermsError

_OBSERVED = {
    "host": {"type": "str", "required": True},
    "readings": {"type": "list", "elements": "dict", "required": True},
    "unread": {"type": "list", "elements": "dict", "default": []},
    "measured": {"type": "list", "elements": "str", "required": True},
    "thresholds": {"type": "list", "elements": "dict", "default": []},
    "schedule": {"type": "dict", "required": True},
    "reminders_needed": {"type": "int", "default": 2},
    "recipients": {"type": "list", "elements": "dict", "default": []},
}
_SMTP = {
    "host": {"type": "str", "required": True},
    "sender": {"type": "str", "required": True},
    "port": {"type": "int"},
    "tls": {"type": "str", "choices": list(TLS), "default": "starttls"},
    "user": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "ca_file": {"type": "path"},
}
_OPTIONS = {
    "observed": {"type": "list", "elements": "dict", "required": True, "options": _OBSERVED},
    "directory": {"type": "path"},
    "smtp": {"type": "dict", "options": _SMTP},
    "provider": {"type": "str", "default": ""},
    "timezone": {"type": "str", "default": "UTC"},
    "ledger": {"type": "path"},
}


class ActionModule(ActionBase):
    """Measurements in, rows and notices out."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=_OPTIONS)
        variables = task_vars or {}
        try:
            zone = named_zone(options["timezone"])
            # A slip in one host's variables must not silence the alerts of all others.
            observed, faults = [], []
            for item in options["observed"]:
                try:
                    observed.append(self._observed(item, variables))
                except TermsError as error:
                    faults.append(str(error))
            twice = sorted({one.host for one in observed if sum(one.host == other.host for other in observed) > 1})
            if twice:
                raise TermsError(f"observed: field 'host' names {twice[0]!r} twice")
            ways: dict[str, messengers.Messenger] = {}
            if options["directory"]:
                ways["file"] = messengers.DirectoryMessenger(Path(options["directory"]).expanduser())
            if options["smtp"]:
                ways["email"] = messengers.MailMessenger(options["smtp"])
            ledger = Ledger(configured_path(options["ledger"]))
            done = watching.watch(
                ledger,
                observed,
                ways,
                by=who.operator(variables)["name"],
                provider=options["provider"],
                zone=zone,
                now=datetime.now(UTC),
                pretend=self._task.check_mode,
            )
        except (TermsError, PeriodError, LedgerError, ChannelError) as error:
            raise AnsibleActionFail(f"resource_alerts: {error}") from None
        events = [{"host": event.alert.host, "cause": event.alert.cause, "event": event.event} for event in done.events]
        result.update(
            changed=bool(events or done.told),
            alerts=[alert.as_dict() for alert in done.alerts],
            events=events,
            told=done.told,
            untold=done.untold,
            files=[str(Path(options["directory"]).expanduser() / name) for name in done.files],
            lines=[*(f"left out: {fault}" for fault in faults), *watching.lines(done, observed)],
        )
        if faults:
            result.update(failed=True, msg="resource_alerts: " + "; ".join(faults))
        return result

    def _observed(self, item, variables):
        host = item["host"]
        for number, reading in enumerate(item["readings"], 1):
            if not all(isinstance(reading.get(field), str) and reading[field] for field in ("kind", "name")):
                raise TermsError(f"host {host}: readings: entry {number} needs the fields 'kind' and 'name'")
        return watching.Observed(
            host=host,
            clients=tuple(inventory.host_clients(variables, host) or ()),
            readings=item["readings"],
            unread=item["unread"],
            measured=item["measured"],
            policy=policy.parse(item, f"host {host}"),
        )
