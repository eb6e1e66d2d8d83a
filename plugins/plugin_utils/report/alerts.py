# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource alerts in the report: what a period's reader sees of them, and their tables. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts import wording
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.tables import Cell, Column, Table, cell
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.voices import Pair, Voices

_BADGES = {"open": "out", "overdue": "bad", "closed": "good", "warning": "out", "critical": "bad"}
# More would make a cell of hundreds of lines; the JSON and CSV files have them all.
_TOLD_SHOWN = 12


def of_period(alerts: Iterable[Mapping[str, Any]], start: str) -> dict[str, list[dict[str, Any]]]:
    """`open` (overdue ones first) and `history`: those that ended since `start`, a stored stamp.

    alerts: as they were at the period's end.
    """
    every = [dict(alert) for alert in alerts]
    standing = [alert for alert in every if alert["state"] != "closed"]
    return {
        "open": sorted(standing, key=lambda one: (one["state"] != "overdue", one["deadline"], one["host"])),
        "history": [alert for alert in every if alert["state"] == "closed" and alert["closed_at"] >= start],
    }


def table(voices: Voices, alerts: Sequence[Mapping[str, Any]], name: str, every_client: bool) -> Table:
    """Open alerts, or those that are over."""
    word = voices.word
    over = name != "alerts"
    columns = [
        Column("host", word("host"), filtered=True, tight=True),
        Column("cause", word("alert_cause")),
        Column("criticality", word("alert_criticality"), filtered=True),
        Column("state", word("alert_state"), filtered=True),
        Column("opened", word("alert_opened"), tight=True),
        Column("deadline", word("alert_deadline"), tight=True),
        Column("told", word("alert_told")),
        Column("answers", word("alert_answers")),
    ]
    if over:
        columns[5] = Column("closed", word("alert_closed"), tight=True)
    if every_client:
        columns.insert(1, Column("client", word("client"), filtered=True))
    rows = []
    for alert in alerts:
        below = [cell(voices.known("alert_because", alert["closed_because"]))] if over else []
        below += [cell(word("alert_proposed"))] if alert["state"] == "overdue" else []
        ended = alert["closed_at"] if over else alert["deadline"]
        row = [
            cell(alert["host"]),
            cell(_what(voices, alert), m=_values(voices, alert)),
            cell(voices.known("alert_criticality", alert["criticality"]), b=_BADGES[alert["criticality"]]),
            cell(
                voices.known("alert_state", alert["state"]),
                b=_BADGES[alert["state"]],
                m=below,
            ),
            cell(voices.moment(alert["opened_at"]), s=alert["opened_at"]),
            cell(voices.moment(ended), s=ended),
            _told(voices, alert["told"]),
            _answers(voices, alert["answers"]),
        ]
        if every_client:
            row.insert(1, cell(", ".join(alert["clients"])))
        rows.append(row)
    title = word("alerts_history" if over else "alerts_open")
    return Table(name, title, columns, rows)


def _what(voices: Voices, alert: Mapping[str, Any]) -> Pair:
    return voices.say(lambda speaker: wording.what(speaker, alert))


def _values(voices: Voices, alert: Mapping[str, Any]) -> list[Cell]:
    shown = [cell(voices.say(lambda speaker: wording.value(speaker, alert)))]
    if alert["limit"] is not None and alert["kind"] != "check":
        limit = voices.say(lambda speaker: wording.value(speaker, alert, alert["limit"]))
        shown.append(cell(voices.word("alert_limit", limit=limit)))
    return shown


def _told(voices: Voices, rows: Sequence[Mapping[str, Any]]) -> Cell:
    if not rows:
        return cell(voices.word("alert_nobody"))
    lines = [
        list(
            voices.word(
                "alert_told_row",
                who=row["who"],
                at=voices.moment(row["at"]),
                means=voices.known("alert_means", row["means"]),
                occasion=_occasion(voices, row["occasion"]),
            )
        )
        for row in rows[-_TOLD_SHOWN:]
    ]
    if len(rows) > _TOLD_SHOWN:
        lines.insert(0, list(voices.word("more_tasks", count=voices.number(len(rows) - _TOLD_SHOWN))))
    names = dict.fromkeys(str(row["who"]) for row in rows)
    return cell(", ".join(names), d=[list(voices.word("details")), lines])


def _occasion(voices: Voices, occasion: str) -> Pair:
    return voices.say(lambda speaker: wording.occasion_of(speaker, occasion))


def _answers(voices: Voices, rows: Sequence[Mapping[str, Any]]) -> Cell:
    if not rows:
        return cell(voices.word("alert_no_answer"))
    said = [
        voices.word(
            "alert_answered_until" if row["until"] else "alert_answered",
            by=row["by"],
            at=voices.moment(row["at"]),
            until=voices.moment(row["until"]),
            note=row["note"],
        )
        for row in rows
    ]
    return cell(said[-1], m=[cell(text) for text in reversed(said[-4:-1])])
