# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger's tables and views, and how an older file is brought forward.

One append-only table holds everything; the views give it the words that people use. Only SQL that SQLite 3.26 knows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

# "IGPL": tells a ledger from any other SQLite file.
APPLICATION_ID = 0x4947504C


class SchemaError(RuntimeError):
    """The file is not a ledger, or a newer release wrote it."""


_LAST = """(SELECT json_extract(c.body, '$.{field}') FROM records c WHERE c.run_id = s.run_id AND c.kind = 'corrected'
      AND json_extract(c.body, '$.{field}') IS NOT NULL ORDER BY c.id DESC LIMIT 1)"""

# Which clients a row is for, as a list. An index is used only by a query that spells it in the same way. A body that
# somebody spoilt must not keep the file from being read: `verify` names it.
CLIENTS = "CASE WHEN json_valid(body) THEN json_extract(body, '$.clients') END"

_VERSION_1 = (
    """CREATE TABLE records (
      id INTEGER PRIMARY KEY,
      uid TEXT NOT NULL UNIQUE,
      writer TEXT NOT NULL,
      seq INTEGER NOT NULL,
      run_id TEXT NOT NULL,
      kind TEXT NOT NULL,
      at TEXT NOT NULL,
      host TEXT,
      body TEXT NOT NULL,
      previous TEXT NOT NULL,
      digest TEXT NOT NULL,
      UNIQUE (writer, seq)
    )""",
    "CREATE INDEX records_by_run ON records (run_id, kind, host)",
    "CREATE INDEX records_by_time ON records (kind, at)",
    # Against accidents. Who has the file can drop a trigger: the chain is what finds that.
    """CREATE TRIGGER records_no_update BEFORE UPDATE ON records
      BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
    """CREATE TRIGGER records_no_delete BEFORE DELETE ON records
      BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
    "CREATE TABLE identity (ledger_id TEXT NOT NULL)",
    # Only names of fields of this file are put into the text.
    f"""CREATE VIEW interventions AS
      SELECT s.run_id AS run_id,
        s.at AS started_at,
        e.at AS ended_at,
        COALESCE(json_extract(e.body, '$.outcome'), 'running') AS outcome,
        json_extract(e.body, '$.complete') AS complete,
        json_extract(s.body, '$.playbook') AS playbook,
        json_extract(s.body, '$.check_mode') AS check_mode,
        COALESCE({_LAST.format(field="category")}, json_extract(s.body, '$.scope.category')) AS category,
        COALESCE({_LAST.format(field="contract")}, json_extract(s.body, '$.scope.contract')) AS contract,
        json_extract(s.body, '$.operator.name') AS operator,
        json_extract(s.body, '$.revision.commit') AS revision,
        json_extract(s.body, '$.revision.dirty') AS dirty,
        {_LAST.format(field="note")} AS note,
        s.writer AS writer,
        s.body AS started,
        e.body AS ended
      FROM records s
      LEFT JOIN records e ON e.id = (SELECT x.id FROM records x
        WHERE x.run_id = s.run_id AND x.kind IN ('ended', 'interrupted')
        ORDER BY x.kind = 'ended' DESC, x.id DESC LIMIT 1)
      WHERE s.kind = 'started'""",  # noqa: S608
    """CREATE VIEW intervention_hosts AS
      SELECT h.id AS id, h.run_id AS run_id, h.host AS host, json_extract(h.body, '$.clients[0]') AS client,
        json_extract(h.body, '$.clients') AS clients,
        json_extract(r.body, '$.verdict') AS verdict, json_extract(r.body, '$.counts') AS counts
      FROM records h
      LEFT JOIN records r ON r.run_id = h.run_id AND r.kind = 'host_result' AND r.host = h.host
      WHERE h.kind = 'host'""",
    """CREATE VIEW intervention_tasks AS
      SELECT id, run_id, host, at, json_extract(body, '$.status') AS status, json_extract(body, '$.action') AS action,
        json_extract(body, '$.name') AS name, json_extract(body, '$.location') AS location,
        json_extract(body, '$.ignored') AS ignored
      FROM records WHERE kind = 'task'""",
    """CREATE VIEW entry_point_reviews AS
      SELECT id, run_id, host, at, json_extract(body, '$.entry_point_kind') AS entry_point_kind,
        json_extract(body, '$.plan_id') AS plan_id, json_extract(body, '$.clients[0]') AS client,
        json_extract(body, '$.clients') AS clients, json_extract(body, '$.counts') AS counts,
        json_extract(body, '$.refused') AS refused
      FROM records WHERE kind = 'review'""",
    """CREATE VIEW entry_point_changes AS
      SELECT id, run_id, host, at, json_extract(body, '$.kind') AS kind, json_extract(body, '$.entry') AS entry,
        json_extract(body, '$.clients[0]') AS client, json_extract(body, '$.clients') AS clients,
        json_extract(body, '$.action') AS action, json_extract(body, '$.reason') AS reason,
        json_extract(body, '$.person') AS person, json_extract(body, '$.status') AS status,
        json_extract(body, '$.entry_point_kind') AS entry_point_kind, json_extract(body, '$.plan_id') AS plan_id
      FROM records WHERE kind = 'change'""",
    """CREATE VIEW intervention_corrections AS
      SELECT id, run_id, at, json_extract(body, '$.category') AS category, json_extract(body, '$.contract') AS contract,
        json_extract(body, '$.label') AS label, json_extract(body, '$.note') AS note,
        json_extract(body, '$.by') AS corrected_by, json_extract(body, '$.reason') AS reason
      FROM records WHERE kind = 'corrected'""",
)

_VERSION_2 = (
    # The rows as each writer chained them. The shared ledger has a relation of this name, too.
    """CREATE VIEW chained AS
      SELECT id, writer, seq, uid, run_id, kind, at, host, body, previous, digest FROM records""",
    # How far a shared ledger has acknowledged each writer's rows. Beside the chain, because it is no fact of the past:
    # without it a push only asks the shared ledger again.
    """CREATE TABLE pushed (
      target TEXT NOT NULL,
      ledger_id TEXT NOT NULL,
      writer TEXT NOT NULL,
      seq INTEGER NOT NULL,
      digest TEXT NOT NULL,
      at TEXT NOT NULL,
      PRIMARY KEY (target, ledger_id, writer)
    )""",
)

_VERSION_3 = (
    # One client's month out of a million interventions: by this index, and by nothing else fast enough.
    f"CREATE INDEX records_by_clients ON records ({CLIENTS}, kind, at, run_id) WHERE {CLIENTS} IS NOT NULL",
    "DROP VIEW interventions",
    # As before, but a run whose every task ran in check mode is a dry run, too.
    f"""CREATE VIEW interventions AS
      SELECT s.run_id AS run_id,
        s.at AS started_at,
        e.at AS ended_at,
        COALESCE(json_extract(e.body, '$.outcome'), 'running') AS outcome,
        json_extract(e.body, '$.complete') AS complete,
        json_extract(s.body, '$.playbook') AS playbook,
        max(COALESCE(json_extract(s.body, '$.check_mode'), 0),
          COALESCE(json_extract(e.body, '$.check_mode'), 0)) AS check_mode,
        COALESCE({_LAST.format(field="category")}, json_extract(s.body, '$.scope.category')) AS category,
        COALESCE({_LAST.format(field="contract")}, json_extract(s.body, '$.scope.contract')) AS contract,
        json_extract(s.body, '$.operator.name') AS operator,
        json_extract(s.body, '$.revision.commit') AS revision,
        json_extract(s.body, '$.revision.dirty') AS dirty,
        {_LAST.format(field="note")} AS note,
        s.writer AS writer,
        s.body AS started,
        e.body AS ended
      FROM records s
      LEFT JOIN records e ON e.id = (SELECT x.id FROM records x
        WHERE x.run_id = s.run_id AND x.kind IN ('ended', 'interrupted')
        ORDER BY x.kind = 'ended' DESC, x.id DESC LIMIT 1)
      WHERE s.kind = 'started'""",  # noqa: S608
)

MIGRATIONS: tuple[Sequence[str], ...] = (_VERSION_1, _VERSION_2, _VERSION_3)


def migrate(connection: sqlite3.Connection, ledger_id: str, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> int:
    """Bring the file to the newest version, all or nothing. Returns the version it had.

    Raises SchemaError when the file is something else or when a newer release wrote it: an old one must not add rows
    that it does not understand.
    """
    found = _check(connection, len(migrations))
    if found == len(migrations):
        return found
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Again under the lock: another run may have done it meanwhile.
        found = _check(connection, len(migrations))
        for statements in migrations[found:]:
            for statement in statements:
                connection.execute(statement)
        if found == 0:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute("INSERT INTO identity (ledger_id) VALUES (?)", (ledger_id,))
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return found


def _check(connection: sqlite3.Connection, newest: int) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    if version == 0:
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables or application:
            raise SchemaError("this SQLite file is not a ledger")
    elif application != APPLICATION_ID:
        raise SchemaError("this SQLite file is not a ledger")
    elif version > newest:
        raise SchemaError(f"a newer release wrote this ledger (version {version}, this release knows {newest})")
    return version
