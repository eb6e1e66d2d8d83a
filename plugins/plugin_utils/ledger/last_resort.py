# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the ledger cannot be written: one line of JSON to the system log, so that the run can still be recorded later.

    {"infogerance_perimeter":"intervention_not_recorded","phase":"end","run_id":"...","started_at":"...",...}

phase `start`: the run began unrecorded and goes on; `end`: it is over, and its end could not be stored; `blocked`: it
was not allowed to begin. A run may leave a line of each. `playbook ledger -e ledger_action=import` reads them.
"""

from __future__ import annotations

import json
import math
import syslog
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry, clean, emergency_allowed
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import LedgerError, Transaction

MARK = "infogerance_perimeter"
WHAT = "intervention_not_recorded"
PHASES = ("start", "end", "blocked")
# rsyslog's default is 8 KiB for a message; the host's name and the date take their part of it.
LONGEST = 6000
_TEXT = 200
_VERDICT = ("contract", "agreement", "exception", "passed")
_COMMON = ("run_id", "phase", "at", "started_at")


def reason(error: BaseException) -> str:
    """The ledger's own message; of any other error only its type, because its text may quote what an operator typed."""
    return str(error) if isinstance(error, LedgerError) else type(error).__name__


def facts(started: Mapping[str, Any], clients: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What of a run's start goes into the line. clients: of each host."""
    scope = started.get("scope") or {}
    grouped: dict[tuple[str, ...], list[str]] = {}
    for host, names in sorted(clients.items()):
        grouped.setdefault(tuple(names), []).append(host)
    return {
        "playbook": started.get("playbook"),
        "check_mode": bool(started.get("check_mode")),
        "operator": {key: value for key, value in (started.get("operator") or {}).items() if value is not None},
        "category": scope.get("category"),
        "contract": scope.get("contract"),
        "label": scope.get("label"),
        "process": started.get("process"),
        "gate": _judged(started.get("gate")),
        "hosts": [[list(names), hosts] for names, hosts in grouped.items()],
    }


def _judged(gate: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """As much of the gate's decision as a bill needs: clients of whom it said the same share an entry."""
    if not gate:
        return None
    groups: dict[tuple[Any, ...], list[str]] = {}
    for verdict in gate.get("clients") or []:
        if verdict.get("client"):
            said = (*(verdict.get(name) for name in _VERDICT), emergency_allowed(verdict))
            groups.setdefault(said, []).append(verdict["client"])
    entries = [[names, *said] for said, names in groups.items()]
    return {"emergency": gate.get("emergency"), "clients": entries}


def line(said: Mapping[str, Any]) -> str:
    """The line: ASCII, one line, and short enough for any syslog daemon. Hosts that do not fit are counted instead."""
    # The mark first: who cuts the line off must not cut that.
    plain: dict[str, Any] = {MARK: WHAT, "format": 1, **clean(dict(said), _TEXT)}
    # From the facts themselves: a name is not cut.
    groups = [(list(map(str, clients)), list(map(str, hosts))) for clients, hosts in said.get("hosts") or []]
    left_out = 0
    while True:
        plain["hosts"] = groups
        if left_out:
            plain["hosts_left_out"] = left_out
        text = json.dumps(plain, separators=(",", ":"), allow_nan=False)
        fullest = max((hosts for _clients, hosts in groups), key=len, default=[])
        if len(text) > LONGEST and not fullest and plain.get("gate"):
            # Whom it concerns is told by the hosts; an entry without a decision shows as work without agreement.
            plain["gate"] = None
            continue
        if len(text) <= LONGEST or not fullest:
            return text
        dropped = max(1, len(fullest) // 4)
        del fullest[-dropped:]
        left_out += dropped


def send(said: Mapping[str, Any]) -> str:
    """Hand the line to the system log. Returns it: who captures the run's output has it there, too."""
    text = line(said)
    syslog.openlog("infogerance-perimeter", syslog.LOG_PID, syslog.LOG_USER)
    syslog.syslog(syslog.LOG_ERR, text)
    syslog.closelog()
    return text


def found(text: str) -> Iterator[dict[str, Any]]:
    """The lines of that kind in one line of a log: plain syslog, `journalctl`'s text or its JSON, or Ansible's output.

    Raises ValueError when the mark is there and the rest cannot be read (a log daemon may have cut it off).
    """
    if WHAT not in text:
        return
    decoder = json.JSONDecoder()
    place, seen = text.find("{"), False
    while place != -1:
        try:
            value, end = decoder.raw_decode(text, place)
        except ValueError:
            place = text.find("{", place + 1)
            continue
        if isinstance(value, dict):
            if value.get(MARK) == WHAT:
                seen = True
                yield _checked(value)
            elif isinstance(value.get("MESSAGE"), str):
                for inner in found(value["MESSAGE"]):
                    seen = True
                    yield inner
        place = text.find("{", end)
    if not seen:
        raise ValueError("a last-resort line that is cut off or damaged")


def _checked(value: dict[str, Any]) -> dict[str, Any]:
    for name in _COMMON:
        if not isinstance(value.get(name), str) or not value[name]:
            raise ValueError(f"a last-resort line without its field {name!r}")
    if value["phase"] not in PHASES:
        raise ValueError(f"a last-resort line whose field 'phase' is {value['phase']!r}")
    for name in ("at", "started_at"):
        if not _is_stamp(value[name]):
            raise ValueError(
                f"a last-resort line whose field {name!r} is no moment of the ledger: {value[name][:40]!r}"
            )
    spent = value.get("duration_seconds")
    if spent is not None and not (type(spent) in {int, float} and 0 <= spent < math.inf):
        raise ValueError("a last-resort line whose field 'duration_seconds' is no length of time")
    for item in value.get("hosts") or []:
        if not isinstance(item, list) or [type(part) for part in item] != [list, list]:
            raise ValueError("a last-resort line whose field 'hosts' is no list of clients with their hosts")
    gate = value.get("gate") or {}
    for item in (gate.get("clients") or []) if isinstance(gate, dict) else [gate]:
        if not isinstance(item, list) or len(item) != len(_VERDICT) + 2 or not isinstance(item[0], list):
            raise ValueError("a last-resort line whose field 'gate' is no decision for lists of clients")
    return value


def _is_stamp(text: str) -> bool:
    try:
        return record.stamp(datetime.fromisoformat(text)) == text
    except ValueError:
        return False


def store(transaction: Transaction, value: Mapping[str, Any], now: str) -> int:
    """Add what the ledger does not have of that run. Returns how many rows were added; 0 when it knows all this."""
    run_id = str(value["run_id"])
    known = transaction.query("SELECT kind, host FROM records WHERE run_id = ?", (run_id,))
    kinds = {str(row["kind"]) for row in known}
    hosts = {str(row["host"]) for row in known if row["kind"] == record.HOST}
    imported = {"origin": "last_resort", "imported_at": now}
    entries: list[Entry] = []
    if record.STARTED not in kinds:
        entries.append(_entry(run_id, record.STARTED, str(value["started_at"]), {**_started(value), **imported}))
    for clients, names in value.get("hosts") or []:
        for name in names:
            if name not in hosts:
                hosts.add(name)
                owned = {"clients": [str(client) for client in clients]}
                uid = f"{run_id}:last_resort:{record.HOST}:{len(hosts)}"
                at = str(value["started_at"])
                entries.append(Entry(uid=uid, run_id=run_id, kind=record.HOST, at=at, body=owned, host=name))
    if value["phase"] != "start" and record.ENDED not in kinds:
        lost = value.get("unsaved")
        missing = [f"imported from the system log: {lost} rows could not be stored" if lost else "never stored itself"]
        if value.get("hosts_left_out"):
            missing.append(f"{value['hosts_left_out']} hosts are not named")
        body = {
            "outcome": "blocked" if value["phase"] == "blocked" else str(value.get("outcome") or "aborted"),
            "counts": value.get("counts"),
            "duration_seconds": value.get("duration_seconds"),
            "check_mode": bool(value.get("all_check_mode")),
            "error": value.get("error"),
            "complete": False,
            "missing": missing,
            **imported,
        }
        entries.append(_entry(run_id, record.ENDED, str(value["at"]), body))
    transaction.add(entries)
    return len(entries)


def _entry(run_id: str, kind: str, at: str, body: Mapping[str, Any]) -> Entry:
    return Entry(uid=f"{run_id}:{kind}", run_id=run_id, kind=kind, at=at, body=body)


def _started(value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "playbook": value.get("playbook") or "",
        "check_mode": bool(value.get("check_mode")),
        "operator": value.get("operator") or {},
        "process": value.get("process") or {},
        "scope": {
            "category": value.get("category"),
            "contract": value.get("contract"),
            "label": value.get("label") or {},
            "source": "last_resort",
            "evaluations": [],
        },
        **_gate(value.get("gate")),
    }


def _gate(said: Mapping[str, Any] | None) -> dict[str, Any]:
    if not said:
        return {}
    clients = [
        {"client": name, **dict(zip(_VERDICT, rest, strict=True)), "checks": [{"rule": "emergency", "passed": urgent}]}
        for names, *rest, urgent in said.get("clients") or []
        for name in names
    ]
    return {"gate": {"emergency": said.get("emergency"), "clients": clients}}
