# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every ecosystem of user-space runtimes speaks. Pure values, no I/O.

An ecosystem is a file with ``MARKERS`` (file name -> what it tells) and ``look(space)`` for what lies at known places;
``survey.ECOSYSTEMS`` names it. Nothing else changes when one is added.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.family import shown
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.reading import iso

if TYPE_CHECKING:
    from .user_space import Marker, UserSpace

__all__ = ["Look", "Recognise", "Runtime"]

DAY = 86400


@dataclass(frozen=True)
class Runtime:
    """One runtime, project or job of a user.

    ``base`` tells who updates what it runs on: ``system`` (a package of the distribution), ``own`` (the user's copy).
    ``locked_by`` is what fixes the versions: a lock file, or a container's image; ``locked_at`` when it was written.
    Times are seconds since 1970.
    """

    kind: str
    path: str
    account: str | None
    what: str = ""
    version: str | None = None
    base: str | None = None
    locked_by: str | None = None
    locked_at: float | None = None
    installed_at: float | None = None
    running: bool | None = None
    detail: str = ""

    def as_result(self, ecosystem: str, now: float) -> dict[str, Any]:
        """The row of the module's result."""
        age = None if self.locked_at is None else max(0, int((now - self.locked_at) // DAY))
        return {
            "ecosystem": ecosystem, "kind": self.kind, "path": shown(self.path), "account": _shown(self.account),
            "what": shown(self.what), "version": _shown(self.version), "base": self.base,
            "locked_by": _shown(self.locked_by), "locked_at": _iso(self.locked_at), "lock_age_days": age,
            "installed_at": _iso(self.installed_at), "running": self.running, "detail": shown(self.detail),
            "responsible": "client",
        }  # fmt: skip


Recognise = Callable[["Marker"], Iterable[Runtime]]
Look = Callable[["UserSpace"], Iterable[Runtime]]


def _shown(text: str | None) -> str | None:
    return None if text is None else shown(text)[:200]


def _iso(moment: float | None) -> str | None:
    return None if moment is None else iso(moment)
