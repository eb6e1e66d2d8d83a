# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: what was seen on a server beside ways in, as lines to read on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: observed_summary
short_description: What was seen on a server, as lines to read
version_added: 0.1.0
description:
  - One line a row, then what could not be looked at.
author:
  - infogerance.perimeter contributors (@infogerance)
positional: _input
options:
  _input:
    description:
      - The registered result of M(infogerance.perimeter.user_runtimes_info),
        M(infogerance.perimeter.privileged_sessions_info) or M(infogerance.perimeter.monitoring_declared_info).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what users run
  ansible.builtin.debug:
    msg: "{{ runtimes | infogerance.perimeter.observed_summary }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

#: Longer lists are cut on the terminal; the result holds them whole.
MOST = 60


def observed_summary(result: Mapping[str, Any]) -> list[str]:
    """Lines for a terminal."""
    kind = str(result.get("observation_kind")) if isinstance(result, Mapping) else ""
    if kind not in _LINES:
        message = result.get("msg") if isinstance(result, Mapping) else None
        if message:
            return [str(message)]
        raise AnsibleFilterError("observed_summary wants the result of an info module that tells observation_kind")
    lines = _LINES[kind](result)
    lines += [f"not looked at: {row['path']}: {row['why']}" for row in (result.get("unread") or ())[:MOST]]
    return lines + [f"limit: {text}" for text in (result.get("limits") or ())[:MOST]]


def _runtimes(result: Mapping[str, Any]) -> list[str]:
    counts = result["counts"]
    lines = [f"user_runtimes: {counts['runtimes']} of {len(result['by_account'])} users, theirs to update"]
    lines += [_runtime(row) for row in result["runtimes"][:MOST]]
    return lines + _more(result["runtimes"])


def _runtime(row: Mapping[str, Any]) -> str:
    version = f" {row['version']}" if row["version"] else ""
    lock = f", lock {row['lock_age_days']} days old" if row["lock_age_days"] is not None else ""
    if not lock and row["kind"].endswith("_project"):
        lock = ", no lock"
    running = ", running" if row["running"] else ""
    detail = f" ({row['detail']})" if row["detail"] else ""
    account = row["account"] or "of nobody known"
    return f"{account}: {row['kind']} {row['what']}{version}{detail}{lock}{running}: {row['path']}"


def _more(rows: list[Any]) -> list[str]:
    return [f"... and {len(rows) - MOST} more"] if len(rows) > MOST else []


def _sessions(result: Mapping[str, Any]) -> list[str]:
    counts = result["counts"]
    known = f"{counts['sessions']} sessions, {counts['explained']} with an intervention behind them"
    lines = [f"privileged_sessions: {known}, {counts['unexplained_shells']} shells without"]
    lines += [_session(row) for row in result["unexplained"][:MOST]]
    return lines + _more(result["unexplained"])


def _session(row: Mapping[str, Any]) -> str:
    where = "".join(f", {word} {row[key]}" for word, key in (("from", "address"), ("on", "tty")) if row[key])
    program = f" ({row['program']})" if row["program"] else ""
    times = f", {row['count']} times until {row['ended'] or '?'}" if row["count"] > 1 else ""
    end = f" to {row['ended']}" if row["ended"] and not times else ""
    what = "shell" if row["interactive"] else "no terminal"
    return f"{row['account']}: {row['kind']}{program}, {what}, {row['began']}{end}{times}{where}"


def _monitoring(result: Mapping[str, Any]) -> list[str]:
    counts = result["counts"]
    told = ", ".join(f"{counts[key]} {key.replace('_', ' ')}" for key in _MONITORING)
    lines = [f"monitoring_declared: {told}"]
    lines += [_difference(row) for row in result["differences"][:MOST]]
    return lines + _more(result["differences"])


def _difference(row: Mapping[str, Any]) -> str:
    about = [f"{key} {row[key]}" for key in ("address", "program", "user", "unit", "image", "server") if row.get(key)]
    more = f" ({', '.join(about)})" if about else ""
    changed = f": {row['changed']}" if row.get("changed") else ""
    return f"{row['state']}: {row['kind']} {row['name']}{more}{changed}"


_MONITORING = ("undeclared", "gone", "differing", "matched", "left_out")
_LINES: Mapping[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "monitoring": _monitoring,
    "privileged_sessions": _sessions,
    "user_runtimes": _runtimes,
}


class FilterModule:
    """Filters of the collection for results."""

    def filters(self) -> dict[str, Any]:
        """Name -> function."""
        return {"observed_summary": observed_summary}
