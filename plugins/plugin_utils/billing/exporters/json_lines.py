# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The statement's lines as JSON, for a program: whole seconds, and amounts as text so that no digit is lost."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.exporters.protocol import Setting
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.statement import Line, Total

FORMAT_VERSION = 1


class JsonLines:
    """One object: period, time zone, lines, and their total."""

    name = "json"
    suffix = ".json"

    def text(self, lines: Sequence[Line], setting: Setting) -> str:
        """Each line as docs/billing.md describes it."""
        total = Total()
        for line in lines:
            total = total.plus(line)
        content = {
            "version": FORMAT_VERSION,
            "period": setting.period,
            "timezone": setting.terms.zone_name,
            "lines": [line.as_dict() for line in lines],
            "total": total.as_dict(),
        }
        return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
