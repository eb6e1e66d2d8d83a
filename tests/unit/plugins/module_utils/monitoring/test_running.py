# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at what runs ends in time, however much a user has made of it."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.running import _containers
from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.vhosts import vhosts
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.process_table import Process
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.reading import Bounds, Reader


class Late(Reader):
    """Its time is over, and thousands of processes call themselves conmon."""

    looked = 0

    @property
    def processes(self) -> Any:
        words = ("conmon", "-c", "1", "-n", "x", "-b", "/home/eve/overlay-containers/1/userdata")
        return SimpleNamespace(processes={pid: Process(pid, 1, "conmon", 1000, words, 0.0) for pid in range(2, 4000)})

    def look(self, *_arguments: Any, **_named: Any) -> None:
        self.looked += 1


def test_nothing_is_read_once_the_time_is_over() -> None:
    reader = Late(Bounds(time.monotonic() - 1))
    told: list[dict[str, Any]] = []
    reader.tell = told.append
    _containers(reader, [])
    vhosts(reader)
    assert reader.looked == 0
    assert [row["limit"].split(":")[0] for row in told] == ["containers", "vhosts"]
