# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The conversation with a shared ledger: compare heads, then send what it does not have.

Exactly once, whatever is cut when: a row's place is its writer and number, and the database lets each place be taken
once. Each attempt asks the shared ledger anew how far it is, so nothing rests on what a broken attempt knew. No locks:
pushers of one writer that meet insert the same rows in the same order, and one of them finds them there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import outbox, record, shared, verification
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.outbox import Acknowledged, Row
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.shared_url import SharedUrl
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, own_writer

if TYPE_CHECKING:
    import sqlalchemy

ATTEMPTS = 4
# Serialization and deadlock, connection troubles, and a server that starts or stops.
_TRANSIENT = {"40001", "40P01", "57P01", "57P02", "57P03", "53300"}
_REFUSALS = {shared.FORK, shared.GAP, shared.BAD_DIGEST}
_NAMES = ("writer", "seq", "uid", "run_id", "kind", "at", "host", "body", "previous", "digest")

Say = Callable[[Mapping[str, Any]], None]


class _Again(Exception):
    """Somebody else's rows came in between: ask anew."""


class _Refused(Exception):
    """This writer's rows do not agree with what the shared ledger has."""


def deliver(
    ledger: Ledger, url: SharedUrl, known: Sequence[Acknowledged], say: Say, *, thorough: bool, patience: float
) -> None:
    """Send every writer's rows. known: what was acknowledged before. patience: seconds for all attempts together.

    Tells each step by `say`: {"acknowledged": [ledger_id, writer, seq, digest], "pushed": n, "already": n},
    {"refused": sentence}, {"notice": sentence}. Raises SharedError.
    """
    with shared.speaking(url):
        import tenacity

        tenacity.Retrying(
            stop=tenacity.stop_after_attempt(ATTEMPTS) | tenacity.stop_after_delay(patience),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=1.0),
            retry=tenacity.retry_if_exception(_transient),
            reraise=True,
        )(_Delivery(ledger, url, known, say, thorough).once)


class _Delivery:
    def __init__(self, ledger: Ledger, url: SharedUrl, known: Sequence[Acknowledged], say: Say, thorough: bool) -> None:
        self._ledger = ledger
        self._url = url
        self._known = known
        self._say = say
        self._unchecked = thorough
        self._said: set[str] = set()
        self._refused: dict[str, str] = {}

    def once(self) -> None:
        """One attempt at everything."""
        import sqlalchemy

        if self._unchecked:
            with self._ledger.reading() as local:
                self._refused = {fault.writer: fault.text for fault in reversed(verification.verify(local).first)}
            self._unchecked = False
        with self._ledger.reading() as local:
            writers, own = outbox.last_rows(local), own_writer(local)
        engine = sqlalchemy.create_engine(self._url.full, poolclass=sqlalchemy.NullPool, hide_parameters=True)
        with engine.connect() as connection:
            ledger_id = shared.refuse_other_version(connection)
            for writer, last in sorted(writers.items()):
                try:
                    if writer in self._refused:
                        raise _Refused(self._refused[writer])
                    self._writer(connection, ledger_id, writer, last, mine=writer == own)
                except _Refused as refused:
                    self._tell("refused", str(refused))
                except sqlalchemy.exc.DBAPIError as error:
                    if shared.sqlstate(error) not in _REFUSALS - {shared.GAP}:
                        raise
                    connection.rollback()
                    self._tell("refused", shared.reason(error))

    def _writer(self, connection: sqlalchemy.Connection, ledger_id: str, writer: str, last: int, *, mine: bool) -> None:
        seq, digest = self._compared(connection, ledger_id, writer, last, mine=mine)
        told = {item.writer: item.seq for item in self._known if item.ledger_id == ledger_id}.get(writer, 0)
        if seq > told:
            self._say({"acknowledged": [ledger_id, writer, seq, digest], "pushed": 0, "already": seq - told})
        while rows := outbox.batch(self._ledger, writer, seq):
            self._check(rows, writer, seq, digest)
            pushed = _send(connection, rows)
            seq, digest = rows[-1][1], rows[-1][9]
            self._say(
                {
                    "acknowledged": [ledger_id, writer, seq, digest],
                    "pushed": pushed,
                    "already": len(rows) - pushed,
                }
            )

    def _compared(
        self, connection: sqlalchemy.Connection, ledger_id: str, writer: str, last: int, *, mine: bool
    ) -> tuple[int, str]:
        """Where to go on: the last row that both sides have. Raises _Refused when they disagree."""
        for item in self._known:
            if (item.ledger_id, item.writer) == (ledger_id, writer):
                there = _link(connection, writer, item.seq)
                if there is None:
                    text = f"writer {writer}: the shared ledger had row {item.seq} and has lost it; it is sent again"
                    self._tell("notice", text)
                elif there != item.digest:
                    raise _Refused(f"writer {writer}: row {item.seq} is not what the shared ledger acknowledged")
        found = connection.exec_driver_sql(
            "SELECT seq, digest FROM chained WHERE writer = %s ORDER BY seq DESC LIMIT 1", (writer,)
        ).one_or_none()
        connection.rollback()
        if found is None:
            return 0, record.GENESIS
        seq, digest = int(found[0]), str(found[1])
        if seq > last:
            if mine:
                up_to = f" (up to {seq})" if seq > last + 1 else ""
                raise _Refused(f"writer {writer}: row {last + 1} is missing here{up_to}; the shared ledger has it")
            # An old copy of another machine's file: that machine has gone on, and this file only has to agree so far.
            seq, digest = last, str(_link(connection, writer, last))
        with self._ledger.reading() as local:
            here = local.execute("SELECT digest FROM chained WHERE writer = ? AND seq = ?", (writer, seq)).fetchone()
        if here is None or here[0] != digest:
            raise _Refused(self._first_difference(connection, writer, seq))
        return seq, digest

    def _first_difference(self, connection: sqlalchemy.Connection, writer: str, last: int) -> str:
        after = 0
        while after < last:
            theirs = connection.exec_driver_sql(
                "SELECT seq, digest FROM chained WHERE writer = %s AND seq > %s ORDER BY seq LIMIT 5000",
                (writer, after),
            ).all()
            connection.rollback()
            with self._ledger.reading() as local:
                ours = dict(
                    local.execute(
                        "SELECT seq, digest FROM chained WHERE writer = ? AND seq > ? AND seq <= ?",
                        (writer, after, after + 5000),
                    ).fetchall()
                )
            for seq, digest in theirs:
                if ours.get(seq) != digest:
                    what = "is missing here" if seq not in ours else "differs"
                    return f"writer {writer}: row {seq} {what}; the shared ledger has another chain from there on"
            if not theirs:
                break
            after = int(theirs[-1][0])
        return f"writer {writer}: row {last} differs from the shared ledger's"

    def _check(self, rows: Sequence[Row], writer: str, seq: int, digest: str) -> None:
        """What is sent must fit, whoever wrote it into the file."""
        for row in rows:
            seq += 1
            try:
                fits = row[1] == seq and row[8] == digest and row[9] == record.link(*row[:9])
            except (TypeError, UnicodeEncodeError):
                fits = False
            if not fits:
                with self._ledger.reading() as local:
                    faults = [fault.text for fault in verification.verify(local).first if fault.writer == writer]
                raise _Refused(faults[0] if faults else f"writer {writer}: row {seq} does not fit the chain")
            digest = row[9]

    def _tell(self, what: str, sentence: str) -> None:
        # A later attempt finds the same.
        if sentence not in self._said:
            self._said.add(sentence)
            self._say({what: sentence})


def _send(connection: sqlalchemy.Connection, rows: Sequence[Row]) -> int:
    """Insert one batch, all or nothing. Returns how many were not there yet."""
    import sqlalchemy
    from sqlalchemy.dialects import postgresql

    names = (*_NAMES, "repeated")
    table = sqlalchemy.table("chained", *(sqlalchemy.column(name) for name in names))
    writer, first, last = rows[0][0], rows[0][1], rows[-1][1]
    with connection.begin():
        repeated = {
            uid
            for (uid,) in connection.exec_driver_sql(
                "SELECT uid FROM chained WHERE uid = ANY(%s) AND writer <> %s AND NOT repeated",
                ([row[2] for row in rows], writer),
            )
        }
        # Without a target: a row may collide by its place or by its uid.
        statement = postgresql.insert(table).on_conflict_do_nothing().returning(table.c.seq)
        done = connection.execute(
            statement, [dict(zip(names, (*row, row[2] in repeated), strict=True)) for row in rows]
        )
        pushed = len(done.all())
        found = connection.exec_driver_sql(
            "SELECT seq, digest FROM chained WHERE writer = %s AND seq BETWEEN %s AND %s", (writer, first, last)
        )
        stored = {int(seq): str(digest) for seq, digest in found}
        for row in rows:
            if row[1] not in stored:
                raise _Again(f"row {row[1]} was not stored")
            if stored[row[1]] != row[9]:
                raise _Refused(f"writer {writer}: the shared ledger has another row {row[1]}")
    return pushed


def _link(connection: sqlalchemy.Connection, writer: str, seq: int) -> str | None:
    found = connection.exec_driver_sql(
        "SELECT digest FROM chained WHERE writer = %s AND seq = %s", (writer, seq)
    ).one_or_none()
    connection.rollback()
    return None if found is None else str(found[0])


def _transient(error: BaseException) -> bool:
    """Whether another attempt may help: a cut connection, or others at work at the same time."""
    import psycopg
    import sqlalchemy

    if isinstance(error, _Again):
        return True
    if not isinstance(error, sqlalchemy.exc.DBAPIError):
        return False
    state = shared.sqlstate(error)
    if not state:
        return error.connection_invalidated or isinstance(error.orig, psycopg.OperationalError)
    return state in _TRANSIENT or state.startswith("08") or state == shared.GAP
