# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen on the servers beside ways in, for the report, from the last look at each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.tables import Cell, Column, Table, cell
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.voices import Pair, Voices

# Kind of observation -> the report's key and part.
PARTS: Mapping[str, str] = {
    "user_runtimes": "runtimes",
    "monitoring": "monitoring",
    "privileged_sessions": "sessions",
}
# A lock that nobody has renewed for so long is told.
OLD_LOCK_DAYS = 365
_STATES = {"undeclared": "out", "gone": "bad", "changed": "out"}


def of_looks(looks: Iterable[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """For each part its rows with host, clients and seen_at. looks: as last_observations gives them."""
    found: dict[str, list[dict[str, Any]]] = {part: [] for part in PARTS.values()}
    for look in looks:
        part = PARTS.get(look["observation_kind"])
        if part is not None:
            about = {"host": look["host"], "clients": look["clients"], "seen_at": look["at"]}
            found[part] += [{**row, **about} for row in look["rows"]]
    return found


def unseen(looks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the last looks do not show: part, host, clients, left_out (rows), limits (why a look was cut short)."""
    return [
        {
            "part": PARTS[look["observation_kind"]],
            "host": look["host"],
            "clients": look["clients"],
            "left_out": look["left_out"],
            "limits": list(look["limits"]),
        }
        for look in looks
        if look["observation_kind"] in PARTS and (look["left_out"] or look["limits"])
    ]


def told_unseen(voices: Voices, lines: Iterable[Mapping[str, Any]]) -> dict[str, list[Pair]]:
    """For each part what is to be said below its table."""
    found: dict[str, list[Pair]] = {}
    for line in lines:
        told = found.setdefault(line["part"], [])
        if line["left_out"]:
            told.append(voices.word("unseen_rows", host=line["host"], count=voices.number(line["left_out"])))
        told += [voices.word("unseen_limit", host=line["host"], why=why) for why in line["limits"]]
    return found


def runtimes(voices: Voices, rows: Sequence[Mapping[str, Any]], every_client: bool) -> Table:
    """What users run in their own space, and who updates what."""
    word = voices.word
    columns = [
        Column("host", word("host"), filtered=True, tight=True),
        Column("account", word("runtime_account"), filtered=True),
        Column("kind", word("kind"), filtered=True),
        Column("what", word("what")),
        Column("version", word("runtime_version"), tight=True),
        Column("lock", word("runtime_lock"), numeric=True),
        Column("base", word("runtime_updates"), filtered=True),
        Column("checked", word("last_check"), tight=True),
    ]
    lines = []
    for row in rows:
        below = [cell(row["path"], c=1)] + ([cell(row["detail"])] if row.get("detail") else [])
        if row.get("running"):
            below.insert(0, cell(word("runtime_running"), b="good"))
        line = [
            cell(row["host"]),
            cell(row.get("account") or word("unknown")),
            cell(voices.known("runtime", row["kind"])),
            cell(_what(voices, row), m=below),
            cell(row.get("version") or ""),
            _lock(voices, row),
            cell(word("runtime_base_system" if row.get("base") == "system" else "runtime_base_own"), b="out"),
            cell(voices.date_of(row["seen_at"]), s=row["seen_at"]),
        ]
        if every_client:
            line.insert(1, cell(", ".join(row["clients"])))
        lines.append(line)
    if every_client:
        columns.insert(1, Column("client", word("client"), filtered=True))
    return Table("runtimes", word("runtimes"), columns, lines)


def _what(voices: Voices, row: Mapping[str, Any]) -> Pair | str:
    if row["kind"] == "cron_jobs":
        return voices.word("runtime_jobs", count=row.get("what") or "?")
    return str(row.get("what") or "–")


def _lock(voices: Voices, row: Mapping[str, Any]) -> Cell:
    """How old what fixes the versions is; for what should have a lock and has none, that."""
    age = row.get("lock_age_days")
    if age is None:
        if row["kind"].endswith("_project"):
            return cell(voices.word("runtime_unlocked"), s=-1, b="bad")
        return cell("", s=-2)
    return cell(voices.counted("runtime_days", age), s=age, b="bad" if age > OLD_LOCK_DAYS else None)


def monitoring(voices: Voices, rows: Sequence[Mapping[str, Any]], every_client: bool) -> Table:
    """What runs and was not declared, is declared and gone, or has changed."""
    word = voices.word
    columns = [
        Column("host", word("host"), filtered=True, tight=True),
        Column("state", word("monitoring_state"), filtered=True),
        Column("kind", word("kind"), filtered=True),
        Column("name", word("what")),
        Column("program", word("monitoring_program")),
        Column("user", word("runtime_account")),
        Column("checked", word("last_check"), tight=True),
    ]
    lines = []
    for row in rows:
        below = [cell(row["address"], c=1)] if row.get("address") else []
        below += [cell(row[key]) for key in ("image", "server") if row.get(key)]
        below += [cell(voices.differences(row["changed"]))] if row.get("changed") else []
        line = [
            cell(row["host"]),
            cell(voices.known("monitoring", row["state"]), b=_STATES.get(row["state"])),
            cell(voices.known("monitored", row["kind"])),
            cell(row["name"], c=1, m=below),
            cell(row.get("program") or "", m=[cell(row["unit"], c=1)] if row.get("unit") else None),
            cell(row.get("user") or ""),
            cell(voices.date_of(row["seen_at"]), s=row["seen_at"]),
        ]
        if every_client:
            line.insert(1, cell(", ".join(row["clients"])))
        lines.append(line)
    if every_client:
        columns.insert(1, Column("client", word("client"), filtered=True))
    return Table("monitoring", word("monitoring"), columns, lines)


def sessions(voices: Voices, rows: Sequence[Mapping[str, Any]], every_client: bool) -> Table:
    """Privileged sessions with no intervention behind them, the newest first."""
    word = voices.word
    columns = [
        Column("date", word("date"), tight=True),
        Column("host", word("host"), filtered=True, tight=True),
        Column("account", word("session_account"), filtered=True),
        Column("kind", word("kind"), filtered=True),
        Column("end", word("session_end"), tight=True),
        Column("from", word("session_from")),
        Column("checked", word("last_check"), tight=True),
    ]
    lines = []
    for row in sorted(rows, key=lambda row: str(row["began"]), reverse=True):
        typed = (
            word("session_shell") if row.get("interactive") else voices.counted("session_other", row.get("count") or 1)
        )
        below = [cell(typed, b="bad" if row.get("interactive") else None)]
        below += [cell(row["program"], c=1)] if row.get("program") else []
        line = [
            cell(voices.moment(row["began"]), s=row["began"]),
            cell(row["host"]),
            cell(row["account"]),
            cell(voices.known("session", row["kind"]), m=below),
            cell(voices.moment(row["ended"]) if row.get("ended") else word("unknown"), s=row.get("ended") or ""),
            cell(row.get("address") or row.get("tty") or ""),
            cell(voices.date_of(row["seen_at"]), s=row["seen_at"]),
        ]
        if every_client:
            line.insert(2, cell(", ".join(row["clients"])))
        lines.append(line)
    if every_client:
        columns.insert(2, Column("client", word("client"), filtered=True))
    return Table("sessions", word("sessions"), columns, lines, (0, "descending"))
