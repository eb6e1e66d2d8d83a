# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the ledger cannot be written: one line of JSON to the system log, so that the run leaves a trace somewhere."""

from __future__ import annotations

import syslog
from collections.abc import Mapping
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import canonical, clean
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import LedgerError


def reason(error: BaseException) -> str:
    """The ledger's own message; of any other error only its type, because its text may quote what an operator typed."""
    return str(error) if isinstance(error, LedgerError) else type(error).__name__


def line(facts: Mapping[str, Any]) -> str:
    """The line: facts and a mark to search for. Short enough for any syslog daemon."""
    return canonical({"infogerance_perimeter": "intervention_not_recorded", **clean(facts, 200)})


def send(facts: Mapping[str, Any]) -> None:
    """Hand the line to the system log."""
    syslog.openlog("infogerance-perimeter", syslog.LOG_PID, syslog.LOG_USER)
    syslog.syslog(syslog.LOG_ERR, line(facts))
    syslog.closelog()
