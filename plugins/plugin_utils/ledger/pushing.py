# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Push the local file to a shared ledger, with a bound on the time it takes. Standard library only.

    result = push(Ledger(path), "postgresql+psycopg://ctl1@db.example.org/ledger", wait_seconds=60)
    result.pushed, result.already, result.remaining, result.heads, result.refused, result.notices, result.problem

The work is done by another process that is killed when the time is up. No time-out of a library can promise that: a
server that accepts and says nothing, a name that is not resolved, a TLS handshake that never ends. Nothing can be lost
by it: the file keeps every row, and the next push asks the shared ledger how far it is.
"""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field
from datetime import UTC, datetime
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import (
    interpreter,
    outbox,
    record,
    shared_url,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.outbox import Acknowledged
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError


@dataclass
class PushResult:
    """What a push did.

    pushed: rows that this push stored on the shared ledger. already: rows that were there, though this file had not
    been told (an earlier push was cut before the answer, or another push was quicker). remaining: rows that still wait.
    heads: writer -> {"seq": n, "digest": d}, the last row acknowledged. refused: a sentence for each writer whose file
    and shared ledger disagree; its rows wait until somebody has looked. notices: what else somebody should know.
    problem: why the push stopped early; empty when it came to its end.
    """

    pushed: int = 0
    already: int = 0
    remaining: int = 0
    heads: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    problem: str = ""

    @property
    def complete(self) -> bool:
        """Whether the shared ledger has everything now."""
        return not (self.remaining or self.refused or self.problem)

    def as_dict(self) -> dict[str, Any]:
        """A plain copy."""
        return asdict(self)


def push(ledger: Ledger, url: str, wait_seconds: float = 30.0, *, thorough: bool = False) -> PushResult:
    """Send what the shared ledger does not have.

    wait_seconds: the bound; what was sent by then counts. thorough: check the file's whole chain first, not only what
    is sent. Trouble with the shared ledger is told in the result. Raises LedgerError for trouble with the file, and
    SharedError for a wrong URL.
    """
    begun = time.monotonic()
    # libpq takes no less than two seconds.
    place = shared_url.parse(url, connect_timeout=max(2, int(wait_seconds)))
    if not ledger.path.exists():
        raise LedgerError(f"ledger {ledger.path}: there is no such file")
    ledger.create()
    with ledger.reading() as connection:
        known = outbox.acknowledged(connection, place.target)
    result = PushResult()
    told: dict[tuple[str, str], Acknowledged] = {}
    done = False
    request = {
        "path": str(ledger.path),
        "timeout": ledger.timeout,
        "url": place.full,
        "known": [astuple(item) for item in known],
        "thorough": thorough,
        "patience": wait_seconds,
    }
    for message in _messages(request, begun + wait_seconds):
        if "acknowledged" in message:
            item = Acknowledged(*message["acknowledged"])
            told[item.ledger_id, item.writer] = item
            result.pushed += message["pushed"]
            result.already += message["already"]
        elif "refused" in message:
            result.refused.append(message["refused"])
        elif "notice" in message:
            result.notices.append(message["notice"])
        else:
            done = True
            result.problem = message["end"]
    if not done:
        late = time.monotonic() - begun >= wait_seconds
        result.problem = f"no end within {wait_seconds:g} s" if late else "the pushing process died"
    _keep(ledger, place.target, [item for item in told.values() if item not in known], result)
    with ledger.reading() as connection:
        result.remaining = outbox.waiting(connection, place.target)
        for item in outbox.acknowledged(connection, place.target):
            result.heads[item.writer] = {"seq": item.seq, "digest": item.digest}
    return result


def _keep(ledger: Ledger, target: str, items: Sequence[Acknowledged], result: PushResult) -> None:
    if not items:
        return
    try:
        with ledger.transaction(timeout=1.0) as transaction:
            outbox.acknowledge(transaction, target, items, record.stamp(datetime.now(UTC)))
    except LedgerError as error:
        # The rows are there all the same: the next push will find them.
        result.notices.append(f"what the shared ledger acknowledged could not be kept: {error}")


def _messages(request: Mapping[str, Any], deadline: float) -> Iterator[dict[str, Any]]:
    """What the other process says, until it ends or the deadline comes."""
    with interpreter.running("delivery_process", request, own_session=True) as running:
        answers = running.answers.fileno()
        buffer = b""
        while (left := deadline - time.monotonic()) > 0 and select.select([answers], [], [], left)[0]:
            data = os.read(answers, 65536)
            if not data:
                return
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                yield json.loads(line)
