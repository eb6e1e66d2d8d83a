# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contact procedure in words: the page's parts in both languages, and Markdown. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, date
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.contacts import weekly
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.contacts.procedure import (
    MEANS,
    SIDES,
    Case,
    Person,
    Procedure,
    Step,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.branding import Brand
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.contents import Contents
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.html import to_html
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.speaking import Speaker
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.tables import Column, Table, cell
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.voices import Pair, Voices

# What Markdown gives a meaning to, in a table's cell above all.
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#|~!&])")
# What makes a list or a heading of a line that begins with it.
_MARKDOWN_START = re.compile(r"^(\d*)([-+=.])")


def html(procedure: Procedure, today: date, brand: Brand) -> str:
    """The page, in both languages and with nothing that it would have to load."""
    voices = Voices(UTC)
    word = voices.word
    cases = {case.name: _table(voices, procedure, case) for case in procedure.cases}
    parts = [
        {
            "name": f"side-{side}",
            "title": word(f"contact_side_{side}"),
            "about": word(f"contact_about_{side}"),
            "cases": [
                {
                    "title": _both(voices, _label, case),
                    "note": case.note,
                    "table": cases[case.name],
                }
                for case in procedure.cases
                if case.side == side
            ],
        }
        for side in SIDES
        if any(case.side == side for case in procedure.cases)
    ]
    title = word("contact_title")
    contents = Contents(
        title=title,
        over=title,
        subtitle=(procedure.client, procedure.client),
        spoken=_both(voices, _reviewed, procedure),
        values={
            "parts": parts,
            "overdue": bool(procedure.overdue(today)),
            "people": _people(voices, procedure),
            "not_applicable": [
                {"name": word(f"contact_case_{name}"), "reason": reason}
                for name, reason in procedure.not_applicable.items()
            ],
            "zone": procedure.zone_name,
        },
        scripted=[],
    )
    return to_html("contacts.html.j2", {}, contents, procedure.language, UTC, brand)


def _both(voices: Voices, speak: Callable[[Speaker, Any], str], value: Any) -> Pair:
    return voices.say(lambda speaker: speak(speaker, value))


def _table(voices: Voices, procedure: Procedure, case: Case) -> Table:
    word = voices.word
    columns = [Column(key, word(f"contact_{key}")) for key in ("when", "step", "who", "by")]
    rows = []
    for window in case.windows:
        for number, step in enumerate(window.steps):
            person = procedure.person(step.contact)
            rows.append(
                [
                    cell(_both(voices, _when, window.span) if number == 0 else ("″", "″")),
                    cell(_both(voices, _after, step)),
                    cell(person.contact.name, m=[cell(person.contact.role)] if person.contact.role else None),
                    _means(voices, person, step.by),
                ]
            )
    title = _both(voices, _label, case)
    return Table(f"case-{_slug(case.name)}", title, columns, rows)


def _people(voices: Voices, procedure: Procedure) -> Table:
    word = voices.word
    columns = [Column(key, word(f"contact_{key}")) for key in ("who", "side", "phone", "email", "url", "reviewed")]
    rows = [
        [
            cell(person.contact.name, m=[cell(person.contact.role)] if person.contact.role else None),
            cell(word(f"contact_of_{person.side}")),
            *(_means(voices, person, by, alone=True) for by in ("phone", "email", "url")),
            cell(voices.day((person.reviewed_on or procedure.reviewed_on).isoformat())),
        ]
        for person in procedure.people
    ]
    return Table("people", word("contact_list"), columns, rows)


def _means(voices: Voices, person: Person, by: str, *, alone: bool = False) -> dict[str, Any]:
    text = person.means(by)
    if not text:
        return cell("–")
    # Checked when it was declared: a link that a click follows.
    link = {"phone": f"tel:{_dialled(text)}", "email": f"mailto:{text}", "url": text}[by]
    return cell(text, h=link, m=None if alone else [cell(voices.word(f"contact_{by}"))])


def _dialled(phone: str) -> str:
    # The zero in brackets is for callers inside the country only; it does not follow a country's code.
    number = re.sub(r"\(\s*0\s*\)", "", phone) if phone.startswith(("+", "00")) else phone
    return re.sub(r"[^+0-9]", "", number)


def _label(speaker: Speaker, case: Case) -> str:
    return case.label[speaker.language] if case.label else speaker.word(f"contact_case_{case.name}")


def _when(speaker: Speaker, span: weekly.Span) -> str:
    if span.every_hour:
        return speaker.word("contact_any_hour")
    days = speaker.word("contact_every_day") if len(span.days) == 7 else _days(speaker, span.days)
    if (span.start, span.until) == (0, 1440):
        return days
    key = "contact_hours_night" if span.until > 1440 else "contact_hours"
    return speaker.word(key, days=days, start=weekly.clock(span.start), end=weekly.clock(span.until))


def _days(speaker: Speaker, days: tuple[int, ...]) -> str:
    names = speaker.word("contact_days").split()
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"{names[days[0]]}–{names[days[-1]]}"
    return ", ".join(names[day] for day in days)


def _after(speaker: Speaker, step: Step) -> str:
    if not step.after_minutes:
        return speaker.word("contact_at_once")
    hours, minutes = divmod(step.after_minutes, 60)
    text = f"{minutes} min" if not hours else f"{hours} h" if not minutes else f"{hours} h {minutes:02d}"
    return speaker.word("contact_after", time=text)


def _reviewed(speaker: Speaker, procedure: Procedure) -> str:
    return speaker.word(
        "contact_reviewed_on", day=speaker.day(procedure.reviewed_on), due=speaker.day(procedure.review_due)
    )


def _slug(text: str) -> str:
    slug = re.sub(r"[^A-Za-z0-9_]+", "-", text)
    # The digest tells apart what differs only in letters that are left out.
    return slug if slug == text else f"{slug}-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}"


def markdown(procedure: Procedure, today: date, language: str) -> str:
    """The page as Markdown, in one language."""
    speaker = Speaker(language, UTC)
    word = speaker.word
    lines = [f"# {word('contact_title')} – {_md(procedure.client)}", "", _md(_reviewed(speaker, procedure)), ""]
    if procedure.overdue(today):
        lines += [f"**{_md(word('contact_overdue'))}**", ""]
    lines += [_md(word("times_in", zone=procedure.zone_name)), ""]
    for side in SIDES:
        cases = [case for case in procedure.cases if case.side == side]
        if not cases:
            continue
        lines += [f"## {_md(word(f'contact_side_{side}'))}", "", _md(word(f"contact_about_{side}")), ""]
        for case in cases:
            lines += [f"### {_md(_label(speaker, case))}", ""]
            lines += [_md_line(case.note), ""] if case.note else []
            lines += _md_rows(
                [word(f"contact_{key}") for key in ("when", "step", "who", "by")], _steps(speaker, procedure, case)
            )
    if procedure.not_applicable:
        lines += [f"## {_md(word('contact_not_applicable'))}", ""]
        for name, reason in procedure.not_applicable.items():
            lines.append(f"- {_md(word(f'contact_case_{name}'))}: {_md(reason)}")
        lines.append("")
    lines += [f"## {_md(word('contact_people'))}", ""]
    people = [
        [_named(person), word(f"contact_of_{person.side}"), *(person.means(by) or "–" for by in MEANS)]
        for person in procedure.people
    ]
    lines += _md_rows([word(f"contact_{key}") for key in ("who", "side", *MEANS)], people)
    return "\n".join(lines).rstrip("\n") + "\n"


def _steps(speaker: Speaker, procedure: Procedure, case: Case) -> list[list[str]]:
    return [
        [
            _when(speaker, window.span) if number == 0 else "″",
            _after(speaker, step),
            _named(procedure.person(step.contact)),
            f"{speaker.word(f'contact_{step.by}')}: {procedure.person(step.contact).means(step.by)}",
        ]
        for window in case.windows
        for number, step in enumerate(window.steps)
    ]


def _named(person: Person) -> str:
    return f"{person.contact.name} ({person.contact.role})" if person.contact.role else person.contact.name


def _md_rows(heads: list[str], rows: list[list[str]]) -> list[str]:
    made = [heads, *rows]
    lines = ["| " + " | ".join(_md(text) for text in row) + " |" for row in made]
    return [lines[0], "|" + " --- |" * len(heads), *lines[1:], ""]


def _md(text: str) -> str:
    """Text that stays text."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def _md_line(text: str) -> str:
    """The same, where it begins a line."""
    return _MARKDOWN_START.sub(r"\1\\\2", _md(text))


def differences(old: dict[str, Any] | None, new: dict[str, Any]) -> list[str]:
    """What changed between two published procedures, one line each, for the intervention's note."""
    parts = ("contacts", "cases", "not_applicable")
    # A file of that name may be somebody else's.
    if old is None or not all(isinstance(old.get(part), dict) for part in parts):
        return ["first publication"]
    said = []
    for part in parts:
        before, after = old[part], new[part]
        for verb, names in (
            ("added", sorted(set(after) - set(before))),
            ("removed", sorted(set(before) - set(after))),
            ("changed", sorted(name for name in set(after) & set(before) if after[name] != before[name])),
        ):
            said += [f"{part}: {verb} {', '.join(names)}"] if names else []
    for key in ("reviewed_on", "review_days", "timezone", "language"):
        if old.get(key) != new[key]:
            said.append(f"{key}: {old.get(key)} -> {new[key]}")
    return said
