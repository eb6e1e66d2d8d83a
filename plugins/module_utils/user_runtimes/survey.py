# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The survey of user space: known places in one process, the walk through homes in another, within one time.

What breaks or hangs costs the rest of its half only, and is told.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.apart import Tell, run_apart

from . import composer, containers, cron_jobs, node, php_fpm, python, ruby
from .runtime import Recognise, Runtime
from .user_space import UserSpace

__all__ = ["ECOSYSTEMS", "Survey", "survey"]

#: Ecosystem -> the file that knows it. A new one is a file and a line here.
ECOSYSTEMS: dict[str, ModuleType] = {
    "containers": containers,
    "composer": composer,
    "node": node,
    "python": python,
    "ruby": ruby,
    "php_fpm": php_fpm,
    "cron": cron_jobs,
}
#: A user may make a hundred thousand projects; of one kind and account only these are opened and told.
MOST_OF_A_KIND = 100


@dataclass
class Survey:
    """What came of it: rows for the result."""

    runtimes: list[dict[str, Any]] = field(default_factory=list)
    unread: list[dict[str, Any]] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    walked: int = 0


def survey(space: UserSpace, ecosystems: Sequence[str]) -> Survey:
    """Look for the runtimes of these ecosystems. Never raises for what is found on the server."""
    made = Survey()
    jobs = {
        "known places": lambda tell: _places(space, ecosystems, tell),
        "homes": lambda tell: _homes(space, ecosystems, tell),
    }
    for row in run_apart(jobs, space.bounds.ends):
        if "runtime" in row:
            made.runtimes.append(row["runtime"])
        elif "unread" in row:
            if row["unread"] not in made.unread:
                made.unread.append(row["unread"])
        elif "walked" in row:
            made.walked += int(row["walked"])
        else:
            made.limits.append(str(row["limit"]))
    order = list(ECOSYSTEMS)
    made.runtimes.sort(key=lambda r: (r["account"] or "", order.index(r["ecosystem"]), r["kind"], r["path"], r["what"]))
    made.unread.sort(key=lambda r: r["path"])
    made.limits = sorted(set(made.limits))
    return made


class _Teller:
    """Hands rows over, of one kind and account only so many."""

    def __init__(self, tell: Tell) -> None:
        self.tell = tell
        self.now = time.time()
        self.many: Counter[tuple[str, str | None]] = Counter()

    def full(self, kind: str, account: str | None) -> bool:
        """Counts one more, and says whether that is too many."""
        self.many[kind, account] += 1
        return self.many[kind, account] > MOST_OF_A_KIND

    def rows(self, ecosystem: str, found: Iterable[Runtime]) -> None:
        """Tell these."""
        for runtime in found:
            if not self.full(runtime.kind, runtime.account):
                self.tell({"runtime": runtime.as_result(ecosystem, self.now)})

    def end(self) -> None:
        """Tell what was too many."""
        for (kind, account), count in self.many.items():
            if count > MOST_OF_A_KIND:
                more = count - MOST_OF_A_KIND
                self.tell({"limit": "%s of %s: %d more than the %d told" % (kind, account, more, MOST_OF_A_KIND)})


def _places(space: UserSpace, ecosystems: Sequence[str], tell: Tell) -> None:
    space.tell = tell
    teller = _Teller(tell)
    for name in ecosystems:
        try:
            teller.rows(name, ECOSYSTEMS[name].look(space))
        except Exception as error:  # noqa: BLE001 - one ecosystem's fault must not hide what the others find
            tell({"limit": "%s broke off: %s: %s" % (name, type(error).__name__, error)})
    teller.end()


def _homes(space: UserSpace, ecosystems: Sequence[str], tell: Tell) -> None:
    space.tell = tell
    teller = _Teller(tell)
    known: dict[str, tuple[str, Recognise]] = {}
    for name in ecosystems:
        known.update({marker: (name, recognise) for marker, recognise in ECOSYSTEMS[name].MARKERS.items()})
    with_requirements = "python" in ecosystems
    for marker in space.markers(tuple(known)):
        ecosystem, recognise = known.get(marker.name, ("python", python.requirements))
        if marker.name not in known and not with_requirements:
            continue
        # Asked before anything is opened: the bound is on what is read, too.
        called = marker.name if marker.name in known else "requirements"
        if not teller.full("files called " + called, marker.account):
            teller.rows(ecosystem, recognise(marker))
    teller.end()
    tell({"walked": space.files_seen})
