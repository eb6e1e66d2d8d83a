# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The provider's overview: all clients on one page, each leading to their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report import (
    access,
    alerts,
    contents,
    standing_tables,
    tables,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.contents import Contents
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.tables import Column, Table, cell
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.voices import Voices


def of_fleet(whole: Mapping[str, Any], clients: Sequence[tuple[Mapping[str, Any], str]], zone: tzinfo) -> Contents:
    """whole: the report of everything. clients: each one's report, and the relative address of its page."""
    voices = Voices(zone)
    word = voices.word
    plots, faults = contents.time_plots(voices, whole, zone)
    table = _clients(voices, clients)
    openly = tables.openly(voices, whole["openly"])
    standing = alerts.table(voices, whole["alerts"]["open"], "alerts", every_client=True)
    parts = []
    if standing.rows:
        parts.append({"name": "alerts", "title": standing.title})
    if whole["categories"]:
        parts.append({"name": "time", "title": word("time")})
    if whole["openly"]:
        parts.append({"name": "openly", "title": openly.title})
    return Contents(
        title=word("fleet_title"),
        over=word("title"),
        subtitle=word("fleet_title"),
        spoken=contents.spoken(voices, whole),
        values={
            "tiles": contents.tiles(voices, whole),
            "share": contents.share(whole["summary"]),
            "clients_table": table,
            "plots": plots,
            "time_table": tables.times(voices, whole["categories"]),
            # What is over is in each client's own page.
            "tables": {"openly": openly, "alerts": standing, "alerts_history": replace(standing, rows=[])},
            "parts": parts,
        },
        scripted=[table, openly, standing],
        faults=faults,
    )


def _clients(voices: Voices, clients: Sequence[tuple[Mapping[str, Any], str]]) -> Table:
    word = voices.word
    columns = [
        Column("client", word("client")),
        Column("interventions", word("interventions"), numeric=True),
        Column("in", word("in"), numeric=True),
        Column("out", word("out"), numeric=True),
        Column("ways", word("fleet_ways"), numeric=True),
        Column("undeclared", word("fleet_undeclared"), numeric=True),
        Column("waiting", word("fleet_waiting"), numeric=True),
        Column("alerts", word("alert_tile"), numeric=True),
        Column("open", word("fleet_open"), numeric=True),
        Column("checked", word("last_check")),
        Column("review", word("review_tile")),
    ]
    rows = []
    for report, page in clients:
        summary = report["summary"]
        undeclared = sum(way["standing"] in access.UNDECLARED for way in report["ways_in"])
        oldest = min((check["at"] for check in report["checks"].values()), default=None)
        due = any(check["due"] for check in report["checks"].values())

        def counted(value: int, badge: str) -> dict[str, Any]:
            return cell(voices.number(value), s=value, b=badge if value else None)

        rows.append(
            [
                cell(report["client"], h=page),
                cell(voices.number(summary["interventions"]), s=summary["interventions"]),
                cell(voices.duration(summary["seconds_in_contract"]), s=summary["seconds_in_contract"]),
                cell(voices.duration(summary["seconds_out_of_contract"]), s=summary["seconds_out_of_contract"]),
                cell(voices.number(len(report["ways_in"])), s=len(report["ways_in"]), m=_left_out(voices, summary)),
                counted(undeclared, "bad"),
                counted(summary["waiting"], "out"),
                _alerts(voices, summary),
                counted(len(report["openly"]), "bad"),
                cell(
                    voices.date_of(oldest) if oldest else "–",
                    s=oldest or "",
                    m=[cell(word("check_due"), b="out")] if due else [],
                ),
                *(
                    cell(word(f"review_state_{review['state']}"), b=standing_tables.REVIEWS[review["state"]])
                    for review in report["access_reviews"]
                ),
                *([] if report["access_reviews"] else [cell("–", s="")]),
            ]
        )
    return Table("clients", word("fleet_clients"), columns, rows)


def _left_out(voices: Voices, summary: Mapping[str, Any]) -> list[tables.Cell]:
    count = summary["ways_in_left_out"]
    return [cell(voices.word("people_left_out", count=voices.number(count)))] if count else []


def _alerts(voices: Voices, summary: Mapping[str, Any]) -> tables.Cell:
    late, there = summary["alerts_overdue"], summary["alerts"]
    under = [cell(voices.word("alert_tile_overdue", count=voices.number(late)))] if late else None
    return cell(voices.number(there), s=there, b="bad" if late else "out" if there else None, m=under)
