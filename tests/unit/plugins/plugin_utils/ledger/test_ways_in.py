# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the ledger keeps of a look at a server, and gives back."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.entry_points import extract
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.recorder import Recorder
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.ways_in import last_looks


def result(*names: str, kind: str = "ssh_accounts", **more: Any) -> dict[str, Any]:
    rows = [{"kind": "ssh_account", "entry": name, "standing": "declared", "person": None} for name in names]
    return {"entry_point_kind": kind, "plan_id": "ab", "ways_in": rows, **more}


def look(ledger: Ledger, at: str, host: str, clients: list[str], found: dict[str, Any]) -> None:
    ticks = iter(range(1000))
    moment = datetime.fromisoformat(at)
    recorder = Recorder(ledger, now=lambda: moment + timedelta(milliseconds=next(ticks)))
    recorder.start({"playbook": "p.yml"})
    recorder.host(host, clients)
    recorder.entry_points(host, found)
    recorder.finish("ok", None, None)


def test_only_named_columns_are_kept_and_what_is_no_row_is_counted() -> None:
    row = {
        "kind": "ssh_account",
        "entry": "bob",
        "standing": "obsolete",
        "open": True,
        "root": "yes",
        "has": {"ssh_key": 2, "odd": "x"},
        "private_key": "-----BEGIN",
        "reason": "r" * 1000,
    }
    review = extract(result(ways_in=[row, "text", {"kind": "ssh_account"}])).review
    assert review["ways_in"] == [
        {
            "kind": "ssh_account",
            "entry": "bob",
            "standing": "obsolete",
            "open": True,
            "has": {"ssh_key": 2},
            "reason": "r" * 300,
        }
    ]
    assert review["unreadable"] == 2


def test_a_result_that_does_not_tell_leaves_no_picture() -> None:
    assert "ways_in" not in extract({"entry_point_kind": "k", "plan_id": "p"}).review


def test_the_newest_look_of_each_host_and_kind_counts(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    look(ledger, "2026-11-01T10:00:00Z", "web1", ["acme"], result("alice", "bob"))
    look(ledger, "2026-11-02T10:00:00Z", "web1", ["acme"], result("alice"))
    look(ledger, "2026-11-03T10:00:00Z", "web1", ["acme"], {"entry_point_kind": "ssh_accounts", "plan_id": "c"})
    look(ledger, "2026-11-03T11:00:00Z", "web1", ["acme"], result("carol", kind="vpn_certificates"))
    look(ledger, "2026-11-04T10:00:00Z", "db1", ["globex"], result("dave"))
    look(ledger, "2026-12-01T00:00:00Z", "web1", ["acme"], result("later"))
    look(ledger, "2026-11-05T10:00:00Z", "mail", ["acme", "globex"], result("erin", ways_in_left_out=3))
    with ledger.reading() as connection:
        found = last_looks(connection, "2026-12-01T00:00:00.000000Z", "acme")
        everything = last_looks(connection, "2026-12-01T00:00:00.000000Z")
    assert [(row["host"], row["entry_point_kind"], [way["entry"] for way in row["ways_in"]]) for row in found] == [
        ("mail", "ssh_accounts", ["erin"]),
        ("web1", "ssh_accounts", ["alice"]),
        ("web1", "vpn_certificates", ["carol"]),
    ]
    assert found[0]["clients"] == ["acme"]
    assert found[0]["left_out"] == 3
    assert [row["host"] for row in everything] == ["db1", "mail", "web1", "web1"]
