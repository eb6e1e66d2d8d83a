# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as plain text for a terminal. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts import wording
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.speaking import Speaker

_WIDEST = 44


def to_text(report: Mapping[str, Any], speaker: Speaker) -> str:
    """Title, sums, and one table for each part."""
    word = speaker.word
    summary = report["summary"]
    lines = [
        f"{word('title')}: {report['client'] or word('all_clients')}, {report['period']['text']}",
        (
            f"{word('interventions')}: {summary['interventions']}  "
            f"({word('in')}: {summary['in_contract']}, {word('out')}: {summary['out_of_contract']}, "
            f"{word('unclassified')}: {summary['unclassified']})"
        ),
        "",
        _table(
            [word(key) for key in ("date", "duration", "contract", "category", "outcome", "operator", "hosts")],
            [
                [
                    speaker.moment(run["started_at"]),
                    speaker.duration(run["duration_seconds"]),
                    speaker.contract(run["contract"]),
                    speaker.label(run) + (f" ({word('check_mode')})" if run["check_mode"] else ""),
                    speaker.known("outcome", run["outcome"]) + (" (!)" if run["complete"] is False else ""),
                    run["operator"] or "",
                    " ".join(host["host"] for host in run["hosts"]),
                ]
                for run in report["interventions"]
            ],
            word("none_interventions"),
        ),
    ]
    for part in ("removed", "obsolete"):
        lines += ["", f"{word(part)}: {len(report[part])}"]
        rows = [
            [
                speaker.moment(line.get("first_found") or line["at"]),
                line["host"],
                speaker.known("kind", line["kind"]),
                line["entry"],
                speaker.known("action", line["action"])
                if part == "removed"
                else (speaker.known("planned", line["planned"]) if line["planned"] else ""),
                line["reason"],
            ]
            for line in report[part]
        ]
        heads = ["date" if part == "removed" else "first_found", "host", "kind", "entry"]
        heads += ["action" if part == "removed" else "planned", "reason"]
        lines.append(_table([word(key) for key in heads], rows, word(f"none_{part}")))
    lines += ["", *_alerts(report["alerts"]["open"], speaker)]
    return "\n".join(lines) + "\n"


def _alerts(alerts: Sequence[Mapping[str, Any]], speaker: Speaker) -> list[str]:
    """What is open, the overdue ones first; for these, what work on them would be."""
    word = speaker.word
    late = sum(alert["state"] == "overdue" for alert in alerts)
    heads = [
        "host",
        "alert_cause",
        "alert_criticality",
        "alert_state",
        "alert_opened",
        "alert_deadline",
        "alert_answers",
    ]
    rows = [
        [
            alert["host"],
            f"{wording.what(speaker, alert)}, {wording.value(speaker, alert)}",
            speaker.known("alert_criticality", alert["criticality"]),
            speaker.known("alert_state", alert["state"]),
            speaker.moment(alert["opened_at"]),
            speaker.moment(alert["deadline"]),
            str(len(alert["answers"])),
        ]
        for alert in alerts
    ]
    made = [f"{word('alerts_open')}: {len(alerts)}" + (f" ({word('alert_tile_overdue', count=late)})" if late else "")]
    made.append(_table([word(key) for key in heads], rows, word("none_alerts")))
    made += [f"  {word('alert_state_overdue')}: {word('alert_proposed')}"] if late else []
    return made


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> str:
    if not rows:
        return f"  {empty}"
    cells = [[_fit(str(cell)) for cell in row] for row in (heads, *rows)]
    widths = [max(_width(row[column]) for row in cells) for column in range(len(heads))]
    cells.insert(1, ["─" * width for width in widths])
    return "\n".join(
        "  " + "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def _fit(text: str) -> str:
    plain = "".join(char if char.isprintable() or char.isspace() else "?" for char in text)
    plain = " ".join(plain.split())
    return plain if len(plain) <= _WIDEST else plain[: _WIDEST - 1] + "…"


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
