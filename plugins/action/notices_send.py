# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin of `notices_send`: which notices, through which channels. Runs on the controller."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.configured import configured_path
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices import events, sending, smtp, webhook
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices.channel import ChannelError

_CHANNEL = {
    "name": {"type": "str", "required": True},
    "kind": {"type": "str", "choices": ["smtp", "webhook"], "required": True},
    "events": {"type": "list", "elements": "str", "choices": list(events.EVENTS), "default": list(events.EVENTS)},
    "clients": {"type": "list", "elements": "str"},
    "language": {"type": "str", "choices": ["fr", "en"], "default": "fr"},
    "host": {"type": "str"},
    "port": {"type": "int"},
    "tls": {"type": "str", "choices": list(smtp.TLS), "default": "starttls"},
    "sender": {"type": "str"},
    "recipients": {"type": "list", "elements": "str", "default": []},
    "user": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "url": {"type": "str", "no_log": True},
    "token": {"type": "str", "no_log": True},
    "ca_file": {"type": "path"},
}
_OPTIONS = {
    "channels": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": _CHANNEL,
        "required_if": [["kind", "smtp", ["host", "sender"]], ["kind", "webhook", ["url"]]],
    },
    "max_age_days": {"type": "int", "default": 7},
    "quiet_hours": {"type": "int", "default": 24},
    "retry_now": {"type": "bool", "default": False},
    "ledger": {"type": "path"},
}


class ActionModule(ActionBase):
    """Runs where ansible-playbook runs, whatever the task's host is."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=_OPTIONS)
        for name, least, most in (("max_age_days", 1, 59), ("quiet_hours", 0, 24 * 59)):
            if not least <= options[name] <= most:
                raise AnsibleActionFail(f"{name}: must be from {least} to {most}, not {options[name]}")
        rules = sending.Rules(
            timedelta(days=options["max_age_days"]), timedelta(hours=options["quiet_hours"]), options["retry_now"]
        )
        ledger = Ledger(configured_path(options["ledger"]))
        if not ledger.path.exists():
            raise AnsibleActionFail(f"there is no ledger at {ledger.path}: has the callback recorded a run yet?")
        try:
            channels = [_subscription(given) for given in options["channels"]]
            names = [channel.name for channel in channels]
            if doubled := {name for name in names if names.count(name) > 1}:
                raise ChannelError(f"channel '{min(doubled)}': field 'name' is used twice")
            done = sending.send(ledger, channels, rules, datetime.now(UTC), pretend=self._task.check_mode)
        except (ChannelError, LedgerError) as error:
            raise AnsibleActionFail(str(error)) from None
        except OSError as error:
            raise AnsibleActionFail(f"{error.filename or ledger.path}: {error.strerror}") from None
        result.update(
            changed=bool(done.sent),
            sent=done.sent,
            held_back=done.held_back,
            waiting=done.waiting,
            given_up=done.given_up,
            problems=done.problems,
            busy=done.busy,
        )
        said = "; ".join(f"channel '{name}': {why}" for name, why in sorted(done.problems.items()))
        if said and not (done.waiting or done.given_up):
            result["warnings"] = [said]
        if done.waiting or done.given_up:
            lost = f", {len(done.given_up)} are too old now and were given up" if done.given_up else ""
            result.update(failed=True, msg=f"{len(done.waiting)} notices wait{lost}. {said}")
        return result


def _subscription(given):
    name = given["name"].strip()
    if not name:
        raise ChannelError("a channel's field 'name' is empty")
    return sending.Subscription(name, _channel(name, given), given["events"], given["clients"], given["language"])


def _channel(name, given):
    if given["kind"] == "smtp":
        fields = ("host", "port", "tls", "sender", "recipients", "user", "password", "ca_file")
        return smtp.Smtp(name, **{field: given[field] for field in fields})
    return webhook.Webhook(name, **{field: given[field] for field in ("url", "token", "ca_file")})
