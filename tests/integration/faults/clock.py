# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another boot, without one: reap as a controller would that has started anew since."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import process, reaping
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger


def other_boot(path: Path) -> None:
    """Reap with another boot id than the machine's."""
    here = replace(process.own(), boot_id="00000000-0000-0000-0000-000000000000")
    with Ledger(path).transaction() as transaction:
        reaping.reap(transaction, here, datetime.now(UTC))
