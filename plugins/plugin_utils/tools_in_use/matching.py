# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which intervention is behind a session with root's rights? Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any


def match(
    sessions: Iterable[Mapping[str, Any]],
    interventions: Sequence[Mapping[str, Any]],
    tolerance: timedelta,
    operators: Mapping[str, Sequence[str]],
    shared: Iterable[str],
) -> list[dict[str, Any]]:
    """Each session with `intervention` and `matched_by`, None where there is none.

    sessions: as the module gives them. interventions: of the same host, as ledger.reading gives them. operators:
    account to the operators who use it. shared: accounts that do not tell the operator.
    """
    spans = [(_span(run, tolerance), run) for run in interventions]
    nobody = frozenset(shared)
    made = []
    for session in sessions:
        began = moment(session["began"])
        ended = moment(session["ended"]) if session["ended"] else began
        near = [
            (abs(start - began), run) for (start, end), run in spans if start <= ended and (end is None or began <= end)
        ]
        account = session["account"]
        # What no human typed does not tell who started it.
        anybody = account in nobody or not session["interactive"]
        names = {account, *operators.get(account, ())}
        own = [(far, run) for far, run in near if run["operator"] in names]
        chosen = own or (near if anybody else [])
        run = min(chosen, key=lambda one: one[0])[1] if chosen else None
        how = None if run is None else "operator" if own else "time"
        made.append({**session, "intervention": run["run_id"] if run else None, "matched_by": how})
    return made


def unexplained(sessions: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Those with nothing behind them; what had no terminal is put together, with a count."""
    rows: list[dict[str, Any]] = []
    together: dict[tuple[str, ...], dict[str, Any]] = {}
    for session in sessions:
        if session["intervention"] is not None:
            continue
        row = {key: value for key, value in session.items() if key not in {"intervention", "matched_by"}}
        if session["interactive"]:
            rows.append({**row, "count": 1})
            continue
        key = tuple(str(session[name]) for name in ("kind", "account", "address", "program"))
        before = together.get(key)
        if before is None:
            together[key] = {**row, "count": 1}
            rows.append(together[key])
        else:
            before["count"] += 1
            before["ended"] = session["ended"] or session["began"]
    return rows


def moment(text: str) -> datetime:
    """A time as a module or the ledger writes it."""
    return datetime.fromisoformat(text)


def _span(run: Mapping[str, Any], tolerance: timedelta) -> tuple[datetime, datetime | None]:
    """From when to when a session may belong to it; no end while it runs."""
    start = moment(run["started_at"])
    end = moment(run["ended_at"]) if run["ended_at"] else None
    if end is None and run["outcome"] != "running":
        end = start
    return start - tolerance, None if end is None else end + tolerance
