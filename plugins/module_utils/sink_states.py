# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sinks of a server read and compared: what each one holds in its file and live, and where the two differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .addresses import Network, lenient, span
from .entry_point_module import ServerProblem
from .firewalls.protocol import ABSENT, READY, Sink, SinkError, SinkState

__all__ = ["describe", "differences", "networks_of", "observe_sinks", "presence", "told_of"]


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


def _join(slots: Sequence[str]) -> str:
    return "+".join(slots) or ABSENT


def presence(state: SinkState, slots: Sequence[str], text: str) -> tuple[str | None, str | None]:
    """The slots that hold the text: in the file, and live. None where the sink has no such side."""
    sides: list[str | None] = []
    for side in (state.file, state.live):
        if side is None:
            sides.append(None)
        else:
            sides.append(_join([slot for slot in slots if slot in side and text in side[slot]]))
    return sides[0], sides[1]


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
        for text in sorted(texts):
            file, live = presence(state, sink.slots, text)
            rows.append({"sink": sink.name, "entry": text, "file": str(file), "live": str(live)})
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
