# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Without systemd cron starts the same program; with ansible-pull a machine looks after itself."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.schedule.control_node import ALICE, PACKAGES, install

pytestmark = pytest.mark.soak
CRON = "/etc/cron.d/infogerance-perimeter"
STATE = "/var/lib/infogerance-perimeter-schedule"
STATUS = f"{STATE}/status"


def role(**settings: Any) -> list[dict[str, Any]]:
    return [{"hosts": "all", "gather_facts": False, "roles": ["infogerance.perimeter.schedule"], "vars": settings}]


@pytest.fixture(scope="module")
def machine(module_hosts: Callable[..., Any], tarball: Path) -> Any:
    """A Debian host without systemd that has ansible-core, git and a repository about itself."""
    host = module_hosts("plain", release="trixie", extra_packages=PACKAGES)
    install(host, tarball)
    me = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"}
    lists = {"access_ssh_accounts": [{"name": "alice", "person": "alice.martin", "keys": [ALICE]}]}
    host.write("/srv/repo/inventory.yml", json.dumps({"all": {"hosts": {"localhost": {**me, **lists}}}}))
    host.write("/srv/repo/audit.yml", "- import_playbook: infogerance.perimeter.audit\n")
    host.write("/srv/repo/reconcile.yml", "- import_playbook: infogerance.perimeter.reconcile\n")
    who = "-c user.name=t -c user.email=t@example.org"
    host.run(f"cd /srv/repo && git init -q -b main && git add . && git {who} commit -qm lists")
    return host


def lines(host: Any) -> list[str]:
    return [line for line in host.read(CRON).decode().splitlines() if " run " in line]


def by_hand(host: Any, line: str) -> Any:
    """Run what cron would run, as whom cron would run it."""
    user, command = line.split(None, 6)[5:7]
    return host.run(["sh", "-c", command.partition(" 2>&1 |")[0]], user=user, check=False, timeout=300)


def test_a_host_without_systemd_gets_cron_entries_that_pull_and_reconcile_it(machine: Any, runner: Any) -> None:
    settings = {
        "schedule_mode": "pull",
        "schedule_pull_url": "/srv/repo",
        "schedule_pull_checkout": "main",
        "schedule_inventory": ["inventory.yml"],
        "schedule_audit_playbook": "audit.yml",
        "schedule_reconcile_playbook": "reconcile.yml",
        "schedule_jitter": 0,
        "schedule_notice_command": ["/usr/bin/tee", "/tmp/notice"],
        "schedule_jobs": [{"name": "self", "audit_cron": "7 4 * * *", "reconcile_cron": "*/1 * * * *"}],
    }
    # It pushed before, as a user without rights, who left a plugin that root's Ansible would load.
    left = f"{STATE}/ansible/plugins/callback/left.py"
    machine.write(left, "raise SystemExit('not mine')\n")
    machine.run(f"useradd -r perimeter && chown -R perimeter {STATE}")
    run = runner.playbook([machine], role(**settings), timeout=900)
    assert run.rc == 0, run.stdout + run.stderr
    assert machine.run(["stat", "-c", "%U %a", STATE]).stdout.strip() == "root 700"
    assert not machine.exists(left)
    aside = machine.run(f"ls -d {STATE}.of-perimeter.*").stdout.strip()
    assert machine.run(["stat", "-c", "%U", f"{aside}/ansible/plugins/callback/left.py"]).stdout.strip() == "perimeter"
    audit, reconcile = lines(machine)
    assert audit.startswith("7 4 * * * root ")
    assert reconcile.startswith("*/1 * * * * root ")
    done = by_hand(machine, audit)
    assert done.returncode == 0, done.stdout
    assert machine.run(["id", "alice"], check=False).returncode == 1
    done = by_hand(machine, reconcile)
    assert done.returncode == 0, done.stdout
    assert machine.run(["id", "alice"], check=False).returncode == 0
    assert json.loads(machine.read(f"{STATUS}/reconcile-self.json"))["outcome"] == "ok"
    # A repository that is gone: the failure is told by the program itself, for cron has no OnFailure.
    machine.run("mv /srv/repo /srv/away")
    done = by_hand(machine, audit)
    machine.run("mv /srv/away /srv/repo")
    assert done.returncode != 0
    assert "audit of self" in machine.read("/tmp/notice").decode()
    again = runner.playbook([machine], role(**settings), timeout=900)
    assert again.stats[machine.name]["changed"] == 0, again.stdout
    gone = runner.playbook([machine], role(schedule_state="absent"), timeout=900)
    assert gone.rc == 0, gone.stdout
    assert not machine.exists(CRON)


def test_cron_itself_starts_it(machine: Any, runner: Any) -> None:
    settings = {
        "schedule_project": "/srv/repo",
        "schedule_inventory": ["inventory.yml"],
        "schedule_user": "root",
        "schedule_user_create": False,
        "schedule_jitter": 0,
        "schedule_jobs": [{"name": "self", "audit_cron": "* * * * *"}],
    }
    machine.run(f"rm -rf {STATUS}")
    machine.run("service cron start")
    assert runner.playbook([machine], role(**settings), timeout=900).rc == 0
    deadline = time.monotonic() + 180
    found: dict[str, Any] = {}
    while found.get("outcome") != "ok" and time.monotonic() < deadline:
        time.sleep(2)
        if machine.exists(f"{STATUS}/audit-self.json"):
            found = json.loads(machine.read(f"{STATUS}/audit-self.json"))
    assert found.get("outcome") == "ok", found
