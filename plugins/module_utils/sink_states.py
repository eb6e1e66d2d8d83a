# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sinks of a server read and compared: what each one holds in its file and live, and where the two differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .addresses import Network, lenient, span
from .entry_point_module import ServerProblem
from .firewalls.protocol import ABSENT, READY, Sink, SinkError, SinkState, Slots

__all__ = ["describe", "differences", "networks_of", "observe_sinks", "placed", "told_of"]


def networks_of(texts: Iterable[str]) -> list[Network]:
    """What is inside a sink as networks; a range is taken apart, a name covers nothing."""
    found: list[Network] = []
    for text in texts:
        network = lenient(text)
        if network is not None:
            found.append(network)
            continue
        low, dash, high = text.partition("-")
        if dash:
            try:
                found += span(low, high)
            except ValueError:
                continue
    return found


def placed(side: Slots | None, slots: Sequence[str]) -> dict[str, str] | None:
    """Every text of one side of a sink, and the slots that hold it, joined. None where the sink has no such side."""
    if side is None:
        return None
    found: dict[str, str] = {}
    for slot in slots:
        texts = side.get(slot, frozenset())
        if not found:
            found = dict.fromkeys(texts, slot)
            continue
        for text in texts:
            found[text] = "%s+%s" % (found[text], slot) if text in found else slot
    return found


def told_of(file: str | None, live: str | None) -> str:
    if file is None or live is None or file == live:
        return file if file is not None else (live if live is not None else ABSENT)
    return "file: %s, live: %s" % (file, live)


def observe_sinks(sinks: Sequence[Sink]) -> dict[str, SinkState]:
    """Read every sink afresh. Raises ServerProblem naming the sink."""
    states = {}
    for sink in sinks:
        try:
            states[sink.name] = sink.observe()
        except SinkError as error:
            raise ServerProblem("sink %s can't be read: %s" % (sink.name, error)) from None
    return states


def differences(sinks: Sequence[Sink], states: Mapping[str, SinkState]) -> list[dict[str, str]]:
    """Where the file and the live state of a sink say different things."""
    rows = []
    for sink in sinks:
        state = states[sink.name]
        for side, shape in sorted(state.shape.items()):
            if shape != READY:
                rows.append({"sink": sink.name, "entry": side, side: shape})
        if state.file is None or state.live is None:
            continue
        texts: set[str] = set()
        for slot in sink.slots:
            texts |= state.file.get(slot, frozenset()) ^ state.live.get(slot, frozenset())
        if texts:
            file, live = placed(state.file, sink.slots) or {}, placed(state.live, sink.slots) or {}
            for text in sorted(texts):
                row = {"file": file.get(text, ABSENT), "live": live.get(text, ABSENT)}
                rows.append({"sink": sink.name, "entry": text, **row})
    return rows


def describe(sink: Sink, state: SinkState) -> dict[str, Any]:
    """One sink for the result."""
    return {
        "name": sink.name,
        "backend": sink.backend,
        "gates": sink.gates,
        "lists": list(sink.lists),
        "file_entries": None if state.file is None else sum(len(t) for t in state.file.values()),
        "live_entries": None if state.live is None else sum(len(t) for t in state.live.values()),
        "shape": dict(state.shape),
    }
