# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client's page holds, from the report's plain value: tiles, questions, plots, tables.

A part without data is out. Plots need a library; where it is missing the page is made
without them, and `faults` says what to install.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, tzinfo
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report import (
    access,
    alerts,
    announcements,
    charts,
    observed,
    standing_tables,
    tables,
    timeline,
    waiting,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.tables import Table
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.voices import Pair, Voices

# A wider matrix is cut into blocks; beyond so many servers only the list is left, which has filters.
_BLOCK, _MATRIX_SERVERS = 8, 40
_CATEGORY_BARS = 8


@dataclass(frozen=True)
class Contents:
    """values: for the template. scripted: tables that the script takes over. faults: for who makes the report."""

    title: Pair
    over: Pair
    subtitle: Pair
    spoken: Pair
    values: Mapping[str, Any]
    scripted: Sequence[Table]
    faults: Sequence[str] = ()


def of_client(report: Mapping[str, Any], zone: tzinfo) -> Contents:
    """The page of one client, or of everything together."""
    voices = Voices(zone)
    word = voices.word
    every = report["client"] is None
    named = {
        "removed": tables.changes(voices, "removed", word("removed_title"), report["removed"]),
        "changes": tables.changes(voices, "changes", word("changes_title"), report["other_changes"]),
        "openly": tables.openly(voices, report["openly"]),
        "agreements": standing_tables.agreements(voices, report["agreements"], every),
        "reviews": standing_tables.reviews(voices, report["access_reviews"], every),
        "interventions": tables.interventions(voices, report["interventions"], every),
        "alerts": alerts.table(voices, report["alerts"]["open"], "alerts", every),
        "third_parties": announcements.table(voices, report["announcements"], every),
        "alerts_history": alerts.table(voices, report["alerts"]["history"], "alerts_history", every),
        "runtimes": observed.runtimes(voices, report["runtimes"], every),
        "monitoring": observed.monitoring(voices, report["monitoring"], every),
        "sessions": observed.sessions(voices, report["sessions"], every),
    }
    ways = tables.ways(voices, report["ways_in"], every)
    questions = _questions(voices, report["questions"], every)
    plots, faults = time_plots(voices, report, zone)
    unseen = observed.told_unseen(voices, report["unseen"])
    shown = {
        "waiting": bool(questions),
        "alerts": any(report["alerts"].values()),
        "third_parties": bool(report["announcements"]),
        "time": bool(report["categories"]),
        "agreements": bool(report["agreements"]),
        "access": bool(report["ways_in"]),
        "reviews": bool(report["access_reviews"]),
        "removed": bool(report["removed"]),
        "changes": bool(report["other_changes"]),
        **{part: bool(report[part]) or part in unseen for part in observed.PARTS.values()},
        "openly": bool(report["openly"]),
        "interventions": True,
    }
    names = {
        "waiting": word("waiting"),
        "time": word("time"),
        "access": word("access"),
        **{name: table.title for name, table in named.items()},
        "alerts": word("alerts"),
    }
    asked = [question["table"] for question in questions if len(question["table"].rows) > 8]
    return Contents(
        title=word("title"),
        over=word("title"),
        subtitle=voices.say(lambda speaker: report["client"] or speaker.word("all_clients")),
        spoken=spoken(voices, report),
        values={
            "tiles": tiles(voices, report),
            "share": share(report["summary"]),
            "parts": [{"name": name, "title": names[name]} for name, there in shown.items() if there],
            "questions": questions,
            "plots": plots,
            "time_table": tables.times(voices, report["categories"]),
            "access": _matrix(voices, report),
            "ways_table": ways,
            "tables": named,
            "unseen": unseen,
        },
        scripted=[ways, *asked, *named.values()],
        faults=faults,
    )


def spoken(voices: Voices, report: Mapping[str, Any]) -> Pair:
    """The period in words."""
    first, last = (date.fromisoformat(report["period"][key]) for key in ("first", "last"))
    return voices.say(lambda speaker: speaker.span(first, last))


def tiles(voices: Voices, report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The sums that come first."""
    word, summary = voices.word, report["summary"]
    inside, outside = summary["seconds_in_contract"], summary["seconds_out_of_contract"]
    split: list[Pair] = []
    if inside and outside:
        split = [word("time_split", inside=voices.duration(inside), outside=voices.duration(outside))]
    elif inside or outside:
        split = [word("time_all_in" if inside else "time_all_out")]
    about = [word("interventions_on", hosts=voices.servers(summary["hosts"]))]
    if summary["check_mode"]:
        about.append(word("check_mode_about", count=voices.number(summary["check_mode"])))
    made = [
        _tile(word("time_spent"), voices.duration(summary["seconds"]), split),
        _tile(word("interventions"), voices.number(summary["interventions"]), about),
    ]
    ways = report["ways_in"]
    if ways:
        people = {way["person"] for way in ways} - {None}
        hosts = voices.servers(len({way["host"] for way in ways}))
        lines = [word("people_in_about", ways=voices.counted("ways_count", len(ways)), hosts=hosts)]
        unnamed = sum(way["person"] is None for way in ways)
        if unnamed:
            lines.append(word("people_unnamed", count=voices.number(unnamed)))
        if summary["ways_in_left_out"]:
            lines.append(word("people_left_out", count=voices.number(summary["ways_in_left_out"])))
        made.append(_tile(word("people_in"), voices.number(len(people)), lines))
    made.append(_tile(word("closed"), voices.number(summary["removed"]), [word("closed_about")]))
    waiting = summary["waiting"]
    made.append(
        _tile(
            word("waiting_tile"),
            voices.number(waiting),
            [word("waiting_some" if waiting else "waiting_none")],
            "ask" if waiting else "",
        )
    )
    if summary["alerts"]:
        late = summary["alerts_overdue"]
        about = [word("alert_tile_overdue", count=voices.number(late)) if late else word("alert_tile_none")]
        made.append(_tile(word("alert_tile"), voices.number(summary["alerts"]), about, "bad" if late else "ask"))
    if report["openly"]:
        made.append(_tile(word("open_tile"), voices.number(len(report["openly"])), [word("open_tile_about")], "bad"))
    return made


def share(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The bar of time in and out of contract, a thousand wide; empty where there is no time."""
    parts = [
        ("in", "in", summary["seconds_in_contract"]),
        ("out", "out", summary["seconds_out_of_contract"]),
        ("none", None, summary["seconds"] - summary["seconds_in_contract"] - summary["seconds_out_of_contract"]),
    ]
    total = sum(max(0.0, seconds) for _kind, _key, seconds in parts)
    pieces: list[dict[str, Any]] = []
    at = 0.0
    for kind, key, seconds in parts:
        if total and seconds > 0.001:
            width = 1000 * seconds / total
            pieces.append(
                {"kind": kind, "x": round(at, 1), "width": round(max(2, width - 2), 1), "fill": charts.COLOURS[key]}
            )
            at += width
    return pieces


def time_plots(voices: Voices, report: Mapping[str, Any], zone: tzinfo) -> tuple[list[dict[str, Any]], list[str]]:
    """The plots, and what is missing for them."""
    runs = [run for run in report["interventions"] if not run["check_mode"]]
    if not any(run["duration_seconds"] for run in runs):
        return [], []
    first, last = (date.fromisoformat(report["period"][key]) for key in ("first", "last"))
    piece, pieces = timeline.over_period(runs, first, last, zone)
    there = {line["contract"] if line["contract"] in timeline.CONTRACTS else None for line in report["categories"]}
    contracts = {key: voices.contract(key) for key in timeline.CONTRACTS if key in there}
    titles = {unit: voices.word(f"chart_{unit}") for unit in ("hours", "minutes", "seconds")}

    def label(start: date) -> Pair:
        return voices.say(lambda speaker: (speaker.short_month if piece == "month" else speaker.short_day)(start))

    bars = [
        (voices.label(line), line["contract"] if line["contract"] in contracts else None, line["seconds"])
        for line in report["categories"][:_CATEGORY_BARS]
    ]
    try:
        return [
            {
                "title": voices.word("time_over"),
                "svg": charts.over_time([(label(one["start"]), one["seconds"]) for one in pieces], contracts, titles),
            },
            {"title": voices.word("time_by_category"), "svg": charts.by_category(bars, contracts, titles)},
        ], []
    except charts.ChartsMissing as error:
        return [], [str(error)]


def _tile(name: Pair, value: Pair, about: Sequence[Pair], kind: str = "") -> dict[str, Any]:
    return {"name": name, "value": value, "about": about, "kind": kind}


def _questions(voices: Voices, questions: Sequence[Mapping[str, Any]], every: bool) -> list[dict[str, Any]]:
    made = []
    for question in questions:
        name = f"ask-{question['question']}"
        part = next(part for part in waiting.PARTS if question[part])
        table = {
            "ways": tables.ways,
            "runs": tables.interventions,
            "agreements": standing_tables.agreements,
            "reviews": standing_tables.reviews,
            "contacts": standing_tables.contacts,
        }[part](voices, question[part], every, name)
        made.append(
            {
                "title": voices.word(f"waiting_{question['question']}"),
                "count": voices.number(len(table.rows)),
                "table": replace(table, title=voices.word(f"waiting_{question['question']}")),
            }
        )
    return made


def _matrix(voices: Voices, report: Mapping[str, Any]) -> dict[str, Any]:
    checks = report["checks"]
    hosts = sorted({way["host"] for way in report["ways_in"]})
    lines = access.matrix(report["ways_in"]) if len(hosts) <= _MATRIX_SERVERS else []
    for line in lines:
        for marks in line["servers"].values():
            for mark in marks:
                mark["text"] = voices.known("short", mark["kind"])
    servers = [
        {"name": host, "checked": voices.date_of(checks[host]["at"]), "due": checks[host]["due"]} for host in hosts
    ]
    there = {access.state_of(way) for way in report["ways_in"]}
    return {
        "lines": lines,
        "blocks": [servers[at : at + _BLOCK] for at in range(0, len(servers), _BLOCK)],
        "states": [state for state in ("declared", "expiring", "undeclared", "protected") if state in there],
        "days": access.EXPIRING_DAYS,
        "left_out": report["left_out"],
    }
