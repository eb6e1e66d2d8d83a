# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin of `metrics`: gauges out of the ledger, into a file and over OTLP. Runs on the controller."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import reading, record, shared_url
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.configured import (
    configured_path,
    configured_shared,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.metrics import measuring, otlp, textfile
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.writing import file_mode

_OPTIONS = {
    "textfile": {"type": "path"},
    "mode": {"type": "str", "default": "0644"},
    "otlp_endpoint": {"type": "str"},
    "otlp_headers": {"type": "dict", "default": {}, "no_log": True},
    "otlp_timeout": {"type": "float", "default": 10.0},
    "days": {"type": "int", "default": 90},
    "client": {"type": "str"},
    "ledger": {"type": "path"},
}
_MOST_DAYS = 36500


class ActionModule(ActionBase):
    """Runs where ansible-playbook runs, whatever the task's host is."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=_OPTIONS)
        mode, target = _checked(options)
        ledger = Ledger(configured_path(options["ledger"]))
        if not ledger.path.exists():
            raise AnsibleActionFail(f"there is no ledger at {ledger.path}: has the callback recorded a run yet?")
        client = (options["client"] or "").strip() or None
        since = record.stamp(datetime.now(UTC) - timedelta(days=options["days"]))
        try:
            shared = configured_shared()
            targets = [shared_url.parse(shared).target] if shared else []
            with ledger.reading() as connection:
                if client is not None and client not in reading.clients(connection):
                    # An empty file would take every series away, and every alarm with them.
                    raise AnsibleActionFail(f"client: {client!r} is not in the ledger: is it spelt so?")
                samples = measuring.measure(connection, since, client, targets)
        except LedgerError as error:
            raise AnsibleActionFail(str(error)) from None
        result.update(
            changed=False,
            count=len(samples),
            metrics=[
                {"name": measuring.PREFIX + sample.gauge.name, "value": sample.value, "labels": sample.labels}
                for sample in samples
            ],
        )
        if self._task.check_mode:
            return result
        if target is not None:
            try:
                textfile.write(target, textfile.render(samples), mode)
            except OSError as error:
                raise AnsibleActionFail(f"textfile: {target} cannot be written: {error.strerror}") from None
        if options["otlp_endpoint"]:
            try:
                result["sent"] = otlp.send(
                    samples, options["otlp_endpoint"], options["otlp_headers"], options["otlp_timeout"]
                )
            except otlp.OtlpError as error:
                result.update(failed=True, msg=f"otlp_endpoint: {error}")
        return result


def _checked(options):
    """File mode and path, both checked before anything is read."""
    try:
        mode = file_mode(options["mode"])
    except ValueError as error:
        raise AnsibleActionFail(str(error)) from None
    if not 1 <= options["days"] <= _MOST_DAYS:
        raise AnsibleActionFail(f"days: must be from 1 to {_MOST_DAYS}")
    if options["otlp_timeout"] <= 0:
        raise AnsibleActionFail("otlp_timeout: must be more than 0 seconds")
    endpoint = options["otlp_endpoint"]
    if endpoint and not endpoint.startswith(("http://", "https://")):
        raise AnsibleActionFail("otlp_endpoint: must be a URL that begins with http:// or https://")
    target = Path(options["textfile"]) if options["textfile"] else None
    if target is not None and target.suffix != ".prom":
        raise AnsibleActionFail(f"textfile: {target} must end in .prom, or the collector passes it over")
    return mode, target
