# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Timesheets for Kimai's REST API: one body of `POST /api/timesheets` for each line.

The format: `TimesheetEditForm` of Kimai's API documentation (src/API/TimesheetController.php and
src/Form/API/TimesheetApiEditForm.php of kimai/kimai 2.x). Begin and end are `2026-11-23T10:00:00` on the clock of the
Kimai user, without a zone; project and activity are numbers; `fixedRate` is the price of the whole entry. The API takes
one entry a request, so the file is a list of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.exporters.protocol import (
    Setting,
    description,
    json_number,
    local_span,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.statement import Line


class KimaiApi:
    """In contract, and work at an agreed price, is not billable by time."""

    name = "kimai"
    suffix = ".json"

    def text(self, lines: Sequence[Line], setting: Setting) -> str:
        """A list of request bodies."""
        return json.dumps([_entry(line, setting) for line in lines], indent=2, ensure_ascii=False) + "\n"


def _entry(line: Line, setting: Setting) -> dict[str, Any]:
    target = setting.target(line.client, "kimai")
    begin, end = local_span(line, setting)
    entry: dict[str, Any] = {
        "begin": begin.isoformat(),
        "end": end.isoformat(),
        "project": target["project"],
        "activity": target["activities"].get(line.category, target["activity"]),
        "description": description(line, setting.speaker(line.client)),
        "billable": line.bill == "time",
    }
    if line.amount is not None:
        entry["fixedRate"] = json_number(line.amount)
    user = setting.operator(line, "kimai_user")
    if user is not None:
        entry["user"] = user
    return entry
