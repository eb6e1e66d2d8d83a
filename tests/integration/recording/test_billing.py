# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The billing playbook, on a ledger that real runs have filled."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import Any

TERMS = {
    "version": 1,
    "timezone": "Europe/Paris",
    "clients": {
        "acme": {
            "billing": {"hourly_rate": "85.00", "step_minutes": 15},
            "exports": {"kimai": {"project": 3, "activity": 1}, "glpi": {"ticket": 12}},
        }
    },
}
RECORD = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Record a call
      infogerance.perimeter.intervention:
        {action: record, client: acme, category: third_party_contact, start: "2026-11-23T14:00+01:00", duration: 20m}
    - name: Record routine work
      infogerance.perimeter.intervention:
        {action: record, client: acme, category: routine_maintenance, start: "2026-11-24T14:00+01:00", duration: 5m}
"""
CORRECT = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Correct it
      infogerance.perimeter.intervention: {action: correct, run_id: "%s", duration: 50m, reason: Waited for a reply.}
"""
EXPORT = ("infogerance.perimeter.billing", "-e", "billing_period=2026-11", "-e", "billing_directory=out")


def files(ground: Any) -> list[Any]:
    return sorted((ground.path / "out").glob("*"))


def test_each_line_is_exported_once_and_a_correction_is_told(ground: Any) -> None:
    terms = {"INFOGERANCE_PERIMETER_AGREEMENTS": str(ground.write("terms.yml", json.dumps(TERMS)))}
    ground.play(RECORD, **terms)
    kimai = (*EXPORT, "-e", "billing_format=kimai")
    assert "1 lines exported" in ground.run(*kimai, "--check", **terms)
    assert not (ground.path / "out").exists()
    # Two at once: both succeed, and the line is in one file.
    with ThreadPoolExecutor(2) as both:
        outputs = list(both.map(lambda _one: ground.run(*kimai, **terms), range(2)))
    assert sorted("1 lines exported" in output for output in outputs) == [False, True]
    [file] = files(ground)
    [entry] = json.loads(file.read_text())
    assert (entry["begin"], entry["end"], entry["fixedRate"]) == ("2026-11-23T14:00:00", "2026-11-23T14:30:00", 42.5)
    run_id = entry["description"].rsplit("[", 1)[1].rstrip("]")
    assert "1 exported before" in ground.run(*kimai, **terms)

    ground.play(CORRECT % run_id, **terms)
    output = " ".join(ground.run(*kimai, **terms).split())
    assert "have been corrected" in output or "has been corrected since" in output
    ground.run(*kimai, "-e", "billing_again=true", **terms)
    assert sorted(json.loads(each.read_text())[0]["fixedRate"] for each in files(ground)) == [42.5, 85.0]
    assert "has been corrected since" not in " ".join(ground.run(*kimai, **terms).split())
    ground.run("infogerance.perimeter.ledger", "-e", "ledger_action=verify")


def test_what_cannot_be_exported_is_told_before_anything_is_written(ground: Any) -> None:
    terms = {"INFOGERANCE_PERIMETER_AGREEMENTS": str(ground.write("terms.yml", json.dumps(TERMS)))}
    ground.play(RECORD, **terms)
    output = " ".join(ground.run(*EXPORT, "-e", "billing_format=dolibarr", expect=2, **terms).split())
    assert "client 'acme': field 'exports': 'dolibarr' is missing" in output
    bad = {"billing_operators": {"root": {"email": 3}}, "billing_format": "kimai_csv"}
    assert "'acmee' is neither" in ground.run(*EXPORT, "-e", "billing_client=acmee", expect=2, **terms)
    output = " ".join(ground.run(*EXPORT, "-e", json.dumps(bad), expect=2, **terms).split())
    assert "operators: 'root': field 'email' must be a text" in output
    assert not (ground.path / "out").exists()


def test_a_run_for_two_clients_is_shared_by_the_time_that_their_hosts_were_at_work(ground: Any) -> None:
    terms = {**TERMS, "billing": {"sharing": "busy"}}
    environment = {"INFOGERANCE_PERIMETER_AGREEMENTS": str(ground.write("terms.yml", json.dumps(terms)))}
    ground.play(
        """
- hosts: web1:db1
  gather_facts: false
  vars: {infogerance_scope: migration}
  tasks:
    - {name: Work, ansible.builtin.command: "sleep {{ 3 if inventory_hostname == 'web1' else 0 }}"}
""",
        **environment,
    )
    now = ground.only()["started_at"][:7]
    ground.run(
        *("infogerance.perimeter.billing", "-e", f"billing_period={now}", "-e", "billing_directory=out"),
        *("-e", "billing_format=json"),
        **environment,
    )
    told = json.loads(files(ground)[0].read_text())["lines"]
    spent = {line["client"]: line["milliseconds"] for line in told}
    assert spent["acme"] > 1.3 * spent["globex"] > 0


def test_a_report_and_a_bill_of_one_month_are_of_the_same_hours(ground: Any) -> None:
    terms = {"INFOGERANCE_PERIMETER_AGREEMENTS": str(ground.write("terms.yml", json.dumps(TERMS)))}
    # November has begun in Paris, and not yet in UTC.
    ground.play(RECORD.replace("2026-11-23T14:00+01:00", "2026-10-31T23:30+00:00"), **terms)
    ground.run(*EXPORT, "-e", "billing_format=json", **terms)
    ground.run(
        *("infogerance.perimeter.report", "-e", "report_period=2026-11", "-e", "report_client=acme"),
        *("-e", "report_directory=reports", "-e", '{"report_formats": ["json"]}'),
        **terms,
    )
    [report] = (ground.path / "reports").glob("*.json")
    told = {run["run_id"] for run in json.loads(report.read_text())["interventions"]}
    billed = {line["run_id"] for line in json.loads(files(ground)[0].read_text())["lines"]}
    assert len(billed) == 1
    assert billed < told


def test_an_intervention_that_cannot_be_read_is_named_and_the_others_are_exported(ground: Any) -> None:
    terms = {"INFOGERANCE_PERIMETER_AGREEMENTS": str(ground.write("terms.yml", json.dumps(TERMS)))}
    ground.play(RECORD, **terms)
    by_hand = "SELECT run_id FROM records WHERE kind = 'started' AND json_extract(body, '$.origin') = 'manual'"
    spoilt = ground.query(f"{by_hand} AND body LIKE '%routine_maintenance%'")[0]["run_id"]
    connection = sqlite3.connect(ground.ledger)
    change = f"UPDATE records SET body = '{{' WHERE kind = 'ended' AND run_id = '{spoilt}'"
    connection.executescript(f"DROP TRIGGER records_no_update; {change}")
    connection.close()
    output = " ".join(ground.run(*EXPORT, "-e", "billing_in_contract=true", **terms).split())
    assert f"1 interventions are in no file, because they cannot be read: {spoilt}" in output
    assert "1 lines exported" in output
    assert len(files(ground)) == 1
