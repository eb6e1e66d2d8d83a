# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is ours in a sink that others use, too: noted in the state file by sink and slot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any

from .firewalls.protocol import Change, Sink, SinkState

__all__ = ["Ownership"]


class Ownership:
    """``rows`` are the state file's notes by sink; a note without slots counts for all slots of its sink."""

    def __init__(self, rows: Mapping[str, Mapping[str, Any]]) -> None:
        self._rows = rows
        self._known: dict[str, dict[str, frozenset[str]]] = {}

    def _of(self, sink: Sink) -> dict[str, frozenset[str]]:
        if sink.name not in self._known:
            noted = self._rows.get(sink.name, {}).get("owned", {})
            by_slot = dict.fromkeys(sink.slots, noted) if isinstance(noted, list) else noted
            self._known[sink.name] = {slot: frozenset(texts) for slot, texts in by_slot.items()}
        return self._known[sink.name]

    def owned(self, sink: Sink, text: str, slots: Iterable[str]) -> bool:
        """True where the text is ours to take out of one of these slots: what others put beside it stays theirs."""
        if sink.exclusive:
            return True
        ours = self._of(sink)
        return any(text in ours.get(slot, ()) for slot in slots)

    def after(
        self, sink: Sink, state: SinkState, change: Change, adopted: Set[str], before: bool
    ) -> dict[str, list[str]]:
        """The notes with a change. ``before`` it is made, what goes is still ours: a killed run must orphan nothing."""
        owned = {slot: set(texts) for slot, texts in self._of(sink).items()}
        for slot in sink.slots:
            inside = state.inside(slot)
            ours = owned.setdefault(slot, set())
            ours |= {t for t in change.add[slot] if t not in inside} | (adopted & inside)
            if not before:
                ours -= set(change.take[slot]).difference(change.add[slot])
        return {slot: sorted(texts) for slot, texts in owned.items()}
