# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For reports: one client's month by an index, and a run whose every task ran in check mode is a dry run, too.

The index also refuses a row whose body is no JSON: it would keep everybody from reading.
"""

from __future__ import annotations

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_CORRECTED = """(SELECT c.body::jsonb ->> '{field}' FROM records c WHERE c.run_id = s.run_id AND c.kind = 'corrected'
      AND c.body::jsonb ->> '{field}' IS NOT NULL ORDER BY c.id DESC LIMIT 1)"""

_STATEMENTS = (
    # An entry of an index has 2,700 bytes at most: of a long list it has the beginning.
    """CREATE INDEX chained_by_clients ON chained (left(body::jsonb ->> 'clients', 500), kind, at, run_id)
      WHERE left(body::jsonb ->> 'clients', 500) IS NOT NULL""",
    # The same columns, so that the rights on it stay.
    f"""CREATE OR REPLACE VIEW interventions AS
      SELECT s.run_id AS run_id,
        s.at AS started_at,
        e.at AS ended_at,
        COALESCE(e.body::jsonb ->> 'outcome', 'running') AS outcome,
        (e.body::jsonb ->> 'complete')::boolean::int AS complete,
        s.body::jsonb ->> 'playbook' AS playbook,
        GREATEST(COALESCE((s.body::jsonb ->> 'check_mode')::boolean::int, 0),
          COALESCE((e.body::jsonb ->> 'check_mode')::boolean::int, 0)) AS check_mode,
        COALESCE({_CORRECTED.format(field="category")}, s.body::jsonb #>> '{{scope,category}}') AS category,
        COALESCE({_CORRECTED.format(field="contract")}, s.body::jsonb #>> '{{scope,contract}}') AS contract,
        s.body::jsonb #>> '{{operator,name}}' AS operator,
        s.body::jsonb #>> '{{revision,commit}}' AS revision,
        (s.body::jsonb #>> '{{revision,dirty}}')::boolean::int AS dirty,
        {_CORRECTED.format(field="note")} AS note,
        s.writer AS writer,
        s.body AS started,
        e.body AS ended
      FROM records s
      LEFT JOIN records e ON e.id = (SELECT x.id FROM records x
        WHERE x.run_id = s.run_id AND x.kind IN ('ended', 'interrupted')
        ORDER BY x.kind = 'ended' DESC, x.id DESC LIMIT 1)
      WHERE s.kind = 'started'""",  # noqa: S608 - names of fields of this file only
)


def upgrade() -> None:
    """Add both. Nothing stored is touched."""
    from alembic import op

    for statement in _STATEMENTS:
        op.execute(statement)
