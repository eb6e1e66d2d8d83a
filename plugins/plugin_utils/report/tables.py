# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of the page as plain values: the template and the script make the same lines of them. Pure.

A cell is a mapping: `t` text (a pair of languages, or one text), `s` what it is sorted by (the text when missing),
`b` a badge's class, `c` 1 for code, `h` a relative link, `m` more cells below, `d` details as [title, lines],
`f` the values that a filter offers (the text when missing). Keys are short because there may be ten thousand lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.voices import Pair, Voices

Cell = dict[str, Any]
Text = Pair | str
# More would make a page of thousands of lines; the JSON file has them all.
_TASKS_SHOWN = 12
_BADGES = {"ok": "good", "running": "", "no_hosts": ""}
STANDINGS = {"declared": "good", "expiring": "out", "protected": "", "obsolete": "bad", "unmanaged": "bad"}


@dataclass(frozen=True)
class Column:
    """title: its head. filtered: whether a choice narrows the table by it. numeric: aligned right. tight: one line."""

    key: str
    title: Pair
    filtered: bool = False
    numeric: bool = False
    tight: bool = False

    @property
    def style(self) -> str:
        """The class of its cells."""
        return "number" if self.numeric else "tight" if self.tight else ""


@dataclass(frozen=True)
class Table:
    """name: its id on the page. order: column and direction in which the rows are given."""

    name: str
    title: Pair
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    order: tuple[int, str] = (0, "ascending")
    footer: Sequence[Cell] = field(default_factory=tuple)


def cell(text: Text, **more: Any) -> Cell:
    """A cell. more: keys of a cell; what is empty is left out."""
    shown = text[0] if isinstance(text, tuple) and text[0] == text[1] else text
    made: Cell = {"t": list(shown) if isinstance(shown, tuple) else shown}
    made.update({key: value for key, value in more.items() if value not in (None, "", [], ())})
    return made


def interventions(
    voices: Voices, runs: Sequence[Mapping[str, Any]], every_client: bool, name: str = "interventions"
) -> Table:
    """Interventions, the newest first."""
    word = voices.word
    columns = [
        Column("date", word("date"), tight=True),
        Column("category", word("category"), filtered=True),
        Column("contract", word("contract"), filtered=True),
        Column("outcome", word("outcome"), filtered=True),
        Column("duration", word("duration"), numeric=True),
        Column("operator", word("operator")),
        Column("hosts", word("hosts"), filtered=True),
    ]
    if every_client:
        columns.insert(1, Column("client", word("client"), filtered=True))
    rows = []
    for run in reversed(runs):
        row = [
            cell(voices.moment(run["started_at"]), s=run["started_at"]),
            cell(voices.label(run), m=_below(voices, run), d=_tasks(voices, run)),
            cell(voices.contract(run["contract"]), b=run["contract"] or "plain"),
            cell(
                voices.known("outcome", run["outcome"]),
                b=_BADGES.get(run["outcome"], "bad") or "plain",
                m=[cell(word("incomplete"), b="bad")] if run["complete"] is False else None,
            ),
            cell(voices.duration(run["duration_seconds"]), s=run["duration_seconds"] or 0),
            cell(run["operator"] or word("unknown")),
            _many([host["host"] for host in run["hosts"]]),
        ]
        if every_client:
            names = {name for host in run["hosts"] for name in host["clients"]}
            row.insert(1, _many(sorted(names | set(run.get("clients") or []))))
        rows.append(row)
    return Table(name, word("interventions"), columns, rows, (0, "descending"))


def _below(voices: Voices, run: Mapping[str, Any]) -> list[Cell]:
    below = [cell(run["playbook"], c=1)] if run["playbook"] else []
    if run["check_mode"]:
        below.insert(0, cell(voices.word("check_mode"), b="plain"))
    origin = run.get("origin") or "playbook"
    if origin != "playbook":
        below.insert(0, cell(voices.word("manual") if origin == "manual" else origin, b="plain"))
    for key in ("ticket", "quote"):
        numbers = run.get(f"{key}s") or []
        if numbers:
            below.append(cell(voices.word(f"{key}_named", number=", ".join(map(str, numbers)))))
    if run.get("agreements"):
        below.append(cell(voices.word("agreement_named", number=", ".join(run["agreements"]))))
    if run.get("emergency"):
        below.append(cell(voices.word("emergency_named", reason=run["emergency"]), b="out"))
    if run["note"]:
        below.append(cell(run["note"]))
    return below


def _tasks(voices: Voices, run: Mapping[str, Any]) -> list[Any] | None:
    """One line for each task, with the hosts that it changed or failed on."""
    groups: dict[tuple[str, str], list[str]] = {}
    for task in run["tasks"]:
        groups.setdefault((task["name"] or task["action"], task["status"]), []).append(task["host"])
    if not groups:
        return None
    lines: list[Any] = []
    for (name, status), hosts in list(groups.items())[:_TASKS_SHOWN]:
        said = voices.known("status", status)
        where = ", ".join(sorted(set(hosts)))
        lines.append([f"{name} – {text} ({where})" for text in said])
    if len(groups) > _TASKS_SHOWN:
        lines.append(list(voices.word("more_tasks", count=voices.number(len(groups) - _TASKS_SHOWN))))
    return [list(voices.word("details")), lines]


def _many(names: Sequence[str]) -> Cell:
    return cell(", ".join(names), f=list(names) if len(names) != 1 else None)


def ways(voices: Voices, rows: Sequence[Mapping[str, Any]], every_client: bool, name: str = "ways") -> Table:
    """Open ways in, by person."""
    word = voices.word
    columns = [
        Column("person", word("person_or_account")),
        Column("host", word("host"), filtered=True, tight=True),
        Column("kind", word("kind"), filtered=True),
        Column("entry", word("entry")),
        Column("rights", word("rights"), filtered=True),
        Column("standing", word("standing"), filtered=True),
        Column("expires", word("expires"), tight=True),
        Column("checked", word("last_check"), tight=True),
    ]
    if every_client:
        columns.insert(1, Column("client", word("client"), filtered=True))
    lines = []
    for way in rows:
        standing = "expiring" if way["expiring"] else way["standing"]
        rights = "network" if not way["kind"].startswith("ssh") else "root" if way["root"] else "plain"
        why = way["reason"] and standing != "obsolete" and cell(voices.reason(way["reason"]))
        line = [
            cell(way["person"]) if way["person"] else cell(word("unnamed"), s="\uffff"),
            cell(way["host"]),
            cell(voices.known("kind", way["kind"])),
            cell(way["entry"], c=1),
            cell(word(f"rights_{rights}"), b="out" if way["root"] else None),
            cell(
                voices.known("standing", standing),
                b=STANDINGS.get(standing, "plain") or "plain",
                m=[why] if why else [],
            ),
            cell(voices.day(way["ends"]) if way["ends"] else word("expires_never"), s=way["ends"] or "9999"),
            cell(voices.date_of(way["seen_at"]), s=way["seen_at"]),
        ]
        if every_client:
            line.insert(1, _many(way["clients"]))
        lines.append(line)
    return Table(name, word("access_list"), columns, lines)


def changes(voices: Voices, name: str, title: Pair, lines: Sequence[Mapping[str, Any]]) -> Table:
    """Entry points that were closed, opened or changed, the newest first."""
    word = voices.word
    columns = [
        Column("date", word("date"), tight=True),
        Column("host", word("host"), filtered=True, tight=True),
        Column("kind", word("kind"), filtered=True),
        Column("entry", word("entry")),
        Column("action", word("action"), filtered=True),
        Column("person", word("person")),
        Column("reason", word("reason")),
        Column("operator", word("operator")),
    ]
    rows = [
        [
            cell(voices.moment(line["at"]), s=line["at"]),
            cell(line["host"]),
            cell(voices.known("kind", line["kind"])),
            cell(line["entry"], c=1),
            cell(voices.known("action", line["action"])),
            cell(line["person"] or ""),
            cell(voices.reason(line["reason"])),
            cell(line["by"] or word("unknown")),
        ]
        for line in reversed(lines)
    ]
    return Table(name, title, columns, rows, (0, "descending"))


def openly(voices: Voices, runs: Sequence[Mapping[str, Any]]) -> Table:
    """Interventions that did not go as planned, and what is known of each."""
    word = voices.word
    columns = [Column(key, word(key), tight=key == "date") for key in ("date", "category", "outcome", "hosts")]
    columns.append(Column("known", word("openly_what")))
    rows = []
    for run in reversed(runs):
        told = []
        if run["outcome"] in {"failed", "unreachable", "aborted", "interrupted", "running"}:
            told.append(cell(word(f"openly_{run['outcome']}")))
        if run["interrupted_because"]:
            told.append(cell(run["interrupted_because"]))
        if run["complete"] is False:
            told.append(cell(word("openly_missing", what="; ".join(map(str, run["missing"])) or "–")))
        failed = [task for task in run["tasks"] if task["status"] in {"failed", "unreachable"} and not task["ignored"]]
        told += [cell(_ended_badly(voices, task)) for task in failed[:_TASKS_SHOWN]]
        first, *rest = told or [cell("–")]
        rows.append(
            [
                cell(voices.moment(run["started_at"]), s=run["started_at"]),
                cell(voices.label(run), m=_below(voices, run)),
                cell(voices.known("outcome", run["outcome"]), b=_BADGES.get(run["outcome"], "bad") or "plain"),
                _many([host["host"] for host in run["hosts"]]),
                {**first, **({"m": rest} if rest else {})},
            ]
        )
    return Table("openly", word("openly"), columns, rows, (0, "descending"))


def _ended_badly(voices: Voices, task: Mapping[str, Any]) -> Pair:
    name, host = task["name"] or task["action"], task["host"]
    return voices.say(lambda speaker: f"{name} – {speaker.known('status', task['status'])} ({host})")


def times(voices: Voices, categories: Sequence[Mapping[str, Any]]) -> Table:
    """Kinds of work with their number and time, and the total."""
    word = voices.word
    columns = [
        Column("category", word("category")),
        Column("contract", word("contract")),
        Column("count", word("count"), numeric=True),
        Column("duration", word("duration"), numeric=True),
    ]
    rows = [
        [
            cell(voices.label(line)),
            cell(voices.contract(line["contract"]), b=line["contract"] or "plain"),
            cell(voices.number(line["count"]), s=line["count"]),
            cell(voices.duration(line["seconds"]), s=line["seconds"]),
        ]
        for line in categories
    ]
    count, seconds = sum(line["count"] for line in categories), sum(line["seconds"] for line in categories)
    footer = [cell(word("total")), cell(""), cell(voices.number(count)), cell(voices.duration(seconds))]
    return Table("times", word("time_by_category"), columns, rows, (3, "descending"), footer)
