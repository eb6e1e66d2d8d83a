# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which clients and hosts does the inventory know, and whose host is one of them? No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.clients import (
    GROUP_PREFIX,
    VARIABLE,
    clients_of,
)


def known_clients(task_vars: Mapping[str, Any]) -> set[str]:
    """Clients that a group `client_<name>` or a host's variable names."""
    groups = task_vars.get("groups") or {}
    found = {str(name)[len(GROUP_PREFIX) :] for name in groups if str(name).startswith(GROUP_PREFIX)} - {""}
    hostvars = task_vars.get("hostvars") or {}
    for name in groups.get("all", []):
        if name in hostvars:
            found |= set(clients_of(_variable(hostvars[name]), ()))
    return found


def host_clients(task_vars: Mapping[str, Any], host: str) -> list[str] | None:
    """The clients of one host; None when the inventory does not know the host."""
    hostvars = task_vars.get("hostvars") or {}
    if host not in hostvars:
        return None
    return clients_of(_variable(hostvars[host]), host_groups(task_vars, host))


def host_groups(task_vars: Mapping[str, Any], host: str) -> list[str]:
    """The groups that a host is in."""
    return [str(name) for name, hosts in (task_vars.get("groups") or {}).items() if host in hosts]


def _variable(variables: Mapping[str, Any]) -> Any:
    try:
        return variables.get(VARIABLE)
    except Exception:  # noqa: BLE001 - a template without a value yet: the groups can still say whose host it is
        return None
