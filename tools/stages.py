# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run make targets one after the other, and end with what each of them said.

    python tools/stages.py TARGET ...

A target with a plus before it (+sanity) runs beside those that follow, up to the next with an equals sign before it
(=integration), which waits for it and has the machine for itself. What it says is shown when it has ended.

A failed stage does not hide the next one's verdict: all are run. The exit code is 0
only if all passed. The closing lines of pytest come last, where a reader looks.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TextIO

import tree

CLOSING = re.compile(r"^=*\s*(\d+ (passed|failed|error|errors|skipped|deselected|xfailed)\b.* in [\d.]+s.*?)\s*=*$")


Result = tuple[int, float, list[str]]


def run(target: str, output: TextIO | None = None) -> Result:
    """One stage: its exit code, its seconds, and pytest's closing lines. output: where it says what it has to say."""
    output = output or sys.stdout
    print("\n--- make %s" % target, file=output, flush=True)
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
            output.write(line)
            output.flush()
            if CLOSING.match(line.strip()):
                closing.append(line.strip())
    return process.returncode, time.monotonic() - started, closing


def run_all(targets: list[str]) -> dict[str, Result]:
    """Each target's result, in the order of their ends."""
    aside: dict[str, tuple[Future[Result], io.StringIO]] = {}
    results: dict[str, Result] = {}

    def end() -> None:
        for target, (running, said) in aside.items():
            results[target] = running.result()
            sys.stdout.write(said.getvalue())
            sys.stdout.flush()
        aside.clear()

    with ThreadPoolExecutor() as pool:
        for word in targets:
            target = word.lstrip("+=")
            if word.startswith("+"):
                said = io.StringIO()
                aside[target] = pool.submit(run, target, said), said
                continue
            if word.startswith("="):
                end()
            results[target] = run(target)
        end()
    return results


def main(targets: list[str]) -> int:
    started = time.monotonic()
    results = run_all(targets)
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
