# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A spreadsheet that a client can read, too: one line an intervention, heads in French or English."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.exporters.protocol import Setting, seconds
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.statement import Line
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.exports import safe_cell
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.speaking import Speaker

_COLUMNS = (
    *("date", "client", "category", "contract", "bill", "time_worked", "time_billed", "hours_billed", "amount"),
    *("currency", "agreement", "emergency", "corrected", "ticket", "hosts", "playbook", "operator", "note"),
    "reference",
)


class CsvLines:
    """Comma and point in English, semicolon and decimal comma in French, as spreadsheets of that language do."""

    name = "csv"
    suffix = ".csv"

    def text(self, lines: Sequence[Line], setting: Setting) -> str:
        """With a byte order mark, by which a spreadsheet knows UTF-8."""
        french = setting.language == "fr"
        speaker = Speaker(setting.language, setting.terms.zone)
        target = io.StringIO()
        target.write("\ufeff")
        writer = csv.writer(target, delimiter=";" if french else ",", quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        writer.writerow([speaker.word(f"bill_{column}") for column in _COLUMNS])

        def decimal(value: Decimal | None) -> str:
            return "" if value is None else str(value).replace(".", "," if french else ".")

        for line in lines:
            billed = seconds(line) if line.bill in {"time", "agreed"} else 0
            row: dict[str, Any] = {
                "date": datetime.fromisoformat(line.started_at)
                .astimezone(setting.terms.zone)
                .strftime("%Y-%m-%d %H:%M"),
                "client": line.client,
                "category": speaker.label({"category": line.category, "label": line.label}),
                "contract": speaker.contract(line.contract),
                "bill": speaker.known("bills", line.bill),
                "time_worked": _clock(-(-line.milliseconds // 1000)),
                "time_billed": _clock(billed),
                "hours_billed": decimal(_hours(billed)),
                "amount": decimal(line.amount),
                "currency": line.currency if line.amount is not None else "",
                "agreement": line.agreement,
                "emergency": line.emergency,
                "corrected": speaker.word("yes") if line.corrected else "",
                "ticket": line.ticket,
                "hosts": " ".join(line.hosts),
                "playbook": line.playbook,
                "operator": line.operator,
                "note": line.note,
                "reference": line.run_id,
            }
            writer.writerow([safe_cell(row[column]) for column in _COLUMNS])
        return target.getvalue()


def _clock(whole: int) -> str:
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def _hours(whole: int) -> Decimal:
    """To the hundredth; the clock's column beside it is exact."""
    return (Decimal(whole) / 3600).quantize(Decimal("0.01"))
