# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a shared ledger to this release's version, over a connection or as SQL text for psql; and its rights.

Alembic and SQLAlchemy are imported when something is done.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.shared import REVISION, speaking
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.shared_url import SharedUrl

_MIGRATIONS = Path(__file__).parent / "migrations"
_VIEWS = (
    "shared_identity",
    "records",
    "interventions",
    "intervention_hosts",
    "intervention_tasks",
    "entry_point_reviews",
    "entry_point_changes",
    "intervention_corrections",
)
_PUSHED = "writer, seq, uid, run_id, kind, at, host, body, previous, digest, repeated"
_OFFLINE = SharedUrl("the SQL text", "", "", "")


def grants(operators: str, reporters: str) -> list[str]:
    """The rights: operators insert and see digests, reporters read, nobody updates or deletes. Told twice, the same.

    operators, reporters: names of roles. Raises ValueError for a name that would need care in SQL.
    """
    for name in (operators, reporters):
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name):
            raise ValueError(f"role name {name!r}: only lower-case letters, digits and underscores, 63 at most")
    return [
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA public TO {operators}, {reporters}",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, {operators}, {reporters}",
        f"GRANT INSERT ({_PUSHED}) ON chained TO {operators}",
        # How far each writer is, and by which digests: no names, no bodies.
        f"GRANT SELECT (writer, seq, uid, digest, repeated) ON chained TO {operators}",
        f"GRANT SELECT ON shared_identity TO {operators}",
        f"GRANT SELECT ON chained, {', '.join(_VIEWS)} TO {reporters}",
    ]


def is_known(version: str) -> bool:
    """Whether this release can bring a shared ledger of that version forward."""
    return any(path.stem.startswith(f"v{version}_") for path in (_MIGRATIONS / "versions").glob("v*.py"))


def as_sql(found: str | None, *, triggers: bool = True, transaction: bool = True) -> str:
    """The migrations from a version (None: an empty database) to this release's, as SQL text. Raises SharedError.

    transaction: whether the text begins and ends its own.
    """
    if found == REVISION:
        return ""
    with speaking(_OFFLINE):
        from alembic import command

        written = io.StringIO()
        config = _config(output=written, triggers=triggers)
        config.attributes["transaction"] = transaction
        command.upgrade(config, f"{found or 'base'}:head", sql=True)
        return written.getvalue()


def upgrade(
    url: SharedUrl, operators: str = "", reporters: str = "", *, triggers: bool = True
) -> tuple[str | None, str]:
    """Migrate over a connection that may create tables, and set the rights when both roles are given.

    Returns the version before (None: empty) and after. All or nothing. Raises SharedError.
    """
    statements = grants(operators, reporters) if operators and reporters else []
    with speaking(url):
        import sqlalchemy
        from alembic import command
        from alembic.migration import MigrationContext

        engine = sqlalchemy.create_engine(url.full, poolclass=sqlalchemy.NullPool, hide_parameters=True)
        with engine.begin() as connection:
            before = MigrationContext.configure(connection).get_current_revision()
            command.upgrade(_config(connection=connection, triggers=triggers), "head")
            for statement in statements:
                connection.exec_driver_sql(statement)
        return before, REVISION


def _config(*, triggers: bool, output: io.StringIO | None = None, connection: Any = None) -> Any:
    from alembic.config import Config

    config = Config(output_buffer=output) if output else Config()
    # The file's path may hold a percent sign, which Alembic's settings would take for their own.
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes.update(triggers=triggers, connection=connection)
    return config
