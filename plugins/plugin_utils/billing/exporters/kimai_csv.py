# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Timesheets as CSV for Kimai's import plugin.

The format: the plugin's page (kimai.org/documentation/plugin-import.html) and its own example and checks
(Resources/demo/timesheet.csv, Importer/AbstractTimesheetImporter.php of kevinpapst/ImportBundle). Semicolons, and heads
in English whatever the language. Needed are Date, From, To, User, Email, Customer, Project and Activity; `Duration` is
in seconds. Projects and activities are found by name, and created where there is none.

When it saves an entry, Kimai counts its time anew from From and To, which have one date, and finds out by itself what
is billable. So an entry is shorter than a day, and one that is not billed by time has the price 0.
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
_DAY = 86400


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
    if seconds(line) >= _DAY:
        raise ExportError(
            f"client {line.client!r}: intervention {line.run_id} has 24 hours or more, which Kimai's import cannot "
            "take: use the format 'kimai'"
        )
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
        "Customer": _found_by(its["customer_name"] or line.client, "customer_name", line),
        "Project": _found_by(its["project_name"] or line.client, "project_name", line),
        "Activity": speaker.label({"category": line.category, "label": line.label}),
        "Description": description(line, speaker),
        "Exported": 0,
        "Billable": int(line.bill == "time"),
        "FixedRate": 0 if line.bill != "time" else "" if line.amount is None else str(line.amount),
    }


def _found_by(name: str, field: str, line: Line) -> str:
    """A name that Kimai looks up: with an apostrophe before it, it would become another customer."""
    if safe_cell(name) != name:
        raise ExportError(
            f"client {line.client!r}: field 'exports': kimai: {field!r}: {name!r} begins like a formula, which a "
            "spreadsheet would run: use the format 'kimai'"
        )
    return name
