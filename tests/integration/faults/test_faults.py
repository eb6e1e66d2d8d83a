# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault of the table: records expected and records found are equal, or the record says that it is incomplete."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.faults.arena import EQUAL, Arena
from tests.integration.faults.ledgers import LEDGERS
from tests.integration.faults.runs import RUNS, Fault

# What may be incomplete at all. Anything else must be recorded to the last row.
MAY_LACK = {
    *("template error in a play", "SIGINT", "SIGTERM", "SIGHUP", "SIGKILL", "reboot of the controller"),
    *(fault.name for fault in LEDGERS if fault.name != "locked while the run begins"),
}


@pytest.mark.parametrize(
    "fault",
    [pytest.param(fault, id=fault.name, marks=[pytest.mark.soak] if fault.long else []) for fault in [*RUNS, *LEDGERS]],
)
@pytest.mark.sample(18)
def test_nothing_is_lost_unless_the_record_says_so(fault: Fault, tmp_path: Path) -> None:
    count = fault.try_it(Arena(tmp_path))
    assert count.runs >= 1
    if fault.name not in MAY_LACK:
        assert (count.found, count.verdict) == (count.expected, EQUAL)
    else:
        assert count.verdict != EQUAL
