# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A result in the shape of the entry-point modules is stored, whatever the module's name."""

from __future__ import annotations

import json
from typing import Any

MODULE = """
from ansible.module_utils.basic import AnsibleModule

def main():
    module = AnsibleModule(argument_spec={"fail": {"type": "bool"}, "name": {"type": "str"}}, supports_check_mode=True)
    name = module.params["name"] or "old"
    remove = {"action": "remove", "kind": "ssh_account", "entry": name, "reason": "left on 2026-11-01", "person": "Bob"}
    result = {
        "changed": not module.check_mode,
        "entry_point_kind": "ssh_accounts",
        "plan_id": "ab" * 32,
        "plan": [remove],
        "obsolete": [
            {"kind": "ssh_account", "entry": name, "reason": "left on 2026-11-01", "managed": True},
            {"kind": "ssh_key", "entry": "SHA256:abc", "reason": "not declared", "managed": False},
        ],
        "missing": [],
        "protected": [],
        "unmanaged": [],
        "applied": [] if module.check_mode else [remove],
        "counts": {"declared": 1, "observed": 3, "obsolete": 2},
        "refused": [],
    }
    if module.params["fail"]:
        module.fail_json(msg="refused", **{**result, "applied": [], "refused": ["too many removals"]})
    module.exit_json(**result)

main()
"""


def changes(ground: Any) -> list[tuple[Any, ...]]:
    """The stored changes."""
    columns = ("host", "client", "entry", "action", "status", "person")
    rows = ground.query("SELECT * FROM entry_point_changes ORDER BY host, id")
    return [tuple(row[column] for column in columns) for row in rows]


def play(task: str) -> str:
    """A playbook with one task."""
    return f"- hosts: web1,db1\n  gather_facts: false\n  tasks:\n    - name: Accounts\n      {task}\n"


def test_applied_and_reported_entries_are_stored_with_host_and_client(ground: Any) -> None:
    ground.write("library/some_name.py", MODULE)
    ground.play(play("some_name:"))
    assert changes(ground) == [
        ("db1", "globex", "old", "remove", "applied", "Bob"),
        ("db1", "globex", "SHA256:abc", "report", "reported", None),
        ("web1", "acme", "old", "remove", "applied", "Bob"),
        ("web1", "acme", "SHA256:abc", "report", "reported", None),
    ]
    reviews = ground.query("SELECT * FROM entry_point_reviews")
    assert len(reviews) == 2
    assert json.loads(reviews[0]["counts"]) == {"declared": 1, "observed": 3, "obsolete": 2}
    assert ground.only()["complete"] == 1


def test_in_check_mode_they_are_planned(ground: Any) -> None:
    ground.write("library/some_name.py", MODULE)
    ground.play(play("some_name:"), "--check")
    assert [row[4] for row in changes(ground)] == ["planned", "reported"] * 2


def test_a_refused_plan_is_stored_with_its_reason(ground: Any) -> None:
    ground.write("library/some_name.py", MODULE)
    ground.play(play("some_name: {fail: true}"), expect=2)
    assert [row[4] for row in changes(ground)] == ["planned", "reported"] * 2
    assert json.loads(ground.query("SELECT refused FROM entry_point_reviews")[0]["refused"]) == ["too many removals"]


def test_the_items_of_a_loop_are_stored_each(ground: Any) -> None:
    ground.write("library/some_name.py", MODULE)
    ground.play(play('some_name: {name: "{{ item }}"}\n      loop: [a, b]'), "--limit", "web1")
    assert [row[2] for row in changes(ground) if row[4] == "applied"] == ["a", "b"]


def test_an_asynchronous_result_is_stored(ground: Any) -> None:
    ground.write("library/some_name.py", MODULE)
    ground.play(play("some_name:\n      async: 20\n      poll: 1"), "--limit", "web1")
    assert [row[4] for row in changes(ground)] == ["applied", "reported"]
