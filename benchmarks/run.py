# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure, keep the result, and renew the table.

    python benchmarks/run.py [NAME ...] [--rounds N] [--dry]

Without a name all benchmarks are run. --dry prints the table and keeps nothing.
The exit code is 1 if a goal was missed.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from typing import Any

import record

NAMES = (
    "callback",
    "ledger",
    "looking",
    "privileged_ips",
    "resource_alerts",
    "scale",
    "ssh_accounts",
    "vpn_certificates",
    "ways_in",
)


def say(text: str) -> None:
    print(f"bench: {text}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}; default: all")
    parser.add_argument("--rounds", type=int, help="rounds for each contest; default: the benchmark's own number")
    parser.add_argument("--dry", action="store_true", help="keep nothing")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(NAMES)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are: {', '.join(NAMES)}")

    started = time.monotonic()
    measured: list[dict[str, Any]] = []
    for name in arguments.names or NAMES:
        for result in importlib.import_module(name).measure(arguments.rounds, say):
            measured.append(result)
            if not arguments.dry:
                record.append(result)
                record.write_readme()
    print("\n" + record.table(measured))
    say(f"{time.monotonic() - started:.0f} s")
    missed = [goal for result in measured for goal in result["goals"] if not goal["met"]]
    for goal in missed:
        say(
            f"missed: {goal['contender']} / {goal['against']}: "
            f"{goal['ratio']['median']:.3f}, wanted at most {goal['at_most']}"
        )
    short = [figure for result in measured for figure in result.get("figures", []) if not figure["met"]]
    for figure in short:
        say(f"missed: {figure['name']}: {figure['values']} {figure['unit']}, wanted {figure['goal']}")
    return 1 if missed or short else 0


if __name__ == "__main__":
    sys.exit(main())
