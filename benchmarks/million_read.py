# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the big ledger once and say how long it took, as a process of its own: imports count, as they do for a user.

python benchmarks/million_read.py table|report|page|verify PATH
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import million


def main(what: str, path: Path) -> None:
    million.collection()
    begun = time.perf_counter()
    from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger

    ledger = Ledger(path)
    if what == "verify":
        checked = ledger.verify()
        told: dict[str, object] = {"rows": checked.rows, "faults": checked.faults}
    else:
        from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report import making, period

        formats = {"table": (), "report": ("csv", "json"), "page": ("html", "csv", "json")}[what]
        made = making.make(ledger, period.parse(million.PERIOD), "client07", "fr", formats)
        told = {"interventions": made.report["summary"]["interventions"], "faults": made.report["ledger"]["faults"]}
    seconds = time.perf_counter() - begun
    if told["faults"]:
        sys.exit(f"the ledger is damaged: {told['faults']}")
    print(json.dumps({"seconds": round(seconds, 4), **told}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
