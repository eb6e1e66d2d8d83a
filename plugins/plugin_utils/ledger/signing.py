# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed heads: an SSH key vouches for a writer's chain up to a row.

The signature is a further row of the same chain, so that it is pushed, exported and checked as every other. It covers
the writer, the row's number and digest, and the moment: so it fits no other place. Who can write the file, but has not
the key, can then no longer chain it anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record, ssh_signatures
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError, own_writer
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.verification import Connection


@dataclass(frozen=True)
class SignedHead:
    """Up to which row a writer's chain is signed.

    place: the row that holds the signature. key: its fingerprint. signer: who that is in allowed_signers; None when
    nobody was asked. fault: why it does not count; empty when it is good.
    """

    writer: str
    row: int
    place: int
    at: str
    key: str
    signer: str | None
    fault: str = ""

    @property
    def sentence(self) -> str:
        """The fault, with its place."""
        return f"writer {self.writer}: row {self.place} is no signature of row {self.row}: {self.fault}"


def statement(writer: str, row: int, digest: str, at: str) -> str:
    """What is signed, line by line."""
    return f"infogerance.perimeter ledger head\nformat 1\nwriter {writer}\nrow {row}\ndigest {digest}\nat {at}\n"


def sign(ledger: Ledger, key: Path, now: datetime) -> int | None:
    """Sign this machine's chain up to its last row. Returns that row's number; None when this key has signed it.

    Nothing is locked while the key is asked. Raises LedgerError: then the ledger is what it was. So it does when the
    last signature does not fit any more: a key that signs by itself must not vouch for what somebody chained anew.
    """
    with ledger.reading() as connection:
        writer = own_writer(connection)
        last = connection.execute(
            "SELECT seq, digest FROM records WHERE writer = ? ORDER BY seq DESC LIMIT 1", (writer,)
        ).fetchone()
        before = connection.execute(
            "SELECT seq, at, body FROM records WHERE run_id = ? AND kind = ? AND writer = ? ORDER BY seq DESC LIMIT 1",
            (_run_id(writer), record.SIGNED, writer),
        ).fetchone()
        claim = None if before is None else _claim(connection, writer, before["seq"], before["at"], before["body"])
    if claim is not None:
        head = _judged(ssh_signatures.Judge(None), claim)
        if head.fault:
            raise ssh_signatures.SigningError(f"{head.sentence}; nothing is signed until somebody has looked")
    if last is None:
        return None
    row, at = int(last["seq"]), record.stamp(now)
    lines = ssh_signatures.sign(statement(writer, row, str(last["digest"]), at), key)
    made_by = ssh_signatures.fingerprint(lines)
    if claim is not None and claim.place == row and claim.key == made_by:
        return None
    entry = Entry(
        # Once for a row and a key, however often it is tried.
        uid=f"{record.SIGNED}:{writer}:{row}:{made_by}",
        run_id=_run_id(writer),
        kind=record.SIGNED,
        at=at,
        body={"row": row, "key": made_by, "signature": lines},
    )
    with ledger.transaction() as transaction:
        if transaction.writer != writer:
            raise LedgerError(f"ledger {ledger.path}: it was exchanged while it was signed")
        transaction.add([entry])
    return row


def _run_id(writer: str) -> str:
    """Signatures belong to no run; this finds a writer's by the index."""
    return f"{record.SIGNED}:{writer}"


def signed_heads(
    connection: Connection, allowed_signers: Path | None, *, everything: bool = False
) -> tuple[list[SignedHead], dict[str, int]]:
    """Look at signatures; and say how many rows of each writer came after the last one that is good.

    Of each writer and key the newest: it covers all before it. everything: all of them. Raises SigningError.
    """
    judge = ssh_signatures.Judge(allowed_signers)
    found = [_judged(judge, claim) for claim in _claims(connection, everything=everything)]
    found.sort(key=lambda head: (head.writer, head.place))
    return found, _unsigned(connection, found)


def too_long_unsigned(unsigned: Mapping[str, int], most: int) -> Iterator[str]:
    """A sentence for each writer with more rows after its last good signature."""
    for writer, rows in sorted(unsigned.items()):
        if rows > most:
            yield f"writer {writer}: {rows} rows came after its last good signature, at most {most} may"


@dataclass(frozen=True)
class _Claim:
    """A row that says to be a signature. digest: of the row that stands in the signed place now; None when none does.

    Never the digest that somebody wrote beside the signature, and never the key that a row says it is of.
    """

    writer: str
    place: int
    at: str
    row: int
    lines: list[str]
    key: str | None
    digest: str | None


def _claim(connection: Connection, writer: Any, place: Any, at: Any, text: Any) -> _Claim:
    try:
        body = json.loads(text)
    except (TypeError, ValueError):
        body = None
    body = body if isinstance(body, dict) else {}
    row, lines = body.get("row"), body.get("signature")
    if not isinstance(row, int) or isinstance(row, bool) or not 0 < row < int(place):
        row = 0
    found = list(connection.execute("SELECT digest FROM chained WHERE writer = ? AND seq = ?", (writer, row)))
    lines = lines if isinstance(lines, list) and all(isinstance(line, str) for line in lines) else []
    return _Claim(str(writer), int(place), str(at), row, lines, _key(lines), str(found[0][0]) if found else None)


def _claims(connection: Connection, *, everything: bool) -> list[_Claim]:
    rows = list(
        connection.execute(
            "SELECT writer, seq, at, body FROM chained WHERE kind = ? ORDER BY writer, seq", (record.SIGNED,)
        )
    )
    newest: dict[tuple[str, str], _Claim] = {}
    for row in rows:
        claim = _claim(connection, *row)
        # What is no signature at all stands for itself: it is looked at, too.
        key = claim.key or f"row {claim.place}"
        newest[claim.writer, f"{key} {claim.place}" if everything else key] = claim
    return list(newest.values())


def _judged(judge: ssh_signatures.Judge, claim: _Claim) -> SignedHead:
    signer = None
    if claim.key is None:
        fault = "this is no signature"
    elif claim.digest is None:
        fault = "there is no such row before it"
    else:
        said = statement(claim.writer, claim.row, claim.digest, claim.at)
        judged = judge.judge(said, claim.lines, claim.at)
        signer, fault = judged.signer, judged.fault
    return SignedHead(claim.writer, claim.row, claim.place, claim.at, claim.key or "", signer, fault)


def _unsigned(connection: Connection, found: Sequence[SignedHead]) -> dict[str, int]:
    last: dict[str, int] = {}
    for head in found:
        if not head.fault:
            last[head.writer] = max(head.row, last.get(head.writer, 0))
    writers = [str(writer) for (writer,) in connection.execute("SELECT DISTINCT writer FROM chained ORDER BY writer")]
    return {
        # Signatures themselves need none.
        writer: int(
            next(
                iter(
                    connection.execute(
                        "SELECT count(*) FROM chained WHERE writer = ? AND seq > ? AND kind <> ?",
                        (writer, last.get(writer, 0), record.SIGNED),
                    )
                )
            )[0]
        )
        for writer in writers
    }


def _key(lines: list[str]) -> str | None:
    try:
        return ssh_signatures.fingerprint(lines)
    except ValueError:
        return None
