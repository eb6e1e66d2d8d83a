# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cutting sessions: how many commands it takes, and that whoever has very many can't hold a run up."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.module_utils.addresses import Coverage, parse
from ansible_collections.infogerance.perimeter.plugins.module_utils.firewalls import flows
from ansible_collections.infogerance.perimeter.plugins.module_utils.firewalls.protocol import SinkError

PEER, SIX = parse("192.0.2.1"), parse("2001:db8::1")


def test_sessions_are_named_in_batches_each_once_and_never_none() -> None:
    found = [flows.Session(PEER, port, 22) for port in range(1, 200)] + [flows.Session(SIX, 5, 443)]
    made = list(flows.batches(found))
    assert len(made) == 4
    assert all(words.count("(") == words.count("dst") == words.count("sport") > 0 for words in made)
    assert sum(words.count("dst") for words in made) == len(found)
    assert made[-1][-7:] == ["dst", "[2001:db8::1]:5", "and", "sport", "=", ":443", ")"]
    # ss without a filter would end everybody's sessions.
    assert list(flows.batches([])) == []


def test_a_flood_of_sessions_costs_a_fixed_time_and_is_told_as_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    flood = [flows.Session(PEER, port, 80) for port in range(1024, 60000)]
    clock = [0.0]
    asked: list[float] = []

    def hangs(argv: Any, timeout: float) -> Any:
        asked.append(timeout)
        clock[0] += 5
        raise SinkError("%s did not finish" % argv[0])

    monkeypatch.setattr(flows, "sessions", lambda *_words: list(flood))
    monkeypatch.setattr(flows, "find", lambda program: program)
    monkeypatch.setattr(flows, "attempt", hangs)
    monkeypatch.setattr(flows.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(flows.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    (row,) = flows.cut([PEER], Coverage(), None, Coverage())
    assert clock[0] <= flows.BUDGET + flows.PATIENCE + 5
    assert max(asked) <= flows.BUDGET
    assert (row["sessions"], row["alive"], row["cut"], row["means"]) == (len(flood), len(flood), False, "none worked")
