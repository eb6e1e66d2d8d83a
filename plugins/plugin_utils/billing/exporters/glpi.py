# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks of tickets for GLPI's REST API: the body of one `POST apirest.php/TicketTask`.

The format: apirest.md of glpi-project/glpi, "Add item(s)" - `{"input": [...]}` adds several at once - and the fields of
src/CommonITILTask.php: `tickets_id`, `content` (HTML, must not be empty), `actiontime` (seconds), `date` (on the
server's clock), `state` (2: done), `is_private`, `users_id_tech`. A task has no price: GLPI takes it from the ticket's
costs.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.exporters.protocol import (
    Setting,
    description,
    local_span,
    seconds,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.statement import Line

_DONE = 2
_NUMBER = re.compile(r"[1-9][0-9]{0,9}\Z")


class Glpi:
    """The ticket is the one that was noted, when it is a number, else the client's usual one."""

    name = "glpi"
    suffix = ".json"

    def text(self, lines: Sequence[Line], setting: Setting) -> str:
        """One request for all."""
        return json.dumps({"input": [_task(line, setting) for line in lines]}, indent=2, ensure_ascii=False) + "\n"


def _task(line: Line, setting: Setting) -> dict[str, Any]:
    noted = line.ticket is not None and _NUMBER.match(line.ticket)
    ticket = int(line.ticket) if line.ticket is not None and noted else setting.target(line.client, "glpi")["ticket"]
    begin, _end = local_span(line, setting)
    task: dict[str, Any] = {
        "tickets_id": ticket,
        "content": html.escape(description(line, setting.speaker(line.client))),
        "actiontime": seconds(line),
        "date": begin.isoformat(sep=" "),
        "state": _DONE,
        "is_private": 0,
    }
    user = setting.operator(line, "glpi_user")
    if user is not None:
        task["users_id_tech"] = user
    return task
