# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role access: reached by a tag, in several turns of one play, and at the cost of few tasks."""

from __future__ import annotations

from typing import Any

import pytest

ROLE = "infogerance.perimeter.access"
ME = "deploy"


@pytest.fixture
def lists(host: Any) -> dict[str, Any]:
    public = host.key.with_name(host.key.name + ".pub").read_text().strip()
    return {
        "access_ssh_accounts": [{"name": ME, "keys": [public]}, {"name": "alice"}],
        "access_manage": {"local_people": True},
        "access_max_obsolete": "100%",
        "access_fleet_max_hosts": "100%",
    }


@pytest.mark.parametrize(
    "said",
    [
        {"roles": [{"role": ROLE, "tags": ["access"]}]},
        {"tasks": [{"ansible.builtin.import_role": {"name": ROLE}, "tags": ["access"]}]},
    ],
    ids=["roles", "import_role"],
)
def test_a_tag_takes_in_all_steps_of_the_role(
    said: dict[str, Any], host: Any, ansible_playbook: Any, lists: dict[str, Any]
) -> None:
    play = {"hosts": "all", "gather_facts": False, **said}
    run = ansible_playbook([host], [play], inventory_vars=lists, arguments=["--tags", "access"])
    assert run.rc == 0, run.stdout
    assert host.run(["id", "-un", "alice"]).stdout.split() == ["alice"]
    assert run.entry_points()["ssh_accounts"]["counts"]["applied"] > 0


def test_each_turn_of_a_play_tells_its_own_results(host: Any, ansible_playbook: Any, lists: dict[str, Any]) -> None:
    told = "hostvars[inventory_hostname] | infogerance.perimeter.access_results"
    tell = {
        "ansible.builtin.debug": {"msg": "{{ (%s)[0].counts.applied }}/{{ (%s)[0].counts.planned }}" % (told, told)}
    }

    def turn(**more: Any) -> list[dict[str, Any]]:
        return [{"ansible.builtin.include_role": {"name": ROLE}, "vars": {"access_show": False, **more}}, tell]

    without = {"access_ssh_accounts": lists["access_ssh_accounts"][:1], "access_obsolete": "disable"}
    # What is to do is done; nothing is left; a look at what an other list would do; that list, as it is carried out.
    tasks = [
        *turn(),
        *turn(),
        *turn(**without, access_audit=True),
        *turn(**without),
        *turn(**without, access_audit=True),
    ]
    play = {"hosts": "all", "gather_facts": False, "tasks": tasks}
    run = ansible_playbook([host], [play], inventory_vars=lists)
    assert run.rc == 0, run.stdout
    said = [
        row.result["msg"].split("/")
        for row in run.tasks
        if row.action == "ansible.builtin.debug"
        if "/" in row.result.get("msg", "")
    ]
    applied, planned = zip(*((int(done), int(due)) for done, due in said), strict=True)
    assert [count > 0 for count in applied] == [True, False, False, True, False], said
    assert [count > 0 for count in planned] == [True, False, True, True, False], said


def test_a_server_with_nothing_to_do_is_spared_the_tasks_that_do_it(
    make_host: Any, ansible_playbook: Any, lists: dict[str, Any], host: Any
) -> None:
    other = make_host("other")
    for _time in range(2):
        run = ansible_playbook([host, other], "infogerance.perimeter.reconcile", inventory_vars=lists)
        assert run.rc == 0, run.stdout
    assert [row.task for row in run.tasks if "apply |" in row.task] == []
    other.run(["userdel", "-r", "alice"])
    run = ansible_playbook([host, other], "infogerance.perimeter.reconcile", inventory_vars=lists)
    done = {row.host for row in run.tasks if "apply |" in row.task}
    assert done == {other.name}
    assert other.run(["id", "-un", "alice"]).stdout.split() == ["alice"]


def test_a_plan_that_is_refused_is_told_in_words_and_stops_its_host_alone(
    make_host: Any, ansible_playbook: Any, lists: dict[str, Any], host: Any
) -> None:
    other = make_host("other")
    for name in ("ann", "ben", "cat"):
        other.run(["useradd", "-m", name])
    before = other.stamps(["/etc/passwd", "/etc/shadow", "/home"])
    more = {"access_obsolete": "disable", "access_max_obsolete": 1, "access_fleet_max_hosts": 0}
    run = ansible_playbook([host, other], "infogerance.perimeter.reconcile", inventory_vars={**lists, **more})
    assert (run.rc, run.stats[host.name]["failures"], run.stats[other.name]["failures"]) == (2, 0, 1), run.stdout
    why = "3 of 4 managed entries of kind ssh_account would lose access, max_obsolete (1) allows 1: ann, ben, cat"
    (told,) = (row.result for row in run.tasks if row.status == "failed")
    assert told["msg"] == f"ssh_accounts: refused, nothing was changed: {why}"
    # What a person reads: the summary with its next step, and no result as one line of JSON.
    assert "next: nothing was changed" in run.stdout
    assert '"plan_id"' not in run.stdout
    assert other.stamps(["/etc/passwd", "/etc/shadow", "/home"]) == before
    # A host that is refused loses nothing, so it is no reason to stop the others.
    assert host.run(["id", "-un", "alice"]).stdout.split() == ["alice"]


def test_a_list_that_is_wrong_is_told_by_its_entry_and_field(
    host: Any, ansible_playbook: Any, lists: dict[str, Any]
) -> None:
    wrong = {**lists, "access_ssh_accounts": [*lists["access_ssh_accounts"], {"name": "bob", "uid": "many"}]}
    run = ansible_playbook([host], "infogerance.perimeter.reconcile", inventory_vars=wrong)
    assert run.rc == 2
    (told,) = (row.result["msg"] for row in run.tasks if row.status == "failed")
    assert told.startswith("ssh_accounts: bob: "), told
    assert "'uid'" in told
    assert host.run(["id", "alice"], check=False).returncode == 1
