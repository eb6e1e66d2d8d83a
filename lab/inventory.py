# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the demo's inventory and declared lists as YAML that a person likes to read."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_HEAD = "# Written by `python3 -m lab`; your changes are lost when it runs again.\n---\n"
# Words and dates that YAML would read as something else are quoted; so is all that is not plainly a word.
_PLAIN = re.compile(r"^[A-Za-z_/~][A-Za-z0-9_./~ -]*[A-Za-z0-9_./~]$|^[A-Za-z_/~]$")
_RESERVED = {"yes", "no", "on", "off", "true", "false", "null", "y", "n", "~"}


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = str(value)
    if _PLAIN.match(text) and text.lower() not in _RESERVED:
        return text
    return json.dumps(text, ensure_ascii=False)


def to_yaml(value: Any, indent: int = 0) -> str:
    """Block YAML of dicts, lists, strings, integers and booleans."""
    pad = " " * indent
    lines: list[str] = []
    if isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(item, (Mapping, list, tuple)) and item:
                lines.append(f"{pad}{_scalar(key)}:\n{to_yaml(item, indent + 2)}")
            else:
                lines.append(f"{pad}{_scalar(key)}: {_leaf(item)}\n")
    else:
        for item in value:
            if isinstance(item, (Mapping, list, tuple)) and item:
                # The first line of the nested block takes the dash in place of its own indentation.
                lines.append(f"{pad}- {to_yaml(item, indent + 2)[indent + 2 :]}")
            else:
                lines.append(f"{pad}- {_leaf(item)}\n")
    return "".join(lines)


def _leaf(item: object) -> str:
    if isinstance(item, Mapping):
        return "{}"
    if isinstance(item, Sequence) and not isinstance(item, str):
        return "[]"
    return _scalar(item)


def write_yaml(path: Path, value: Any) -> None:
    """Replace the file in one step, so that a reader never meets half of it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(_HEAD + to_yaml(value), encoding="utf-8")
    fresh.replace(path)
