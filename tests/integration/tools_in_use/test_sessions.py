# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who was root without a record of why, from what real servers keep."""

from __future__ import annotations

import struct
import time
from pathlib import Path
from typing import Any

import pytest

from lab import Host
from lab.ansible_run import AnsibleRunner
from tests.integration.tools_in_use.conftest import Team
from tests.integration.tools_in_use.terminal import Terminal

#: alice may log in and become root; root itself may log in with the same key.
PEOPLE = (
    "id alice >/dev/null 2>&1 || useradd -m -s /bin/bash alice;"
    "printf 'alice ALL=(ALL) NOPASSWD: ALL\\n' > /etc/sudoers.d/alice; chmod 440 /etc/sudoers.d/alice;"
    "for who in alice root; do home=$(getent passwd $who | cut -d: -f6); mkdir -p -m 700 $home/.ssh;"
    "cp /home/deploy/.ssh/authorized_keys $home/.ssh/; chown -R $who $home/.ssh; done;"
    "grep -qx 'PermitRootLogin prohibit-password' /etc/ssh/sshd_config || "
    "printf 'PermitRootLogin prohibit-password\\n' >> /etc/ssh/sshd_config"
)
PLAYBOOK = "infogerance.perimeter.tools_in_use"
SETTINGS = {"tools_in_use_tolerance": 0, "tools_in_use_shared_accounts": ["deploy"], "tools_in_use_collect": False}


def become_root(host: Host, user: str) -> None:
    """A shell that reads no start-up file, so that no hook notes it."""
    command = ("bash", "--norc", "--noprofile") if user == "root" else ("sudo", "bash", "--norc", "--noprofile")
    with Terminal(host, command, user) as shell:
        shell.expect("# ")
        shell.type("exit\r")
        shell.ended()


def look(team: Team, **settings: Any) -> dict[str, Any]:
    run = team.play(PLAYBOOK, extra_vars={**SETTINGS, **settings})
    result: dict[str, Any] = run.one(action="infogerance.perimeter.privileged_sessions_info").result
    return result


def shells(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(row["account"], row["kind"]) for row in result["unexplained"] if row["interactive"]]


def test_a_shell_is_told_until_an_intervention_of_its_operator_accounts_for_it(team: Team) -> None:
    host = team.host
    host.run(PEOPLE)
    host.restart_sshd()
    become_root(host, "alice")
    # What accounts for both, below, lasts from the one's beginning to the other's end: more than no second.
    time.sleep(1.1)
    become_root(host, "root")
    host.ssh("alice", "sudo /usr/bin/env SECRET=planted-secret true; sudo -k; sudo -u deploy true")
    # Nor does the look's own run, which begins in a later second.
    time.sleep(1.1)

    found = look(team)

    assert shells(found) == [("alice", "sudo"), ("root", "ssh")]
    sudo, ssh = (row for row in found["unexplained"] if row["interactive"])
    assert (sudo["program"], sudo["source"]) == ("bash", "journal")
    assert sudo["tty"].startswith("pts/") and sudo["ended"] >= sudo["began"]
    assert ssh["key"].startswith("SHA256:") and ssh["address"] and ssh["ended"]
    others = [row for row in found["unexplained"] if not row["interactive"]]
    assert [(row["account"], row["program"], row["count"]) for row in others if row["account"] == "alice"] == [
        ("alice", "env", 1)
    ]
    # Ansible's own sudo has this run behind it.
    become = [row for row in found["sessions"] if row["kind"] == "become"]
    assert become
    assert {row["matched_by"] for row in become if row["intervention"]} == {"time"}
    assert "planted-secret" not in str(found)

    told = {
        "action": "record",
        "client": "acme",
        "hosts": [host.name],
        "category": "routine_maintenance",
        "start": sudo["began"],
        "end": ssh["ended"],
        "operator": "jeanne.martin",
        "note": "Looked at the disks",
    }
    task = {"name": "Tell", "infogerance.perimeter.intervention": told}
    team.play([{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}])
    assert shells(look(team)) == [("alice", "sudo"), ("root", "ssh")], "jeanne.martin is not known to be alice"
    again = look(
        team,
        tools_in_use_operators={"alice": ["jeanne.martin"]},
        tools_in_use_shared_accounts=["root", "deploy"],
        tools_in_use_tolerance=1,
    )
    assert shells(again) == []
    explained = {row["account"]: row["matched_by"] for row in again["sessions"] if row["interactive"]}
    # root's own is of the playbooks' operator here, who is root on the controller.
    assert explained["alice"] == "operator" and explained["root"] is not None


def test_a_user_cannot_forge_a_session_in_the_journal(team: Team) -> None:
    forged = "mallory : TTY=pts/9 ; PWD=/ ; USER=root ; COMMAND=/bin/bash"
    team.host.run(["runuser", "-u", "alice", "--", "logger", "-t", "sudo", forged])
    assert "mallory" not in str(look(team))


def test_root_is_found_in_a_last_log_of_any_length(team: Team) -> None:
    host = team.host
    began = int(time.time()) - 5 * 86400
    host.run("mv /var/log/lastlog /var/log/lastlog.kept")
    try:
        host.write("/var/log/lastlog", struct.pack("<i32s256s", began, b"tty9", b""))
        # Somebody of a directory, uid 200000, was here, too.
        host.run("truncate -s 58400292 /var/log/lastlog")
        found = look(team)
    finally:
        host.run("mv /var/log/lastlog.kept /var/log/lastlog")
    assert [row["kind"] for row in found["sessions"] if (row["tty"], row["source"]) == ("tty9", "lastlog")] == [
        "console"
    ]


def test_evomaintenances_log_is_taken_over_where_it_is_installed(team: Team) -> None:
    record = (
        "*********** 2026-11-23T09:35:49+0000 ***************\n"
        "Host      : web.example.org\nUser      : ada\nIP        : 192.0.2.7\nBegin     : 2026 Nov 23 09:00\n"
        "End       : 2026 Nov 23 09:35\nMessage   : Upgraded the database\n"
        "Hooks     : commit=1 db=0 api=0 mail=0\n"
    )
    team.host.write("/var/log/evomaintenance.log", record)
    # Check mode says what would be new, and stores nothing.
    for check, expected in ((True, (1, 0)), (False, (1, 0)), (True, (0, 1)), (False, (0, 1))):
        run = team.play(PLAYBOOK, extra_vars={"tools_in_use_days": 1}, check=check)
        done = run.one(action="infogerance.perimeter.interventions_collect").result
        assert (done["added"], done["known"], done["changed"]) == (*expected, expected[0] > 0)
    assert [row["note"] for row in team.noted() if row["origin"] == "evomaintenance"] == ["Upgraded the database"]


@pytest.mark.soak
def test_debian_13_keeps_logins_in_databases_and_they_are_read(
    make_host: Any, runner: AnsibleRunner, tmp_path: Path
) -> None:
    packages = ("lastlog2", "libpam-lastlog2", "libpam-wtmpdb", "wtmpdb")
    host = make_host("trixie", flavour="systemd", release="trixie", extra_packages=packages)
    team = Team(host, runner, tmp_path)
    host.run(PEOPLE)
    host.restart_sshd()
    become_root(host, "root")
    # Without the journal the databases alone tell.
    host.run(
        "journalctl --rotate --quiet; journalctl --vacuum-time=1s --quiet; rm -rf /run/log/journal/* /var/log/journal/*"
    )
    found = look(team)
    assert "/var/lib/wtmpdb/wtmp.db" in found["sources"]
    # sshd writes wtmp, too, where there is one: one login is one session all the same.
    assert "/var/log/wtmp" in found["sources"]
    assert shells(found) == [("root", "ssh")]
    assert {row["source"] for row in found["unexplained"] if row["interactive"]} <= {"wtmpdb", "lastlog2", "journal"}


@pytest.mark.soak
def test_where_rsyslog_writes_auth_log_it_is_read(make_host: Any, runner: AnsibleRunner, tmp_path: Path) -> None:
    host = make_host("rsyslog", extra_packages=("rsyslog",))
    host.run("rsyslogd; for i in $(seq 50); do [ -S /dev/log ] && break; sleep 0.1; done")
    team = Team(host, runner, tmp_path)
    host.run(PEOPLE)
    host.restart_sshd()
    become_root(host, "alice")
    found = look(team)
    assert "/var/log/auth.log" in found["sources"]
    assert shells(found)[:1] == [("alice", "sudo")]
    assert found["unexplained"][0]["source"] == "auth.log"


def test_a_command_that_was_over_before_the_journal_looked_is_told(team: Team) -> None:
    host = team.host
    host.run(PEOPLE)
    # The journal asks who wrote a line when it comes to it: on a busy server that is late.
    host.run("pkill -STOP -x systemd-journal")
    try:
        host.ssh("alice", "sudo /usr/bin/uname")
        # One that has ended keeps its name until somebody has asked how.
        host.run("for _ in $(seq 200); do pgrep -x sudo > /dev/null || exit 0; sleep 0.05; done; exit 1")
    finally:
        host.run("pkill -CONT -x systemd-journal; journalctl --sync")
    lines = host.run("journalctl -o json SYSLOG_IDENTIFIER=sudo | grep COMMAND=/usr/bin/uname").stdout
    assert "_COMM" not in lines, "the test did not make what it is about"
    # With an intervention or without: another run may have ended in that second.
    assert ("alice", "uname") in [(row["account"], row["program"]) for row in look(team)["sessions"]]
