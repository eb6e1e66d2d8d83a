# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interventions (fichinter) for Dolibarr's REST API.

The format: htdocs/fichinter/class/api_interventions.class.php of Dolibarr/dolibarr (since 7.0). `POST /interventions`
needs `socid`, `fk_project` (0 for none) and `description`, and answers with the new id. `POST
/interventions/{id}/lines` needs `description`, `date` (seconds since 1970) and `duration` (seconds). Dolibarr keeps no
price at an intervention: it is invoiced from the time. It has an export of interventions, but no import
(core/modules/modFicheinter.class.php), so the API is the door.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.exporters.protocol import (
    Setting,
    description,
    seconds,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.statement import Line


class Dolibarr:
    """A list; each item has the body of the first request, and those of the requests for its lines."""

    name = "dolibarr"
    suffix = ".json"

    def text(self, lines: Sequence[Line], setting: Setting) -> str:
        """One intervention a line: it can be validated, invoiced and found again by itself."""
        return json.dumps([_item(line, setting) for line in lines], indent=2, ensure_ascii=False) + "\n"


def _item(line: Line, setting: Setting) -> dict[str, Any]:
    its = setting.target(line.client, "dolibarr")
    # Both texts are HTML there: what was recorded must stay text.
    text = html.escape(description(line, setting.speaker(line.client)))
    started = datetime.fromisoformat(line.started_at)
    return {
        "intervention": {"socid": its["thirdparty"], "fk_project": its["project"], "description": text},
        "lines": [{"description": text, "date": int(started.timestamp()), "duration": seconds(line)}],
    }
