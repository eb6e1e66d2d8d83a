# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin of `billing_export`: which lines, for which tool, into which directory. Runs on the controller."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing import exporting
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.exporters.protocol import (
    ExportError,
    Setting,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.reading import read_statement
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import reading
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.configured import (
    configured_path,
    configured_setting,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.period import PeriodError, parse
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import loading, terms_checks, terms_files
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import CatalogueError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.plain_fields import TermsError

display = Display()

_OPTIONS = {
    "period": {"type": "str", "required": True},
    "format": {
        "type": "str",
        "choices": ["csv", "json", "kimai", "kimai_csv", "dolibarr", "glpi"],
        "default": "csv",
    },
    "directory": {"type": "path", "required": True},
    "client": {"type": "str"},
    "language": {"type": "str", "choices": ["fr", "en"], "default": "fr"},
    "in_contract": {"type": "bool", "default": False},
    "again": {"type": "bool", "default": False},
    "operators": {
        "type": "dict",
        "default": {},
    },
    "agreements": {"type": "path"},
    "catalogue": {"type": "path"},
    "ledger": {"type": "path"},
}
_OPERATOR = {"name": str, "email": str, "kimai_user": int, "glpi_user": int}


class ActionModule(ActionBase):
    """Runs where ansible-playbook runs, whatever the task's host is."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=_OPTIONS)
        client = (options["client"] or "").strip() or None
        operators = _operators(options["operators"])
        ledger = Ledger(configured_path(options["ledger"]))
        if not ledger.path.exists():
            raise AnsibleActionFail(f"there is no ledger at {ledger.path}: has the callback recorded a run yet?")
        now = datetime.now(UTC)
        spoilt: list[str] = []
        try:
            catalogue = loading.load(options["catalogue"] or configured_setting("catalogue"))
            terms = terms_files.load(options["agreements"] or configured_setting("agreements"))
            terms_checks.check_categories(terms, catalogue)
            period = parse(options["period"], terms.zone_name)
            with ledger.reading() as connection:
                if client is not None and client not in {*terms.clients, *reading.clients(connection)}:
                    raise AnsibleActionFail(f"client: {client!r} is neither in the clients' terms nor in the ledger")
                statement = read_statement(
                    connection,
                    client=client,
                    terms=terms,
                    categories=catalogue.categories,
                    start=period.start,
                    end=period.end,
                    now=now,
                    spoilt=spoilt,
                )
            done = exporting.export(
                ledger,
                statement.lines,
                options["format"],
                Setting(terms, options["language"], period.text, operators),
                Path(options["directory"]).expanduser(),
                client=client,
                again=options["again"],
                now=now,
                in_contract=options["in_contract"],
                pretend=self._task.check_mode,
            )
        except (CatalogueError, TermsError, PeriodError, LedgerError, ExportError) as error:
            raise AnsibleActionFail(str(error)) from None
        except OSError as error:
            raise AnsibleActionFail(f"{error.filename or options['directory']}: {error.strerror}") from None
        if done.changed and not options["again"]:
            display.warning(
                f"{len(done.changed)} interventions were exported before, and their time or price has been corrected "
                "since. Take this period's earlier entries out of the tool, and export it whole with again=true"
            )
        if spoilt:
            display.warning(
                f"{len(spoilt)} interventions are in no file, because they cannot be read: {', '.join(spoilt)}. The "
                "ledger's action `verify` tells which of their rows were changed; bill them by hand"
            )
        result.update(
            changed=done.written,
            unreadable=spoilt,
            file=done.file,
            lines=done.lines,
            known=done.known,
            corrected_since=done.changed,
            seconds=done.seconds,
            amounts={currency: str(amount) for currency, amount in sorted(done.amounts.items())},
        )
        return result


def _operators(given):
    """Checked by hand: the names are the user's."""
    found = {}
    for operator, fields in given.items():
        where = f"operators: '{operator}'"
        if not isinstance(fields, dict):
            raise AnsibleActionFail(f"{where} must be a mapping")
        for name, value in fields.items():
            if name not in _OPERATOR:
                raise AnsibleActionFail(f"{where}: unknown field {name!r}; it may hold {', '.join(_OPERATOR)}")
            if not isinstance(value, _OPERATOR[name]) or isinstance(value, bool) or not value:
                what = "a number" if _OPERATOR[name] is int else "a text"
                raise AnsibleActionFail(f"{where}: field '{name}' must be {what}, not {value!r}")
        found[str(operator)] = dict(fields)
    return found
