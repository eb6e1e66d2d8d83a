# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interventions as plain values, for reports and lookups.

Read for one client, nothing of another client comes out: not its hosts, not its name, and no sum that counts it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.recorder import COUNTS, run_verdict
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.stores import Connection, listed


@dataclass(frozen=True)
class Wanted:
    """Which interventions; what is None does not matter.

    start (included), end (excluded): stored stamps between which they began. client: only its hosts, and only
    interventions for it. contract: `in`, `out` or `none` (without a verdict).
    """

    start: str | None = None
    end: str | None = None
    client: str | None = None
    host: str | None = None
    run_id: str | None = None
    category: str | None = None
    contract: str | None = None
    outcome: str | None = None
    operator: str | None = None

    def holds(self, run: Mapping[str, Any]) -> bool:
        """Whether one intervention, as read for the client, is wanted."""
        for key in ("category", "outcome", "operator"):
            wanted = getattr(self, key)
            if wanted is not None and run[key] != wanted:
                return False
        if self.contract is not None and (run["contract"] or "none") != self.contract:
            return False
        return self.host is None or any(host["host"] == self.host for host in run["hosts"])


def interventions(connection: Connection, start: str, end: str, client: str | None = None) -> list[dict[str, Any]]:
    """Those that began from start (included) to end (excluded), both as stored stamps, oldest first.

    client: only its hosts, and only interventions that had one. None: everything.
    """
    return wanted(connection, Wanted(start=start, end=end, client=client))


def wanted(connection: Connection, filters: Wanted) -> list[dict[str, Any]]:
    """Those that the filters let through, oldest first. What a client may not see is gone before they are looked at."""
    ids = _run_ids(connection, filters)
    hosts = _grouped(connection, "intervention_hosts", ids)
    tasks = _grouped(connection, "intervention_tasks", ids)
    reviews = _grouped(connection, "entry_point_reviews", ids)
    changes = _grouped(connection, "entry_point_changes", ids)
    said = _bodies(connection, ids, record.ANNOTATED)
    corrections = _bodies(connection, ids, record.CORRECTED)
    gates = _bodies(connection, ids, record.GATE) if filters.client is not None else {}
    found: list[dict[str, Any]] = []
    # Sorted here: asked to sort, SQLite would walk all runs by time instead of looking these up.
    rows = [
        row
        for marks, part in listed(ids)
        for row in connection.execute(f"SELECT * FROM interventions WHERE run_id IN {marks}", part)  # noqa: S608
    ]
    for row in sorted(rows, key=lambda row: (row["started_at"], row["run_id"])):
        run_id = str(row["run_id"])
        whole = _whole(row, corrections[run_id])
        whole["hosts"] = sorted((_host(item) for item in hosts[run_id]), key=lambda host: str(host["host"]))
        whole["tasks"] = [_without(item, "run_id") for item in tasks[run_id]]
        whole["reviews"] = [_clientless(item) for item in reviews[run_id]]
        whole["changes"] = [_clientless(item) for item in changes[run_id]]
        _annotate(whole, [_said(item) for item in said[run_id]])
        if filters.client is not None:
            if filters.client not in _clients(whole):
                continue
            own = _own_contract([whole["gate"], *gates[run_id]], filters.client)
            corrected = any(item.get("contract") for item in corrections[run_id])
            whole = _for_client(whole, filters.client, whole["contract"] if corrected else own or whole["contract"])
        for key in ("corrected_note", "gate"):
            whole.pop(key)
        if filters.holds(whole):
            found.append(whole)
    return found


def _run_ids(connection: Connection, filters: Wanted) -> list[str]:
    """Which runs may be wanted, by index: a ledger may hold a million, and one client's month a hundred."""
    conditions, parameters = ["s.kind = 'started'"], []
    for condition, value in (("s.at >= ?", filters.start), ("s.at < ?", filters.end), ("s.run_id = ?", filters.run_id)):
        if value is not None:
            conditions.append(condition)
            parameters.append(value)
    if filters.host is not None:
        conditions.append(
            "EXISTS (SELECT 1 FROM records h WHERE h.run_id = s.run_id AND h.kind = 'host' AND h.host = ?)"
        )
        parameters.append(filters.host)
    sql = f"SELECT s.run_id FROM records s WHERE {' AND '.join(conditions)}"  # noqa: S608 - from this file alone
    if filters.client is None:
        return [str(run_id) for (run_id,) in connection.execute(sql, parameters)]
    return [
        str(run_id)
        for marks, part in listed(runs_of_client(connection, filters.client, filters.start or ""))
        for (run_id,) in connection.execute(f"{sql} AND s.run_id IN {marks}", (*parameters, *part))
    ]


def runs_of_client(connection: Connection, client: str, since: str) -> list[str]:
    """Runs with a host of that client, or recorded for it by name. A run's rows are never older than its start."""
    found: set[str] = set()
    for names in _client_lists(connection):
        if client in json.loads(names):
            condition, values = connection.spelling.with_clients(names)
            sql = f"SELECT run_id FROM records WHERE {condition} AND kind = ? AND at >= ?"  # noqa: S608
            for kind in (record.HOST, record.STARTED):
                found.update(str(run_id) for (run_id,) in connection.execute(sql, (*values, kind, since)))
    return sorted(found)


def _client_lists(connection: Connection) -> list[str]:
    """Every list of clients that some row has. From one to the next by the index: there are few, in many rows."""
    found: list[str] = []
    spelling = connection.spelling
    column = spelling.indexed
    sql = f"SELECT min({column}) FROM records WHERE {column} > ?"  # noqa: S608
    cut = f"SELECT DISTINCT {spelling.clients} FROM records WHERE {column} = ?"  # noqa: S608
    (following,) = connection.execute(sql, ("",)).fetchone()
    while following is not None:
        if spelling.is_whole(str(following)):
            found.append(str(following))
        else:
            found += [str(names) for (names,) in connection.execute(cut, (following,)).fetchall()]
        (following,) = connection.execute(sql, (following,)).fetchone()
    return found


def clients(connection: Connection) -> list[str]:
    """Every client that the ledger knows, sorted."""
    return sorted({str(name) for names in _client_lists(connection) for name in json.loads(names)})


def state(connection: Connection, run_ids: Iterable[str]) -> dict[str, Any]:
    """How many rows those interventions have, when the last was written, and each writer's digest at its last one.

    Who keeps a report can later tell whether the ledger still has the same chain up to there.
    """
    rows, last_at = 0, ""
    heads: dict[str, tuple[int, str]] = {}
    for marks, part in listed(list(run_ids)):
        sql = f"SELECT writer, seq, at, digest FROM records WHERE run_id IN {marks}"  # noqa: S608
        for row in connection.execute(sql, part):
            rows += 1
            last_at = max(last_at, row["at"])
            heads[row["writer"]] = max(heads.get(row["writer"], (0, "")), (row["seq"], row["digest"]))
    return {"rows": rows, "last_at": last_at or None, "heads": sorted(digest for _seq, digest in heads.values())}


def _whole(row: Any, corrections: list[dict[str, Any]]) -> dict[str, Any]:
    started, ended = json.loads(row["started"]), json.loads(row["ended"] or "{}")
    scope = dict(started.get("scope") or {})
    seconds = ended.get("duration_seconds")
    for correction in corrections:
        if correction.get("label"):
            scope["label"] = correction["label"]
        if correction.get("duration_seconds") is not None:
            seconds = correction["duration_seconds"]
    complete = row["complete"]
    return {
        "run_id": row["run_id"],
        "started_at": row["started_at"],
        "ended_at": row["ended_at"],
        "duration_seconds": seconds,
        "recorded_seconds": ended.get("duration_seconds"),
        "corrected_at": max((str(item["at"]) for item in corrections if "duration_seconds" in item), default=None),
        "outcome": row["outcome"],
        "complete": None if complete is None else bool(complete),
        "missing": ended.get("missing", []),
        "interrupted_because": ended.get("reason"),
        "check_mode": bool(row["check_mode"] or ended.get("check_mode")),
        "origin": started.get("origin") or "playbook",
        "clients": list(started.get("clients") or []),
        "playbook": row["playbook"],
        "operator": row["operator"],
        "category": row["category"],
        "label": scope.get("label") or {},
        "contract": row["contract"],
        "agreement_needed": scope.get("agreement_needed", []),
        "scope_source": "correction" if any(item.get("category") for item in corrections) else scope.get("source"),
        "evaluations": scope.get("evaluations", []),
        "revision": row["revision"],
        "dirty": None if row["dirty"] is None else bool(row["dirty"]),
        "limit": started.get("limit"),
        "tags": started.get("tags", []),
        "corrected_note": row["note"],
        "gate": started.get("gate"),
        "counts": ended.get("counts"),
    }


def _own_contract(gates: Iterable[Mapping[str, Any] | None], client: str) -> str | None:
    """What the gate said of this client last: a run is out of contract as soon as it is so for one of its clients."""
    verdicts = [item for gate in gates if gate for item in gate.get("clients") or [] if item.get("client") == client]
    return next((str(item["contract"]) for item in reversed(verdicts) if item.get("contract")), None)


def _for_client(whole: dict[str, Any], client: str, contract: str | None) -> dict[str, Any]:
    own = [{**host, "clients": [client]} for host in whole["hosts"] if client in host["clients"]]
    names = {host["host"] for host in own}
    alone = _clients(whole) == {client}
    part = {
        **whole,
        "contract": contract,
        "clients": [client] if whole["clients"] else [],
        "hosts": own,
        **{key: [item for item in whole[key] if item["host"] in names] for key in ("tasks", "reviews", "changes")},
    }
    if alone:
        return part
    # The run was for others, too: what tells of them goes, and so does what was said of the run as a whole.
    part["corrected_note"] = None
    _annotate(part, [item for item in whole["annotations"] if item["client"] == client])
    part.update(limit=None, tags=[])
    part["evaluations"] = [{**item, "detail": ""} for item in whole["evaluations"]]
    counted = [host["counts"] for host in own if host["counts"]]
    if counted:
        part["counts"] = {key: sum(counts.get(key, 0) for counts in counted) for key in COUNTS}
        if whole["outcome"] in {"ok", "failed", "unreachable"}:
            part["outcome"] = run_verdict(part["counts"])
    else:
        part["counts"] = None
    return part


def _clients(whole: Mapping[str, Any]) -> set[str]:
    return {*whole["clients"], *(name for host in whole["hosts"] for name in host["clients"])}


def _annotate(run: dict[str, Any], said: list[dict[str, Any]]) -> None:
    """Put what was said into the run, and add the time that came with it to the recorded one."""
    before = run.get("added_seconds", 0)
    # A correction says what it really took, all told: time added before it is in there.
    since = run["corrected_at"] or ""
    added = sum(item["added_seconds"] for item in said if item["at"] >= since)
    run["annotations"] = said
    run["added_seconds"] = added
    if added or before:
        run["duration_seconds"] = round((run["duration_seconds"] or 0) - before + added, 3)
    for key in ("ticket", "quote"):
        run[f"{key}s"] = list(dict.fromkeys(item[key] for item in said if item[key]))
    notes = list(dict.fromkeys(item["note"] for item in said if item["note"]))
    run["note"] = run["corrected_note"] or "\n".join(notes) or None


def _said(body: dict[str, Any]) -> dict[str, Any]:
    note = body.get("note")
    return {
        "at": body["at"],
        "by": body.get("by"),
        "client": body.get("client"),
        "ticket": body.get("ticket"),
        "quote": body.get("quote"),
        "note": "\n".join(str(line) for line in note) if isinstance(note, list) else note,
        "added_seconds": body.get("added_seconds") or 0,
    }


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


def _grouped(connection: Connection, view: str, ids: Sequence[str]) -> defaultdict[str, list[dict[str, Any]]]:
    groups: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for marks, part in listed(ids):
        # The view's name comes from this file alone.
        sql = f"SELECT * FROM {view} WHERE run_id IN {marks} ORDER BY id"  # noqa: S608
        for row in connection.execute(sql, part):
            groups[str(row["run_id"])].append(_without(dict(row), "id"))
    return groups


def _bodies(connection: Connection, ids: Sequence[str], kind: str) -> defaultdict[str, list[dict[str, Any]]]:
    groups: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for marks, part in listed(ids):
        sql = f"SELECT run_id, at, body FROM records WHERE kind = ? AND run_id IN {marks} ORDER BY id"  # noqa: S608
        for row in connection.execute(sql, (kind, *part)):
            groups[str(row["run_id"])].append({**json.loads(row["body"]), "at": row["at"]})
    return groups
