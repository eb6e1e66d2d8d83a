# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What waits for the client, as questions that can be answered. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# In the order in which they are asked.
QUESTIONS = ("agreement", "obsolete", "unmanaged", "expiring", "unnamed")


def questions(
    ways: Iterable[Mapping[str, Any]], obsolete: Iterable[Mapping[str, Any]], runs: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Those that have something: `question` (one of QUESTIONS), `ways` and `runs` that it is about.

    ways: as access.open_ways gives them. obsolete: as model.still_obsolete gives them; they count where no look told
    the whole picture, and what is planned already needs no answer.
    """
    ways = list(ways)
    decided = {(line["host"], line["kind"], line["entry"]) for line in obsolete if line["planned"]}
    pictured = {way["host"] for way in ways}
    asked: dict[str, list[Mapping[str, Any]]] = {key: [] for key in QUESTIONS}
    for way in ways:
        if (way["host"], way["kind"], way["entry"]) in decided:
            continue
        if way["standing"] in {"obsolete", "unmanaged"}:
            asked[way["standing"]].append(way)
        elif way["expiring"]:
            asked["expiring"].append(way)
        elif way["standing"] == "declared" and way["person"] is None:
            asked["unnamed"].append(way)
    for line in obsolete:
        if line["host"] not in pictured and not line["planned"]:
            unseen = {"clients": [], "standing": "obsolete", "expiring": False, "root": False, "ends": None}
            asked["obsolete"].append({**line, **unseen, "seen_at": line["last_found"]})
    pending = [run for run in runs if _lacks_agreement(run)]
    return [
        {"question": key, "ways": asked[key], "runs": pending if key == "agreement" else []}
        for key in QUESTIONS
        if asked[key] or (key == "agreement" and pending)
    ]


def _lacks_agreement(run: Mapping[str, Any]) -> bool:
    # Only a statement by the clients' terms can say that there is none: without them nobody has been asked.
    return bool(run.get("unagreed")) and run["outcome"] != "no_hosts"
