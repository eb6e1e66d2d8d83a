# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What third parties announced, in the report. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.tables import Cell, Column, Table, cell
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.voices import Voices

_BADGES = {"delivery": "plain", "maintenance": "out", "incident": "bad"}


def of_period(announced: Iterable[Mapping[str, Any]], start: str) -> list[dict[str, Any]]:
    """Those that go on in the period or come after it. announced: as known at its end. start: its first stamp."""
    return [dict(one) for one in announced if _goes_on(one) or (one["ends"] or one["starts"]) >= start]


def _goes_on(one: Mapping[str, Any]) -> bool:
    """An incident lasts until somebody says that it ended; the other kinds have a day of their own."""
    return one["kind"] == "incident" and not one["ends"] and not one["cancelled"]


def table(voices: Voices, announced: Sequence[Mapping[str, Any]], every_client: bool) -> Table:
    """By their beginning."""
    word = voices.word
    columns = [
        Column("starts", word("announcement_from"), tight=True),
        Column("ends", word("announcement_until"), tight=True),
        Column("party", word("announcement_party"), filtered=True),
        Column("kind", word("kind"), filtered=True),
        Column("what", word("what")),
        Column("hosts", word("hosts")),
        Column("passed", word("announcement_told"), tight=True),
    ]
    if every_client:
        columns.insert(2, Column("client", word("client"), filtered=True))
    rows = []
    for one in announced:
        row = [
            cell(voices.moment(one["starts"]), s=one["starts"]),
            cell(voices.moment(one["ends"]) if one["ends"] else "–", s=one["ends"] or ""),
            cell(one["third_party"]),
            cell(
                voices.known("announcement", one["kind"]),
                b=_BADGES[one["kind"]],
                m=[cell(word("announcement_cancelled"), b="plain")] if one["cancelled"] else None,
            ),
            cell(one["summary"], m=[cell(word("announcement_reference", reference=one["reference"]))]),
            cell(", ".join(one["hosts"])),
            _passed(voices, one),
        ]
        if every_client:
            row.insert(2, cell(", ".join(one["clients"])))
        rows.append(row)
    return Table("third_parties", word("third_parties"), columns, rows)


def _passed(voices: Voices, one: Mapping[str, Any]) -> Cell:
    """When it was passed on; said openly when that was after it had begun."""
    if not one["passed_on"]:
        return cell("–", s="")
    late = one["passed_on"] > voices.local_day(one["starts"])
    below = [cell(voices.word("announcement_late"), b="bad")] if late else None
    return cell(voices.day(one["passed_on"]), s=one["passed_on"], m=below)
