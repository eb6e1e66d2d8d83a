# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin of `ledger_database`: the SQL is made here, and psql on the host runs it from its standard input.

No module is sent: a module's arguments would lie in a file, and in the host's log.
"""

from __future__ import annotations

import json

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import database_plan, migrating
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.database_plan import Declared
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.shared import REVISION
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import LedgerError

_OPTIONS = {
    "database": {"type": "str", "default": "perimeter_ledger"},
    "owner": {"type": "str", "default": "perimeter_owner"},
    "operators_role": {"type": "str", "default": "perimeter_operators"},
    "reporters_role": {"type": "str", "default": "perimeter_reporters"},
    "operators": {"type": "list", "elements": "dict", "default": [], "no_log": True},
    "reporters": {"type": "list", "elements": "dict", "default": [], "no_log": True},
    "networks": {"type": "list", "elements": "str", "default": []},
    "port": {"type": "int", "default": 5432},
}
_VERSION = """SELECT to_regclass('public.alembic_version') IS NOT NULL AS there \\gset
\\if :there
SELECT json_build_object('version', (SELECT version_num FROM public.alembic_version));
\\else
SELECT json_build_object('version', NULL, 'tables', (SELECT count(*) FROM pg_class WHERE relkind = 'r'
  AND relnamespace = 'public'::regnamespace));
\\endif
"""


class ActionModule(ActionBase):
    """Reads, plans, and then changes: everything is checked before the first change."""

    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=_OPTIONS)
        port, networks = options.pop("port"), options.pop("networks")
        try:
            declared = Declared(
                **{
                    **options,
                    "operators": database_plan.logins(options["operators"], "operators"),
                    "reporters": database_plan.logins(options["reporters"], "reporters"),
                }
            )
            database_plan.check(declared)
            hba = database_plan.hba(declared, networks)
            found = json.loads(self._psql("postgres", port, database_plan.look(declared)))
            steps = database_plan.plan(declared, found)
            before = self._version(declared, port) if found["database"] else None
            migrations = migrating.as_sql(before, transaction=False)
            grants = migrating.grants(declared.operators_role, declared.reporters_role)
        except LedgerError as error:
            raise AnsibleActionFail(str(error)) from None
        said = [step.said for step in steps]
        keep = not self._task.check_mode
        if steps and keep:
            self._psql("postgres", port, database_plan.together(steps))
        if not found["database"]:
            said.append(f"create database {declared.database}")
            if keep:
                self._psql("postgres", port, database_plan.creation(declared))
        if before != REVISION:
            said.append(f"bring the schema from {before or 'nothing'} to {REVISION}")
        roles_there = {declared.owner, *declared.groups} <= set(found["roles"])
        if keep or (found["database"] and roles_there):
            sql = database_plan.schema(declared, migrations, grants, keep=keep)
            if self._psql(declared.database, port, sql).splitlines()[-1] == "changed":
                said.append("set the rights")
        else:
            said.append("set the rights")
        result.update(
            changed=bool(said),
            actions=said,
            hba=hba,
            undeclared=database_plan.undeclared(declared, found),
            version_before=before,
            version=REVISION if keep else before,
        )
        return result

    def _version(self, declared, port):
        answer = json.loads(self._psql(declared.database, port, _VERSION))
        if answer["version"] is None and answer["tables"]:
            raise AnsibleActionFail(f"database: {declared.database} has tables that are not the ledger's")
        if answer["version"] is not None and not migrating.is_known(answer["version"]):
            raise AnsibleActionFail(
                f"database: {declared.database} has version {answer['version']}, this release knows {REVISION}"
            )
        return answer["version"]

    def _psql(self, database, port, sql):
        """What psql printed. The names were checked; the SQL goes through standard input, never through argv."""
        command = f"cd / && runuser -u postgres -- psql -X -q -A -t -w -v ON_ERROR_STOP=1 -p {port} -d {database}"
        done = self._low_level_execute_command(command, sudoable=True, in_data=sql.encode())
        if done["rc"] != 0:
            text = (done["stderr"] or done["stdout"]).strip()
            # The server quotes the statement on lines of its own; only its sentence is told.
            lines = [line for line in text.splitlines() if "ERROR:" in line or "FATAL:" in line or "error:" in line]
            raise AnsibleActionFail(f"psql: {(lines or text.splitlines() or ['no answer'])[0]}")
        return done["stdout"].strip()
