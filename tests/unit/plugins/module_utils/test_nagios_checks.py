# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A check that nothing ends, not even a kill, costs its own reading only. (Others run on real hosts.)"""

from __future__ import annotations

import subprocess
import time
from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.module_utils import nagios_checks
from ansible_collections.infogerance.perimeter.plugins.module_utils.resources import Readings


class Stuck(subprocess.Popen[bytes]):
    """As one that hangs in the kernel, on a network file system whose server is gone."""

    def wait(self, timeout: float | None = None) -> int:
        if timeout is None:
            raise AssertionError("waits without an end")
        raise subprocess.TimeoutExpired(self.args, timeout)


def test_a_check_that_cannot_be_killed_is_told_and_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nagios_checks.subprocess, "Popen", Stuck)
    into = Readings()
    wanted: list[dict[str, Any]] = [{"name": "disk", "command": ["/bin/sleep", "600"]}]
    began = time.monotonic()
    nagios_checks.checks(into, wanted, [], "root", 0.2)
    assert time.monotonic() - began < 10
    assert into.unread == [{"kind": "check", "name": "disk", "why": "did not end within 0.2 s"}]
