# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as JSON and as CSV. Pure: text out."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# A spreadsheet takes a cell that starts with one of these for a formula, also in its full-width form.
_SIGNS = "=+-@＝＋－＠"
_FORMULA = (*_SIGNS, "\t", "\r", "\n")
# One that is set to another separator ends a cell in the middle of a text, and begins the next with what follows.
_INNER = re.compile(rf'([,;\t\r\n][\s"]*)(?=[{re.escape(_SIGNS)}])')

_ALERTS = (
    *("host", "clients", "cause", "state", "criticality", "opened_at", "deadline", "value", "unit", "limit"),
    *("reminders", "overdue_at", "closed_at", "closed_because", "told", "answers", "id"),
)
_INTERVENTIONS = (
    "started_at",
    "ended_at",
    "duration_seconds",
    "category",
    "contract",
    "outcome",
    "complete",
    "check_mode",
    "playbook",
    "operator",
    "revision",
    "dirty",
    "note",
    "run_id",
)
_ENTRIES = (
    "state",
    "at",
    "host",
    "kind",
    "entry",
    "action",
    "person",
    "reason",
    "by",
    "first_found",
    "times",
    "run_id",
)

_OBSERVED: Mapping[str, Sequence[str]] = {
    "runtimes": (
        *("host", "clients", "account", "ecosystem", "kind", "what", "version", "base", "responsible", "path"),
        *("locked_by", "locked_at", "lock_age_days", "installed_at", "running", "detail", "seen_at"),
    ),
    "monitoring": (
        *("host", "clients", "state", "kind", "name", "address", "protocol", "port", "program", "user", "unit"),
        *("image", "server", "tls", "changed", "seen_at"),
    ),
    "sessions": (
        *("host", "clients", "account", "kind", "interactive", "began", "ended", "count", "tty", "address"),
        *("program", "key", "source", "seen_at"),
    ),
}


def to_json(report: Mapping[str, Any]) -> str:
    """The whole report, indented, in a stable order."""
    return json.dumps(report, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def interventions_csv(report: Mapping[str, Any], language: str) -> str:
    """One line an intervention."""
    rows = (
        {**run, "hosts": " ".join(host["host"] for host in run["hosts"]), **_counts(run)}
        for run in report["interventions"]
    )
    columns = (*_INTERVENTIONS, "hosts", "ok", "changed", "failed", "unreachable")
    return _csv(columns, rows, language)


def entry_points_csv(report: Mapping[str, Any], language: str) -> str:
    """One line an entry removed, changed or still obsolete; `state` says which."""
    rows = [
        {**line, "state": state}
        for state, key in (("removed", "removed"), ("changed", "other_changes"), ("obsolete", "obsolete"))
        for line in report[key]
    ]
    return _csv(_ENTRIES, rows, language)


def alerts_csv(report: Mapping[str, Any], language: str) -> str:
    """One line an alert that was open at the period's end or ended in it."""
    rows = [
        {
            **alert,
            "clients": " ".join(alert["clients"]),
            "told": " | ".join(f"{row['at']} {row['who']} {row['means']} {row['occasion']}" for row in alert["told"]),
            "answers": " | ".join(f"{row['at']} {row['by']}: {row['note']}" for row in alert["answers"]),
        }
        for alert in (*report["alerts"]["open"], *report["alerts"]["history"])
    ]
    return _csv(_ALERTS, rows, language)


_REVIEWS = (
    *("client", "state", "overdue", "changed", "signed_at", "reviewer", "decision", "recorded_by", "due"),
    *("ssh_accounts", "privileged_ips", "vpn_certificates", "hosts", "compared_at", "digest", "note", "review_id"),
)


def access_reviews_csv(report: Mapping[str, Any], language: str) -> str:
    """One line a client: how its access review stands. `changed` counts the lists that changed since."""
    rows = (
        {
            **review,
            **review["counts"],
            "hosts": len(review["hosts"]),
            "changed": len(review["changed"]),
        }
        for review in report["access_reviews"]
    )
    return _csv(_REVIEWS, rows, language)


def observed_csv(part: str, rows: Iterable[Mapping[str, Any]], language: str) -> str:
    """One line for what was seen at the last look at its server; part: a key of the report."""
    return _csv(_OBSERVED[part], ({**row, "clients": " ".join(row["clients"])} for row in rows), language)


def safe_cell(value: Any) -> str:
    """A cell that no spreadsheet runs: text that looks like a formula gets an apostrophe, a real number does not.

    So does such a text after a comma or a semicolon: whoever opens the file may split it at either.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if isinstance(value, (int, float)):
        return text
    text = _INNER.sub(r"\1'", text)
    # Leading blanks are skipped by some spreadsheets before they look for the sign.
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


def _counts(run: Mapping[str, Any]) -> dict[str, Any]:
    counts = run["counts"] or {}
    return {key: counts.get(key) for key in ("ok", "changed", "failed", "unreachable")}


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], language: str) -> str:
    # The byte order mark makes Excel read UTF-8; with French settings it splits at semicolons.
    target = io.StringIO()
    target.write("\ufeff")
    writer = csv.writer(
        target, delimiter=";" if language == "fr" else ",", quoting=csv.QUOTE_ALL, lineterminator="\r\n"
    )
    writer.writerow(columns)
    for row in rows:
        writer.writerow([safe_cell(row.get(column)) for column in columns])
    return target.getvalue()
