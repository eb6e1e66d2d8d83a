# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The category of a real run, from each source that can name it."""

from __future__ import annotations

from typing import Any

import pytest

PLAIN = "- hosts: web1\n  gather_facts: false\n  tasks: [{ansible.builtin.ping: }]\n"
TAGGED = """
- hosts: web1
  gather_facts: false
  tasks:
    - ansible.builtin.ping:
    - ansible.builtin.ping:
      tags: ["scope:migration", move]
"""
VARIABLE = """
- hosts: web1
  gather_facts: false
  vars: {infogerance_scope: "{{ 'new_' ~ 'service' }}"}
  tasks: [{ansible.builtin.ping: }]
"""


@pytest.mark.parametrize(
    ("text", "arguments", "category", "contract", "source"),
    [
        (PLAIN, [], "routine_maintenance", "in", "default"),
        (TAGGED, [], "migration", "out", "tag"),
        (TAGGED, ["--skip-tags", "move"], "routine_maintenance", "in", "default"),
        (VARIABLE, [], "new_service", "out", "play_var"),
        (VARIABLE, ["-e", "infogerance_scope=migration"], "migration", "out", "extra_var"),
    ],
)
def test_the_category_and_every_rule_looked_at_are_recorded(
    ground: Any, text: str, arguments: list[str], category: str, contract: str, source: str
) -> None:
    ground.play(text, *arguments)
    run = ground.only()
    assert (run["category"], run["contract"], run["started"]["scope"]["source"]) == (category, contract, source)
    evaluations = run["started"]["scope"]["evaluations"]
    assert [item["source"] for item in evaluations][:3] == ["extra_var", "play_var", "tag"]
    assert next(item["category"] for item in evaluations if item["passed"]) == category


def test_a_rule_of_ones_own_catalogue_matches_playbook_and_group(ground: Any) -> None:
    ground.write(
        "catalogue.yml",
        """
version: 1
extends: builtin
rules:
  - name: acme's move
    category: migration
    when: {playbook: "site.*", host_group: client_acme}
""",
    )
    ground.play(PLAIN, INFOGERANCE_PERIMETER_CATALOGUE="catalogue.yml")
    assert ground.only()["category"] == "migration"


def test_a_mistyped_category_is_recorded_without_a_verdict_when_it_may_only_warn(ground: Any) -> None:
    output = ground.play(PLAIN, "-e", "infogerance_scope=hunter2typo")
    assert "names a category that the catalogue does not have: 'hunter2typo'" in " ".join(output.split())
    run = ground.only()
    assert (run["outcome"], run["category"], run["contract"]) == ("ok", None, None)
    assert b"hunter2typo" not in ground.ledger.read_bytes()


def test_a_mistyped_category_blocks_the_run_when_it_may(ground: Any) -> None:
    text = "- hosts: web1\n  gather_facts: false\n  tasks: [{ansible.builtin.file: {path: did_run, state: touch}}]\n"
    output = ground.play(
        text, "-e", "infogerance_scope=migratoin", expect=78, INFOGERANCE_PERIMETER_LEDGER_ERROR="block"
    )
    assert "migratoin" in output
    assert not (ground.path / "did_run").exists()
