# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run that this process records, as the tasks of that run can see it.

The callback lives in the process of ansible-playbook; an action plugin lives in a worker forked from it. The worker
inherits this module's state but can change nothing in the parent. So what a task has to say about its run travels in
its result, and a proof goes with it: a keyed hash, made with a key that is drawn for each run and never leaves the two
processes. A result that merely looks alike - from a module on a server, or from one of the same name - has no proof.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import canonical, clean

RESULT_KEY = "infogerance_annotation"


@dataclass(frozen=True)
class Running:
    """The run in progress, and the key that its tasks sign with."""

    run_id: str
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def signed(self, fields: Mapping[str, Any], task: str) -> dict[str, Any]:
        """What a task puts into its result. task: names it, so that saying the same on each host counts once."""
        said = clean(dict(fields))
        return {"run_id": self.run_id, "task": task, "fields": said, "proof": self._proof(said, task)}

    def recognised(self, result: Any) -> Iterator[tuple[str, dict[str, Any]]]:
        """The annotations in a result (or in the items of its loop) that a task of this very run has signed.

        Each with a mark: the same words of the same task have the same one.
        """
        if not isinstance(result, Mapping):
            return
        said = result.get(RESULT_KEY)
        if isinstance(said, Mapping) and said.get("run_id") == self.run_id:
            fields, task = clean(said.get("fields")), str(said.get("task"))
            if isinstance(fields, dict):
                proof = self._proof(fields, task)
                if hmac.compare_digest(proof.encode(), str(said.get("proof")).encode("utf-8", "replace")):
                    yield proof[:32], fields
        items = result.get("results")
        if isinstance(items, Sequence) and not isinstance(items, (str, bytes)):
            for item in items:
                if isinstance(item, Mapping) and "results" not in item:
                    yield from self.recognised(item)

    def _proof(self, fields: Mapping[str, Any], task: str) -> str:
        text = canonical([self.run_id, task, fields])
        return hmac.new(self.key, text.encode("utf-8"), hashlib.sha256).hexdigest()


_current: Running | None = None


def begin(run: Running) -> None:
    """Called by the callback when a run starts."""
    global _current
    _current = run


def end() -> None:
    """Called by the callback when a run is over."""
    global _current
    _current = None


def current() -> Running | None:
    """The run in progress; None when nobody records this one."""
    return _current
