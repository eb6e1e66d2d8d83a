# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the ledger says of the alert that a run works on, for the resolution of the run's scope."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts import rows
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts.life import Alert
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.resolution import AlertSeen

# A record need not hold a fleet's worth of sentences.
_MOST = 50


def seen(ledger: Ledger, value: Any, hosts: Iterable[str]) -> tuple[AlertSeen, ...]:
    """One for each host and cause that the variable names. value: a cause, or a list of them; None: nothing is read."""
    causes = [value] if isinstance(value, str) else list(value) if isinstance(value, (list, tuple)) else []
    wanted = [cause.strip() for cause in causes if isinstance(cause, str) and cause.strip()]
    if not wanted:
        return ()
    named = ", ".join(wanted)
    hosts = sorted(set(hosts))
    try:
        if not ledger.path.exists():
            return (AlertSeen(named, False, "there is no ledger yet"),)
        with ledger.reading() as connection:
            standing = rows.still_open(lambda sql, values: connection.execute(sql, values).fetchall(), hosts)
    except LedgerError:
        # What cannot be read proves nothing.
        return (AlertSeen(named, False, "the ledger cannot be read"),)
    found = [standing[(host, cause)] for host in hosts for cause in wanted if (host, cause) in standing]
    if not found:
        return (AlertSeen(named, False, "no such alert is open on the run's hosts"),)
    # Overdue ones first: they decide.
    found.sort(key=lambda alert: alert.state != "overdue")
    return tuple(AlertSeen(f"{alert.host} {alert.cause}", alert.state == "overdue", _said(alert)) for alert in found)[
        :_MOST
    ]


def _said(alert: Alert) -> str:
    """The evidence in one sentence; the alert's rows have it whole."""
    deadline = alert.effective_deadline[:16].replace("T", " ")
    if alert.state != "overdue":
        return f"alert {alert.id[:12]} is open, to be handled by {deadline} UTC"
    told = [row for row in alert.told if str(row["occasion"]).startswith("reminder-")]
    last = max((str(row["at"]) for row in told), default="")[:16].replace("T", " ")
    means = ", ".join(sorted({str(row["means"]) for row in told}))
    return (
        f"alert {alert.id[:12]}: deadline {deadline} UTC, {alert.unanswered} reminders unanswered, "
        f"the last on {last} UTC ({means})"
    )
