# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""500 recorded runs killed at random moments."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.integration.faults.kills import Killer

KILLS = 500
LOG = Path(__file__).resolve().parents[2] / ".cache" / "recording-kills"


@pytest.mark.slow
def test_no_kill_loses_a_run_or_passes_as_complete(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    killed = Killer(tmp_path, seed).kill_many(KILLS)
    LOG.parent.mkdir(exist_ok=True)
    LOG.write_text(f"seed {seed}: {killed.told()}\n", encoding="utf-8")
    assert killed.wrong == [], f"seed {seed}"
    assert killed.kills == KILLS
    assert killed.interrupted >= KILLS // 4
