# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which intervention is behind a session: same time, and same operator unless the account does not tell."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.tools_in_use.matching import match, unexplained


def session(account: str = "alice", began: str = "10:00", ended: str | None = "10:10", **more: Any) -> dict[str, Any]:
    end = None if ended is None else f"2026-11-25T{ended}:00Z"
    row = {"kind": "sudo", "account": account, "began": f"2026-11-25T{began}:00Z", "ended": end, "interactive": True}
    return {**row, "address": "", "program": "bash", **more}


def run(operator: str, started: str, ended: str | None, outcome: str = "ok") -> dict[str, Any]:
    end = None if ended is None else f"2026-11-25T{ended}:00.000000Z"
    return {
        "run_id": f"{operator} {started}",
        "operator": operator,
        "started_at": f"2026-11-25T{started}:00.000000Z",
        "ended_at": end,
        "outcome": outcome,
    }


@pytest.mark.parametrize(
    ("one", "intervention", "by"),
    [
        (session(), run("alice", "10:05", "10:06"), "operator"),
        (session(), run("jeanne", "10:05", "10:06"), "operator"),
        (session(), run("bob", "10:05", "10:06"), None),
        (session(), run("alice", "10:24", "10:30"), "operator"),
        (session(), run("alice", "10:26", "10:30"), None),
        (session(), run("alice", "09:00", "09:44"), None),
        (session(), run("alice", "09:00", None, "running"), "operator"),
        (session(), run("alice", "09:00", None, "interrupted"), None),
        (session("root"), run("bob", "10:05", "10:06"), "time"),
        (session(interactive=False), run("bob", "10:05", "10:06"), "time"),
        (session(ended=None), run("alice", "10:05", "10:06"), "operator"),
    ],
)
def test_a_session_and_an_intervention(one: dict[str, Any], intervention: dict[str, Any], by: str | None) -> None:
    (found,) = match([one], [intervention], timedelta(minutes=15), {"alice": ["jeanne"]}, ["root"])
    assert found["matched_by"] == by
    assert found["intervention"] == (intervention["run_id"] if by else None)
    assert bool(unexplained([found])) == (by is None)


def test_the_nearest_of_the_operators_own_counts() -> None:
    runs = [run("bob", "10:00", "10:01"), run("alice", "09:50", "09:51"), run("alice", "10:02", "10:03")]
    (found,) = match([session()], runs, timedelta(minutes=15), {}, [])
    assert found["intervention"] == "alice 10:02"


def test_what_had_no_terminal_is_told_together() -> None:
    rows = [session(began=f"10:0{n}", ended=f"10:0{n}", interactive=False, program="rsync") for n in range(5)]
    (found,) = unexplained(match([*rows], [], timedelta(0), {}, []))
    assert (found["count"], found["began"][11:16], found["ended"][11:16]) == (5, "10:00", "10:04")
