# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All cores check a large ledger: the walk along it is cut into parts, and each process takes one.

Only "nothing is broken" comes from here. When one row does not fit where its part has it, or a process fails, the walk
along everything (`verification.verify`) is left to say what and where. That is the same verdict: a part starts from the
number and digest of the row before it, and while nothing is broken those are what the walk would bring along.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sys
from dataclasses import dataclass
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import (
    interpreter,
    paged,
    record,
    verification,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.paged import Place
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError

# Fewer rows than this are checked before another interpreter has started.
WORTH = 50_000
_MOST = 16


@dataclass(frozen=True)
class Part:
    """Rows after one place, up to and with another. None: from the first row on, and to the last."""

    after: Place | None
    up_to: Place | None


def unbroken(
    ledger: Ledger, processes: int | None = None, worth: int | None = None
) -> verification.Verification | None:
    """The verdict on a ledger that is whole; None when it is not, or when parts are not worth their start.

    processes: None takes as many as this process may use cores. worth: fewest rows; None is WORTH. Raises LedgerError.
    """
    count = min(_cores() if processes is None else processes, _MOST)
    parts = parts_of(ledger, count, WORTH if worth is None else worth) if count > 1 else []
    if len(parts) < 2:
        return None
    with contextlib.ExitStack() as kept:
        started = [kept.enter_context(_running(ledger, part)) for part in parts]
        told = [_answer(running) for running in started]
    whole = [answer for answer in told if answer is not None]
    if len(whole) < len(parts):
        return None
    heads: dict[str, str] = {}
    last: dict[str, int] = {}
    for answer in whole:
        # In the order of the walk: of a writer in two parts the later one has the last row.
        heads.update(answer["heads"])
        last.update(answer["last"])
    return verification.Verification(sum(answer["rows"] for answer in whole), heads, last=last)


def main() -> None:
    """One process: its part as JSON on standard input; what it saw on standard output, or nothing."""
    request = json.load(sys.stdin)
    after, up_to = (tuple(place) if place else None for place in (request["after"], request["up_to"]))
    with contextlib.suppress(LedgerError):
        seen = checked(Ledger(request["path"], request["timeout"]), Part(after, up_to))
        if seen is not None:
            json.dump(seen, sys.stdout)


def _cores() -> int:
    # macOS can be a controller, and has no affinity.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _running(ledger: Ledger, part: Part) -> contextlib.AbstractContextManager[interpreter.Running]:
    request = {"path": str(ledger.path), "timeout": ledger.timeout, "after": part.after, "up_to": part.up_to}
    return interpreter.running("verification_parts", request)


def _answer(running: interpreter.Running) -> dict[str, Any] | None:
    text = running.answers.read()
    return json.loads(text) if text and running.process.wait() == 0 else None


def parts_of(ledger: Ledger, count: int, worth: int) -> list[Part]:
    """Parts of about the same size; none when the ledger is small, or has places that are none."""
    with ledger.reading() as connection:
        chains = connection.execute(
            "SELECT writer, min(seq), max(seq), count(*) FROM chained GROUP BY writer ORDER BY writer"
        ).fetchall()
        total = sum(chain[3] for chain in chains)
        if total < max(worth, count):
            return []
        cuts: list[Place] = []
        passed, size = 0, total / count
        for writer, first, last, rows in chains:
            if not (isinstance(writer, str) and isinstance(first, int) and isinstance(last, int)):
                return []
            while len(cuts) < count - 1 and (missing := size * (len(cuts) + 1) - passed) <= rows:
                wanted = first + int((last - first) * missing / rows)
                found = connection.execute(
                    "SELECT max(seq) FROM chained WHERE writer = ? AND seq <= ?", (writer, wanted)
                ).fetchone()
                cuts.append((writer, int(found[0])))
            passed += rows
    edges = [None, *sorted(set(cuts)), None]
    return [Part(after, up_to) for after, up_to in itertools.pairwise(edges)]


def checked(ledger: Ledger, part: Part) -> dict[str, Any] | None:
    """Rows, heads and last numbers of a part; None as soon as a row does not fit."""
    writer, wanted, head = "", 0, ""
    if part.after is not None:
        writer, before = part.after
        with ledger.reading() as connection:
            row = connection.execute(
                "SELECT digest FROM chained WHERE writer = ? AND seq = ?", (writer, before)
            ).fetchone()
        if row is None:
            return None
        wanted, head = before + 1, row[0]
    rows = 0
    heads: dict[str, str] = {}
    last: dict[str, int] = {}
    link = record.link
    for page in paged.pages(ledger, part.after, part.up_to):
        for whose, seq, uid, run_id, kind, at, host, body, previous, digest in page:
            if whose != writer:
                if not isinstance(whose, str):
                    return None
                if rows:
                    heads[writer], last[writer] = head, wanted - 1
                writer, wanted, head = whose, 1, record.GENESIS
            if seq != wanted or previous != head:
                return None
            try:
                if digest != link(whose, seq, uid, run_id, kind, at, host, body, previous):
                    return None
            except (TypeError, UnicodeEncodeError):
                return None
            wanted, head = seq + 1, digest
            rows += 1
    if rows:
        heads[writer], last[writer] = head, wanted - 1
    return {"rows": rows, "heads": heads, "last": last}
