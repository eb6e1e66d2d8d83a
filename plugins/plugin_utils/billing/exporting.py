# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Export lines of a statement into files, each line once.

What was exported is kept in the ledger as a row of its own, with the figures: another export passes over it, and tells
when a later correction has changed them. File and rows are made under the ledger's lock, so that two exports at once
share nothing. If it is cut in between, the file is there and no row says so: the next export makes the same file again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.exporters.catalogue import EXPORTERS
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.exporters.protocol import Setting, seconds
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.statement import Line
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report import writing


@dataclass
class Exported:
    """lines: how many. known: exported before. changed: run ids whose figures differ from what was exported.

    written: whether the file had another text before. amounts: by currency.
    """

    file: str | None = None
    lines: int = 0
    known: int = 0
    changed: list[str] = field(default_factory=list)
    seconds: int = 0
    amounts: dict[str, Decimal] = field(default_factory=dict)
    written: bool = False


def wanted(line: Line, *, in_contract: bool) -> bool:
    """Whether a line is for an export at all: ended work that counts, in contract only when that is asked for."""
    return (line.bill in {"time", "agreed"} or (in_contract and line.bill == "included")) and seconds(line) > 0


def export(
    ledger: Ledger,
    lines: Sequence[Line],
    name: str,
    setting: Setting,
    directory: Path,
    *,
    client: str | None,
    again: bool,
    now: datetime,
    in_contract: bool = False,
    pretend: bool = False,
) -> Exported:
    """Write what was not exported yet (or all of it, again) for that tool. Raises ExportError, LedgerError, OSError.

    lines: all of the period, so that one that was exported and does not count any more is seen, too.
    """
    exporting = _Export(name, setting, directory, client, again, in_contract)
    runs = dict.fromkeys(line.run_id for line in lines)
    if pretend:
        with ledger.reading() as connection:
            told = _told([row for run_id in runs for row in connection.execute(_DELIVERED, (run_id,)).fetchall()])
        return exporting.run(lines, told, pretend=True)[0]
    with ledger.transaction() as transaction:
        told = _told([row for run_id in runs for row in transaction.query(_DELIVERED, (run_id,))])
        result, settled = exporting.run(lines, told, pretend=False)
        transaction.add([row for line in settled for row in _rows(name, line, told.get(_key(name, line), []), now)])
    return result


_DELIVERED = f"SELECT run_id, body FROM records WHERE run_id = ? AND kind = '{record.DELIVERED}' ORDER BY id"  # noqa: S608
_Key = tuple[str, str, str]


def _key(name: str, line: Line) -> _Key:
    return line.run_id, f"export {name}", line.client


def _told(rows: Sequence[Any]) -> dict[_Key, list[dict[str, Any]]]:
    """The figures that were exported of each line, oldest first."""
    found: dict[_Key, list[dict[str, Any]]] = {}
    for run_id, text in rows:
        body = json.loads(text)
        if "figures" in body:
            found.setdefault((str(run_id), body["target"], body["client"]), []).append(body["figures"])
    return found


@dataclass(frozen=True)
class _Export:
    name: str
    setting: Setting
    directory: Path
    client: str | None
    again: bool
    in_contract: bool

    def run(
        self, lines: Sequence[Line], told: dict[_Key, list[dict[str, Any]]], *, pretend: bool
    ) -> tuple[Exported, list[Line]]:
        """What was done, and of which lines the tool has these figures then: those in the file, and those taken out."""
        result = Exported()
        chosen: list[Line] = []
        withdrawn: list[Line] = []
        for line in lines:
            before = told.get(_key(self.name, line))
            if before:
                result.known += 1
                if before[-1] != figures(line):
                    result.changed.append(line.run_id)
            if (not before or self.again) and wanted(line, in_contract=self.in_contract):
                chosen.append(line)
            elif before and self.again:
                # Whoever asks for all again has taken the earlier entry out.
                withdrawn.append(line)
        if not chosen:
            return result, withdrawn
        exporter = EXPORTERS[self.name]
        text = exporter.text(chosen, self.setting)
        for line in chosen:
            result.seconds += seconds(line)
            if line.amount is not None:
                result.amounts[line.currency] = result.amounts.get(line.currency, Decimal(0)) + line.amount
        # The same lines and figures have the same name, and others another: no export takes an earlier one's place.
        said = [[line.run_id, line.client, figures(line)] for line in chosen]
        mark = hashlib.sha256(record.canonical(said).encode()).hexdigest()[:8]
        base = writing.base_name(self.client, self.setting.period, self.setting.language, kind=f"time-{self.name}")
        path = self.directory / f"{base}-{mark}{exporter.suffix}"
        result.written = writing.write_changed(path, text, pretend=pretend)
        result.file, result.lines = str(path), len(chosen)
        return result, [*chosen, *withdrawn]


def figures(line: Line) -> dict[str, Any]:
    """What must not change unseen once somebody was told."""
    return {
        "seconds": seconds(line),
        "amount": None if line.amount is None else str(line.amount),
        "currency": line.currency,
        "bill": line.bill,
    }


def _rows(name: str, line: Line, before: Sequence[dict[str, Any]], now: datetime) -> list[Entry]:
    """The row that says so; none when the last one says the same."""
    if before and before[-1] == figures(line):
        return []
    mark = hashlib.sha256(f"export {name} {line.client} {len(before)}".encode()).hexdigest()[:24]
    body = {"target": f"export {name}", "client": line.client, "figures": figures(line)}
    name_of_row = f"{line.run_id}:{record.DELIVERED}:{mark}"
    return [Entry(uid=name_of_row, run_id=line.run_id, kind=record.DELIVERED, at=record.stamp(now), body=body)]
