# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shared ledger: a PostgreSQL database that many controllers push to and reports read from.

SQLAlchemy and psycopg are imported when something is done, so that a missing library can never keep a run from being
recorded.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import shared_url, verification
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.shared_url import SharedError, SharedUrl
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.stores import Spelling
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.verification import Head, Verification

if TYPE_CHECKING:
    import sqlalchemy

# The version of the shared schema that this release reads and writes: the newest file in migrations/versions.
REVISION = "0002"
LIBRARIES = "pip install 'sqlalchemy>=2.0.36,<3' 'psycopg[binary]>=3.2,<4' 'alembic>=1.14,<2' 'tenacity>=9,<10'"

# SQLSTATEs of our own, raised by the database's triggers.
FORK = "IG001"
GAP = "IG002"
BAD_DIGEST = "IG003"


class SharedRow(tuple[Any, ...]):
    """A row that reads as sqlite3.Row does: by position, by name, and as a dict."""

    __slots__ = ()
    names: Sequence[str] = ()

    def keys(self) -> Sequence[str]:
        """The columns' names."""
        return self.names

    def __getitem__(self, key: Any) -> Any:
        return tuple.__getitem__(self, self.names.index(key) if isinstance(key, str) else key)


class SharedResult:
    """Rows of one SELECT, streamed: a whole ledger may be longer than memory."""

    def __init__(self, rows: Iterator[SharedRow]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[SharedRow]:
        return self._rows

    def fetchone(self) -> SharedRow | None:
        """The next row, None after the last."""
        return next(self._rows, None)

    def fetchall(self) -> list[SharedRow]:
        """All that are left."""
        return list(self._rows)


class SharedConnection:
    """A connection that takes the same SQL as the local file's: question marks, and relations of the same names.

    The rows of one SELECT must be read to their end, or not at all, before the transaction ends.
    """

    # As the index of migration 0002 is spelt.
    spelling = Spelling(
        "(body::jsonb ->> 'clients')",
        "left(body::jsonb ->> 'clients', 500)",
        "({column}::jsonb #>> '{{{path}}}')",
        ",",
        500,
    )

    def __init__(self, connection: sqlalchemy.Connection) -> None:
        self._connection = connection.execution_options(stream_results=True, max_row_buffer=2000)

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> SharedResult:
        """Run a SELECT."""
        spelt = re.sub(
            r"'[^']*'|\?",
            lambda found: "%s" if found[0] == "?" else found[0],
            sql.replace("%", "%%" if parameters else "%"),
        )
        return SharedResult(self._rows(spelt, tuple(parameters)))

    def _rows(self, sql: str, parameters: tuple[Any, ...]) -> Iterator[SharedRow]:
        with self._connection.exec_driver_sql(sql, parameters or None) as found:
            kind = type("Row", (SharedRow,), {"__slots__": (), "names": tuple(found.keys())})
            for row in found:
                yield kind(row)


class SharedLedger:
    """One shared ledger. url: as in the setting `shared`. Raises SharedError, as every method does."""

    def __init__(self, url: str | SharedUrl) -> None:
        self.url = shared_url.parse(url) if isinstance(url, str) else url

    @property
    def shown(self) -> str:
        """Its name in messages."""
        return self.url.target

    @contextlib.contextmanager
    def reading(self) -> Iterator[SharedConnection]:
        """A connection that only reads, with one consistent view."""
        with self.connected() as opened:
            connection = opened.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield SharedConnection(connection)

    @contextlib.contextmanager
    def connected(self) -> Iterator[sqlalchemy.Connection]:
        """A connection to a ledger of this release's version, closed at the end."""
        with speaking(self.url):
            import sqlalchemy

            engine = sqlalchemy.create_engine(self.url.full, poolclass=sqlalchemy.NullPool, hide_parameters=True)
            with engine.connect() as connection:
                refuse_other_version(connection)
                yield connection

    def verify(self, known: Iterable[Head] = ()) -> Verification:
        """Check every row, and that the heads known from elsewhere are still there."""
        with self.reading() as connection:
            return verification.whole(connection, known, _repeats(connection))


def verify(url: str, known: Iterable[Head] = ()) -> Verification:
    """Check the shared ledger at that URL. known: heads that it acknowledged, see outbox.heads()."""
    return SharedLedger(url).verify(known)


def refuse_other_version(connection: sqlalchemy.Connection) -> str:
    """The shared ledger's id. Raises SharedError when it has another version than this release, or is no ledger."""
    import sqlalchemy

    try:
        found = connection.exec_driver_sql("SELECT ledger_id, revision FROM shared_identity").one()
    except sqlalchemy.exc.ProgrammingError as error:
        if sqlstate(error) == "42P01":
            raise SharedError("this database has no ledger in it yet") from None
        raise
    finally:
        connection.rollback()
    if found.revision != REVISION:
        raise SharedError(f"its version is {found.revision}, this release works with {REVISION}")
    return str(found.ledger_id)


@contextlib.contextmanager
def speaking(url: SharedUrl) -> Iterator[None]:
    """Turn what the libraries raise into a SharedError that names the place and holds no secret."""
    try:
        yield
    except ImportError as error:
        raise SharedError(f"shared ledger: the Python library {error.name} is missing: {LIBRARIES}") from None
    except SharedError as error:
        text = str(error)
        raise SharedError(text if text.startswith("shared") else f"shared ledger {url.target}: {text}") from None
    except Exception as error:
        if not _of_the_libraries(error):
            raise
        raise SharedError(f"shared ledger {url.target}: {url.without_secrets(reason(error))}") from None


def sqlstate(error: BaseException) -> str:
    """The five characters by which PostgreSQL names an error; empty when there are none."""
    return str(getattr(getattr(error, "orig", error), "sqlstate", None) or "")


def reason(error: BaseException) -> str:
    """The server's own first sentence. Never the statement or its rows."""
    original = getattr(error, "orig", None) or error
    primary = getattr(getattr(original, "diag", None), "message_primary", None)
    lines = [line.strip() for line in str(primary or original).splitlines() if line.strip()]
    # psycopg puts what it tried first, and the server's answer after it.
    return next(
        (line for line in lines if "failed" in line or "FATAL" in line or "refused" in line), *lines[:1] or [""]
    )


def _of_the_libraries(error: BaseException) -> bool:
    import psycopg
    import sqlalchemy

    return isinstance(error, (sqlalchemy.exc.SQLAlchemyError, psycopg.Error))


def _repeats(connection: SharedConnection) -> list[verification.Fault]:
    """Rows put aside as repeated although nothing was there to repeat: that would hide them from every report."""
    sql = """SELECT r.writer, r.seq FROM chained r WHERE r.repeated
      AND NOT EXISTS (SELECT 1 FROM chained o WHERE o.uid = r.uid AND NOT o.repeated) ORDER BY r.writer, r.seq"""
    return [
        verification.Fault(w, n, verification.CHANGED, f"writer {w}: row {n} is hidden as repeated and repeats nothing")
        for w, n in connection.execute(sql)
    ]
