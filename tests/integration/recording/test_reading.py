# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a recorded run to the report's files and the lookup's answer, through real ansible-playbook runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

CHANGE = """
- hosts: client_acme:client_globex
  gather_facts: false
  tasks: [{name: Change, ansible.builtin.command: "true"}]
"""
REPORT = "infogerance.perimeter.report"


def month() -> str:
    """The period of a run made now."""
    return f"{datetime.now(UTC):%Y-%m}"


def report(ground: Any, *extra: str, expect: int = 0, flags: tuple[str, ...] = ()) -> str:
    """Run the playbook of the collection."""
    variables = [part for item in extra for part in ("-e", item)]
    return str(ground.run(REPORT, *variables, *flags, expect=expect))


def test_the_playbook_shows_a_table_and_writes_all_files_once(ground: Any) -> None:
    ground.play(CHANGE)
    wanted = (f"report_period={month()}", "report_client=acme", "report_directory=reports")
    output = report(ground, *wanted, flags=("--check",))
    assert "changed=1" in output
    assert not (ground.path / "reports").exists()
    output = report(ground, *wanted)
    assert "Maintenance courante" in output
    assert "web1 web2" in output
    assert "db1" not in output
    names = sorted(path.name for path in (ground.path / "reports").iterdir())
    base = f"report-acme-{month()}-fr"
    assert names == [f"{base}-entry-points.csv", f"{base}-interventions.csv", f"{base}.html", f"{base}.json"]
    content = json.loads((ground.path / "reports" / f"{base}.json").read_text(encoding="utf-8"))
    assert content["summary"]["interventions"] == 1
    assert content["ledger"]["faults"] == []
    assert "changed=0" in report(ground, *wanted)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ((), "set report_period"),
        (("report_period=soon",), "period 'soon' cannot be read"),
        (("report_period=2026-11", "report_client=nobody"), "Known clients: acme, globex"),
        (("report_period=2026-11", "report_language=de"), "value of language must be one of: fr, en"),
        (("report_period=2026-11", "report_ledger=absent.sqlite3"), "there is no ledger at"),
    ],
)
def test_bad_input_is_named(ground: Any, variables: tuple[str, ...], message: str) -> None:
    ground.play(CHANGE)
    assert message in " ".join(report(ground, *variables, expect=2).split())


def test_the_lookup_gives_a_clients_interventions(ground: Any) -> None:
    ground.play(CHANGE)
    ground.play(
        f"""
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.copy:
        content: "{{{{ query('infogerance.perimeter.interventions', '{month()}', client='globex') | to_json }}}}"
        dest: "{{{{ playbook_dir }}}}/answer.json"
        mode: "0600"
"""
    )
    found = json.loads((ground.path / "answer.json").read_text(encoding="utf-8"))
    assert [[host["host"] for host in run["hosts"]] for run in found] == [["db1"]]
    assert [task["host"] for task in found[0]["tasks"]] == ["db1"]


def test_the_lookup_refuses_a_period_that_it_cannot_read(ground: Any) -> None:
    ground.play(CHANGE)
    output = ground.play(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n"
        "    - ansible.builtin.debug: {msg: \"{{ query('infogerance.perimeter.interventions', 'soon') }}\"}\n",
        expect=2,
    )
    assert "period 'soon' cannot be read" in " ".join(output.split())
