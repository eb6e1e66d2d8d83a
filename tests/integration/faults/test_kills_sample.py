# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sample of the kills: `make soak` has the many."""

from __future__ import annotations

from pathlib import Path

from tests.integration.faults.kills import Killer

KILLS = 10


def test_a_killed_run_is_recorded_as_far_as_it_came_and_never_called_complete(tmp_path: Path) -> None:
    killed = Killer(tmp_path, seed=40).kill_many(KILLS)
    assert killed.wrong == []
    assert killed.kills == KILLS
    # Otherwise nothing was tried.
    assert killed.interrupted >= KILLS // 4
