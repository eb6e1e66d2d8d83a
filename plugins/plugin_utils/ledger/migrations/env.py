# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alembic's environment. `migrating.py` starts it; Alembic loads this file by path, under the name `env_py`."""

from __future__ import annotations


def run() -> None:
    """Run the migrations on the connection that was handed in, or write them as SQL."""
    from alembic import context

    attributes = context.config.attributes
    options = {"triggers": attributes.get("triggers", True), "transactional_ddl": attributes.get("transaction", True)}
    if context.is_offline_mode():
        context.configure(
            dialect_name="postgresql",
            literal_binds=True,
            # Otherwise each percent sign of a function's text would be written twice.
            dialect_opts={"paramstyle": "named"},
            **options,
        )
    else:
        context.configure(connection=attributes["connection"], **options)
    with context.begin_transaction():
        context.run_migrations()


if __name__ == "env_py":
    run()
