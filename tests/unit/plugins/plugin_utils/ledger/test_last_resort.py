# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left in the system log when the ledger cannot be written: readable again, wherever it was kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.work import Party
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import last_resort, reading
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.worked import worked

SAID: dict[str, Any] = {
    "run_id": "ab" * 16,
    "phase": "end",
    "at": "2026-11-23T20:05:00.000000Z",
    "started_at": "2026-11-23T20:00:00.000000Z",
    "playbook": "é.yml",
    "operator": {"name": "ada"},
    "category": "migration",
    "contract": "out",
    "label": {"fr": "Migration", "en": "Migration"},
    "outcome": "failed",
    "duration_seconds": 300.0,
    "hosts": [[["acme", "b c"], ["web1"]], [[], ["db1"]]],
    "unsaved": 7,
}
NOW = "2026-11-24T00:00:00.000000Z"


def around(line: str) -> list[str]:
    """Ways in which a log keeps it."""
    entry = {"MESSAGE": line, "_PID": "7", "SYSLOG_IDENTIFIER": "infogerance-perimeter"}
    return [
        line,
        f"Nov 23 20:05:00 ctl1 infogerance-perimeter[77]: {line}\n",
        f"<11>1 2026-11-23T20:05:00Z ctl1 infogerance-perimeter 77 - [x@1 a='{{'] {line}",
        json.dumps(entry) + "\n",
        f"some {{ brace before {line} and }} after",
    ]


@pytest.mark.parametrize("number", range(5))
def test_a_line_is_found_in_each_kind_of_log(number: int) -> None:
    (value,) = last_resort.found(around(last_resort.line(SAID))[number])
    assert {key: value[key] for key in SAID} == SAID


@given(st.text(), st.text(max_size=300), st.lists(st.text(min_size=1, max_size=300), max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_text_gives_one_short_ascii_line_that_can_be_read_again(name: str, host: str, hosts: list[str]) -> None:
    text = last_resort.line({**SAID, "playbook": name, "hosts": [[[host], hosts]]})
    assert text.isascii()
    assert "\n" not in text
    assert len(text) <= last_resort.LONGEST
    (value,) = last_resort.found(f"x {text}")
    assert len(value["hosts"][0][1]) + value.get("hosts_left_out", 0) == len(hosts)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (last_resort.line(SAID)[:120], "cut off or damaged"),
        (last_resort.line({**SAID, "run_id": ""}), "without its field 'run_id'"),
        (last_resort.line({**SAID, "phase": "x"}), "field 'phase' is 'x'"),
        (last_resort.line(SAID).replace('[[],["db1"]]', '["acme","db1"]'), "field 'hosts'"),
        # Billing reads these: one spoilt line must not stop every statement, nor take time off a bill.
        (last_resort.line({**SAID, "started_at": "yesterday"}), "field 'started_at'"),
        (last_resort.line({**SAID, "at": "2026-11-23T20:05:00+01:00"}), "field 'at'"),
        (last_resort.line({**SAID, "duration_seconds": -3600}), "field 'duration_seconds'"),
        (last_resort.line({**SAID, "duration_seconds": "long"}), "field 'duration_seconds'"),
        (last_resort.line({**SAID, "gate": {"clients": ["acme"]}}), "field 'gate'"),
        (last_resort.line({**SAID, "gate": "passed"}), "field 'gate'"),
        (last_resort.line({**SAID, "duration_seconds": 1}).replace('seconds":1', 'seconds":NaN'), "duration_seconds'"),
    ],
)
def test_a_damaged_line_is_told(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(last_resort.found(text))


def test_other_lines_are_passed_over() -> None:
    assert list(last_resort.found('Nov 23 20:05:00 ctl1 sshd[1]: {"infogerance_perimeter": 5}')) == []


def imported(ledger: Ledger, *values: dict[str, Any]) -> list[int]:
    """Import lines; how many rows each added."""
    ledger.create()
    with ledger.transaction() as transaction:
        return [last_resort.store(transaction, value, NOW) for value in values]


def test_what_is_imported_reads_like_a_run_and_says_that_it_is_incomplete(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l")
    start = {**SAID, "phase": "start", "at": SAID["started_at"], "hosts": []}
    assert imported(ledger, start, SAID, SAID) == [1, 3, 0]
    with ledger.reading() as connection:
        (run,) = reading.wanted(connection, reading.Wanted(run_id=SAID["run_id"]))
        assert reading.clients(connection) == ["acme", "b c"]
    assert (run["outcome"], run["complete"], run["contract"], run["operator"]) == ("failed", False, "out", "ada")
    assert run["missing"] == ["imported from the system log: 7 rows could not be stored"]
    assert [host["host"] for host in run["hosts"]] == ["db1", "web1"]
    assert (run["started_at"], run["ended_at"]) == (SAID["started_at"], SAID["at"])


GATE = {
    "mode": "block",
    "word": "passed",
    "emergency": "the shop is down",
    "clients": [
        {
            "client": client,
            "contract": "in" if exception else "out",
            "passed": True,
            "exception": exception,
            "agreement": agreement,
            "checks": [{"rule": "emergency", "passed": not exception, "detail": "x" * 900}],
        }
        for client, exception, agreement in (("acme", "CTR-7", None), ("b c", None, "Q-1"))
    ],
}


def test_what_the_gate_said_is_not_lost_and_each_client_pays_for_what_is_its_own(tmp_path: Path) -> None:
    clients = {"web1": ["acme"], "db1": ["b c"]}
    text = last_resort.line({**SAID, **last_resort.facts({**SAID, "scope": SAID, "gate": GATE}, clients)})
    assert "xxx" not in text
    ledger = Ledger(tmp_path / "l")
    imported(ledger, *last_resort.found(text))
    with ledger.reading() as connection:
        [work] = worked(connection, "2026", "2027")
    assert work.emergency == "the shop is down"
    assert work.parties == {
        "acme": Party("in", None, "CTR-7", passed=True, emergency=False),
        "b c": Party("out", "Q-1", None, passed=True, emergency=True),
    }


def test_a_line_stays_short_however_many_clients_the_gate_judged() -> None:
    many = [{**GATE["clients"][1], "client": f"client number {number}"} for number in range(400)]
    clients = {f"h{number}": [f"client number {number}"] for number in range(400)}
    said = {**SAID, **last_resort.facts({"gate": {**GATE, "clients": many}}, clients)}
    text = last_resort.line({**said, "hosts": [[["acme"], ["web1"]]]})
    assert len(text) <= last_resort.LONGEST
    (value,) = last_resort.found(text)
    assert value["gate"] is None


def test_a_blocked_run_is_recorded_as_blocked(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l")
    imported(ledger, {**SAID, "phase": "blocked"})
    with ledger.reading() as connection:
        assert [row["outcome"] for row in connection.execute("SELECT outcome FROM interventions")] == ["blocked"]
