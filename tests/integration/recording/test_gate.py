# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate, on real runs: what is out of contract and agreed by nobody stops before anything happens."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

TODAY = datetime.now(UTC).date()
MOVE = """
- hosts: "{{ where | default('web1') }}"
  gather_facts: true
  vars: {infogerance_scope: migration}
  tasks:
    - name: Leave a trace
      ansible.builtin.file: {path: "{{ playbook_dir }}/did_run", state: touch, mode: "0600"}
      tags: [always, trace]
"""
CALL = MOVE.replace("infogerance_scope: migration", "infogerance_scope: third_party_contact")
BLOCK = {"INFOGERANCE_PERIMETER_GATE": "block"}


def quote(**changed: Any) -> dict[str, Any]:
    """An accepted quote of acme for ten hours."""
    return {
        "id": "Q-1",
        "kind": "quote",
        "categories": ["migration"],
        "hours": 10,
        "accepted_by": "Ada",
        "accepted_on": "2026-01-01",
        **changed,
    }


def agreed(ground: Any, **clients: Any) -> dict[str, str]:
    """The environment of a gate that blocks, with those terms."""
    path = ground.write("agreements.yml", json.dumps({"version": 1, "clients": clients}))
    return {**BLOCK, "INFOGERANCE_PERIMETER_AGREEMENTS": str(path)}


def ran(ground: Any) -> bool:
    """Whether the play's task was reached."""
    return (ground.path / "did_run").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--check"],
        ["--tags", "trace"],
        ["--skip-tags", "always"],
        ["--start-at-task", "Leave a trace"],
        ["-e", "infogerance_emergency=true"],
        ["-e", '{"infogerance_emergency": true}', "--limit", "web1"],
    ],
)
def test_work_nobody_agreed_to_stops_before_its_first_task(ground: Any, arguments: list[str]) -> None:
    output = " ".join(ground.play(MOVE, *arguments, expect=77, **BLOCK).split())
    assert not ran(ground)
    assert "Gathering Facts" not in output
    assert "client acme (web1)" in output
    assert "the play variable 'infogerance_scope'" in output
    for way in ("accepted quote", "time-count contract", "infogerance_emergency"):
        assert way in output
    run = ground.only()
    assert (run["outcome"], run["complete"], run["contract"]) == ("blocked", 1, "out")
    assert run["started"]["gate"]["word"] == "blocked"
    assert [(name, row["client"]) for name, row in ground.hosts().items()] == [("web1", "acme")]


def test_every_client_is_asked_and_the_refusal_names_those_that_did_not_agree(ground: Any) -> None:
    environ = agreed(ground, acme={"agreements": [quote()]}, globex={"agreements": [quote(id="Q-2", hours=1)]})
    ground.play(MOVE, "-e", "where=web*:db1", **environ)
    assert ran(ground)
    late = quote(id="Q-2", valid_until=str(TODAY - timedelta(days=1)))
    environ = agreed(ground, acme={"agreements": [quote()]}, globex={"agreements": [late]})
    output = " ".join(ground.play(MOVE, "-e", "where=web*:db1", expect=77, **environ).split())
    assert "client globex (db1): agreement Q-2: expired after" in output
    assert "client acme" not in output
    clients = ground.interventions()[-1]["started"]["gate"]["clients"]
    assert [(item["client"], item["passed"], item["agreement"]) for item in clients] == [
        ("acme", True, "Q-1"),
        ("globex", False, None),
    ]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"valid_until": str(TODAY - timedelta(days=1))}, "expired after"),
        ({"valid_from": str(TODAY + timedelta(days=2))}, "begins on"),
        ({"accepted_by": None, "accepted_on": None}, "not accepted yet"),
        ({"accepted_on": str(TODAY + timedelta(days=2))}, "accepted only on"),
        ({"categories": ["new_service"]}, "is for new_service"),
    ],
)
def test_an_agreement_that_does_not_hold_today_does_not_pass(ground: Any, changed: dict[str, Any], said: str) -> None:
    environ = agreed(ground, acme={"agreements": [quote(**changed)]})
    assert said in " ".join(ground.play(MOVE, expect=77, **environ).split())
    assert not ran(ground)


def test_hours_used_are_counted_from_the_ledger_and_warned_of(ground: Any) -> None:
    environ = agreed(ground, acme={"agreements": [quote(hours="0.5")]})
    # A dry run uses up nothing.
    ground.play(MOVE, "--check", **environ)
    assert "%" not in ground.play(MOVE, **environ)
    environ = agreed(ground, acme={"agreements": [quote(hours="0.3")]})
    output = " ".join(ground.play(MOVE, **environ).split())
    assert "agreement Q-1 is running low: 83 % of its time is used" in output
    output = " ".join(ground.play(MOVE, expect=77, **environ).split())
    assert "agreement Q-1: 0 h 30 of 0 h 18 used (166 %)" in output
    environ = agreed(ground, acme={"agreements": [quote(hours="0.3", overrun="allow")]})
    assert "is used up: 166 %" in " ".join(ground.play(MOVE, **environ).split())
    assert [run["outcome"] for run in ground.interventions()] == ["ok", "ok", "ok", "blocked", "ok"]


def test_an_emergency_passes_with_its_reason_and_only_where_the_category_allows_it(ground: Any) -> None:
    reason = '{"infogerance_emergency": "the shop is down"}'
    ground.play(MOVE, "-e", reason, **BLOCK)
    gate = ground.only()["started"]["gate"]
    assert (gate["word"], gate["emergency"]) == ("passed", "the shop is down")
    assert {"rule": "emergency", "passed": True, "detail": "a reason was given"} in gate["clients"][0]["checks"]
    output = ground.play(MOVE, "-e", reason, "-e", "infogerance_scope=architecture_advice", expect=77, **BLOCK)
    assert "emergency: is no way on for this category" in " ".join(output.split())


def test_an_exception_of_the_client_changes_the_verdict_with_its_reference(ground: Any) -> None:
    ours = {"reference": "CTR-7 art. 4", "category": "migration", "contract": "in", "hosts": ["web1"]}
    environ = agreed(ground, acme={"exceptions": [ours]})
    ground.play(MOVE, **environ)
    run = ground.only()
    assert (run["category"], run["contract"]) == ("migration", "in")
    assert run["started"]["gate"]["clients"][0]["exception"] == "CTR-7 art. 4"
    assert "is not for host web2" in ground.play(MOVE, "-e", "where=web*", expect=77, **environ)


def test_an_exception_may_put_work_out_of_contract(ground: Any) -> None:
    theirs = {
        "reference": "CTR-8",
        "category": "routine_maintenance",
        "contract": "out",
        "agreement": ["quote"],
    }
    plain = MOVE.replace("vars: {infogerance_scope: migration}", "vars: {}")
    ground.play(plain, expect=77, **agreed(ground, acme={"exceptions": [theirs]}))
    assert ground.only()["contract"] == "out"


def test_warn_says_the_same_and_lets_it_run(ground: Any) -> None:
    output = " ".join(ground.play(MOVE, INFOGERANCE_PERIMETER_GATE="warn").split())
    assert "this would be blocked" in output
    assert "client acme (web1)" in output
    assert ran(ground)
    assert (ground.only()["outcome"], ground.only()["started"]["gate"]["word"]) == ("ok", "warned")


def test_work_in_contract_is_never_held_up_not_even_by_a_broken_file(ground: Any) -> None:
    path = ground.write("agreements.yml", "version: 1\nclients: {acme: {agreements: [{id: Q-1}]}}\n")
    plain = MOVE.replace("infogerance_scope: migration", "infogerance_scope: system_security_updates")
    environ = {**BLOCK, "INFOGERANCE_PERIMETER_AGREEMENTS": str(path)}
    assert "agreement 'Q-1': field 'kind'" in " ".join(ground.play(plain, **environ).split())
    output = " ".join(ground.play(MOVE, expect=77, **environ).split())
    assert "client 'acme': agreement 'Q-1': field 'kind'" in output


@pytest.mark.parametrize(
    "environ", [{}, {"INFOGERANCE_PERIMETER_CATALOGUE": "absent.yml"}], ids=["mistyped", "no catalogue"]
)
def test_a_scope_that_cannot_be_told_does_not_pass(ground: Any, environ: dict[str, str]) -> None:
    output = ground.play(MOVE, "-e", "infogerance_scope=migratoin", expect=77, **BLOCK, **environ)
    assert "the scope of this run cannot be judged" in " ".join(output.split())
    assert not ran(ground)
    assert ground.only()["outcome"] == "blocked"


def test_a_ledger_that_cannot_be_written_opens_no_gate(ground: Any) -> None:
    ground.write("state", "a file where the directory should be")
    ground.play(MOVE, expect=77, **BLOCK)
    assert not ran(ground)


def test_a_host_of_nobody_is_refused_but_the_controller_beside_clients_is_not(ground: Any) -> None:
    local = "- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks: [{ansible.builtin.ping: }]\n"
    environ = agreed(ground, acme={"agreements": [quote()]})
    ground.play(MOVE + local, **environ)
    output = ground.play(local, "-e", "infogerance_scope=migration", expect=77, **environ)
    assert "an unknown client (localhost)" in " ".join(output.split())


def test_a_client_met_only_during_the_run_is_asked_before_its_play(ground: Any) -> None:
    text = """
- hosts: web1
  gather_facts: false
  vars: {infogerance_scope: migration}
  tasks:
    - ansible.builtin.add_host: {name: late1, groups: [client_initech], ansible_connection: local}
- hosts: late1
  gather_facts: false
  tasks:
    - ansible.builtin.file: {path: "{{ playbook_dir }}/did_run", state: touch, mode: "0600"}
"""
    environ = agreed(ground, acme={"agreements": [quote()]})
    output = " ".join(ground.play(text, expect=77, **environ).split())
    assert "client initech (late1)" in output
    assert not ran(ground)
    assert ground.only()["outcome"] == "blocked"


LATE = """
- hosts: web1
  gather_facts: false
  vars: {infogerance_scope: migration}
  tasks:
    - ansible.builtin.add_host: {name: %s, groups: [%s], ansible_connection: local}
- hosts: "{{ 'late' }}*"
  gather_facts: false
  tasks:
    - ansible.builtin.file: {path: "{{ playbook_dir }}/did_run", state: touch, mode: "0600"}
"""


def test_a_late_host_of_a_known_client_is_held_against_what_was_agreed_for_its_hosts(ground: Any) -> None:
    exception = {"reference": "contract 7", "category": "migration", "contract": "in", "hosts": ["web*"]}
    environ = agreed(ground, acme={"exceptions": [exception]})
    output = " ".join(ground.play(LATE % ("late_db1", "client_acme"), expect=77, **environ).split())
    assert "exception contract 7: is not for host late_db1" in output
    assert not ran(ground)
    assert ground.only()["outcome"] == "blocked"


def test_a_late_client_is_asked_although_nothing_can_be_recorded(ground: Any) -> None:
    ground.write("state", "a file where the directory should be")
    environ = agreed(ground, acme={"agreements": [quote()]})
    output = " ".join(ground.play(LATE % ("late1", "client_initech"), expect=77, **environ).split())
    assert "client initech (late1)" in output
    assert not ran(ground)


def test_a_group_that_a_host_brings_during_the_run_may_make_it_another_kind_of_work(ground: Any) -> None:
    rule = {"name": "farm", "category": "migration", "when": {"host_group": ["old_farm"]}}
    path = ground.write("catalogue.yml", json.dumps({"version": 1, "extends": "builtin", "rules": [rule]}))
    text = (LATE % ("late1", "client_acme, old_farm")).replace("  vars: {infogerance_scope: migration}\n", "")
    output = " ".join(ground.play(text, expect=77, INFOGERANCE_PERIMETER_CATALOGUE=str(path), **BLOCK).split())
    assert "Category migration" in output
    assert "by the rule 'farm' (host_group old_farm)" in output
    assert not ran(ground)


def test_work_that_is_delegated_to_another_clients_host_needs_that_clients_agreement(ground: Any) -> None:
    text = """
- hosts: web1
  gather_facts: false
  vars: {infogerance_scope: migration, new_home: db1}
  tasks:
    - ansible.builtin.file: {path: "{{ playbook_dir }}/did_run", state: touch, mode: "0600"}
      delegate_to: %s
"""
    environ = agreed(ground, acme={"agreements": [quote()]})
    for name in ("db1", "'{{ new_home }}'"):
        output = " ".join(ground.play(text % name, expect=77, **environ).split())
        assert "client globex (db1)" in output
        assert not ran(ground)
    for name in ("localhost", "web2"):
        ground.play(text % name, **environ)
    assert ran(ground)


ASSERT = """
- hosts: web1
  gather_facts: false
  tasks:
    - infogerance.perimeter.scope_assert: {gate: block, categories: [routine_maintenance]}
"""


def test_the_assertion_fails_without_the_callback_and_passes_with_it(ground: Any) -> None:
    ground.play(ASSERT, **BLOCK)
    output = ground.play(ASSERT, expect=2, ANSIBLE_CALLBACKS_ENABLED="ansible.builtin.minimal")
    assert "does not watch over this run" in " ".join(output.split())
    assert "the gate is 'warn'" in ground.play(ASSERT, expect=2, INFOGERANCE_PERIMETER_GATE="warn")
    output = ground.play(ASSERT, "-e", "infogerance_scope=access_reconciliation", expect=2, **BLOCK)
    assert "category is access_reconciliation" in " ".join(output.split())


def test_a_direct_contact_agreed_beforehand_opens_the_gate_for_that_third_party_alone(ground: Any) -> None:
    contact = {"name": "NOC", "phone": "+33 1 99 00 12 34"}
    announcement = {
        "reference": "MW-1234", "kind": "maintenance", "summary": "Power feed A", "starts": "2026-12-01T22:00",
        "announced_on": "2026-11-20", "passed_on": "2026-11-21", "hosts": ["web1"],
    }  # fmt: skip
    party = {"name": "north", "kind": "datacenter", "contacts": [contact], "announcements": [announcement]}
    direct = {"reference": "letter of 12 May", "agreed_on": "2026-05-12"}
    environ = agreed(ground, acme={"third_parties": [{**party, "direct_contact": direct}]})
    ground.play(CALL, "-e", "infogerance_third_party=south", expect=77, **environ)
    assert not ran(ground)
    ground.play(CALL, "-e", "infogerance_third_party=north", **environ)
    assert ran(ground)
    (verdict,) = ground.interventions()[-1]["started"]["gate"]["clients"]
    assert (verdict["contract"], verdict["exception"]) == ("in", "letter of 12 May")
    # What the register says was announced goes into the ledger, once.
    for new in (True, False):
        output = ground.run("infogerance.perimeter.third_parties", **environ)
        assert ("north maintenance MW-1234" in output) is new
        assert len(ground.query("SELECT id FROM records WHERE kind = 'announcement'")) == 1
    environ = agreed(ground, acme={"third_parties": [{**party, "kind": "datacentre"}]})
    said = " ".join(ground.run("infogerance.perimeter.third_parties", expect=2, **environ).split())
    assert "client 'acme': third party 'north': field 'kind' must be one of datacenter" in said


@pytest.mark.parametrize(("mode", "expect"), [("warn", 0), ("off", 0), ("block", 77)])
def test_a_spoilt_row_neither_opens_the_gate_nor_keeps_a_run_that_may_go_on_from_being_recorded(
    ground: Any, mode: str, expect: int
) -> None:
    environment = {**agreed(ground, acme={"agreements": [quote()]}), "INFOGERANCE_PERIMETER_GATE": mode}
    ground.play(MOVE, **environment)
    connection = sqlite3.connect(ground.ledger)
    spoil = "UPDATE records SET body = json_set(body, '$.duration_seconds', 'long') WHERE kind = 'ended'"
    connection.executescript(f"DROP TRIGGER records_no_update; {spoil}")
    connection.close()
    (ground.path / "did_run").unlink()
    output = " ".join(ground.play(MOVE, expect=expect, **environment).split())
    assert ran(ground) == (expect == 0)
    if expect == 0:
        assert "cannot be recorded" not in output
        assert len(ground.query("SELECT 1 FROM records WHERE kind = 'ended'")) == 2
