# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger's file: SQLite, opened for each transaction.

journal_mode=DELETE because WAL can lose commits on the SQLite of current distributions and cannot live on a network
file system; synchronous=EXTRA so that a commit survives a power cut. A connection is never kept between transactions:
SQLite's must not cross a fork, and Ansible forks all the time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import location, record, schema
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.stores import Spelling

if TYPE_CHECKING:
    from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.verification import Head, Verification

TIMEOUT = 30.0


class LedgerError(RuntimeError):
    """The ledger cannot be read or written; the message names its path."""


class LocalConnection(sqlite3.Connection):
    """SQLite's own, which also tells how it is spoken to."""

    spelling = Spelling(schema.CLIENTS, schema.CLIENTS, "json_extract({column}, '$.{path}')", ".")


class Transaction:
    """One all-or-nothing addition to the ledger."""

    def __init__(self, connection: sqlite3.Connection, writer: str) -> None:
        self._connection = connection
        self._writer = writer
        last = connection.execute(
            "SELECT seq, digest FROM records WHERE writer = ? ORDER BY seq DESC LIMIT 1", (writer,)
        ).fetchone()
        if last and not isinstance(last[0], int):
            raise schema.SchemaError(f"the last row of writer {writer} has the number {last[0]!r}: see ledger_verify")
        self._seq: int = last[0] if last else 0
        self._previous = str(last[1]) if last else record.GENESIS

    @property
    def writer(self) -> str:
        """Under which name this transaction adds."""
        return self._writer

    def add(self, entries: Iterable[Entry]) -> None:
        """Add entries in order. One whose uid is stored already is passed over, so that a retry cannot double it."""
        for entry in entries:
            if self._connection.execute("SELECT 1 FROM records WHERE uid = ?", (entry.uid,)).fetchone():
                continue
            text = entry.text
            seq = self._seq + 1
            digest = record.digest(writer=self._writer, seq=seq, entry=entry, text=text, previous=self._previous)
            self._connection.execute(
                "INSERT INTO records (uid, writer, seq, run_id, kind, at, host, body, previous, digest)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    entry.uid,
                    self._writer,
                    seq,
                    entry.run_id,
                    entry.kind,
                    entry.at,
                    entry.host,
                    text,
                    self._previous,
                    digest,
                ),
            )
            self._seq, self._previous = seq, digest

    def counts(self, run_id: str) -> dict[str, int]:
        """How many entries of each kind that run has, as stored."""
        rows = self._connection.execute("SELECT kind, count(*) FROM records WHERE run_id = ? GROUP BY kind", (run_id,))
        return {str(kind): int(count) for kind, count in rows}

    def query(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        """Rows of a SELECT inside this transaction."""
        return list(self._connection.execute(sql, parameters))


class Ledger:
    """One ledger file.

    path: the file. timeout: seconds to wait for another writer.
    """

    def __init__(self, path: str | Path, timeout: float = TIMEOUT) -> None:
        self.path = Path(path).absolute()
        self.timeout = timeout

    @property
    def shown(self) -> str:
        """Its name in messages."""
        return str(self.path)

    def create(self) -> None:
        """Make the file where it is missing and bring it to this release's version. Raises LedgerError."""
        try:
            location.prepare(self.path)
        except OSError as error:
            raise LedgerError(f"ledger {self.path}: {error.strerror or error}") from None
        with self._open("rw", self.timeout) as connection:
            schema.migrate(connection, uuid.uuid4().hex)

    @contextlib.contextmanager
    def transaction(self, timeout: float | None = None) -> Iterator[Transaction]:
        """Lock, let the caller add, commit. Raises LedgerError and leaves nothing behind when anything fails."""
        with self._open("rw", self.timeout if timeout is None else timeout) as connection:
            _refuse_other_version(connection)
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield Transaction(connection, own_writer(connection))
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    with contextlib.suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")
                raise

    def verify(self, known: Iterable[Head] = ()) -> Verification:
        """Check every row, page by page, and that the heads known from elsewhere are still there."""
        # Not for a run that only records: each import costs it.
        from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import (
            paged,
            verification,
            verification_parts,
        )

        return verification.whole(paged.PagedConnection(self), known, found=verification_parts.unbroken(self))

    @contextlib.contextmanager
    def reading(self) -> Iterator[LocalConnection]:
        """A connection that can only read, with one consistent view. Raises LedgerError."""
        # A crash may have left a journal that only a writer can roll back, so read-only is the second choice.
        mode = "rw" if os.access(self.path, os.W_OK) else "ro"
        with self._open(mode, self.timeout) as connection:
            connection.execute("PRAGMA query_only = ON")
            _refuse_other_version(connection)
            connection.execute("BEGIN")
            yield connection
            connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def _open(self, mode: str, timeout: float) -> Iterator[LocalConnection]:
        # mode=rw never creates: a ledger that vanished during a run must be an error, not a new empty file.
        try:
            connection = sqlite3.connect(
                f"{self.path.as_uri()}?mode={mode}",
                uri=True,
                timeout=timeout,
                isolation_level=None,
                check_same_thread=False,
                factory=LocalConnection,
            )
            try:
                connection.row_factory = sqlite3.Row
                if mode == "rw":
                    connection.execute("PRAGMA journal_mode = DELETE")
                    connection.execute("PRAGMA synchronous = EXTRA")
                yield connection
            except (sqlite3.OperationalError, json.JSONDecodeError) as error:
                # Neither says where.
                if (isinstance(error, ValueError) or "malformed JSON" in str(error)) and (
                    found := _no_json(connection)
                ):
                    raise LedgerError(
                        f"ledger {self.path}: {found}; action `verify` tells what else was changed"
                    ) from None
                raise
            finally:
                connection.close()
        except (sqlite3.Error, schema.SchemaError) as error:
            raise LedgerError(f"ledger {self.path}: {error}") from None


def _no_json(connection: sqlite3.Connection) -> str:
    """The first row whose body is no JSON, for a message."""
    sql = "SELECT writer, seq, run_id FROM records WHERE NOT json_valid(body) ORDER BY id LIMIT 1"
    row = connection.execute(sql).fetchone()
    return (
        "" if row is None else f"row {row['seq']} of writer {row['writer']} (intervention {row['run_id']}) is no JSON"
    )


def _refuse_other_version(connection: sqlite3.Connection) -> None:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version != len(schema.MIGRATIONS):
        raise schema.SchemaError(f"its version is {version}, this release works with {len(schema.MIGRATIONS)}")


def own_writer(connection: sqlite3.Connection) -> str:
    """Who writes: this ledger on this machine. A copy taken elsewhere goes on under another name, not on a fork."""
    ledger_id = str(connection.execute("SELECT ledger_id FROM identity").fetchone()[0])
    return hashlib.sha256(f"{ledger_id}:{machine()}".encode()).hexdigest()[:16]


def machine() -> str:
    """What tells this machine from others: its machine-id, else its name."""
    try:
        text = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    return text or socket.gethostname()
