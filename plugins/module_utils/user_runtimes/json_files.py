# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON that a user wrote: whatever it holds, only what is asked for comes out, and nothing raises."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["field", "loaded", "text_of"]


def loaded(text: str) -> Any:
    """The value; None where it is no JSON, is cut off, or is nested so deep that no reader follows."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def field(value: Any, *names: str) -> Any:
    """What lies below these keys; None where the way ends."""
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def text_of(value: Any) -> str | None:
    """A short text, or None."""
    return value[:200] if isinstance(value, str) and value else None
