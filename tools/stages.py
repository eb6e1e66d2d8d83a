# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run make targets one after the other, and end with what each of them said.

    python tools/stages.py TARGET ...

A failed stage does not hide the next one's verdict: all are run. The exit code is 0
only if all passed. The closing lines of pytest come last, where a reader looks.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time

import tree

CLOSING = re.compile(r"^=*\s*(\d+ (passed|failed|error|errors|skipped|deselected|xfailed)\b.* in [\d.]+s.*?)\s*=*$")


def run(target: str) -> tuple[int, float, list[str]]:
    """One stage: its exit code, its seconds, and pytest's closing lines."""
    print("\n--- make %s" % target, flush=True)
    started = time.monotonic()
    closing: list[str] = []
    with subprocess.Popen(
        ["make", "--no-print-directory", target],
        cwd=tree.ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            if CLOSING.match(line.strip()):
                closing.append(line.strip())
    return process.returncode, time.monotonic() - started, closing


def main(targets: list[str]) -> int:
    started = time.monotonic()
    results = {target: run(target) for target in targets}
    print("\n--- summary")
    for target, (code, seconds, _closing) in results.items():
        print("%-12s %-6s %6.0f s" % (target, "ok" if code == 0 else "FAILED", seconds))
    print("%-12s %-6s %6.0f s" % ("all", "", time.monotonic() - started))
    for target, (_code, _seconds, closing) in results.items():
        for line in closing:
            print("%s: \n%s" % (target, line))
    return 1 if any(code for code, _seconds, _closing in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
