# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a ledger is read through, whichever it is: the local file (`store`) or a team's shared one (`shared`).

Both have relations of the same names with the same columns, and take the same SQL with question marks. What SQLite and
PostgreSQL cannot say alike, the connection says (`Spelling`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.verification import Head, Verification

# How many values one statement may name. SQLite takes 32,766, PostgreSQL's protocol 65,535.
_CHUNK = 5000


@dataclass(frozen=True)
class Spelling:
    """SQL that differs. clients: a row's list of clients as JSON text. indexed: as much of it as the index on it has.

    An entry of PostgreSQL's index has little room, and a server may have hundreds of clients.
    """

    clients: str
    indexed: str
    _value: str
    _dot: str
    _room: int = sys.maxsize

    def is_whole(self, indexed: str) -> bool:
        """Whether what the index has is all of the list."""
        return len(indexed) < self._room

    def with_clients(self, text: str) -> tuple[str, tuple[str, ...]]:
        """The condition for rows with just this list, by the index, and its values."""
        if self.is_whole(text):
            return f"{self.indexed} = ?", (text,)
        return f"{self.indexed} = ? AND {self.clients} = ?", (text[: self._room], text)

    def field(self, *path: str, of: str = "body") -> str:
        """A field in the JSON of a column, null when there is none. Columns and names are this code's own."""
        return self._value.format(column=of, path=self._dot.join(path))


class Rows(Protocol):
    """What a SELECT found. Each row can be read by position and by name, and has `keys()`."""

    def __iter__(self) -> Iterator[Any]: ...

    def fetchone(self) -> Any:
        """The next row, None after the last."""

    def fetchall(self) -> list[Any]:
        """All that are left."""


class Readable(Protocol):
    """A connection that only reads, with one consistent view."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Rows:
        """Run a SELECT."""


class Connection(Readable, Protocol):
    """One that also tells how its store is spoken to."""

    @property
    def spelling(self) -> Spelling:
        """How this store's SQL says what differs."""


class Store(Protocol):
    """One ledger that can be read. Every method raises LedgerError, which names the ledger and holds no password."""

    @property
    def shown(self) -> str:
        """Its name in messages and results."""

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection for as long as the block lasts."""

    def verify(self, known: Iterable[Head] = ...) -> Verification:
        """Check every row, and that the heads known from elsewhere are still there."""


def listed(values: Sequence[Any]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Values for `column IN (...)`, as many a statement as a statement takes: question marks, and their values."""
    for start in range(0, len(values), _CHUNK):
        part = tuple(values[start : start + _CHUNK])
        yield f"({', '.join('?' * len(part))})", part
