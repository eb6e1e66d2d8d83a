# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""However a run ends, the ledger tells the truth about it."""

from __future__ import annotations

import signal
from typing import Any

import pytest

SLEEPING = """
- hosts: web1
  gather_facts: false
  tasks:
    - name: Leave a trace
      ansible.builtin.command: "true"
    - name: Sleep
      ansible.builtin.shell: touch "{{ playbook_dir }}/marker" && sleep 30
"""


def test_a_run_that_works_is_recorded_with_its_hosts_clients_and_changes(ground: Any) -> None:
    ground.play(
        """
- hosts: client_acme:client_globex
  gather_facts: false
  tasks:
    - name: Look
      ansible.builtin.command: "true"
      changed_when: false
    - name: Change
      ansible.builtin.command: "true"
    - name: Never
      ansible.builtin.command: "true"
      when: false
""",
        "--limit",
        "web*,db1",
    )
    run = ground.only()
    assert (run["outcome"], run["complete"], run["check_mode"]) == ("ok", 1, 0)
    assert run["ended"]["counts"] == {
        "ok": 6,
        "changed": 3,
        "failed": 0,
        "unreachable": 0,
        "skipped": 3,
        "rescued": 0,
        "ignored": 0,
    }
    assert run["started"]["limit"] == "web*,db1"
    assert run["started"]["operator"]["name"]
    assert run["started_at"] < run["ended_at"]
    assert {name: (row["client"], row["verdict"]) for name, row in ground.hosts().items()} == {
        "web1": ("acme", "changed"),
        "web2": ("acme", "changed"),
        "db1": ("globex", "changed"),
    }
    assert ground.tasks() == [(host, "changed", "Change") for host in ("db1", "web1", "web2")]


def test_failed_unreachable_ignored_and_rescued_are_told_apart(ground: Any) -> None:
    ground.play(
        """
- hosts: all
  gather_facts: false
  tasks:
    - name: Reach
      ansible.builtin.command: "true"
      changed_when: false
    - name: Ignored
      ansible.builtin.command: "false"
      ignore_errors: true
      when: inventory_hostname == 'web1'
    - when: inventory_hostname == 'web2'
      block:
        - name: Rescued
          ansible.builtin.command: "false"
      rescue:
        - name: Rescue
          ansible.builtin.command: "true"
    - name: Fails
      ansible.builtin.command: "false"
      when: inventory_hostname == 'db1'
""",
        expect=4,
    )
    run = ground.only()
    assert (run["outcome"], run["complete"]) == ("failed", 1)
    assert {name: row["verdict"] for name, row in ground.hosts().items()} == {
        "web1": "changed",
        "web2": "changed",
        "db1": "failed",
        "dead1": "unreachable",
    }
    assert ground.tasks() == [
        ("db1", "failed", "Fails"),
        ("dead1", "unreachable", "Reach"),
        ("web1", "failed", "Ignored"),
        ("web2", "changed", "Rescue"),
        ("web2", "failed", "Rescued"),
    ]
    counts = run["ended"]["counts"]
    assert (counts["rescued"], counts["ignored"], counts["failed"], counts["unreachable"]) == (1, 1, 1, 1)


def test_only_unreachable_hosts_make_the_run_unreachable(ground: Any) -> None:
    ground.play("- hosts: dead1\n  gather_facts: false\n  tasks: [{ansible.builtin.ping: }]\n", expect=4)
    assert ground.only()["outcome"] == "unreachable"


def test_an_interrupt_from_the_keyboard_is_recorded_at_once_as_aborted(ground: Any) -> None:
    assert ground.stop(SLEEPING, signal.SIGINT) == 99
    run = ground.only()
    assert (run["outcome"], run["complete"]) == ("aborted", 0)
    assert ground.tasks() == [("web1", "changed", "Leave a trace")]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_is_marked_as_interrupted_by_the_next_one(ground: Any, how: signal.Signals) -> None:
    assert ground.stop(SLEEPING, how) == -how
    assert ground.only()["outcome"] == "running"
    ground.play("- hosts: web1\n  gather_facts: false\n  tasks: [{ansible.builtin.ping: }]\n")
    killed, after = ground.interventions()
    assert (killed["outcome"], killed["ended"]["reason"]) == ("interrupted", "its process is gone")
    assert after["outcome"] == "ok"
    assert ("web1", "changed", "Leave a trace") in ground.tasks()


def test_an_error_in_a_play_is_recorded_as_aborted(ground: Any) -> None:
    ground.play(
        """
- hosts: web1
  gather_facts: false
  tasks: [{name: Change, ansible.builtin.command: "true"}]
- hosts: "{{ nobody_set_this }}"
  tasks: [{ansible.builtin.ping: }]
""",
        expect=4,
    )
    run = ground.only()
    assert (run["outcome"], run["complete"]) == ("aborted", 0)
    assert ground.hosts()["web1"]["verdict"] == "changed"


def test_two_playbooks_in_one_command_are_two_interventions_with_counts_of_their_own(ground: Any) -> None:
    task = "- hosts: {}\n  gather_facts: false\n  tasks: [{{ansible.builtin.command: 'true'}}]\n"
    ground.write("a.yml", task.format("client_acme"))
    ground.write("b.yml", task.format("web1,db1"))
    ground.run("a.yml", "b.yml")
    first, second = ground.interventions()
    assert [run["playbook"] for run in (first, second)] == ["a.yml", "b.yml"]
    assert [run["complete"] for run in (first, second)] == [1, 1]
    assert first["ended"]["counts"]["changed"] == 2
    assert second["ended"]["counts"]["changed"] == 2
    hosts = ground.query("SELECT run_id, host FROM intervention_hosts")
    assert {row["host"] for row in hosts if row["run_id"] == second["run_id"]} == {"web1", "db1"}


def test_a_failure_in_the_first_playbook_does_not_colour_the_second(ground: Any) -> None:
    ground.write("a.yml", "- hosts: web1\n  gather_facts: false\n  tasks: [{ansible.builtin.command: 'true'}]\n")
    ground.write("b.yml", "- hosts: web1\n  gather_facts: false\n  tasks: [{ansible.builtin.fail: {msg: no}}]\n")
    ground.run("a.yml", "b.yml", expect=2)
    assert [run["outcome"] for run in ground.interventions()] == ["ok", "failed"]


def test_no_host_matched_is_an_outcome_of_its_own(ground: Any) -> None:
    ground.play("- hosts: nobody\n  tasks: [{ansible.builtin.ping: }]\n")
    run = ground.only()
    assert (run["outcome"], run["complete"]) == ("no_hosts", 1)


def test_a_run_in_check_mode_is_recorded_as_such(ground: Any) -> None:
    ground.play(
        """
- hosts: web1
  gather_facts: false
  tasks:
    - name: Would write
      ansible.builtin.copy: {content: x, dest: "{{ playbook_dir }}/never", mode: "0600"}
""",
        "--check",
    )
    assert ground.only()["check_mode"] == 1
    assert not (ground.path / "never").exists()
    assert ground.tasks() == [("web1", "changed", "Would write")]


@pytest.mark.parametrize("strategy", ["linear", "free"])
def test_loops_includes_roles_and_handlers_are_counted_as_ansible_counts_them(ground: Any, strategy: str) -> None:
    ground.write("included.yml", "- {name: Included, ansible.builtin.command: 'true'}\n")
    ground.write("roles/web/tasks/main.yml", "- {name: In a role, ansible.builtin.command: 'true', notify: Restart}\n")
    ground.write("roles/web/handlers/main.yml", "- {name: Restart, ansible.builtin.command: 'true'}\n")
    ground.play(
        f"""
- hosts: client_acme:client_globex
  strategy: {strategy}
  gather_facts: false
  tasks:
    - name: Loop
      ansible.builtin.command: "true"
      loop: [1, 2, 3]
    - name: Include tasks
      ansible.builtin.include_tasks: included.yml
    - name: Include tasks in a loop
      ansible.builtin.include_tasks: included.yml
      loop: [1, 2]
    - name: Include a role
      ansible.builtin.include_role: {{name: web}}
    - name: Late handler
      ansible.builtin.meta: flush_handlers
    - name: Once
      ansible.builtin.command: "true"
      run_once: true
      when: "'{strategy}' == 'linear'"
    - name: Retry
      ansible.builtin.command: "true"
      register: answer
      until: answer.attempts | default(2) == 2
      delay: 0
"""
    )
    run = ground.only()
    assert run["ended"]["missing"] == []
    assert (run["outcome"], run["complete"]) == ("ok", 1)
    names = [name for host, _status, name in ground.tasks() if host == "web2"]
    assert sorted(names) == ["In a role", "Included", "Included", "Included", "Loop", "Restart", "Retry"]


def test_an_include_that_fails_is_complete_and_failed(ground: Any) -> None:
    ground.play(
        "- hosts: web1\n  gather_facts: false\n  tasks: [{ansible.builtin.include_tasks: absent.yml}]\n", expect=2
    )
    run = ground.only()
    assert (run["outcome"], run["ended"]["missing"]) == ("failed", [])


def test_serial_batches_and_several_plays_name_each_host_once(ground: Any) -> None:
    play = "- {hosts: client_acme, serial: 1, gather_facts: false, tasks: [{ansible.builtin.ping: }]}\n"
    ground.play(play + play)
    assert sorted(ground.hosts()) == ["web1", "web2"]
    assert ground.only()["complete"] == 1


def test_the_revision_of_the_playbooks_is_recorded_and_a_local_change_shows(ground: Any) -> None:
    import subprocess

    def git(*arguments: str) -> str:
        names = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", *names, *arguments], cwd=ground.path, check=True, capture_output=True, text=True
        ).stdout.strip()

    text = "- hosts: web1\n  gather_facts: false\n  tasks: [{ansible.builtin.ping: }]\n"
    ground.write("site.yml", text)
    git("init", "-q")
    git("add", "site.yml")
    git("commit", "-qm", "one")
    ground.play(text)
    ground.play(text + "# changed\n")
    clean, changed = ground.interventions()
    assert clean["revision"] == changed["revision"] == git("rev-parse", "HEAD")
    assert (clean["dirty"], changed["dirty"]) == (0, 1)
