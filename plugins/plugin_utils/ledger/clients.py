# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose host is it? No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

VARIABLE = "infogerance_client"
GROUP_PREFIX = "client_"


def clients_of(value: Any, groups: Iterable[str]) -> list[str]:
    """The host variable `infogerance_client` (a name or a list of names), else the groups called `client_<name>`.

    A shared server may have several clients. Sorted, without doubles; empty when nobody is named.
    """
    names = [value] if isinstance(value, str) else list(value) if isinstance(value, (list, tuple)) else []
    found = {str(name).strip() for name in names if isinstance(name, (str, int)) and not isinstance(name, bool)}
    found.discard("")
    if not found:
        found = {name[len(GROUP_PREFIX) :] for name in groups if name.startswith(GROUP_PREFIX)} - {""}
    return sorted(found)
