# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a monitoring plugin says: exit code, status line, long text, performance data. Pure.

The format is that of the Monitoring Plugins guidelines, which Nagios and Icinga read. Whatever text it is given, it
answers: an item of performance data that is none is kept as it is in ``unparsed``.
"""

from __future__ import annotations

import math
import re
from typing import Any

__all__ = ["STATES", "parse", "state_of"]

#: By exit code. Any other code is UNKNOWN, too.
STATES = ("ok", "warning", "critical", "unknown")
#: More is cut: a plugin's output ends up in a ledger and in front of a client.
LONGEST = 64 * 1024
MOST_ITEMS = 200

_LABEL = re.compile(r"(?:'((?:[^']|'')+)'|([^\s='][^\s=]*))=")
_VALUE = re.compile(r"([-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)([^\s0-9;'\"]*)\Z")
_SPACE = re.compile(r"\s")
_WORD = re.compile(r"\b(OK|WARNING|WARN|CRITICAL|CRIT|UNKNOWN)\b")
_WORDS = {"OK": "ok", "WARN": "warning", "WARNING": "warning", "CRIT": "critical", "CRITICAL": "critical"}


def state_of(code: int | None, line: str) -> str:
    """The state of an exit code; without one, of the first status word in the line, in capitals as plugins write it."""
    if code is not None:
        return STATES[code] if 0 <= code < len(STATES) else "unknown"
    found = _WORD.search(line)
    return _WORDS.get(found.group(1), "unknown") if found else "unknown"


def parse(output: str, code: int | None = None) -> dict[str, Any]:
    """``state``, ``text`` (the status line), ``long_text``, ``perfdata`` and ``unparsed``.

    The first line is the status, up to a bar that begins performance data. Further lines are long text, up to the first
    bar in them: all that follows is performance data again.
    """
    lines = output[:LONGEST].replace("\r\n", "\n").replace("\0", "").split("\n")
    text, _bar, data = lines[0].partition("|")
    long_lines: list[str] = []
    pieces = [data]
    for number, line in enumerate(lines[1:], 1):
        if "|" in line:
            before, _bar, after = line.partition("|")
            long_lines.append(before)
            pieces += [after, *lines[number + 1 :]]
            break
        long_lines.append(line)
    perfdata, unparsed = perfdata_of(" ".join(pieces))
    return {
        "state": state_of(code, text),
        "text": text.strip(),
        "long_text": "\n".join(long_lines).strip("\n").rstrip(),
        "perfdata": perfdata,
        "unparsed": unparsed,
    }


def perfdata_of(text: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The items in order, and what is none. An item has label, value (None: undetermined), unit and four bounds."""
    items: list[dict[str, Any]] = []
    unparsed: list[str] = []
    place = 0
    while place < len(text) and len(items) < MOST_ITEMS and len(unparsed) < MOST_ITEMS:
        if text[place].isspace():
            place += 1
            continue
        head = _LABEL.match(text, place)
        if head is None:
            word = _up_to_space(text, place)
            unparsed.append(word)
            place += len(word)
            continue
        written = _up_to_space(text, head.end())
        label = head.group(1).replace("''", "'") if head.group(1) is not None else head.group(2)
        item = _item(label, written)
        if item is None:
            unparsed.append(text[place : head.end()].strip() + written)
        else:
            items.append(item)
        place = head.end() + len(written)
    return items, unparsed


def _up_to_space(text: str, place: int) -> str:
    end = _SPACE.search(text, place)
    return text[place : end.start() if end else len(text)]


def _item(label: str, written: str) -> dict[str, Any] | None:
    value, *bounds = written.split(";")
    if len(bounds) > 4:
        return None
    number: float | None = None
    unit = ""
    if value != "U":
        found = _VALUE.match(value)
        if found is None:
            return None
        number, unit = float(found.group(1)), found.group(2)
        if not math.isfinite(number):
            return None
    named = dict(zip(("warning", "critical", "min", "max"), [*bounds, "", "", "", ""]))
    return {"label": label, "value": number, "unit": unit, **{key: text or None for key, text in named.items()}}
