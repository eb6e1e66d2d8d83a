# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin of `ledger_import`: take interventions over from files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import clients, importing, inventory, who
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.configured import (
    configured_path,
    configured_setting,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.period import PeriodError, named_zone
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.loading import load
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import CatalogueError

display = Display()

_OPTIONS = {
    "files": {"type": "list", "elements": "path", "required": True},
    "format": {"type": "str", "choices": ["ledger", "evomaintenance"], "default": "ledger"},
    "clients": {"type": "dict", "default": {}},
    "category": {"type": "str"},
    "timezone": {"type": "str"},
    "catalogue": {"type": "path"},
    "ledger": {"type": "path"},
}


class ActionModule(ActionBase):
    """Runs where ansible-playbook runs, whatever the task's host is."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=_OPTIONS)
        if not options["files"]:
            raise AnsibleActionFail("files: is empty")
        ledger = Ledger(configured_path(options["ledger"]))
        files = [Path(name).expanduser() for name in options["files"]]
        now, pretend = datetime.now(UTC), self._task.check_mode
        if pretend and not ledger.path.exists():
            raise AnsibleActionFail(f"there is no ledger at {ledger.path}, so check mode cannot tell what would be new")
        try:
            if options["format"] == "ledger":
                if useless := sorted({"clients", "category", "timezone", "catalogue"} & set(self._task.args)):
                    raise AnsibleActionFail(f"format 'ledger' has no use for: {', '.join(useless)}")
                done = importing.from_logs_and_exports(ledger, files, now, pretend=pretend)
            else:
                done = self._evomaintenance(ledger, files, now, options, task_vars or {}, pretend)
        except (LedgerError, CatalogueError, PeriodError, importing.ImportRefused) as error:
            raise AnsibleActionFail(f"nothing was imported. {error}") from None
        except OSError as error:
            raise AnsibleActionFail(f"nothing was imported. {error.filename}: {error.strerror}") from None
        for sentence in (*done.unreadable, *done.notices):
            display.warning(f"ledger_import: {sentence}")
        result.update(
            changed=done.rows > 0,
            rows=done.rows,
            known=done.known,
            unreadable=done.unreadable,
            notices=done.notices,
        )
        return result

    def _evomaintenance(self, ledger, files, now, options, variables, pretend):
        catalogue = load(options["catalogue"] or configured_setting("catalogue"))
        name = options["category"] or catalogue.default
        if name not in catalogue.categories:
            known = ", ".join(sorted(catalogue.categories))
            raise AnsibleActionFail(f"category: {name!r} is not in the catalogue. Known categories: {known}")
        given = {str(host): clients.clients_of(value, ()) for host, value in options["clients"].items()}

        def owners(noted):
            names = [name for name in (noted.host, noted.fqdn) if name]
            for host in names:
                known = inventory.host_clients(variables, host)
                if known:
                    return host, given.get(host) or known
            return noted.host, next((given[host] for host in names if given.get(host)), [])

        return importing.from_evomaintenance(
            ledger,
            files,
            now,
            owners=owners,
            category=catalogue.categories[name],
            operator=who.operator(variables),
            zone=named_zone(options["timezone"]) if options["timezone"] else None,
            pretend=pretend,
        )
