# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What waits for the client, as questions that can be answered. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# In the order in which they are asked.
QUESTIONS = ("agreement", "quote", "obsolete", "unmanaged", "expiring", "unnamed", "review", "contacts")


# What a question may be about.
PARTS = ("ways", "runs", "agreements", "reviews", "contacts")


def questions(
    ways: Iterable[Mapping[str, Any]],
    obsolete: Iterable[Mapping[str, Any]],
    runs: Iterable[Mapping[str, Any]],
    agreements: Iterable[Mapping[str, Any]] = (),
    reviews: Iterable[Mapping[str, Any]] = (),
    contacts: Iterable[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Those that have something: `question` (one of QUESTIONS), and the `ways`, `runs`, `agreements`, `reviews` or
    `contacts` that it is about.

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
    about: dict[str, dict[str, list[Mapping[str, Any]]]] = {key: {"ways": found} for key, found in asked.items()}
    about["agreement"]["runs"] = [run for run in runs if _lacks_agreement(run)]
    about["quote"]["agreements"] = [each for each in agreements if each["state"] == "not_accepted"]
    about["review"]["reviews"] = [each for each in reviews if each["state"] != "current"]
    about["contacts"]["contacts"] = [
        {"client": each["client"], **late} for each in contacts for late in each["overdue"]
    ]
    return [
        {"question": key, **{part: about[key].get(part, []) for part in PARTS}}
        for key in QUESTIONS
        if any(about[key].values())
    ]


def _lacks_agreement(run: Mapping[str, Any]) -> bool:
    # Only a statement by the clients' terms can say that there is none: without them nobody has been asked.
    return bool(run.get("unagreed")) and run["outcome"] != "no_hosts"
