# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a ledger stores: entries, their one spelling, and the chain that ties them. No I/O."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from json.encoder import encode_basestring
from typing import Any, TypeGuard

# Made once: json.dumps builds a new one for each call that asks for anything unusual.
_ENCODE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
# User and password in a URL, wherever somebody wrote one: in a task's name, a note, a reason.
_CREDENTIALS = re.compile(r"://[^/@\s]+@")
GENESIS = "0" * 64
CHAIN_FORMAT = 1
TEXT_LIMIT = 2000

# The kinds of entry. A row is never changed: what becomes of a run is told by further rows.
STARTED = "started"
ENDED = "ended"
INTERRUPTED = "interrupted"
CORRECTED = "corrected"
ANNOTATED = "annotated"
DELIVERED = "delivered"
HOST = "host"
HOST_RESULT = "host_result"
TASK = "task"
REVIEW = "review"
CHANGE = "change"
SIGNED = "signed"
GATE = "gate"
ACCESS_REVIEW = "access_review"
ALERT = "alert"
ANNOUNCEMENT = "announcement"
OBSERVATION = "observation"
CONTACT_REVIEW = "contact_review"
KINDS = (
    *(STARTED, ENDED, INTERRUPTED, CORRECTED, ANNOTATED, DELIVERED),
    *(HOST, HOST_RESULT, TASK, REVIEW, CHANGE, GATE, ACCESS_REVIEW, SIGNED),
    *(ALERT, ANNOUNCEMENT, OBSERVATION, CONTACT_REVIEW),
)


@dataclass(frozen=True)
class Entry:
    """One fact to store. `uid` makes a repeated write harmless; `at` is when it happened, in UTC."""

    uid: str
    run_id: str
    kind: str
    at: str
    body: Mapping[str, Any] = field(default_factory=dict)
    host: str | None = None

    @property
    def text(self) -> str:
        """The body as it is stored and hashed."""
        return canonical(clean(self.body))


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with a fixed width, so that text order is time order."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def canonical(value: Any) -> str:
    """The one spelling of a plain value: sorted keys, no spaces, no NaN."""
    return _ENCODE(value)


def is_number(value: Any) -> TypeGuard[int]:
    """Whether it is an integer that stays one: wider ones have no exact place in JSON readers nor in SQLite."""
    return isinstance(value, int) and -(2**53) < value < 2**53


def emergency_allowed(verdict: Mapping[str, Any]) -> bool:
    """Whether the reason of an emergency was a way on for this client's work, by a verdict as the record has it.

    True where none was given: nothing was refused.
    """
    return all(check.get("passed") for check in verdict.get("checks") or [] if check.get("rule") == "emergency")


def clean(value: Any, limit: int = TEXT_LIMIT) -> Any:
    """A plain, storable copy: bounded text without control characters, and nothing but JSON's types.

    Ansible's own types (tagged text, lazy containers) become plain ones; an encrypted value becomes its type's name.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if is_number(value) else str(int(value))
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, str):
        text = value.encode("utf-8", "replace").decode("utf-8")
        if "://" in text:
            text = _CREDENTIALS.sub("://***@", text)
        # Nearly all text is printable: asking once is far cheaper than looking at each character.
        if not text.isprintable():
            text = "".join(char if char.isprintable() else " " for char in text)
        return text if len(text) <= limit else text[: limit - 1] + "…"
    if isinstance(value, Mapping):
        return {str(clean(str(key), limit)): clean(item, limit) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [clean(item, limit) for item in value]
    return f"<{type(value).__name__}>"


def digest(*, writer: str, seq: int, entry: Entry, text: str, previous: str) -> str:
    """The link of the chain: SHA-256 over every column of the row and the digest of the writer's row before it."""
    return link(writer, seq, entry.uid, entry.run_id, entry.kind, entry.at, entry.host, text, previous)


def link(
    writer: str, seq: int, uid: str, run_id: str, kind: str, at: str, host: str | None, text: str, previous: str
) -> str:
    """As `digest`, from bare columns. Raises TypeError when a column has a type that is never written.

    The bytes are those of `canonical([CHAIN_FORMAT, writer, seq, ...])`, put together by hand: a whole ledger is
    checked by this.
    """
    quoted = encode_basestring
    spelt = (
        f"[{CHAIN_FORMAT},{quoted(writer)},{seq},{quoted(uid)},{quoted(run_id)},{quoted(kind)},{quoted(at)},"
        f"{'null' if host is None else quoted(host)},{quoted(text)},{quoted(previous)}]"
    )
    return hashlib.sha256(spelt.encode("utf-8")).hexdigest()
