# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep each measurement, and write the table of the newest ones into benchmarks/README.md."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pairing import Goal, Outcome, Spread

HOME = Path(__file__).resolve().parent
RESULTS = HOME / "results"
README = HOME / "README.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def commit() -> str:
    """The checkout's commit, with "+changes" where it is not quite that."""
    head = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=HOME, stdout=subprocess.PIPE, text=True)
    dirty = subprocess.run(["git", "status", "--porcelain", "-uno"], cwd=HOME, stdout=subprocess.PIPE, text=True)
    return head.stdout.strip() + ("+changes" if dirty.stdout.strip() else "")


def _spread(numbers: Spread) -> dict[str, float]:
    return {"median": round(numbers.median, 4), "min": round(numbers.least, 4), "max": round(numbers.most, 4)}


def entry(
    benchmark: str, title: str, outcome: Outcome, goals: Sequence[Goal], versions: Mapping[str, str]
) -> dict[str, Any]:
    """One measurement as it is stored: every single timing, and what follows from them."""
    return {
        "benchmark": benchmark,
        "title": title,
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": {
            "cores": os.cpu_count(),
            "load_at_end": round(os.getloadavg()[0], 2),
            "python": platform.python_version(),
            "ansible_core": version("ansible-core"),
            **versions,
        },
        "contenders": {
            name: {
                "seconds": _spread(outcome.seconds(name)),
                "wall": [round(timing.wall, 3) for timing in timings],
                "cpu": [round(timing.cpu, 3) for timing in timings],
            }
            for name, timings in outcome.timings.items()
        },
        "goals": [
            {
                "contender": goal.contender,
                "against": goal.against,
                "at_most": goal.at_most,
                "ratio": _spread(outcome.ratio(goal.contender, goal.against)),
                "cpu_ratio": _spread(outcome.ratio(goal.contender, goal.against, "cpu")),
                "rounds": outcome.ratio(goal.contender, goal.against).count,
                "met": outcome.met(goal),
            }
            for goal in goals
        ],
    }


def figures(benchmark: str, title: str, found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A measurement of single figures, each with `name`, `values`, `unit`, `goal` (as text) and `met`."""
    return {**entry(benchmark, title, Outcome({}), [], {}), "figures": [dict(figure) for figure in found]}


def load(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return found


def append(measured: dict[str, Any]) -> Path:
    """Add to the benchmark's file; nothing that was ever measured is taken out."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{measured['benchmark']}.json"
    kept = [*load(path), measured]
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    fresh.replace(path)
    return path


def _cell(numbers: Mapping[str, float], digits: int) -> str:
    return f"{numbers['median']:.{digits}f} ({numbers['min']:.{digits}f} - {numbers['max']:.{digits}f})"


def table(measurements: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: the newest measurement of each title."""
    newest = {(row["benchmark"], row["title"]): row for row in measurements}
    lines: list[str] = []
    for (benchmark, title), row in sorted(newest.items()):
        machine = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in row["machine"].items())
        lines += [f"### {benchmark}: {title}", "", f"Measured {row['measured']} at `{row['commit']}`; {machine}.", ""]
        if row["machine"]["load_at_end"] > row["machine"]["cores"] + 1:
            lines += ["The machine was busy with other work: trust the processor time more than the wall clock.", ""]
        if row.get("figures"):
            lines += ["| figure | median (min - max) | goal | met |", "| --- | --- | --- | --- |"]
            for figure in row["figures"]:
                values = sorted(figure["values"])
                digits = 2 if values[-1] < 100 else 0
                text = f"{statistics.median(values):,.{digits}f} ({values[0]:,.{digits}f} - {values[-1]:,.{digits}f})"
                met = ("yes" if figure["met"] else "NO") if figure["goal"] else ""
                lines.append(f"| {figure['name']} | {text} {figure['unit']} | {figure['goal']} | {met} |")
            lines.append("")
            continue
        lines += ["| contender | seconds: median (min - max) | runs |", "| --- | --- | --- |"]
        for name, numbers in row["contenders"].items():
            lines.append(f"| {name} | {_cell(numbers['seconds'], 2)} | {len(numbers['wall'])} |")
        lines += [
            "",
            "| ratio | wall: median (min - max) | cpu: median | goal | met |",
            "| --- | --- | --- | --- | --- |",
        ]
        for goal in row["goals"]:
            lines.append(
                f"| {goal['contender']} / {goal['against']} | {_cell(goal['ratio'], 3)} "
                f"| {goal['cpu_ratio']['median']:.3f} | <= {goal['at_most']} | {'yes' if goal['met'] else 'NO'} |"
            )
        lines.append("")
    return "\n".join(lines)


def write_readme() -> None:
    """Put the table between the markers of the README; the text around it stays."""
    measurements = [row for path in sorted(RESULTS.glob("*.json")) for row in load(path)]
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}\n\n{table(measurements)}\n{END}{after}", encoding="utf-8")
