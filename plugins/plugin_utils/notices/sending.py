# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send the notices that nobody has sent yet, each once through each channel.

One sender at a time, by a lock on a file beside the ledger that dies with its holder. What was sent is a row of the
ledger, written as soon as the server has taken it. If this program dies between the two, that one notice is sent
again, with the same id. Who waits after a failure stands in a file beside the ledger: to lose it costs an early retry.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices import events, wording
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices.channel import (
    Channel,
    Refused,
    Unavailable,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices.events import Notice
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.writing import write_changed

# 1, 2, 4 ... minutes, and no longer than six hours.
_FIRST_WAIT, _LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=6)
# Longer than both of the rules' spans may be.
_LONGEST_MEMORY = timedelta(days=60)


@dataclass(frozen=True)
class Subscription:
    """Which notices go through a channel, and in which language. clients: None for all."""

    name: str
    channel: Channel
    events: Sequence[str]
    clients: Sequence[str] | None
    language: str


@dataclass
class Sent:
    """sent: events and runs, in words. held_back: like one that was sent a short while ago. waiting: not through yet.

    given_up: too old now, and never got through. problems: by channel. busy: another sender is at work.
    """

    sent: list[str] = field(default_factory=list)
    held_back: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    busy: bool = False


@dataclass(frozen=True)
class Rules:
    """max_age: what ended longer ago is not sent any more. quiet: for so long the same is not sent twice.

    retry_now: whether to try at once what would have to wait after a failure.
    """

    max_age: timedelta = timedelta(days=7)
    quiet: timedelta = timedelta(hours=24)
    retry_now: bool = False


def send(
    ledger: Ledger, subscriptions: Sequence[Subscription], rules: Rules, now: datetime, *, pretend: bool = False
) -> Sent:
    """Send all that is due. Raises LedgerError, OSError."""
    result = Sent()
    # By its own name: a link to the ledger is the same ledger, and has the same sender.
    real = ledger.path.resolve()
    base = real.with_name(real.name + ".notices")
    with _alone(base.with_name(base.name + ".lock")) as alone:
        if not alone:
            result.busy = True
            return result
        waits = _Waits(base.with_name(base.name + ".json"), now, rules.retry_now)
        if not pretend:
            # What cannot be kept as sent would be sent again and again.
            with ledger.transaction():
                pass
        try:
            for subscription in subscriptions:
                _Round(ledger, subscription, rules, now, waits, result, pretend).run()
        finally:
            if not pretend:
                waits.keep()
    return result


def key(subscription: str, event: str, run_id: str) -> str:
    """Names one notice through one channel."""
    return hashlib.sha256(f"notice\n{subscription}\n{event}\n{run_id}".encode("utf-8", "replace")).hexdigest()[:32]


class _Round:
    """One channel's turn."""

    def __init__(
        self,
        ledger: Ledger,
        subscription: Subscription,
        rules: Rules,
        now: datetime,
        waits: _Waits,
        result: Sent,
        pretend: bool,
    ) -> None:
        self._ledger, self._its, self._rules, self._now = ledger, subscription, rules, now
        self._waits, self._result, self._pretend = waits, result, pretend
        self._target = f"notice {subscription.name}"
        self._last: dict[str, datetime] = {}
        self._held: dict[str, int] = {}
        self._latest: str | None = None

    def run(self) -> None:
        """Oldest first, but what has failed comes last. A channel that does not answer is left alone until next time.

        So a message at which a server hangs up each time does not keep the others waiting.
        """
        known = self._read()
        # A day longer than is sent: what failed until it was too old is told once. And from the last that got through
        # on: where nobody sent anything for longer, what was missed is named.
        since = min(record.stamp(self._now - self._rules.max_age - timedelta(days=1)), self._latest or "9999")
        with self._ledger.reading() as connection:
            notices = events.found(connection, since, self._its.events, self._its.clients)
        oldest = record.stamp(self._now - self._rules.max_age)
        blocked = self._waits.of(self._its.name)
        marked = [(key(self._its.name, notice.event, notice.run_id), notice) for notice in notices]
        for mark, notice in sorted(marked, key=lambda pair: self._waits.times(pair[0])):
            told = f"{self._its.name}: {notice.event} {notice.run_id}"
            if mark in known:
                continue
            if notice.ended_at < oldest:
                if self._waits.tried(mark) or (self._latest and notice.ended_at > self._latest):
                    self._result.given_up.append(told)
                    self._keep(notice, mark, "given_up")
            elif blocked is not None or self._waits.of(mark) is not None:
                self._result.problems.setdefault(self._its.name, self._waits.of(mark) or blocked or "")
                self._result.waiting.append(told)
                self._waits.note(mark)
            elif self._is_like_a_recent_one(notice):
                self._result.held_back.append(told)
                self._keep(notice, mark, "held_back")
                self._held[notice.likeness] = self._held.get(notice.likeness, 0) + 1
            else:
                blocked = self._send(notice, mark, told)

    def _send(self, notice: Notice, mark: str, told: str) -> str | None:
        """Returns why the channel is to be left alone; None when it works."""
        if self._pretend:
            self._result.sent.append(told)
            return None
        made = wording.message(notice, self._its.language, mark, self._held.get(notice.likeness, 0))
        try:
            said = self._its.channel.send(made)
        except Unavailable as error:
            self._result.problems[self._its.name] = str(error)
            self._result.waiting.append(told)
            # One that fails again says nothing new of the channel: the others do not wait longer for it.
            self._waits.failed(self._its.name, str(error), longer=not self._waits.times(mark))
            self._waits.failed(mark, str(error))
            return str(error)
        except Refused as error:
            self._result.problems[self._its.name] = str(error)
            self._result.waiting.append(told)
            self._waits.failed(mark, str(error))
            return None
        if said:
            self._result.problems[self._its.name] = said
        self._waits.failed(mark, "sent, but not kept")
        self._keep(notice, mark, "sent")
        self._waits.worked(self._its.name)
        self._waits.worked(mark)
        self._result.sent.append(told)
        self._last[notice.likeness] = self._now
        self._held[notice.likeness] = 0
        return None

    def _is_like_a_recent_one(self, notice: Notice) -> bool:
        last = self._last.get(notice.likeness)
        return last is not None and self._now - last < self._rules.quiet

    def _read(self) -> set[str]:
        """Marks that are done, and when what was sent last."""
        known: set[str] = set()
        # No notice is older, and nothing is held back for longer: what was sent before needs no look in each turn.
        since = record.stamp(self._now - _LONGEST_MEMORY)
        with self._ledger.reading() as connection:
            rows = connection.execute(
                "SELECT at, body FROM records WHERE kind = ? AND at >= ? AND json_extract(body, '$.target') = ?"
                " ORDER BY at, id",
                (record.DELIVERED, since, self._target),
            ).fetchall()
        for at, text in rows:
            body = json.loads(text)
            known.add(body["key"])
            self._latest = at
            if body["how"] == "sent":
                self._last[body["likeness"]] = datetime.fromisoformat(at)
                self._held[body["likeness"]] = 0
            elif body["how"] == "held_back":
                self._held[body["likeness"]] = self._held.get(body["likeness"], 0) + 1
        return known

    def _keep(self, notice: Notice, mark: str, how: str) -> None:
        if self._pretend:
            return
        body = {"target": self._target, "event": notice.event, "key": mark, "likeness": notice.likeness, "how": how}
        entry = Entry(
            uid=f"{notice.run_id}:{record.DELIVERED}:{mark}",
            run_id=notice.run_id,
            kind=record.DELIVERED,
            at=record.stamp(self._now),
            body=body,
        )
        with self._ledger.transaction() as transaction:
            transaction.add([entry])


class _Waits:
    """Who has failed how often, and until when to wait: channels by name, notices by mark."""

    def __init__(self, path: Path, now: datetime, retry_now: bool) -> None:
        self._path, self._now, self._retry_now = path, now, retry_now
        self._entries: dict[str, dict[str, Any]] = {}
        with contextlib.suppress(OSError, ValueError):
            content = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(content, dict):
                self._entries = {name: entry for name, entry in content.items() if _is_wait(entry)}

    def of(self, name: str) -> str | None:
        """Why it has to wait; None when it has not."""
        entry = self._entries.get(name)
        if entry is None or self._retry_now or entry["until"] <= record.stamp(self._now) or not entry.get("times"):
            return None
        return f"{entry.get('why')}; tried {entry['times']} times, again after {entry['until'][:16]}Z"

    def tried(self, mark: str) -> bool:
        """Whether that notice has ever had to wait."""
        return mark in self._entries

    def times(self, name: str) -> int:
        """How often it has failed."""
        return int((self._entries.get(name) or {}).get("times", 0))

    def note(self, mark: str) -> None:
        """It had to wait for its channel."""
        self._entries.setdefault(mark, {"times": 0, "until": record.stamp(self._now)})["seen"] = record.stamp(self._now)

    def failed(self, name: str, why: str, *, longer: bool = True) -> None:
        """Once more. The wait doubles, unless it is to be no longer than it was."""
        times = max(1, self.times(name) + longer)
        wait = min(_FIRST_WAIT * 2 ** min(times - 1, 20), _LONGEST_WAIT)
        stamp = record.stamp(self._now)
        self._entries[name] = {"times": times, "until": record.stamp(self._now + wait), "why": why, "seen": stamp}

    def worked(self, name: str) -> None:
        """Nothing to wait for any more."""
        self._entries.pop(name, None)

    def keep(self) -> None:
        """What nobody has asked for in a long while is forgotten."""
        oldest = record.stamp(self._now - _LONGEST_MEMORY)
        entries = {name: entry for name, entry in self._entries.items() if str(entry.get("seen", "")) >= oldest}
        if entries or self._path.exists():
            write_changed(self._path, json.dumps(entries, sort_keys=True) + "\n")


def _is_wait(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and all(isinstance(entry.get(key), str) for key in ("until", "seen"))
        and isinstance(entry.get("times"), int)
    )


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Whether this process is the only sender. The kernel lets go of the lock when its holder dies."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
