# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of `interventions_collect`: notes from the server into the ledger, then removed there."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import importing, inventory, who
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.configured import (
    configured_path,
    configured_setting,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.period import PeriodError, named_zone
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.loading import load
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import CatalogueError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.tools_in_use import notes

display = Display()

_MODULE = "infogerance.perimeter.interventions_collect"
_OPTIONS = {
    "evomaintenance": {"type": "bool", "default": True},
    "clients": {"type": "list", "elements": "str", "default": []},
    "category": {"type": "str"},
    "timezone": {"type": "str"},
    "catalogue": {"type": "path"},
    "ledger": {"type": "path"},
}


class ActionModule(ActionBase):
    """Read, store, and only then remove."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=_OPTIONS)
        variables = task_vars or {}
        try:
            category = self._category(options)
            zone = named_zone(options["timezone"]) if options["timezone"] else None
        except (CatalogueError, PeriodError) as error:
            raise AnsibleActionFail(str(error)) from None
        seen = self._execute_module(
            module_name=_MODULE, module_args={"evomaintenance": options["evomaintenance"]}, task_vars=task_vars
        )
        if "notes" not in seen:
            result.update(seen)
            return result
        host = variables["inventory_hostname"]
        clients = options["clients"] or inventory.host_clients(variables, host) or []
        told = seen["evomaintenance"]
        if (seen["notes"] or told) and not clients:
            raise AnsibleActionFail(f"{host}: whose host is it? Nothing was taken over, because nobody could see it")
        try:
            done = self._store(seen["notes"], told, options, variables, host, clients, category, zone)
        except (LedgerError, importing.ImportRefused) as error:
            raise AnsibleActionFail(f"nothing was taken over, and all stays on the server. {error}") from None
        removed = 0
        added, known, damaged, kept = done
        files = ["{name}.{state}".format(**note) for note in seen["notes"] if note["name"] not in kept]
        if files and not self._task.check_mode:
            gone = self._execute_module(module_name=_MODULE, module_args={"remove": files}, task_vars=task_vars)
            if "removed" not in gone:
                # The ledger has them; the next time finds them known.
                display.warning(f"interventions_collect: {host}: taken over, not removed: {gone.get('msg')}")
            removed = gone.get("removed", 0)
        for sentence in damaged:
            display.warning(f"interventions_collect: {host}: {sentence}")
        result.update(
            changed=added > 0 or removed > 0,
            notes=seen["notes"],
            running=seen["running"],
            added=added,
            known=known,
            removed=removed,
            damaged=[*seen["damaged"], *damaged],
        )
        return result

    def _category(self, options):
        catalogue = load(options["catalogue"] or configured_setting("catalogue"))
        name = options["category"] or catalogue.default
        if name not in catalogue.categories:
            known = ", ".join(sorted(catalogue.categories))
            raise AnsibleActionFail(f"category: {name!r} is not in the catalogue. Known categories: {known}")
        return catalogue.categories[name]

    def _store(self, found, told, options, variables, host, clients, category, zone):
        ledger = Ledger(configured_path(options["ledger"]))
        if self._task.check_mode and not ledger.path.exists():
            # What an empty ledger would know: nothing.
            with tempfile.TemporaryDirectory() as folder:
                empty = Ledger(Path(folder) / "ledger.sqlite3")
                empty.create()
                return self._store_in(empty, found, told, variables, host, clients, category, zone)
        return self._store_in(ledger, found, told, variables, host, clients, category, zone)

    def _store_in(self, ledger, found, told, variables, host, clients, category, zone):
        operator = who.operator(variables)
        now = datetime.now(UTC)
        works = [notes.work(note, host, clients, category, operator.get("name")) for note in found]
        added, refused = notes.store(ledger, works, now, pretend=self._task.check_mode)
        known = len(works) - added - len(refused)
        kept = [key.rpartition(" ")[2] for key in refused]
        differing = [
            f"note {name}: the ledger has it with other facts, so it stays on the server. Record what it adds with "
            "infogerance.perimeter.intervention, then remove it"
            for name in kept
        ]
        if not told:
            return added, known, differing, kept
        lines = told.split("\n")
        # The end of a long log begins inside a record.
        first = next((number for number, line in enumerate(lines) if line.startswith("*****")), len(lines))
        imported = importing.from_evomaintenance_texts(
            ledger,
            {"evomaintenance.log": lines[first:]},
            now,
            owners=lambda _noted: (host, clients),
            category=category,
            operator=operator,
            zone=zone,
            pretend=self._task.check_mode,
        )
        return added + imported.interventions, known + imported.known, [*differing, *imported.unreadable], kept
