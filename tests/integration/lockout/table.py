# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The measured tables of docs/lockout.md: written on demand, compared on every run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[3] / "docs" / "lockout.md"


def ways(rows: Sequence[tuple[Any, str, bool]]) -> list[str]:
    """The table of the ways: each with who stopped it and whether a new login works afterwards."""
    lines = ["| Way | Module | Stopped by | A new login with sudo works |", "| --- | --- | --- | --- |"]
    for way, by, works in sorted(rows, key=lambda row: (row[0].by, row[0].text)):
        lines.append(f"| {way.text} | `{way.module}` | {by} | {'yes' if works else 'NO'} |")
    return lines


def check(name: str, lines: list[str], write: bool) -> None:
    """Compare a table with the page, or put it there."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    text = DOCS.read_text(encoding="utf-8")
    assert begin in text and end in text, f"{DOCS.name} has no place for the table {name}"
    head, rest = text.split(begin)
    inner, tail = rest.split(end)
    wanted = "\n" + "\n".join(lines) + "\n"
    if write:
        DOCS.write_text(head + begin + wanted + end + tail, encoding="utf-8")
    else:
        assert inner == wanted, f"docs/{DOCS.name} does not say what was measured"
