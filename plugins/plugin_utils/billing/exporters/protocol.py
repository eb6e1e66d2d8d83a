# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an exporter is: lines of a statement in, the text of one file out. `catalogue.py` lists them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.statement import Line
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.speaking import Speaker
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.terms import Terms


class ExportError(ValueError):
    """Lines that cannot be exported; the message names the client or operator, and the field."""


@dataclass(frozen=True)
class Setting:
    """terms: the clients' terms, with what the tool calls each. language: of a file for a spreadsheet. operators: what
    the tool calls each operator, as option `operators` of the module. period: its text, for the file's head.
    """

    terms: Terms
    language: str
    period: str = ""
    operators: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def target(self, client: str, tool: str) -> Mapping[str, Any]:
        """What that tool calls this client. Raises ExportError."""
        found = self.terms.of(client).exports.get(tool)
        if found is None:
            raise ExportError(f"client '{client}': field 'exports': '{tool}' is missing in the clients' terms")
        return found

    def operator(self, line: Line, name: str) -> Any:
        """What the tool calls this line's operator; None when nothing is said."""
        return (self.operators.get(line.operator or "") or {}).get(name)

    def speaker(self, client: str) -> Speaker:
        """Speaks that client's language."""
        return Speaker(self.terms.of(client).language, self.terms.zone)


class Exporter(Protocol):
    """name: as users say it. suffix: of the file's name."""

    name: str
    suffix: str

    def text(self, lines: Sequence[Line], setting: Setting) -> str:
        """The file's text. Raises ExportError before anything is written."""


def seconds(line: Line) -> int:
    """What the tool is told: the billed time; the worked time, up to the next second, where none is billed."""
    return line.billed_seconds if line.bill in {"time", "agreed"} else -(-line.milliseconds // 1000)


def reference(line: Line) -> str:
    """Names the line in other tools: the intervention's id leads back to the ledger."""
    return line.run_id


def description(line: Line, speaker: Speaker) -> str:
    """What was done, in the client's language, with the reference at its end. One line, for any tool."""
    said = [speaker.label({"category": line.category, "label": line.label})]
    if line.bill != "time":
        # Not every tool knows a mark for it.
        said.append(speaker.known("bills", line.bill))
    said += [text for text in (line.playbook, line.ticket and speaker.word("ticket_named", number=line.ticket)) if text]
    if line.emergency:
        said.append(speaker.word("emergency_named", reason=line.emergency))
    if line.hosts:
        said.append(", ".join(line.hosts))
    if line.note:
        said.append(line.note)
    text = " ".join(" – ".join(said).split())
    # A tool's text field may be short; what is cut is in the ledger.
    return f"{text[:900]} [{reference(line)}]"


def local_span(line: Line, setting: Setting) -> tuple[datetime, datetime]:
    """Beginning and end on the clock of the terms' zone, for tools that keep no zone.

    Where clocks change in between, or show the same hour twice, the span is moved to before that: its length is what
    is billed, and must be the same whoever subtracts. It begins with a minute, for Kimai rounds the beginning down and
    the end up to one: half an hour would become 31 minutes.
    """
    length = timedelta(seconds=seconds(line))
    begin = datetime.fromisoformat(line.started_at).replace(second=0, microsecond=0)
    for _hour in range(26):
        first, last = (moment.astimezone(setting.terms.zone) for moment in (begin, begin + length))
        if length > timedelta(hours=20) or (first.utcoffset() == last.utcoffset() and not (first.fold or last.fold)):
            break
        begin -= timedelta(hours=1)
    naive = first.replace(tzinfo=None, fold=0)
    return naive, naive + length


def json_number(amount: Decimal) -> float:
    """An amount that JSON shows digit by digit as it is. A double is exact for 15 digits; more is refused."""
    found = float(amount)
    if Decimal(repr(found)) != amount:
        raise ExportError(f"the amount {amount} has more digits than a JSON number can hold exactly")
    return found
