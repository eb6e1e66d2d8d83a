# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gauges out of a ledger, and the file that a collector reads."""

from __future__ import annotations

import re
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.recorder import Recorder
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.metrics import measuring, textfile
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.metrics.measuring import Gauge, Sample

SINCE = "2026-11-01T00:00:00.000000Z"


def look(ledger: Ledger, at: str, hosts: dict[str, tuple[list[str], str]], **more: Any) -> None:
    """A run: host -> (clients, status of its one task), and what was seen on each."""
    ticks = iter(range(1000))
    moment = datetime.fromisoformat(at)
    recorder = Recorder(ledger, now=lambda: moment + timedelta(milliseconds=next(ticks)))
    recorder.start({"playbook": "infogerance.perimeter.audit"})
    for name, (clients, status) in hosts.items():
        recorder.host(name, clients)
        recorder.result(name, status)
        if status == "ok":
            recorder.entry_points(name, {"entry_point_kind": "ssh_accounts", "plan_id": "p", **more})
    recorder.finish("failed" if any(status != "ok" for _clients, status in hosts.values()) else "ok", None, None)


def values(ledger: Ledger, client: str | None = None) -> dict[str, float]:
    with ledger.reading() as connection:
        samples = measuring.measure(connection, SINCE, client, ["db/ledger"])
    return {f"{s.gauge.name}{sorted(s.labels.items())}": s.value for s in samples}


def test_the_newest_look_counts_and_one_clients_fault_is_not_anothers(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    ledger.create()
    old = {"web1": (["acme"], "ok"), "gone1": (["acme"], "ok")}
    look(ledger, "2026-10-01T05:00:00+00:00", old, left={"obsolete": 9})
    both = {"web1": (["acme"], "ok"), "db1": (["globex"], "ok")}
    look(ledger, "2026-11-02T05:00:00+00:00", both, left={"obsolete": 2, "missing": 1}, crl={"state": "current"})
    broken = {"web1": (["acme"], "ok"), "db1": (["globex"], "failed")}
    expiry = {"state": "stale", "expires": "2026-12-01T00:00:00Z"}
    look(ledger, "2026-11-03T05:00:00+00:00", broken, left={"obsolete": 0, "missing": 1}, crl=expiry)
    found = values(ledger)
    web1 = "('client', 'acme'), ('host', 'web1')"
    entries = f"entries[{web1}, ('kind', 'ssh_accounts'), ('state', "
    assert found[f"{entries}'obsolete')]"] == 0
    assert found[f"{entries}'missing')]"] == 1
    assert found[f"crl_current[{web1}]"] == 0
    assert (
        found[f"crl_expiry_timestamp_seconds[{web1}]"] == datetime.fromisoformat("2026-12-01T00:00+00:00").timestamp()
    )
    assert not any("gone1" in name for name in found)
    playbook = "('playbook', 'infogerance.perimeter.audit')"
    acme, globex = (f"[('client', '{name}'), {playbook}]" for name in ("acme", "globex"))
    assert found[f"last_success_timestamp_seconds{acme}"] == found[f"last_run_timestamp_seconds{acme}"]
    assert found[f"last_run_timestamp_seconds{globex}"] == found[f"last_run_timestamp_seconds{acme}"]
    assert found[f"last_success_timestamp_seconds{globex}"] < found[f"last_run_timestamp_seconds{globex}"]
    assert found["outbox_rows[('target', 'db/ledger')]"] > 10
    alone = values(ledger, "acme")
    assert alone
    assert not any("globex" in name or "outbox" in name for name in alone)


def test_what_one_server_says_spoils_no_other_servers_figures(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    ledger.create()
    well = {"state": "current", "expires": "2026-12-01T00:00:00Z"}
    look(ledger, "2026-11-02T05:00:00+00:00", {"web1": (["acme"], "ok")}, crl=well)
    for number, date in enumerate(("soon", "999999-01-01", "0000-00-00T00:00:00Z")):
        odd = {f"odd{number}": (["acme"], "ok")}
        look(ledger, "2026-11-02T06:00:00+00:00", odd, crl={"state": "current", "expires": date})
    found = values(ledger)
    assert found["crl_current[('client', 'acme'), ('host', 'web1')]"] == 1
    assert [found[f"crl_current[('client', 'acme'), ('host', 'odd{number}')]"] for number in range(3)] == [0, 0, 0]
    assert len([name for name in found if name.startswith("crl_expiry")]) == 1


def spoil(ledger: Ledger, change: str) -> None:
    connection = sqlite3.connect(ledger.path)
    connection.executescript(f"DROP TRIGGER records_no_update; {change}")
    connection.close()


NEWEST = "id = (SELECT max(id) FROM records WHERE kind = '{}')"


@pytest.mark.parametrize(
    "change",
    [
        f"UPDATE records SET body = '{{' WHERE {NEWEST.format('review')}",
        f"UPDATE records SET body = '[]' WHERE {NEWEST.format('review')}",
        f"UPDATE records SET body = json_set(body, '$.left', 'many', '$.crl', 'none') WHERE {NEWEST.format('review')}",
        f"UPDATE records SET at = '2026-11-99T00:00:00.000000Z' WHERE {NEWEST.format('review')}",
        f"UPDATE records SET at = '2026-11-99T00:00:00.000000Z' WHERE {NEWEST.format('ended')}",
        f"UPDATE records SET body = '{{' WHERE {NEWEST.format('ended')}",
        f"UPDATE records SET body = '{{' WHERE {NEWEST.format('started')}",
        f"UPDATE records SET body = '{{' WHERE {NEWEST.format('host')}",
        f"UPDATE records SET body = '{{' WHERE {NEWEST.format('host_result')}",
        f"UPDATE records SET body = json_set(body, '$.clients', 'acme') WHERE {NEWEST.format('host')}",
    ],
)
def test_a_row_that_somebody_spoilt_spoils_no_other_servers_figures(tmp_path: Path, change: str) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    ledger.create()
    look(ledger, "2026-11-02T05:00:00+00:00", {"web1": (["acme"], "ok")}, left={"obsolete": 2})
    look(ledger, "2026-11-03T05:00:00+00:00", {"db1": (["globex"], "ok")}, left={"obsolete": 1})
    whole = values(ledger)
    spoil(ledger, change)
    found = values(ledger)
    kept = {name: value for name, value in whole.items() if "globex" not in name}
    assert len(kept) == 5
    assert kept.items() <= found.items()
    assert len(found) < len(whole)


def test_no_series_is_told_twice_or_the_collector_would_take_none_of_the_file(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    ledger.create()
    recorder = Recorder(ledger, now=lambda: datetime.fromisoformat("2026-11-02T05:00:00+00:00"))
    recorder.start({"playbook": "infogerance.perimeter.audit"})
    recorder.host("web1", ["acme"])
    # A server that answers for two kinds with a list each.
    for kind, state, expires in (("a", "current", "2026-12-01T00:00:00Z"), ("b", "stale", "2026-12-02T00:00:00Z")):
        crl = {"state": state, "expires": expires}
        recorder.entry_points("web1", {"entry_point_kind": kind, "plan_id": "p", "crl": crl})
    recorder.finish("ok", None, None)
    with ledger.reading() as connection:
        samples = measuring.measure(connection, SINCE, None, [])
    series = [(sample.gauge.name, sorted(sample.labels.items())) for sample in samples]
    assert len(series) == len({repr(each) for each in series})
    # The worse of both.
    found = {sample.gauge.name: sample.value for sample in samples}
    assert found["crl_current"] == 0
    assert found["crl_expiry_timestamp_seconds"] == measuring.seconds("2026-12-01T00:00:00Z")


def test_no_unit_gives_a_gauge_another_name_on_its_way_through_otlp() -> None:
    # Prometheus's receiver appends a unit that the name does not end with, and `_ratio` for 1; one in braces it drops.
    for gauge in measuring.GAUGES:
        seconds = gauge.name.endswith("_seconds")
        assert gauge.unit == "s" if seconds else re.fullmatch(r"\{[a-z]+\}", gauge.unit), gauge.name


def test_labels_are_text_that_any_receiver_can_encode() -> None:
    sample = Sample(measuring.LOOKED, 1, {"host": "web\ud8001"})
    assert sample.labels["host"].encode("utf-8") == b"web?1"


def test_alerts_that_are_not_closed_are_counted_by_state(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    ledger.create()
    opened = {"event": "opened", "cause": "disk:/", "criticality": "critical", "deadline": SINCE, "clients": ["acme"]}
    with ledger.transaction() as adding:
        for number, more in enumerate([[], ["overdue"], ["closed"]]):
            events = [opened, *({"event": event, "cause": "disk:/", "clients": ["acme"]} for event in more)]
            for step, body in enumerate(events):
                at = f"2026-11-0{step + 1}T00:00:00.000000Z"
                adding.add([Entry(f"alert:{number}:{step}", f"a{number}", "alert", at, body, host=f"web{number}")])
    found = {name: value for name, value in values(ledger, "acme").items() if "resource_alerts" in name}
    assert sorted(found.values()) == [1, 1]
    assert found["resource_alerts[('client', 'acme'), ('criticality', 'critical'), ('state', 'overdue')]"] == 1


def test_odd_bytes_in_a_label_stay_within_their_line(tmp_path: Path) -> None:
    gauge = Gauge("entries", "Entries.")
    text = textfile.render([Sample(gauge, 1.5, {"host": 'a"b\\c\nd\udcff'}), Sample(gauge, 3, {})])
    assert text == (
        "# HELP infogerance_perimeter_entries Entries.\n"
        "# TYPE infogerance_perimeter_entries gauge\n"
        'infogerance_perimeter_entries{host="a\\"b\\\\c\\nd?"} 1.5\n'
        "infogerance_perimeter_entries 3\n"
    )
    target = tmp_path / "x.prom"
    textfile.write(target, text, 0o640)
    assert (target.read_text(), target.stat().st_mode & 0o777) == (text, 0o640)
    assert [path.name for path in tmp_path.iterdir()] == ["x.prom"]
