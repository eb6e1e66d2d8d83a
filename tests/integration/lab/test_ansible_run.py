# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Ansible half of the lab: real SSH, real results, nothing of the caller's own settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab import Host, LabError
from lab.ansible_run import AnsibleRunner, PlayRun

ModuleCall = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture(scope="module")
def shared(module_hosts: Callable[..., Host]) -> Host:
    return module_hosts("ansible")


def test_a_module_runs_on_the_host_as_root_over_ssh(shared: Host, ansible: ModuleCall) -> None:
    rc, result, _out = ansible(shared, "ansible.builtin.command", {"cmd": "sh -c 'id -u; hostname; echo $SUDO_USER'"})
    assert rc == 0
    assert result["stdout_lines"] == ["0", shared.name, "deploy"]


def test_without_become_the_module_runs_as_the_login_user(shared: Host, ansible: ModuleCall) -> None:
    _rc, result, _out = ansible(shared, "ansible.builtin.command", {"cmd": "id -un"}, become=False)
    assert result["stdout"] == "deploy"


def test_check_mode_and_diff_reach_the_module(shared: Host, ansible: ModuleCall) -> None:
    args = {"dest": "/etc/lab-check", "content": "hello\n", "mode": "0644"}
    rc, result, _out = ansible(shared, "ansible.builtin.copy", args, check=True, diff=True)
    assert rc == 0
    assert result["changed"] is True
    assert result["diff"][0]["after"] == "hello\n"
    assert not shared.exists("/etc/lab-check")


def test_a_failing_task_gives_its_result_and_a_non_zero_code(shared: Host, ansible: ModuleCall) -> None:
    rc, result, out = ansible(shared, "ansible.builtin.command", {"cmd": "false"})
    assert rc == 2
    assert result["rc"] == 1
    assert "FAILED" in out


def test_a_refused_login_is_unreachable_and_no_crash(shared: Host, ansible: ModuleCall) -> None:
    rc, result, _out = ansible(shared, "ansible.builtin.ping", {}, user="nobody")
    assert rc == 4
    assert result["unreachable"] is True


def test_a_playbook_run_reports_each_task_and_the_stats(shared: Host, ansible_playbook: Callable[..., PlayRun]) -> None:
    play = {
        "hosts": "web",
        "gather_facts": False,
        "tasks": [
            {"name": "First", "ansible.builtin.ping": {}},
            {"name": "Never", "ansible.builtin.ping": {}, "when": False},
        ],
    }
    run = ansible_playbook([shared], [play], groups={"web": [shared.name]})
    assert run.rc == 0
    assert [(row.task, row.status) for row in run.tasks] == [("First", "ok"), ("Never", "skipped")]
    assert run.stats[shared.name]["ok"] == 1
    with pytest.raises(LabError, match="2 results"):
        run.one(shared.name)


def test_settings_of_the_caller_do_not_reach_ansible(
    shared: Host, ansible: ModuleCall, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ansible.cfg").write_text("[defaults]\ncallbacks_enabled =\ncallback_plugins = /nonexistent\n")
    monkeypatch.chdir(tmp_path)
    # With either of the two in force no result would be recorded.
    monkeypatch.setenv("ANSIBLE_CALLBACKS_ENABLED", "")
    rc, _result, out = ansible(shared, "ansible.builtin.ping", {})
    assert rc == 0, out


def test_the_collection_is_the_checkout_itself(runner: AnsibleRunner) -> None:
    link = runner.work / "collections" / "ansible_collections" / "infogerance" / "perimeter"
    assert link.resolve() == runner.root.resolve()
    assert (link / "galaxy.yml").exists()


def test_sockets_are_private_and_their_paths_short(runner: AnsibleRunner) -> None:
    assert runner.work.stat().st_mode & 0o077 == 0
    assert len(str(runner.sockets)) < 60
