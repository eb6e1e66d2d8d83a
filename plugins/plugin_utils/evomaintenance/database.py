# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""evomaintenance's PostgreSQL table `evomaint`. psycopg 3 is imported when it is needed."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.evomaintenance.rows import COLUMNS, Row
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import shared_url

WAIT_SECONDS = 10
_INSERT = f"INSERT INTO evomaint ({', '.join(COLUMNS)})"
_PLACES = ", ".join(["%s"] * len(COLUMNS))
_INSERT_ONCE = (
    f"{_INSERT} SELECT {_PLACES}"  # noqa: S608 - names of this collection
    " WHERE NOT EXISTS (SELECT 1 FROM evomaint WHERE hostname = %s AND details = %s)"
)


class SendError(RuntimeError):
    """A row was not taken; the message has no password and no key."""


class Database:
    """The table behind a URL. Use it as a context manager.

    url: `postgresql://user@host/database`; over a network `sslmode` is `verify-full` unless it says otherwise, and
    `sslrootcert` names the authority. Raises SendError.
    """

    def __init__(self, url: str) -> None:
        place = shared_url.parse(url, connect_timeout=WAIT_SECONDS)
        self.target = f"evomaint at {place.target}"
        self._place = place
        self._connection: Any = None
        self._may_look = True

    def __enter__(self) -> Database:
        try:
            import psycopg
        except ImportError:
            raise SendError(
                "psycopg is not installed for this Ansible; install it: pip install 'psycopg[binary]>=3.2,<4'"
            ) from None
        self._error = psycopg.Error
        self._denied = psycopg.errors.InsufficientPrivilege
        address = self._place.full.replace(f"{shared_url.DRIVER}://", "postgresql://", 1)
        try:
            # autocommit: each row stands for itself, and is marked as sent right after.
            self._connection = psycopg.connect(address, autocommit=True)
            self._connection.execute(f"SET statement_timeout = {WAIT_SECONDS * 1000}")
        except psycopg.Error as error:
            raise self._said(error) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    def send(self, row: Row) -> None:
        """Insert it, unless the very row is there. Who may not read the table can only insert."""
        values = tuple(row.fields().values())
        try:
            if self._may_look:
                try:
                    self._connection.execute(_INSERT_ONCE, (*values, row.hostname, row.details))
                except self._denied:
                    self._may_look = False
                else:
                    return
            self._connection.execute(f"{_INSERT} VALUES ({_PLACES})", values)
        except self._error as error:
            raise self._said(error) from None

    def _said(self, error: Exception) -> SendError:
        text = " ".join(str(error).split())
        return SendError(f"{self.target}: {self._place.without_secrets(text)}")
