# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the ledger cannot be written, and when many write at once."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.verification import verify

TOUCH = """
- hosts: web1
  gather_facts: false
  tasks:
    - ansible.builtin.file: {path: "{{ playbook_dir }}/did_run", state: touch, mode: "0600"}
"""


@pytest.fixture(params=["directory is a file", "not a ledger"])
def spoiled(request: pytest.FixtureRequest, ground: Any) -> Any:
    """A playground whose ledger cannot be used (root may write anywhere, so permissions are no obstacle here)."""
    if request.param == "directory is a file":
        ground.ledger.parent.write_text("in the way")
    else:
        ground.ledger.parent.mkdir()
        ground.ledger.write_text("these bytes are no SQLite file, and they must stay as they are")
    return ground


def test_warn_lets_the_run_go_on_and_says_so(spoiled: Any) -> None:
    output = spoiled.play(TOUCH, INFOGERANCE_PERIMETER_LEDGER_ERROR="warn")
    assert (spoiled.path / "did_run").exists()
    text = " ".join(output.split())
    assert "the run cannot be recorded and goes on all the same" in text
    assert "missing from the ledger" in text
    assert str(spoiled.ledger) in output.replace("\n", "")


def test_block_ends_the_run_before_its_first_task(spoiled: Any) -> None:
    before = spoiled.ledger.read_bytes() if spoiled.ledger.is_file() else None
    output = spoiled.play(TOUCH, expect=78, INFOGERANCE_PERIMETER_LEDGER_ERROR="block")
    assert not (spoiled.path / "did_run").exists()
    assert "the run is blocked, because it cannot be recorded" in " ".join(output.split())
    assert (spoiled.ledger.read_bytes() if spoiled.ledger.is_file() else None) == before


@pytest.mark.parametrize(
    "arguments", [["--check"], ["--skip-tags", "always"], ["--tags", "nothing"], ["--start-at-task", "x"]]
)
def test_no_option_slips_past_the_block(ground: Any, arguments: list[str]) -> None:
    ground.ledger.parent.write_text("in the way")
    ground.play(TOUCH, *arguments, expect=78, INFOGERANCE_PERIMETER_LEDGER_ERROR="block")
    assert not (ground.path / "did_run").exists()


def test_block_changes_nothing_for_a_run_that_can_be_recorded(ground: Any) -> None:
    ground.play(TOUCH, INFOGERANCE_PERIMETER_LEDGER_ERROR="block")
    assert ground.only()["outcome"] == "ok"


def test_a_ledger_that_vanishes_during_the_run_is_told(ground: Any) -> None:
    output = ground.play(
        """
- hosts: web1
  gather_facts: false
  tasks:
    - ansible.builtin.file: {path: "{{ playbook_dir }}/state", state: absent}
    - ansible.builtin.command: "true"
"""
    )
    # The end makes a new file, and the start is not in it: the record says that it is incomplete.
    rows = ground.query("SELECT body FROM records WHERE kind = 'ended'")
    assert '"complete":false' in rows[0]["body"], output


def test_eight_runs_at_once_lose_nothing(ground: Any) -> None:
    ground.play(TOUCH)
    ground.write(
        "many.yml",
        "- hosts: client_acme\n  gather_facts: false\n  tasks:\n"
        + "    - ansible.builtin.set_fact: {x: 1}\n      changed_when: true\n" * 5,
    )
    processes = [ground.start("many.yml") for _number in range(8)]
    outputs = [process.communicate(timeout=90)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, outputs
    runs = [run for run in ground.interventions() if run["playbook"] == "many.yml"]
    assert [(run["outcome"], run["complete"]) for run in runs] == [("ok", 1)] * 8
    assert ground.query("SELECT count(*) AS n FROM intervention_tasks WHERE location LIKE 'many.yml:%'")[0]["n"] == 80
    connection = sqlite3.connect(ground.ledger)
    connection.row_factory = sqlite3.Row
    assert verify(connection).faults == []
    connection.close()


def test_it_does_nothing_unless_it_is_enabled(ground: Any) -> None:
    ground.play(TOUCH, ANSIBLE_CALLBACKS_ENABLED="ansible.builtin.junit", JUNIT_OUTPUT_DIR=str(ground.path))
    assert not ground.ledger.exists()
