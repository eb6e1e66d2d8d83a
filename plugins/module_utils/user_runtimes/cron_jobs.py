# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Crontabs of users: how many jobs, of which programs. Arguments and settings may hold passwords: they are left out.

Sources: crontab(5).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from .runtime import Recognise, Runtime
from .user_space import UserSpace

__all__ = ["MARKERS", "look", "programs"]

MARKERS: dict[str, Recognise] = {}
SPOOL = "/var/spool/cron/crontabs"
#: When a job runs. A line that begins otherwise is a setting, whatever its name, and may hold a password.
_NAMES = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun"
_TIME = re.compile(r"(?:[\d*,/~-]|%s)+\Z" % _NAMES, re.IGNORECASE)
#: A setting before a command that surely ends where its word does: no quote, bracket or backslash opens a longer one.
_SETTING = re.compile(r"[A-Za-z_]\w*=(?:[^\s\"'`\\$(){}]*|\"[^\s\"`\\$]*\"|'[^\s']*')\Z")
#: Words before a command that are no command.
_BEFORE = frozenset(("nice", "ionice", "timeout", "nohup", "exec", "cd", "env", "flock", "chronic", "test", "["))
_MOST = 5


def look(space: UserSpace) -> Iterator[Runtime]:
    """One row a user who has jobs."""
    for found in space.files(SPOOL):
        account = space.user_named(os.path.basename(found.path))
        lines = [line for _number, line in found.lines if _command(line)]
        if account is None or not lines:
            continue
        named = programs(lines)
        more = len(named) - _MOST
        detail = ", ".join(named[:_MOST]) + (", ... (+%d)" % more if more > 0 else "")
        yield Runtime(
            "cron_jobs",
            found.path,
            account.name,
            "%d" % len(lines),
            None,
            "system",
            None,
            None,
            found.mtime,
            None,
            detail,
        )


def programs(lines: Sequence[str]) -> list[str]:
    """The programs that these lines start, as far as that can be told without giving an argument away."""
    found: dict[str, None] = {}
    for line in lines:
        words = _command(line)
        while words and _SETTING.match(words[0]):
            words.pop(0)
        if words and re.fullmatch(r"[\w./+-]{1,100}", words[0], re.ASCII) and os.path.basename(words[0]) not in _BEFORE:
            found[os.path.basename(words[0])] = None
    return list(found)


def _command(line: str) -> list[str]:
    """The words of a job's command; none for what is no job."""
    words = line.split()
    if line.startswith("@"):
        return words[1:]
    return words[5:] if all(_TIME.match(word) for word in words[:5]) else []
