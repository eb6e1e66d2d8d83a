# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mark by which a task can see that the callback watches over its run.

The callback lives in the process of ansible-playbook; the workers that run tasks are forked from it and inherit this
module's state. Without the callback there is no mark, whatever the configuration says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Presence:
    """run_id: as in the ledger. recorded: False when the ledger refused the start. gate, word: see gate.py."""

    run_id: str
    recorded: bool
    gate: str
    word: str | None = None
    category: str | None = None
    contract: str | None = None
    clients: tuple[dict[str, Any], ...] = ()


_current: Presence | None = None


def mark(presence: Presence) -> None:
    """Called by the callback when a run may begin."""
    global _current
    _current = presence


def clear() -> None:
    """Called by the callback when a run is over."""
    global _current
    _current = None


def current() -> Presence | None:
    """The mark of the run in progress; None when no callback watches."""
    return _current
