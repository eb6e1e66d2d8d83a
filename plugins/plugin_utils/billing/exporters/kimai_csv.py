# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Timesheets as CSV for Kimai's import plugin.

The format: the plugin's page (kimai.org/documentation/plugin-import.html) and its own example and checks
(Resources/demo/timesheet.csv, Importer/AbstractTimesheetImporter.php of kevinpapst/ImportBundle). Semicolons, and heads
in English whatever the language. Needed are Date, From, To, User, Email, Customer, Project and Activity; `Duration` is
in seconds and goes before From and To. Projects and activities are found by name, and created where there is none.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.exporters.protocol import (
    ExportError,
    Setting,
    description,
    local_span,
    seconds,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.statement import Line
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.exports import safe_cell

_COLUMNS = (
    *("Date", "From", "To", "Duration", "User", "Email", "Customer", "Project", "Activity", "Description"),
    *("Exported", "Billable", "FixedRate"),
)


class KimaiCsv:
    """Import it with the semicolon as separator."""

    name = "kimai_csv"
    suffix = ".csv"

    def text(self, lines: Sequence[Line], setting: Setting) -> str:
        """UTF-8 without a byte order mark, which would become part of the first head."""
        target = io.StringIO()
        writer = csv.writer(target, delimiter=";", lineterminator="\r\n")
        writer.writerow(_COLUMNS)
        for line in lines:
            row = _row(line, setting)
            writer.writerow([safe_cell(row[column]) for column in _COLUMNS])
        return target.getvalue()


def _row(line: Line, setting: Setting) -> dict[str, Any]:
    its = setting.target(line.client, "kimai")
    speaker = setting.speaker(line.client)
    begin, end = local_span(line, setting)
    operator = line.operator or ""
    email = setting.operator(line, "email")
    if not email:
        raise ExportError(f"operator {operator!r}: field 'email' is missing in 'operators': Kimai's import needs it")
    return {
        "Date": begin.strftime("%Y-%m-%d"),
        "From": begin.strftime("%H:%M:%S"),
        "To": end.strftime("%H:%M:%S"),
        "Duration": seconds(line),
        "User": setting.operator(line, "name") or operator,
        "Email": email,
        "Customer": its["customer_name"] or line.client,
        "Project": its["project_name"] or line.client,
        "Activity": speaker.label({"category": line.category, "label": line.label}),
        "Description": description(line, speaker),
        "Exported": 0,
        "Billable": int(line.bill == "time"),
        "FixedRate": "" if line.amount is None else str(line.amount),
    }
