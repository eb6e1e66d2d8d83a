# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One person leaves: closed everywhere, nobody else touched, and what remains is found and named."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab import Host
from lab.demo_keys import key_pair

PLAYBOOK = "infogerance.perimeter.departure"
PERSON = "bob.leroy"


@dataclass
class Fleet:
    first: Host
    second: Host
    variables: dict[str, Any]
    key: Any

    @property
    def hosts(self) -> list[Host]:
        return [self.first, self.second]

    def opens(self, host: Host, account: str) -> bool:
        return host.ssh(account, "true", self.key).returncode == 0


@pytest.fixture
def fleet(make_host, tmp_path) -> Fleet:
    bob, old, alice = key_pair("bob@desk"), key_pair("bob@old"), key_pair("alice@laptop")
    bob.save(tmp_path / "bob")
    hosts = [make_host("one"), make_host("two")]
    for host in hosts:
        for name, line in (("bob", bob.line), ("alice", alice.line), ("eve", alice.line)):
            host.run(f"useradd -m -s /bin/bash -p '*' {name}")
            host.write(f"/home/{name}/.ssh/authorized_keys", f"{line}\n", 0o600, f"{name}:{name}")
            host.run(f"chown {name}: /home/{name}/.ssh && chmod 700 /home/{name}/.ssh")
    deploy = hosts[0].key.with_name(hosts[0].key.name + ".pub").read_text().strip()
    declared = [
        {"name": "deploy", "keys": [deploy], "sudo": {"commands": ["ALL"], "nopasswd": True}},
        {"name": "bob", "person": PERSON, "keys": [bob.line]},
        {"name": "alice", "person": "alice.martin", "keys": [alice.line]},
    ]
    variables = {
        "access_ssh_accounts": declared,
        "access_manage": {"local_people": True},
        "departure_person": PERSON,
        "departure_keys": [old.line],
    }
    return Fleet(hosts[0], hosts[1], variables, tmp_path / "bob")


def _summary(folder):
    (found,) = folder.glob("departure-*.json")
    return json.loads(found.read_text())


def test_one_command_closes_what_is_theirs_proves_it_and_touches_nobody_else(fleet, ansible_playbook, tmp_path):
    assert fleet.opens(fleet.first, "bob")
    folder = tmp_path / "out"
    # A key that no list has any more, in an account that is not theirs.
    fleet.second.write("/root/.ssh/authorized_keys", f"{key_pair('bob@old').line}\n", 0o600)
    variables = {**fleet.variables, "departure_directory": str(folder)}
    run = ansible_playbook(fleet.hosts, PLAYBOOK, extra_vars=variables)
    assert run.rc != 0, run.stdout
    assert f"{PERSON} may still get in: {fleet.second.name}" in " ".join(run.stdout.split()), run.stdout
    summary = _summary(folder)
    rows = {row["host"]: row for row in summary["hosts"]}
    assert rows[fleet.first.name]["state"] == "proved", rows
    assert [way["action"] for way in rows[fleet.first.name]["closed"]][:1] == ["disable"]
    (left,) = rows[fleet.second.name]["left"]
    assert (left["kind"], left["path"], left["account"]) == ("ssh_key", "/root/.ssh/authorized_keys", "root")
    for host in fleet.hosts:
        assert not fleet.opens(host, "bob")
        # eve is obsolete, too, but that is another matter: only bob leaves.
        assert host.run("getent shadow eve alice | cut -d: -f8").stdout.split() == []
    fleet.second.run(left["command"])
    again = ansible_playbook(fleet.hosts, PLAYBOOK, extra_vars=variables)
    assert again.rc == 0, again.stdout
    assert _summary(folder)["complete"] is True


def test_a_host_that_cannot_be_reached_is_named_and_nothing_is_called_complete(fleet, ansible_playbook, tmp_path):
    folder = tmp_path / "out"
    fleet.second.run("pkill -x sshd; rm -f /usr/sbin/sshd", check=False)
    variables = {**fleet.variables, "departure_directory": str(folder)}
    run = ansible_playbook(fleet.hosts, PLAYBOOK, extra_vars=variables)
    assert run.rc != 0
    states = {row["host"]: row["state"] for row in _summary(folder)["hosts"]}
    assert states == {fleet.first.name: "proved", fleet.second.name: "unreachable"}, run.stdout
    announced = {path.name.rsplit("-", 1)[1]: path.read_text() for path in folder.glob("announcement-*")}
    assert set(announced) == {"fr.txt", "en.txt"}
    assert f"- {fleet.first.name}: no way in is left (1 closed)" in announced["en.txt"]
    assert f"- {fleet.second.name} : serveur injoignable, vérification à refaire" in announced["fr.txt"]
    assert not fleet.opens(fleet.first, "bob")


def test_a_limited_run_proves_what_it_looked_at_and_tells_what_it_did_not(fleet, ansible_playbook, tmp_path):
    folder = tmp_path / "out"
    variables = {**fleet.variables, "departure_directory": str(folder)}
    limit = ("--limit", fleet.second.name)
    run = ansible_playbook(fleet.hosts, PLAYBOOK, extra_vars=variables, arguments=limit)
    assert run.rc == 0, run.stdout + run.stderr
    summary = _summary(folder)
    states = {row["host"]: row["state"] for row in summary["hosts"]}
    assert states == {fleet.first.name: "left_out", fleet.second.name: "proved"}
    assert summary["complete"] is False
    assert f"{fleet.first.name}: left_out" in run.stdout
    assert not fleet.opens(fleet.second, "bob")
    assert fleet.opens(fleet.first, "bob")
    # Whoever is limited to a host that is away hears of it, too.
    fleet.second.run("pkill -x sshd; rm -f /usr/sbin/sshd", check=False)
    away = ansible_playbook(fleet.hosts, PLAYBOOK, extra_vars=variables, arguments=limit)
    assert away.rc != 0
    assert f"{PERSON} may still get in: {fleet.second.name}" in " ".join(away.stdout.split()), away.stdout


def test_before_its_day_a_departure_is_only_told(fleet, ansible_playbook, tmp_path):
    day = (datetime.now(UTC) + timedelta(days=7)).date().isoformat()
    folder = tmp_path / "out"
    variables = {**fleet.variables, "departure_since": day, "departure_directory": str(folder)}
    run = ansible_playbook([fleet.first], PLAYBOOK, extra_vars=variables)
    assert run.rc == 0, run.stdout
    summary = _summary(folder)
    assert [row["state"] for row in summary["hosts"]] == ["planned"]
    assert summary["complete"] is False
    assert fleet.opens(fleet.first, "bob")


def test_clients_are_told_when_staff_leaves_whom_they_worked_for(fleet, ansible_playbook, tmp_path):
    ledger = tmp_path / "ledger.sqlite3"
    env = {
        "ANSIBLE_CALLBACKS_ENABLED": "infogerance.perimeter.intervention,record_results",
        "INFOGERANCE_PERIMETER_LEDGER": str(ledger),
    }
    folder = tmp_path / "out"
    variables = {
        **fleet.variables,
        "infogerance_client": "acme",
        "departure_directory": str(folder),
        "departure_staff": True,
        "departure_provider": "Example hosting",
        "awx_user_name": PERSON,
    }
    work = [{"hosts": "all", "gather_facts": False, "tasks": [{"name": "Work", "ansible.builtin.ping": {}}]}]
    assert ansible_playbook([fleet.first], work, extra_vars=variables, extra_env=env).rc == 0
    # A dry run touches nobody's server.
    rehearsed = {**variables, "infogerance_client": "globex"}
    assert ansible_playbook([fleet.first], work, extra_vars=rehearsed, extra_env=env, check=True).rc == 0
    # The client of this server is known by its group, as most are.
    del variables["infogerance_client"]
    known = {"client_acme": [fleet.first.name]}
    run = ansible_playbook([fleet.first], PLAYBOOK, extra_vars=variables, extra_env=env, groups=known)
    assert run.rc == 0, run.stdout
    notices = {path.name.rsplit("-", 1)[1]: path.read_text() for path in folder.glob("notice-acme-*")}
    assert set(notices) == {"fr.txt", "en.txt"}
    assert not list(folder.glob("notice-globex-*")) and not list(folder.glob("announcement-*"))
    assert f"{PERSON} quitte Example hosting" in notices["fr.txt"]
    assert datetime.now(UTC).strftime("le %d/%m/%Y") in notices["fr.txt"]
    assert f"- {fleet.first.name}: no way in is left (1 closed)" in notices["en.txt"]


@pytest.mark.parametrize("day", ["soon", "2026-13-01"])
def test_a_day_that_is_none_is_refused_before_anything_changes(fleet, ansible_playbook, day):
    run = ansible_playbook([fleet.first], PLAYBOOK, extra_vars={**fleet.variables, "departure_since": day})
    assert run.rc != 0
    assert fleet.opens(fleet.first, "bob")
