# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The row of a list that a message of Ansible's own is about. Imported where there is such a message."""

from __future__ import annotations

from typing import Any, Callable

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

__all__ = ["wrong_row"]


def wrong_row(rows: Any, options: dict[str, Any], name: Callable[[dict[str, Any]], str], noun: str = "entry") -> str:
    """Which entry Ansible's own message is about, to be put before it: that one names only the option.

    options: the argument spec of a row. name: what a row is called, empty where it has no name. noun: what it is, then.
    """
    for number, row in enumerate(rows if isinstance(rows, list) else [], 1):
        if not isinstance(row, dict):
            return "%s %d: " % (noun, number)
        called = name(row) or "%s %d" % (noun, number)
        unknown = sorted(set(row) - set(options))
        if unknown:
            return "%s: %s: unknown option. " % (called, ", ".join(unknown))
        if ArgumentSpecValidator(options).validate(row).error_messages:
            return "%s: " % called
    return ""
