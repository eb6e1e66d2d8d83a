# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run's way into the ledger. Knows nothing of Ansible: the callback tells it what happens.

Intent first: `started` is committed before the first task. Then rows gather in memory and are committed at task
boundaries, as long as the commits have cost the run less than half a second and a fortieth of its time.
"""

from __future__ import annotations

import os
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import (
    entry_points,
    last_resort,
    observations,
    process,
    reaping,
    record,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError

ALLOWANCE_SECONDS = 0.5
SHARE = 1 / 40
_BUSY_SECONDS = 5.0
_RETRY_SECONDS = 30.0

# What is counted of each host, in the words of Ansible's recap.
COUNTS = ("ok", "changed", "failed", "unreachable", "skipped", "rescued", "ignored")


def utc_now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


class Recorder:
    """Records one intervention.

    ledger: where to. now, monotonic: clocks, seconds for the second. run_id: random unless given.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        now: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        run_id: str | None = None,
    ) -> None:
        self.run_id = run_id or uuid.uuid4().hex
        self.open = False
        self.failure: LedgerError | None = None
        self._ledger = ledger
        self._now = now
        self._monotonic = monotonic
        self._pid = os.getpid()
        self._queue: list[Entry] = []
        self._ordinal = 0
        self._expected: Counter[str] = Counter()
        self._clients: dict[str, list[str]] = {}
        self._seen: dict[str, Counter[str]] = {}
        self._at_work: dict[str, float] = {}
        self._busy: dict[str, float] = {}
        self._marks: set[str] = set()
        self._results = 0
        self._pretended = 0
        self._done = 0
        self._started: dict[str, Any] = {}
        self._started_at = ""
        self._left: dict[str, Any] = {}
        self._begun = 0.0
        self._not_before = 0.0
        self._spent = 0.0

    @property
    def ledger(self) -> Ledger:
        """Where it records."""
        return self._ledger

    @property
    def mine(self) -> bool:
        """False in a forked worker, which must never write."""
        return self._pid == os.getpid()

    @property
    def clients(self) -> Mapping[str, list[str]]:
        """The hosts known so far, each with its clients."""
        return self._clients

    def start(self, body: Mapping[str, Any]) -> list[str]:
        """Commit the intent, and mark runs that died. Returns the run ids of those.

        Raises LedgerError; the entry then stays queued, and a later commit may still store it.
        """
        self.open = True
        self._begun = self._monotonic()
        here = process.own()
        self._started = {**body, "process": here.as_dict()}
        self._started_at = record.stamp(self._now())
        self._add(record.STARTED, self._started, uid=f"{self.run_id}:{record.STARTED}")
        try:
            self._ledger.create()
            with self._ledger.transaction() as transaction:
                reaped = reaping.reap(transaction, here, self._now())
                transaction.add(self._queue)
        except LedgerError as error:
            self.failure = error
            self._not_before = self._monotonic() + _RETRY_SECONDS
            raise
        self._queue.clear()
        return reaped

    def host(self, name: str, clients: Sequence[str]) -> None:
        """A host that this run targets. Told twice, it counts once."""
        if name not in self._clients:
            self._clients[name] = list(clients)
            self._add(record.HOST, {"clients": list(clients)}, host=name)

    def began(self, host: str) -> None:
        """A task begins on a host, which is at work until its result is told."""
        self._at_work[host] = self._monotonic()

    def result(self, host: str, status: str, *, counted: bool = True, pretended: bool = False) -> None:
        """One task ended on one host.

        counted: whether Ansible's own statistics count it, too. pretended: whether the task ran in check mode.
        """
        self._rests(host)
        # Once for each result of a run: no new Counter for a host that has one.
        seen = self._seen.get(host)
        if seen is None:
            seen = self._seen[host] = Counter()
        seen[status] += 1
        if counted:
            self._results += 1
        if pretended:
            self._pretended += 1
        elif counted:
            self._done += 1

    @property
    def worked(self) -> bool:
        """Whether any task has ended."""
        return self._results > 0

    def gate(self, decision: Mapping[str, Any]) -> None:
        """What the gate said of hosts that came to be known during the run."""
        self._add(record.GATE, decision)

    def included(self, hosts: int) -> None:
        """An include was done for that many hosts: Ansible counts each as one result."""
        self._results += hosts

    def task(self, host: str, status: str, described: Mapping[str, Any], *, ignored: bool = False) -> None:
        """A task that changed, failed or did not reach its host."""
        self._add(record.TASK, {"status": status, "ignored": ignored, **described}, host=host)

    def entry_points(self, host: str, result: Any) -> None:
        """Keep what a result says of entry points, or of what else was seen, when it is such a result."""
        clients = self._clients.get(host, [])
        for item in entry_points.recognised(result):
            extracted = entry_points.extract(item)
            self._add(record.REVIEW, {**extracted.review, "clients": clients}, host=host)
            for change in extracted.changes:
                self._add(record.CHANGE, {**change, "clients": clients}, host=host)
        for item in observations.recognised(result):
            self._add(record.OBSERVATION, {**observations.extract(item), "clients": clients}, host=host)

    def annotated(self, mark: str, fields: Mapping[str, Any]) -> bool:
        """What a task says of this run. The same mark counts once, on however many hosts; True when it is new."""
        if mark in self._marks:
            return False
        self._marks.add(mark)
        self._add(record.ANNOTATED, fields, uid=f"{self.run_id}:{record.ANNOTATED}:{mark}")
        return True

    def boundary(self) -> LedgerError | None:
        """Commit what has gathered, unless commits cost too much. Returns the first failure once; rows are kept."""
        if not self._queue or not self.mine:
            return None
        begun = self._monotonic()
        if begun < self._not_before or self._spent > ALLOWANCE_SECONDS + SHARE * (begun - self._begun):
            return None
        try:
            with self._ledger.transaction(timeout=_BUSY_SECONDS) as transaction:
                transaction.add(self._queue)
        except LedgerError as error:
            self._not_before = self._monotonic() + _RETRY_SECONDS
            first, self.failure = self.failure is None, error
            return error if first else None
        self._queue.clear()
        self.failure = None
        self._spent += self._monotonic() - begun
        return None

    def finish(
        self, outcome: str | None, counts: Mapping[str, Mapping[str, int]] | None, expected_results: int | None
    ) -> str:
        """Commit the rest and the end. Returns the outcome. Raises LedgerError.

        outcome: None to derive it from counts. counts: of each host, from Ansible's statistics; None when there are
        none, and what was seen is used. expected_results: how many results Ansible counted, None when unknown.
        """
        self.open = False
        for host in list(self._at_work):
            self._rests(host)
        per_host = counts if counts is not None else self._seen
        for host in sorted(set(self._clients) | set(per_host)):
            numbers = {key: int(per_host.get(host, {}).get(key, 0)) for key in COUNTS}
            self._add(record.HOST_RESULT, {"verdict": verdict(numbers), "counts": numbers}, host=host)
        total = {key: sum(int(numbers.get(key, 0)) for numbers in per_host.values()) for key in COUNTS}
        decided = outcome or (run_verdict(total) if self._clients or per_host else "no_hosts")
        self._left = {
            "outcome": decided,
            "counts": total,
            "duration_seconds": round(self._monotonic() - self._begun, 3),
            "all_check_mode": bool(self._pretended and not self._done),
        }
        self._ledger.create()
        with self._ledger.transaction() as transaction:
            transaction.add(self._queue)
            stored = transaction.counts(self.run_id)
            missing = [
                f"{kind}: {stored.get(kind, 0)} stored of {number}"
                for kind, number in sorted(self._expected.items())
                if stored.get(kind, 0) != number
            ]
            if expected_results is None:
                missing.append("Ansible gave no statistics: it stopped before its end")
            elif expected_results != self._results:
                missing.append(f"results: {self._results} seen of {expected_results}")
            self._add(
                record.ENDED,
                {
                    "outcome": decided,
                    "changed": total["changed"] > 0,
                    # A play may ask for check mode itself: then nothing was changed, though no --check was given.
                    "check_mode": bool(self._pretended and not self._done),
                    "counts": total,
                    "duration_seconds": self._left["duration_seconds"],
                    "results": {"seen": self._results, "expected": expected_results},
                    "stored": stored,
                    "complete": not missing,
                    "missing": missing,
                    **self._shared(),
                },
                uid=f"{self.run_id}:{record.ENDED}",
            )
            transaction.add(self._queue[-1:])
        self._queue.clear()
        return decided

    def _rests(self, host: str) -> None:
        begun = self._at_work.pop(host, None)
        if begun is not None:
            self._busy[host] = self._busy.get(host, 0.0) + self._monotonic() - begun

    def _shared(self) -> dict[str, Any]:
        """How long each host was at work, where several clients may share the run's time by that."""
        if len({client for names in self._clients.values() for client in names}) < 2:
            return {}
        return {"busy_ms": {host: round(seconds * 1000) for host, seconds in self._busy.items()}}

    @property
    def begun(self) -> bool:
        """Whether the start was told to it, stored or not."""
        return bool(self._started)

    def left(self) -> dict[str, Any]:
        """What is known of the run, for the line that is left when it cannot be stored."""
        return {
            "run_id": self.run_id,
            "started_at": self._started_at or record.stamp(self._now()),
            "at": record.stamp(self._now()),
            **last_resort.facts(self._started, self._clients),
            **self._left,
            "unsaved": self.unsaved,
        }

    @property
    def unsaved(self) -> int:
        """How many entries wait in memory."""
        return len(self._queue)

    def _add(self, kind: str, body: Mapping[str, Any], *, host: str | None = None, uid: str | None = None) -> None:
        self._ordinal += 1
        if kind != record.ENDED:
            self._expected[kind] += 1
        self._queue.append(
            Entry(
                uid=uid or f"{self.run_id}:{self._ordinal}",
                run_id=self.run_id,
                kind=kind,
                at=record.stamp(self._now()),
                body=dict(body),
                host=host,
            )
        )


def verdict(counts: Mapping[str, int]) -> str:
    """One host's verdict. A rescued failure is no failure: Ansible's statistics have moved it already."""
    for key in ("unreachable", "failed", "changed", "ok"):
        if counts.get(key):
            return key
    return "skipped" if counts.get("skipped") or counts.get("rescued") else "untouched"


def run_verdict(counts: Mapping[str, int]) -> str:
    """The run's outcome from the sums of its hosts."""
    if counts.get("failed"):
        return "failed"
    return "unreachable" if counts.get("unreachable") else "ok"
