# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work done by hand, what a run says of itself, and corrections: through real ansible-playbook runs."""

from __future__ import annotations

import json
from typing import Any

import pytest

INFO = "infogerance.perimeter.interventions_info"
RECORD = """
- hosts: client_acme
  gather_facts: false
  tasks:
    - name: Record it
      infogerance.perimeter.intervention:
        action: record
        client: acme
        hosts: [web1]
        category: migration
        start: 2026-11-02T14:00
        duration: 1h30
        timezone: Europe/Paris
        operator: ada
        ticket: T-1
        quote: Q-7
        note: |
          Moved the machine.
          It works.
"""


def found(ground: Any, **filters: Any) -> list[dict[str, Any]]:
    """What interventions_info returns for these filters."""
    ground.write(
        "info.yml",
        json.dumps(
            [
                {
                    "hosts": "localhost",
                    "gather_facts": False,
                    "tasks": [
                        {"name": "Read", INFO: filters, "register": "answer"},
                        {
                            "name": "Keep",
                            "ansible.builtin.copy": {
                                "content": "{{ answer.interventions | to_json }}",
                                "dest": "{{ playbook_dir }}/answer.json",
                                "mode": "0600",
                            },
                        },
                    ],
                }
            ]
        ),
    )
    ground.run("info.yml", **ground.unrecorded)
    answer: list[dict[str, Any]] = json.loads((ground.path / "answer.json").read_text(encoding="utf-8"))
    return answer


def test_work_by_hand_is_recorded_once_and_read_like_a_run(ground: Any) -> None:
    output = ground.play(RECORD, "--check")
    assert "changed=1" in output
    assert found(ground, period="2026-11-02") == []
    for _time in range(2):
        output = ground.play(RECORD)
    assert "changed=1" not in output
    (run,) = found(ground, period="2026-11-02", client="acme", host="web1", contract="out", operator="ada")
    assert (run["started_at"], run["ended_at"]) == ("2026-11-02T13:00:00.000000Z", "2026-11-02T14:30:00.000000Z")
    assert (run["origin"], run["outcome"], run["complete"], run["duration_seconds"]) == ("manual", "ok", True, 5400)
    assert (run["category"], run["scope_source"], run["check_mode"]) == ("migration", "stated", False)
    assert (run["tickets"], run["quotes"], run["note"]) == (["T-1"], ["Q-7"], "Moved the machine.\nIt works.")
    assert [host["host"] for host in run["hosts"]] == ["web1"]
    assert found(ground, period="2026-11-02", client="globex") == []
    assert found(ground, period="2026-11-02", contract="in") == []
    assert found(ground, period="2026-11-02", host="web2") == []
    table = ground.run("infogerance.perimeter.report", "-e", "report_period=2026-11-02", "-e", "report_client=acme")
    assert "1 h 30" in table or "1:30" in table or "90 min" in table, table


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"client": "acmee"}, "client: 'acmee' is neither in the inventory nor in the ledger (known: acme, globex)"),
        ({"hosts": ["db1"]}, "hosts: 'db1' is not a host of 'acme' but of globex"),
        ({"category": "migratoin"}, "category: 'migratoin' is not in the catalogue"),
        ({"duration": "soon"}, "duration: 'soon' is no duration"),
        ({"duration": None}, "give two of 'start', 'end' and 'duration'"),
        ({"end": "2026-11-02T13:00"}, "give two of 'start', 'end' and 'duration'"),
        ({"start": "yesterday"}, "start: 'yesterday' is no date and time"),
        ({"start": "2999-01-01T00:00"}, "end: lies in the future"),
        ({"timezone": "Europe/Nowhere"}, "time zone 'Europe/Nowhere'"),
        ({"reason": "x"}, "action 'record' has no use for: reason"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_a_mistake_is_named_and_nothing_is_written(ground: Any, change: dict[str, Any], message: str) -> None:
    wanted = {
        "action": "record",
        "client": "acme",
        "category": "migration",
        "start": "2026-11-02T14:00",
        "duration": "90",
        "operator": "ada",
        **change,
    }
    arguments = {key: value for key, value in wanted.items() if value is not None}
    task = {"name": "Record", "infogerance.perimeter.intervention": arguments}
    output = ground.play(
        json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]),
        expect=2,
        **ground.unrecorded,
    )
    assert message in " ".join(output.split())
    assert not ground.ledger.exists()


def test_a_run_says_more_about_itself_once_on_many_hosts_and_in_a_loop(ground: Any) -> None:
    ground.play(
        """
- hosts: client_acme
  gather_facts: false
  tasks:
    - name: Say it
      infogerance.perimeter.intervention: {action: annotate, ticket: "{{ item }}", time: 10, note: "{{ 'a' ~ 'b' }}"}
      loop: [T-1, T-2, T-1]
"""
    )
    run = ground.only()
    assert (run["outcome"], run["complete"]) == ("ok", 1)
    rows = ground.query("SELECT body FROM records WHERE kind = 'annotated'")
    assert sorted(json.loads(row["body"])["ticket"] for row in rows) == ["T-1", "T-2"]
    (read,) = found(ground, run_id=run["run_id"])
    assert (read["added_seconds"], read["tickets"], read["note"]) == (1200, ["T-1", "T-2"], "ab")
    assert read["duration_seconds"] == pytest.approx(read["recorded_seconds"] + 1200, abs=0.01)


def test_what_is_said_of_a_run_for_two_clients_reaches_only_the_one_that_is_named(ground: Any) -> None:
    ground.play(
        """
- hosts: web1,db1
  gather_facts: false
  tasks:
    - name: For one
      infogerance.perimeter.intervention: {action: annotate, ticket: T-acme, client: acme, time: 10}
    - name: For nobody in particular
      infogerance.perimeter.intervention: {action: annotate, ticket: T-both}
"""
    )
    run_id = ground.only()["run_id"]
    assert [found(ground, run_id=run_id, client=name)[0]["tickets"] for name in ("acme", "globex")] == [["T-acme"], []]
    assert [found(ground, run_id=run_id, client=name)[0]["added_seconds"] for name in ("acme", "globex")] == [600, 0]


FORGERY = """
import sqlite3
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule(argument_spec={"ledger": {"type": "path"}})
rows = sqlite3.connect(module.params["ledger"]).execute("SELECT run_id FROM records WHERE kind = 'started'")
(run_id,) = rows.fetchone()
said = {"run_id": run_id, "task": "t", "fields": {"ticket": "T-forged"}, "proof": "0" * 64}
module.exit_json(changed=True, infogerance_annotation=said)
"""


def test_a_result_that_only_looks_like_an_annotation_is_not_believed(ground: Any) -> None:
    ground.write("library/intervention.py", FORGERY)
    ground.play(
        f"- hosts: web1\n  gather_facts: false\n  tasks: [{{name: Forge, intervention: {{ledger: {ground.ledger}}}}}]\n"
    )
    assert ground.only()["complete"] == 1
    assert ground.query("SELECT * FROM records WHERE kind = 'annotated'") == []
    assert b"T-forged" not in ground.ledger.read_bytes()


@pytest.mark.parametrize(
    ("task", "recorded", "message"),
    [
        ("{action: annotate, ticket: T}", False, "nobody records this run"),
        ("{action: annotate, ticket: T}\n      no_log: true", True, "censored"),
        ("{action: annotate}", True, "say something"),
        ("{action: annotate, ticket: T, client: acmee}", True, "client: 'acmee' is not in the inventory (known: acme"),
        ("{action: correct, run_id: nope, reason: r, duration: 5}", True, "has no intervention nope"),
        ("{action: correct, run_id: nope, duration: 5}", True, "reason: is needed to correct"),
    ],
    ids=["not recorded", "no_log", "nothing said", "mistyped client", "unknown run", "no reason"],
)
def test_what_cannot_be_kept_is_refused(ground: Any, task: str, recorded: bool, message: str) -> None:
    output = ground.play(
        f"- hosts: web1\n  gather_facts: false\n  tasks:\n    - infogerance.perimeter.intervention: {task}\n",
        expect=2,
        **({} if recorded else ground.unrecorded),
    )
    assert message in " ".join(output.split())


def test_a_correction_is_a_further_row_and_counts_from_then_on(ground: Any) -> None:
    ground.play(
        "- hosts: web1\n  gather_facts: false\n  tasks:\n"
        "    - infogerance.perimeter.intervention: {action: annotate, ticket: T, time: 2h}\n"
    )
    run_id = ground.only()["run_id"]
    before = ground.query("SELECT id, digest FROM records ORDER BY id")
    correct = {"action": "correct", "run_id": run_id, "duration": "45m", "category": "migration", "reason": "waited"}
    ground.play(
        json.dumps(
            [
                {
                    "hosts": "localhost",
                    "gather_facts": False,
                    "tasks": [{"name": "Correct", "infogerance.perimeter.intervention": correct}],
                }
            ]
        ),
        **ground.unrecorded,
    )
    (run,) = found(ground, run_id=run_id)
    assert (run["duration_seconds"], run["added_seconds"], run["contract"]) == (2700, 0, "out")
    assert run["recorded_seconds"] < 60
    after = ground.query("SELECT id, digest FROM records ORDER BY id")
    assert after[: len(before)] == before
    assert len(after) == len(before) + 1


def test_a_play_that_asks_for_check_mode_itself_is_told_from_one_that_changes_things(ground: Any) -> None:
    play = "- {{hosts: web1, gather_facts: false, check_mode: {}, tasks: [{{ansible.builtin.command: 'true'}}{}]}}\n"
    more = ", {ansible.builtin.ping: , check_mode: false}"
    for name, text in (("all.yml", play.format("true", "")), ("some.yml", play.format("true", more))):
        ground.write(name, text)
        ground.run(name)
    runs = {run["playbook"]: found(ground, run_id=run["run_id"])[0] for run in ground.interventions()}
    assert {name: run["check_mode"] for name, run in runs.items()} == {"all.yml": True, "some.yml": False}


def test_work_that_the_clients_own_contract_covers_is_recorded_so(ground: Any) -> None:
    exceptions = [
        {"reference": "CTR-7", "category": "hardware_outside_maintenance", "contract": "in", "hosts": ["web*"]},
        {"reference": "L-12", "category": "third_party_contact", "contract": "in", "third_parties": ["dc-north"]},
    ]
    terms = {"version": 1, "clients": {"acme": {"exceptions": exceptions}}}
    path = ground.write("agreements.yml", json.dumps(terms))
    call = {"action": "record", "client": "acme", "start": "2026-11-02T14:00", "duration": "20m"}
    tasks = [
        {"infogerance.perimeter.intervention": {**call, "category": category, **more}, "vars": variables}
        for category, more, variables in (
            ("hardware_outside_maintenance", {"hosts": ["web1"]}, {}),
            ("hardware_outside_maintenance", {}, {}),
            ("third_party_contact", {}, {"infogerance_third_party": "dc-{{ 'north' }}"}),
            ("third_party_contact", {}, {"infogerance_third_party": "dc-south"}),
        )
    ]
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": tasks[:3]}]
    environment = {"INFOGERANCE_PERIMETER_AGREEMENTS": str(path)}
    ground.play(json.dumps(play), **environment)
    play[0]["tasks"] = [{**tasks[3], "name": "Another call"}]
    play[0]["tasks"][0]["infogerance.perimeter.intervention"]["duration"] = "25m"
    ground.play(json.dumps(play), **environment)
    found = {
        (
            run["category"],
            run["contract"],
            (run["started"].get("gate") or {"clients": [{}]})["clients"][0].get("exception"),
        )
        for run in ground.interventions()
        if run["started"].get("origin") == "manual"
    }
    assert found == {
        ("hardware_outside_maintenance", "in", "CTR-7"),
        ("hardware_outside_maintenance", "out", None),
        ("third_party_contact", "in", "L-12"),
        ("third_party_contact", "out", None),
    }
