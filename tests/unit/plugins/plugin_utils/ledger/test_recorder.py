# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run's way into the ledger: intent first, nothing lost silently, dead runs found."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import process
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.process import Identity, gone
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.recorder import (
    Recorder,
    run_verdict,
    verdict,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
HERE = Identity(machine="m", boot_id="b", pid=10, pid_started="100", pid_namespace="n")


def rows(ledger: Ledger, sql: str) -> list[dict[str, Any]]:
    """The answer to a SELECT."""
    with ledger.reading() as connection:
        return [dict(row) for row in connection.execute(sql)]


def counts(**numbers: int) -> dict[str, int]:
    """Counts of one host."""
    return {"ok": 0, "changed": 0, "failed": 0, "unreachable": 0, "skipped": 0, "rescued": 0, "ignored": 0, **numbers}


def test_the_intent_is_stored_before_anything_else_happens(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l")
    Recorder(ledger, run_id="a").start({"playbook": "site.yml", "check_mode": False})
    assert [
        (row["run_id"], row["outcome"], row["playbook"]) for row in rows(ledger, "SELECT * FROM interventions")
    ] == [("a", "running", "site.yml")]


@pytest.mark.parametrize("body", ["{", "[]", '"x"', '{"process": 3}'])
def test_a_run_whose_start_was_spoilt_keeps_no_later_run_from_being_recorded(tmp_path: Path, body: str) -> None:
    ledger = Ledger(tmp_path / "l")
    for run_id in ("spoilt", "dead"):
        Recorder(ledger, run_id=run_id).start({"playbook": "site.yml"})
    connection = sqlite3.connect(ledger.path)
    gone_process = json.dumps({"process": {**process.own().as_dict(), "pid": 1, "pid_started": "0"}})
    connection.execute("DROP TRIGGER records_no_update")
    connection.execute("UPDATE records SET body = ? WHERE run_id = 'spoilt'", (body,))
    connection.execute("UPDATE records SET body = ? WHERE run_id = 'dead'", (gone_process,))
    connection.commit()
    connection.close()
    # Nobody can tell whether it still runs, so it stays open; `verify` names its row.
    assert Recorder(ledger, run_id="later").start({"playbook": "site.yml"}) == ["dead"]
    assert [row["run_id"] for row in rows(ledger, "SELECT run_id FROM records WHERE kind = 'interrupted'")] == ["dead"]


def test_a_whole_run_is_complete(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l")
    recorder = Recorder(ledger, run_id="a")
    recorder.start({"playbook": "site.yml"})
    recorder.host("web1", ["acme"])
    recorder.host("web1", ["acme"])
    recorder.result("web1", "ok")
    recorder.task("web1", "changed", {"name": "Install", "location": "site.yml:3", "action": "apt"})
    assert recorder.boundary() is None
    assert recorder.finish(None, {"web1": counts(ok=1, changed=1)}, 1) == "ok"
    run = rows(ledger, "SELECT * FROM interventions")[0]
    assert (run["outcome"], run["complete"]) == ("ok", 1)
    assert [(row["client"], row["verdict"]) for row in rows(ledger, "SELECT * FROM intervention_hosts")] == [
        ("acme", "changed")
    ]


@pytest.mark.parametrize("other", ["globex", "acme"])
def test_a_run_for_several_clients_keeps_how_long_each_host_was_at_work(tmp_path: Path, other: str) -> None:
    ledger = Ledger(tmp_path / "l")
    clock = [0.0]
    recorder = Recorder(ledger, run_id="a", monotonic=lambda: clock[0])
    recorder.start({"playbook": "site.yml"})
    recorder.host("web1", ["acme"])
    recorder.host("db1", [other])
    for moment, host, ended in (
        (1.0, "web1", False), (1.5, "db1", False), (2.0, "db1", True), (4.0, "web1", True),
        (5.0, "web1", False), (6.25, "web1", True), (7.0, "db1", False),
    ):  # fmt: skip
        clock[0] = moment
        if ended:
            # A change is two counts of one result.
            recorder.result(host, "ok")
            recorder.result(host, "changed", counted=False)
        else:
            recorder.began(host)
    # Cut off while db1 was at work.
    clock[0] = 7.2
    recorder.finish("aborted", None, None)
    ended = json.loads(rows(ledger, "SELECT ended FROM interventions")[0]["ended"])
    # Nobody has to share with anybody where there is one client.
    assert ended.get("busy_ms") == (None if other == "acme" else {"db1": 700, "web1": 4250})


@pytest.mark.parametrize("expected", [2, None])
def test_results_that_nobody_saw_make_the_record_incomplete(tmp_path: Path, expected: int | None) -> None:
    ledger = Ledger(tmp_path / "l")
    recorder = Recorder(ledger)
    recorder.start({})
    recorder.result("web1", "ok")
    recorder.finish(None, {"web1": counts(ok=2)}, expected)
    run = rows(ledger, "SELECT * FROM interventions")[0]
    assert run["complete"] == 0
    assert json.loads(run["ended"])["missing"]


def test_a_row_that_went_missing_in_the_file_makes_the_record_incomplete(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l")
    recorder = Recorder(ledger)
    recorder.start({})
    recorder.host("web1", [])
    recorder.task("web1", "changed", {})
    assert recorder.boundary() is None
    connection = sqlite3.connect(ledger.path)
    connection.execute("DROP TRIGGER records_no_delete")
    connection.execute("DELETE FROM records WHERE kind = 'task'")
    connection.commit()
    connection.close()
    recorder.finish(None, {"web1": counts()}, 0)
    assert json.loads(rows(ledger, "SELECT * FROM interventions")[0]["ended"])["missing"] == ["task: 0 stored of 1"]


def test_rows_that_could_not_be_written_are_kept_and_written_later(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l")
    clock = [0.0]
    recorder = Recorder(ledger, monotonic=lambda: clock[0])
    recorder.start({})
    recorder.host("web1", [])
    aside = tmp_path / "aside"
    ledger.path.rename(aside)
    assert isinstance(recorder.boundary(), LedgerError)
    clock[0] += 100
    assert recorder.boundary() is None, "the same trouble is told once"
    assert recorder.unsaved == 1
    aside.rename(ledger.path)
    recorder.finish(None, {"web1": counts()}, 0)
    assert rows(ledger, "SELECT * FROM interventions")[0]["complete"] == 1


def test_a_start_that_failed_is_stored_at_the_end_when_the_ledger_is_back(tmp_path: Path) -> None:
    blocked = tmp_path / "dir"
    blocked.write_text("a file where a directory should be")
    ledger = Ledger(blocked / "l")
    recorder = Recorder(ledger)
    with pytest.raises(LedgerError):
        recorder.start({"playbook": "site.yml"})
    blocked.unlink()
    recorder.finish(None, {}, 0)
    assert rows(ledger, "SELECT * FROM interventions")[0]["complete"] == 1


def test_commits_take_a_small_share_of_the_time_however_often_a_boundary_comes(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l")
    clock = [0.0]

    def tick() -> float:
        clock[0] += 0.1
        return clock[0]

    recorder = Recorder(ledger, monotonic=tick)
    recorder.start({})
    stored = 0
    for number in range(200):
        recorder.task("web1", "changed", {"number": number})
        recorder.boundary()
        stored += recorder.unsaved == 0
    spent = stored * 0.1
    assert 0.5 <= spent <= 0.5 + clock[0] / 40 + 0.1


@pytest.mark.parametrize(
    ("run", "alive", "age", "reason"),
    [
        (HERE, "100", timedelta(hours=1), ""),
        (HERE, "", timedelta(hours=1), "process is gone"),
        (HERE, "999", timedelta(hours=1), "process is gone"),
        (Identity("m", "other", 10, "100", "n"), "100", timedelta(hours=1), "restarted"),
        (Identity("m", "b", 10, "100", "other"), "", timedelta(hours=1), ""),
        (Identity("other", "x", 10, "100", "n"), "", timedelta(hours=1), ""),
        (Identity("other", "x", 10, "100", "n"), "", timedelta(days=8), "no end for 7 days"),
        (Identity("", "", 0, "", ""), "", timedelta(days=8), "no end for 7 days"),
        (HERE, "100", timedelta(days=30), ""),
    ],
)
def test_only_a_process_known_to_be_gone_is_called_so(run: Identity, alive: str, age: timedelta, reason: str) -> None:
    found = gone(run, HERE, NOW - age, NOW, probe=lambda pid: alive)
    assert reason in found
    assert bool(reason) == bool(found)


def test_the_own_process_is_alive() -> None:
    here = process.own()
    assert here.pid_started
    assert gone(here, here, NOW, NOW) == ""


def test_a_dead_run_is_marked_by_the_next_and_its_own_late_end_still_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path / "l")
    first = Recorder(ledger, run_id="first")
    first.start({})
    monkeypatch.setattr(process, "own", lambda: Identity("elsewhere", "x", 1, "1", "n"))
    later = datetime.now(UTC) + timedelta(days=8)
    assert Recorder(ledger, run_id="second", now=lambda: later).start({}) == ["first"]
    assert Recorder(ledger, run_id="third", now=lambda: later).start({}) == ["second"], "first is not marked again"
    outcomes = "SELECT run_id, outcome FROM interventions WHERE run_id = 'first'"
    assert rows(ledger, outcomes)[0]["outcome"] == "interrupted"
    first.finish(None, {"web1": counts(failed=1)}, 1)
    first_run = rows(ledger, outcomes)[0]
    assert first_run["outcome"] == "failed"
    assert len(rows(ledger, "SELECT * FROM interventions")) == 3


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (counts(), "untouched"),
        (counts(ok=2, skipped=1), "ok"),
        (counts(ok=2, changed=1, rescued=1), "changed"),
        (counts(ok=2, changed=1, failed=1), "failed"),
        (counts(ok=2, failed=1, unreachable=1), "unreachable"),
        (counts(skipped=1), "skipped"),
    ],
)
def test_a_host_gets_its_worst_verdict(numbers: dict[str, int], expected: str) -> None:
    assert verdict(numbers) == expected


def test_a_run_with_a_failed_and_an_unreachable_host_has_failed() -> None:
    assert run_verdict(counts(failed=1, unreachable=1)) == "failed"
    assert run_verdict(counts(unreachable=1)) == "unreachable"
    assert run_verdict(counts(rescued=3)) == "ok"
