# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What listens or runs, and what is declared to: one shape for both, so that they can be compared. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.family import shown

__all__ = ["AT_REST", "KINDS", "Item"]

#: What does not run.
AT_REST = ("inactive", "stopped")
KINDS = ("port", "unit", "timer", "container", "vhost")


@dataclass(frozen=True)
class Item:
    """One thing to watch. ``name`` is what people call it: ``tcp/443``, a unit, a container, a server name.

    In a declared one None says that it does not matter, and ``addresses`` holds at most one. ``manager`` is whose unit
    it is: ``system``, or ``user`` of a person's own systemd. ``quiet``: looked for only where it is declared.
    ``person``: a person runs it, so no name that it gives itself makes it the system's.
    """

    kind: str
    name: str
    protocol: str | None = None
    port: int | None = None
    addresses: tuple[str, ...] = ()
    user: str | None = None
    program: str | None = None
    unit: str | None = None
    image: str | None = None
    server: str | None = None
    tls: bool | None = None
    ports: tuple[int, ...] = ()
    state: str | None = None
    path: str | None = None
    manager: str | None = field(default=None, compare=False)
    quiet: bool = field(default=False, compare=False)
    person: bool = field(default=False, compare=False)
    about: dict[str, Any] = field(default_factory=dict, compare=False)

    def as_result(self) -> dict[str, Any]:
        """A row of the module's result."""
        row: dict[str, Any] = {"kind": self.kind, "name": shown(self.name)[:200]}
        for key in ("protocol", "user", "program", "unit", "image", "server", "state", "path", "manager"):
            value = getattr(self, key)
            row[key] = None if value is None else shown(value)[:200]
        row.update(
            port=self.port,
            addresses=list(self.addresses),
            tls=self.tls,
            ports=list(self.ports),
            check=self.about or None,
        )
        return row
