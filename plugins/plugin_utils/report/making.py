# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the ledger and make the report's value and its files' texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import reading, record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.verification import verify
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report import (
    exports,
    html,
    model,
    terminal,
    writing,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.period import Period
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.speaking import Speaker

FORMATS = ("html", "csv", "json")


@dataclass(frozen=True)
class Made:
    """report: the plain value. text: for a terminal. files: name to content. known_clients: what the ledger has."""

    report: dict[str, Any]
    text: str
    files: dict[str, str]
    known_clients: tuple[str, ...]


def make(ledger: Ledger, period: Period, client: str | None, language: str, formats: Sequence[str]) -> Made:
    """Make a report of one client, or of all when client is None. Raises LedgerError."""
    with ledger.reading() as connection:
        found = reading.interventions(connection, record.stamp(period.start), record.stamp(period.end), client)
        known = reading.clients(connection)
        checked = verify(connection)
        state = reading.state(
            connection, [run["run_id"] for run in found if run["playbook"] not in model.OWN_PLAYBOOKS]
        )
    speaker = Speaker(language, period.zone)
    report = model.build(
        found,
        client=client,
        period={
            "text": period.text,
            "first": period.first.isoformat(),
            "last": period.last.isoformat(),
            "zone": period.zone_name,
            "spoken": speaker.span(period.first, period.last),
        },
        # No time of making, and nothing of rows that are not reported: the same interventions give the same bytes.
        ledger={**state, "faults": checked.faults},
    )
    name = writing.base_name(client, period.text, language)
    files: dict[str, str] = {}
    if "html" in formats:
        files[f"{name}.html"] = html.to_html(report, speaker)
    if "csv" in formats:
        files[f"{name}-interventions.csv"] = exports.interventions_csv(report, language)
        files[f"{name}-entry-points.csv"] = exports.entry_points_csv(report, language)
    if "json" in formats:
        files[f"{name}.json"] = exports.to_json(report)
    return Made(report, terminal.to_text(report, speaker), files, tuple(known))
