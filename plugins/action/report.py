# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's action plugin: options in, report out. Reads the ledger on the controller."""

from __future__ import annotations

from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.configured import (
    configured_setting,
    configured_store,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report import branding, making, writing
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.pdf import PdfMissing
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.period import PeriodError, parse
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import loading, terms_checks, terms_files
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import CatalogueError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.plain_fields import TermsError

display = Display()

_OPTIONS = {
    "period": {"type": "str", "required": True},
    "client": {"type": "str"},
    "language": {"type": "str", "choices": ["fr", "en"], "default": "fr"},
    "timezone": {"type": "str"},
    "directory": {"type": "path"},
    "formats": {
        "type": "list",
        "elements": "str",
        "choices": list(making.FORMATS),
        "default": list(making.DEFAULT_FORMATS),
    },
    "fleet": {"type": "bool", "default": False},
    "provider": {"type": "str"},
    "logo": {"type": "path"},
    "contact": {"type": "str"},
    "agreements": {"type": "path"},
    "catalogue": {"type": "path"},
    "ledger": {"type": "path"},
    "shared": {"type": "str", "no_log": True},
}


class ActionModule(ActionBase):
    """Runs where ansible-playbook runs, whatever the task's host is."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=_OPTIONS)
        client = (options["client"] or "").strip() or None
        if client is not None and options["fleet"]:
            raise AnsibleActionFail("'fleet' is about all clients: leave 'client' out, or set fleet to false")
        try:
            brand = branding.brand(options["provider"], options["logo"], options["contact"])
            terms, categories = _terms(options)
            # A report and a bill of one month must be of the same hours.
            zone_name = options["timezone"] or (terms.zone_name if terms is not None else "UTC")
            period = parse(options["period"], zone_name)
            store = configured_store(options["ledger"], options["shared"])
            made = making.make(
                store,
                period,
                client,
                options["language"],
                options["formats"],
                brand=brand,
                whole_fleet=options["fleet"],
                terms=terms,
                categories=categories,
            )
        except (PeriodError, LedgerError, branding.BrandError, PdfMissing, TermsError, CatalogueError) as error:
            raise AnsibleActionFail(str(error)) from None
        if client is not None and client not in made.known_clients:
            known = ", ".join(made.known_clients) or "none"
            raise AnsibleActionFail(f"client {client!r} is not in the ledger. Known clients: {known}")
        for fault in made.report["ledger"]["faults"]:
            display.warning(f"the ledger's chain is broken: {fault}")
        for warning in made.warnings:
            display.warning(warning)
        files = []
        if options["directory"]:
            directory = Path(options["directory"]).expanduser()
            for name, text in made.files.items():
                try:
                    changed = writing.write_changed(directory / name, text, pretend=self._task.check_mode)
                except OSError as error:
                    raise AnsibleActionFail(f"{directory / name} cannot be written: {error.strerror}") from None
                result["changed"] = result.get("changed", False) or changed
                files.append(str(directory / name))
        display.display(made.text)
        result.update(
            changed=result.get("changed", False),
            summary=made.report["summary"],
            files=files,
            ledger_faults=made.report["ledger"]["faults"],
            table=made.text,
            source=store.shown,
        )
        return result


def _terms(options):
    """The clients' terms and the catalogue's categories; no terms where none are declared."""
    path = options["agreements"] or configured_setting("agreements")
    if not path:
        return None, {}
    catalogue = loading.load(options["catalogue"] or configured_setting("catalogue"))
    terms = terms_files.load(path)
    terms_checks.check_categories(terms, catalogue)
    return terms, catalogue.categories
