# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A ledger with a million interventions, made once below .cache and kept: rows as the callback writes them."""

from __future__ import annotations

import random
import sqlite3
import sys
import time
import types
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
INTERVENTIONS = 1_000_000
CLIENTS = 40
MONTHS = 36
# The last month that it covers, which is the one that is reported.
PERIOD = "2026-10"
_END = datetime(2026, 11, 1, tzinfo=UTC)
_SPAN = timedelta(days=365 * MONTHS // 12)


def collection() -> None:
    """Make the collection importable by its full name."""
    path = ROOT
    for name in ("ansible_collections.infogerance.perimeter", "ansible_collections.infogerance", "ansible_collections"):
        if name not in sys.modules:
            package = types.ModuleType(name)
            package.__path__ = [str(path)]
            sys.modules[name] = package
        path = path.parent


def made(say: Callable[[str], None], interventions: int = INTERVENTIONS) -> Path:
    """The file; made when it is missing or of another version."""
    collection()
    from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import schema, store

    path = ROOT / ".cache" / "bench" / f"ledger-{interventions}.sqlite3"
    if path.exists():
        store.Ledger(path).create()
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    begun = time.monotonic()
    # Its first version, and the newer ones at the end: indexes are made faster over all rows at once.
    connection = sqlite3.connect(fresh, isolation_level=None)
    schema.migrate(connection, uuid.uuid4().hex, schema.MIGRATIONS[:1])
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO records (uid, writer, seq, run_id, kind, at, host, body, previous, digest)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        _rows(store.own_writer(connection), interventions, say),
    )
    connection.execute("COMMIT")
    schema.migrate(connection, "")
    connection.close()
    fresh.replace(path)
    say(f"made {path.name} in {time.monotonic() - begun:.0f} s")
    return path


def _rows(writer: str, interventions: int, say: Callable[[str], None]) -> Iterator[tuple[Any, ...]]:
    from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record

    previous, seq = record.GENESIS, 0
    for number, entries in enumerate(_interventions(interventions), 1):
        for entry in entries:
            seq += 1
            text = entry.text
            digest = record.digest(writer=writer, seq=seq, entry=entry, text=text, previous=previous)
            yield entry.uid, writer, seq, entry.run_id, entry.kind, entry.at, entry.host, text, previous, digest
            previous = digest
        if number % 200_000 == 0:
            say(f"{number} interventions")


def _interventions(count: int) -> Iterator[list[Any]]:
    from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import process, record, who
    from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
    from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import loading, resolution

    chance = random.Random(7)  # noqa: S311 - the same file each time
    catalogue = loading.load()
    resolved = resolution.resolve(catalogue, resolution.RunFacts(playbook=frozenset({"site.yml"})))
    operator, here = who.operator({}), process.own().as_dict()
    names = list(catalogue.categories)
    step = _SPAN / count
    for number in range(count):
        start = _END - _SPAN + step * number
        run_id = f"{number:032x}"
        client = f"client{chance.randrange(CLIENTS):02d}"
        host = f"{client}-web{chance.randrange(5)}"
        category = catalogue.categories[chance.choice(names)]
        seconds = chance.randrange(20, 1800)
        counts = {"ok": 12, "changed": 1, "failed": 0, "unreachable": 0, "skipped": 3, "rescued": 0, "ignored": 0}
        made = 0

        def entry(kind: str, after: float, body: dict[str, Any], on: str | None = None, *, run_id: str = run_id,
                  start: datetime = start) -> Entry:  # fmt: skip
            nonlocal made
            made += 1
            uid = f"{run_id}:{kind if kind in {record.STARTED, record.ENDED} else made}"
            at = record.stamp(start + timedelta(seconds=after))
            return Entry(uid=uid, run_id=run_id, kind=kind, at=at, body=body, host=on)

        yield [
            entry(
                record.STARTED,
                0,
                {
                    "playbook": "site.yml",
                    "playbook_path": "/srv/ansible/site.yml",
                    "check_mode": False,
                    "limit": host,
                    "tags": [],
                    "skip_tags": [],
                    "start_at_task": False,
                    "ansible_version": "2.21.5",
                    "operator": operator,
                    "scope": {
                        "category": category.name,
                        "label": dict(category.label),
                        "contract": category.contract,
                        "agreement_needed": list(category.agreement),
                        "billing": category.billing.rule,
                        "source": "rule",
                        "evaluations": [item.as_dict() for item in resolved.evaluations],
                    },
                    "revision": {"commit": f"{number:040x}", "branch": "main", "dirty": False},
                    "process": here,
                },
            ),
            entry(record.HOST, 0.1, {"clients": [client]}, host),
            entry(
                record.TASK,
                seconds / 2,
                {
                    "status": "changed",
                    "ignored": False,
                    "name": "Install the packages",
                    "location": "roles/web/tasks/main.yml:12",
                    "action": "ansible.builtin.apt",
                    "role": "web",
                },
                host,
            ),
            entry(record.HOST_RESULT, seconds, {"verdict": "changed", "counts": counts}, host),
            entry(
                record.ENDED,
                seconds,
                {
                    "outcome": "ok",
                    "changed": True,
                    "check_mode": False,
                    "counts": counts,
                    "duration_seconds": float(seconds),
                    "results": {"seen": 12, "expected": 12},
                    "stored": {"started": 1, "host": 1, "task": 1, "host_result": 1},
                    "complete": True,
                    "missing": [],
                },
            ),
        ]
