# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session with root's rights, and the events that tell of one. Pure values, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.family import shown
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.reading import iso

__all__ = ["Event", "Login", "Session"]


@dataclass(frozen=True)
class Event:
    """One line of sudo's, su's, sshd's or login's. ``at`` is seconds since 1970; ``pid`` 0 where the log has none."""

    at: float
    program: str
    pid: int
    message: str


@dataclass(frozen=True)
class Login:
    """One login with a terminal, as wtmp and its successors keep it."""

    user: str
    tty: str
    address: str
    began: float
    ended: float | None
    source: str


@dataclass
class Session:
    """``kind`` is how root's rights were got; ``interactive`` whether somebody could type;
    ``account`` who did it."""

    kind: str
    account: str
    began: float
    ended: float | None = None
    tty: str = ""
    address: str = ""
    program: str = ""
    interactive: bool = False
    key: str = ""
    source: str = "log"

    def as_result(self) -> dict[str, Any]:
        """The row of the module's result."""
        return {
            "kind": self.kind, "account": shown(self.account)[:100], "began": iso(self.began),
            "ended": None if self.ended is None else iso(self.ended), "tty": shown(self.tty)[:60],
            "address": shown(self.address)[:100], "program": shown(self.program)[:100], "interactive": self.interactive,
            "key": shown(self.key)[:100], "source": self.source,
        }  # fmt: skip
