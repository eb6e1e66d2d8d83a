# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walk each writer's chain and name the first row that was changed, deleted, inserted or moved.

Works on any store whose connection has the relation `chained`: the local file and the shared ledger alike. Who can
write the file can also chain everything anew from some row on: that, and rows cut off at the end, show only against a
digest that is kept elsewhere (`against`): the shared ledger's, a signature's, or a kept report's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record

# What may have become of a row.
CHANGED = "changed"
DELETED = "deleted"
INSERTED = "inserted"
MOVED = "moved"

# After so many sentences on one writer the rest is only counted.
_SAID = 20
_COLUMNS = "writer, seq, uid, run_id, kind, at, host, body, previous, digest"
# The walk along all chains. The columns' names are this file's own.
WALK = f"SELECT {_COLUMNS} FROM chained ORDER BY writer, seq"  # noqa: S608


class Connection(Protocol):
    """What both stores' connections can do."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Iterable[Any]:
        """Rows that can be read by position and by name."""


@dataclass(frozen=True)
class Head:
    """A writer's row and its digest, as known from elsewhere. source: from where, for the sentence."""

    writer: str
    seq: int
    digest: str
    source: str = "another place"


@dataclass(frozen=True)
class Fault:
    """The first break of one writer's chain. row: its number there. what: changed, deleted, inserted or moved."""

    writer: str
    row: int
    what: str
    text: str


@dataclass(frozen=True)
class Verification:
    """rows: how many were read. heads: the last digest of each writer. faults: one sentence for each break.

    first: the first break of each writer that has one. last: the number of each writer's last row.
    """

    rows: int
    heads: dict[str, str]
    faults: list[str] = field(default_factory=list)
    first: list[Fault] = field(default_factory=list)
    last: dict[str, int] = field(default_factory=dict)


@dataclass
class _Chain:
    """How far the walk along one writer's chain is."""

    wanted: int = 1
    digest: str = record.GENESIS
    breaks: int = 0


def verify(connection: Connection) -> Verification:
    """Check every row of every writer. Rows cut off at the end of a chain need `against`."""
    chains: dict[str, _Chain] = {}
    broken: list[tuple[str, int, str, tuple[Any, ...]]] = []
    later: dict[str, list[str]] = {}
    rows = 0
    for row in connection.execute(WALK):
        rows += 1
        writer, seq, _uid, _run, _kind, _at, _host, _body, previous, digest = columns = tuple(row)
        chain = chains.get(writer)
        if chain is None:
            chain = chains[writer] = _Chain()
        if seq != chain.wanted or previous != chain.digest or digest != _computed(columns):
            if chain.breaks == 0:
                broken.append((writer, chain.wanted, chain.digest, columns))
            elif chain.breaks < _SAID:
                later.setdefault(writer, []).append(_sentence(writer, chain, columns))
            chain.breaks += 1
        if isinstance(seq, int) and seq >= chain.wanted:
            chain.wanted = seq + 1
        chain.digest = str(digest)
    first = [_diagnosed(connection, *known) for known in broken]
    faults: list[str] = []
    for fault in first:
        faults += [fault.text, *later.get(fault.writer, [])]
        unsaid = chains[fault.writer].breaks - _SAID
        if unsaid > 0:
            faults.append(f"writer {fault.writer}: {unsaid} more rows do not fit")
    heads = {writer: chain.digest for writer, chain in chains.items()}
    return Verification(rows, heads, faults, first, {writer: chain.wanted - 1 for writer, chain in chains.items()})


def whole(
    connection: Connection, known: Iterable[Head], more: Iterable[Fault] = (), *, found: Verification | None = None
) -> Verification:
    """Every row, the heads known from elsewhere, and what else the store found, told as one.

    found: what is known of the rows already, else they are walked along here.
    """
    found = found or verify(connection)
    extra = [*against(connection, known), *more]
    found.faults.extend(fault.text for fault in extra)
    found.first.extend(extra)
    return found


def against(connection: Connection, known: Iterable[Head]) -> list[Fault]:
    """Compare the store with digests kept elsewhere. One fault for each head that the store does not have."""
    faults: list[Fault] = []
    for head in known:
        found = list(
            connection.execute("SELECT digest FROM chained WHERE writer = ? AND seq = ?", (head.writer, head.seq))
        )
        if found and found[0][0] == head.digest:
            continue
        if found:
            text = f"writer {head.writer}: row {head.seq} is not the one that {head.source} has"
            faults.append(Fault(head.writer, head.seq, CHANGED, text))
            continue
        last = _last(connection, head.writer)
        row = last + 1 if last < head.seq else head.seq
        text = f"writer {head.writer}: row {row} is missing" + (f" (up to {head.seq})" if head.seq > row else "")
        faults.append(Fault(head.writer, row, DELETED, f"{text}; {head.source} has it"))
    return faults


def _computed(columns: Sequence[Any], seq: int | None = None) -> str:
    """The digest that the row should have, in its own place or in another; empty when no such row is ever written."""
    writer, own, uid, run_id, kind, at, host, body, previous, _digest = columns
    place = own if seq is None else seq
    if not isinstance(place, int):
        return ""
    try:
        return record.link(writer, place, uid, run_id, kind, at, host, body, previous)
    except (TypeError, UnicodeEncodeError):
        return ""


def _sentence(writer: str, chain: _Chain, columns: Sequence[Any]) -> str:
    seq = columns[1]
    if seq != chain.wanted:
        return _missing(writer, chain.wanted, seq)
    if columns[9] != _computed(columns):
        return f"writer {writer}: row {seq} was changed"
    return f"writer {writer}: row {seq} does not follow the row before it"


def _missing(writer: str, wanted: int, found: Any) -> str:
    up_to = f" (up to {found - 1})" if isinstance(found, int) and found > wanted + 1 else ""
    return f"writer {writer}: row {wanted} is missing{up_to}"


def _diagnosed(connection: Connection, writer: str, wanted: int, before: str, columns: tuple[Any, ...]) -> Fault:
    """What became of the chain at its first break.

    wanted: the number that should come. before: the digest of the row before. columns: the row that came instead. Each
    row still carries the digest it was written with, which covers its number: so a row tells where it belongs.
    """
    seq = columns[1]
    if not isinstance(seq, int) or seq < wanted:
        return Fault(writer, wanted, INSERTED, f"writer {writer}: a row {seq!r} was inserted before row {wanted}")
    elsewhere = _where(connection, writer, wanted, before)
    if seq > wanted:
        if elsewhere is not None:
            return Fault(writer, wanted, MOVED, f"writer {writer}: row {wanted} was moved to place {elsewhere}")
        return Fault(writer, wanted, DELETED, _missing(writer, wanted, seq))
    genuine = columns[9] == _computed(columns)
    written_as = None if genuine else _belongs(connection, writer, columns)
    if elsewhere is not None and elsewhere != seq:
        if written_as is not None:
            text = f"writer {writer}: row {seq} was moved: it was written as row {written_as}"
            return Fault(writer, seq, MOVED, text)
        return Fault(
            writer,
            seq,
            INSERTED,
            f"writer {writer}: row {seq} was inserted: the row written there is now row {elsewhere}",
        )
    if columns[8] != before:
        if genuine and seq > 1:
            text = f"writer {writer}: row {seq - 1} was changed: row {seq} follows another one"
            return Fault(writer, seq - 1, CHANGED, text)
        if written_as is not None and written_as > seq:
            up_to = f" (up to {written_as - 1})" if written_as > seq + 1 else ""
            text = f"writer {writer}: row {seq} was deleted{up_to}, and the rows after it were renumbered"
            return Fault(writer, seq, DELETED, text)
        if written_as is not None:
            up_to = f" (up to {seq - 1})" if written_as < seq - 1 else ""
            text = f"writer {writer}: row {written_as} was inserted{up_to}: the row written there is now row {seq}"
            return Fault(writer, written_as, INSERTED, text)
    return Fault(writer, seq, CHANGED, f"writer {writer}: row {seq} was changed")


def _where(connection: Connection, writer: str, wanted: int, before: str) -> Any:
    """The place at which the row now stands that was written as `wanted` and follows `before`; None when nowhere.

    A number, unless somebody has put another thing there.
    """
    sql = f"SELECT {_COLUMNS} FROM chained WHERE writer = ? AND previous = ?"  # noqa: S608
    for row in connection.execute(sql, (writer, before)):
        columns = tuple(row)
        if columns[9] == _computed(columns, wanted):
            return columns[1]
    return None


def _last(connection: Connection, writer: str) -> int:
    """The highest number of a writer; 0 without a row. SQLite lets a forger put text there, which sorts above all."""
    found = next(iter(connection.execute("SELECT max(seq) FROM chained WHERE writer = ?", (writer,))))[0]
    if found is None or isinstance(found, int):
        return found or 0
    numbers = connection.execute("SELECT seq FROM chained WHERE writer = ?", (writer,))
    return max((row[0] for row in numbers if isinstance(row[0], int)), default=0)


def _belongs(connection: Connection, writer: str, columns: Sequence[Any]) -> int | None:
    """The number under which this row was written, when its digest is still the one that it got then."""
    last = _last(connection, writer)
    # Rows that were deleted are not in the count any more, so it may have had a far higher number.
    for seq in range(1, 2 * last + 10_000):
        if columns[9] == _computed(columns, seq):
            return seq
    return None
