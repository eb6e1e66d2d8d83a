# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interventions as plain values, for reports and lookups.

Read for one client, nothing of another client comes out: not its hosts, not its name, and no sum that counts it.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.recorder import COUNTS, run_verdict

_RUNS = "SELECT run_id FROM records WHERE kind = 'started' AND at >= ? AND at < ?"


def interventions(
    connection: sqlite3.Connection, start: str, end: str, client: str | None = None
) -> list[dict[str, Any]]:
    """Those that began from start (included) to end (excluded), both as stored stamps, oldest first.

    client: only its hosts, and only interventions that had one. None: everything.
    """
    window = (start, end)
    hosts = _grouped(connection, "intervention_hosts", window)
    tasks = _grouped(connection, "intervention_tasks", window)
    reviews = _grouped(connection, "entry_point_reviews", window)
    changes = _grouped(connection, "entry_point_changes", window)
    corrections = _grouped(connection, "intervention_corrections", window)
    found: list[dict[str, Any]] = []
    for row in connection.execute(
        "SELECT * FROM interventions WHERE started_at >= ? AND started_at < ? ORDER BY started_at, run_id", window
    ):
        run_id = str(row["run_id"])
        whole = _whole(row, corrections[run_id])
        whole["hosts"] = sorted((_host(item) for item in hosts[run_id]), key=lambda host: str(host["host"]))
        whole["tasks"] = [_without(item, "run_id") for item in tasks[run_id]]
        whole["reviews"] = [_clientless(item) for item in reviews[run_id]]
        whole["changes"] = [_clientless(item) for item in changes[run_id]]
        if client is None:
            found.append(whole)
        elif any(client in host["clients"] for host in whole["hosts"]):
            found.append(_for_client(whole, client))
    return found


def of_client(found: Iterable[dict[str, Any]], client: str | None) -> list[dict[str, Any]]:
    """Of interventions read for everybody, those of one client, with nothing of the others."""
    if client is None:
        return list(found)
    return [_for_client(run, client) for run in found if any(client in host["clients"] for host in run["hosts"])]


def clients(connection: sqlite3.Connection) -> list[str]:
    """Every client that the ledger knows, sorted."""
    rows = connection.execute("SELECT DISTINCT json_extract(body, '$.clients') FROM records WHERE kind = 'host'")
    return sorted({name for (text,) in rows for name in json.loads(text or "[]")})


def state(connection: sqlite3.Connection, run_ids: Iterable[str]) -> dict[str, Any]:
    """How many rows those interventions have, when the last was written, and each writer's digest at its last one.

    Who keeps a report can later tell whether the ledger still has the same chain up to there.
    """
    rows, last_at = 0, ""
    heads: dict[str, tuple[int, str]] = {}
    for run_id in run_ids:
        for row in connection.execute("SELECT writer, seq, at, digest FROM records WHERE run_id = ?", (run_id,)):
            rows += 1
            last_at = max(last_at, row["at"])
            heads[row["writer"]] = max(heads.get(row["writer"], (0, "")), (row["seq"], row["digest"]))
    return {"rows": rows, "last_at": last_at or None, "heads": sorted(digest for _seq, digest in heads.values())}


def _whole(row: sqlite3.Row, corrections: list[dict[str, Any]]) -> dict[str, Any]:
    started, ended = json.loads(row["started"]), json.loads(row["ended"] or "{}")
    scope = dict(started.get("scope") or {})
    for correction in corrections:
        if correction["label"]:
            scope["label"] = json.loads(correction["label"])
    complete = row["complete"]
    return {
        "run_id": row["run_id"],
        "started_at": row["started_at"],
        "ended_at": row["ended_at"],
        "duration_seconds": ended.get("duration_seconds"),
        "outcome": row["outcome"],
        "complete": None if complete is None else bool(complete),
        "missing": ended.get("missing", []),
        "interrupted_because": ended.get("reason"),
        "check_mode": bool(row["check_mode"]),
        "playbook": row["playbook"],
        "operator": row["operator"],
        "category": row["category"],
        "label": scope.get("label") or {},
        "contract": row["contract"],
        "agreement_needed": scope.get("agreement_needed", []),
        "scope_source": "correction" if corrections else scope.get("source"),
        "evaluations": scope.get("evaluations", []),
        "revision": row["revision"],
        "dirty": None if row["dirty"] is None else bool(row["dirty"]),
        "limit": started.get("limit"),
        "tags": started.get("tags", []),
        "note": row["note"],
        "counts": ended.get("counts"),
    }


def _for_client(whole: dict[str, Any], client: str) -> dict[str, Any]:
    own = [{**host, "clients": [client]} for host in whole["hosts"] if client in host["clients"]]
    names = {host["host"] for host in own}
    alone = all(host["clients"] == [client] for host in whole["hosts"])
    part = {
        **whole,
        "hosts": own,
        **{key: [item for item in whole[key] if item["host"] in names] for key in ("tasks", "reviews", "changes")},
    }
    if alone:
        return part
    # The run was for others, too: what tells of them goes.
    part["limit"] = None
    part["evaluations"] = [{**item, "detail": ""} for item in whole["evaluations"]]
    counted = [host["counts"] for host in own if host["counts"]]
    if counted:
        part["counts"] = {key: sum(counts.get(key, 0) for counts in counted) for key in COUNTS}
        if whole["outcome"] in {"ok", "failed", "unreachable"}:
            part["outcome"] = run_verdict(part["counts"])
    else:
        part["counts"] = None
    return part


def _host(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "host": row["host"],
        "clients": json.loads(row["clients"] or "[]"),
        "verdict": row["verdict"],
        "counts": json.loads(row["counts"]) if row["counts"] else None,
    }


def _clientless(row: dict[str, Any]) -> dict[str, Any]:
    kept = _without(row, "client", "clients")
    for key in ("counts", "refused"):
        if isinstance(kept.get(key), str):
            kept[key] = json.loads(kept[key])
    return kept


def _without(row: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in keys}


def _grouped(
    connection: sqlite3.Connection, view: str, parameters: tuple[str, str]
) -> defaultdict[str, list[dict[str, Any]]]:
    groups: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    # The view's name comes from this file alone.
    sql = f"SELECT * FROM {view} WHERE run_id IN ({_RUNS}) ORDER BY id"  # noqa: S608
    for row in connection.execute(sql, parameters):
        groups[str(row["run_id"])].append(_without(dict(row), "id"))
    return groups
