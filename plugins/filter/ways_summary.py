# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: the result of ways_in_info as lines to read on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: ways_summary
short_description: The ways in that no list covers, as lines to read
version_added: 0.1.0
description:
  - One line a finding with its person and what closes it, then what could not be looked at.
author:
  - infogerance.perimeter contributors (@infogerance)
positional: _input
options:
  _input:
    description: The registered result of M(infogerance.perimeter.ways_in_info).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the ways in
  ansible.builtin.debug:
    msg: "{{ ways | infogerance.perimeter.ways_summary }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

#: Longer lists are cut on the terminal; the result holds them whole.
MOST = 60


def ways_summary(result: Mapping[str, Any]) -> list[str]:
    """Lines for a terminal."""
    if not isinstance(result, Mapping) or "findings" not in result:
        message = result.get("msg") if isinstance(result, Mapping) else None
        if message:
            return [str(message)]
        raise AnsibleFilterError("ways_summary wants the result of ways_in_info")
    counts = result["counts"]
    lines = [f"ways_in: {counts['findings']} that no list covers, {counts['declared']} declared"]
    lines += [_line(row) for row in result["findings"][:MOST]]
    if len(result["findings"]) > MOST:
        lines.append(f"... and {len(result['findings']) - MOST} more")
    lines += [f"not looked at: {row['path']}: {row['why']}" for row in result["unread"][:MOST]]
    return lines + [f"limit: {text}" for text in result["limits"][:MOST]]


def _line(row: Mapping[str, Any]) -> str:
    who = " ".join(str(row[name]) for name in ("account", "entry") if row[name])
    person = f" ({row['person']})" if row["person"] else ""
    since = f", since {row['since'][:10]}" if row["since"] else ""
    closing = row["closes_with"]
    how = closing["module"] or closing["command"]
    return f"{row['kind']} {row['path']} {who}{person}: {row['why']}{since}; closed by: {how}".replace("  ", " ")


class FilterModule:
    """Filters of the collection for results."""

    def filters(self) -> dict[str, Any]:
        """Name -> function."""
        return {"ways_summary": ways_summary}
