# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring every fault about once, and write what was counted into docs/ledger.md.

    python tests/integration/faults/write_table.py     (make faults)

As root: the faults of the disk need mounts of their own. It takes about five minutes. The exit code is 1 when a fault
lost something that no record owns up to; the table is then left as it was.
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "ledger.md"
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
KILLS = ROOT / ".cache" / "recording-kills"


def main() -> int:
    sys.path.insert(0, str(ROOT))
    from tests.integration.faults.arena import Arena
    from tests.integration.faults.ledgers import LEDGERS
    from tests.integration.faults.runs import RUNS

    lines = ["| fault | runs | records expected | records found | |", "|---|---|---|---|---|"]
    failed = []
    for fault in [*RUNS, *LEDGERS]:
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="infogerance-faults-") as folder:
            try:
                count = fault.try_it(Arena(Path(folder)))
            except AssertionError as error:
                failed.append(fault.name)
                print(f"faults: {fault.name}: FAILED: {error}", flush=True)
                continue
        print(f"faults: {fault.name}: {count} ({time.monotonic() - begun:.0f} s)", flush=True)
        lines.append(f"| {fault.name} | {count.runs} | {count.expected} | {count.found} | {count.verdict} |")
    if failed:
        print("faults: lost something: " + ", ".join(failed))
        return 1
    day, core = datetime.now(UTC).date(), version("ansible-core")
    page = PAGE.read_text(encoding="utf-8")
    # What another checkout counted stays until this one has counted itself.
    kills = page.partition("By `make soak`: ")[2].partition(".\n")[0]
    if KILLS.exists():
        kills = KILLS.read_text(encoding="utf-8").strip().partition(": ")[2]
    told = f"Counted on {day} with ansible-core {core} by `make faults`."
    if kills:
        told += f"\nBy `make soak`: {kills}."
    before, _begin, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(before + "\n\n".join([BEGIN, told, "\n".join(lines), END]) + after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
