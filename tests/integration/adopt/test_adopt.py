# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adopted lists are what the server has: an audit with them finds nothing obsolete and nothing missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab import Host
from lab.ansible_run import PlayRun
from tests.integration.ways_in import ways

#: What a user may write who wants to be more than a line of text: a template, a line break, YAML of their own.
TEMPLATE = '{{ lookup("ansible.builtin.pipe", "touch /tmp/adopt-pwned") }}'
PEOPLE = f"""
set -e
useradd -m -s /bin/bash -p '*' -c 'Alice Martin,,,' -G adm,sudo alice
useradd -m -s /bin/bash -p '*' -c '{TEMPLATE}' bob
useradd -m -s /usr/sbin/nologin -p '*' carol
useradd -m -s /bin/bash -p '*' -e 2020-01-01 dave
put() {{
    install -d -m 700 -o "$1" -g "$1" "/home/$1/.ssh"
    cat >> "/home/$1/.ssh/$2"
    chown "$1:$1" "/home/$1/.ssh/$2"
}}
echo '{ways.ALICE_KEY}' | put alice authorized_keys
echo 'from="192.0.2.7",no-pty {ways.BOB_KEY}' | put alice authorized_keys2
echo '{ways.BOB_KEY.rsplit(" ", 1)[0]} {TEMPLATE}' | put bob authorized_keys
printf 'not a key\\n' | put bob authorized_keys
echo '{ways.NOBODYS_KEY}' | put carol authorized_keys
install -d -m 700 /root/.ssh
echo '{ways.key("backup")}' > /root/.ssh/authorized_keys
echo 'alice ALL=(root) /usr/bin/less' > /etc/sudoers.d/alice
"""
VARIABLES: dict[str, Any] = {
    "access_privileged_ips_sinks": [{"backend": "nftables", "ports": [22]}],
    "access_privileged_ips_controller": "keep",
    "access_manage": {"local_people": True},
    "audit_ways": False,
}


def test_an_audit_with_the_adopted_lists_finds_nothing_obsolete_and_nothing_missing(
    make_host: Any, ansible_playbook: Callable[..., PlayRun], tmp_path: Path
) -> None:
    host: Host = make_host("adopt")
    host.run(PEOPLE)
    # The controller's own address, or the set would lock it out.
    controller = host.run("ip -4 route show default").stdout.split()[2]
    addresses = [controller, "192.0.2.7", {"address": "203.0.113.0/24", "list": "trusted"}]
    made = ansible_playbook(
        [host],
        "infogerance.perimeter.reconcile",
        extra_vars={**VARIABLES, "access_privileged_ips": addresses},
        timeout=900,
    )
    assert made.rc == 0, made.stdout
    # Without the state directory: the timer that watched over the change above clears its own things away.
    watched = ["/etc", "/home", "/root", "/var/spool"]
    before = host.snapshot(watched)

    written = ansible_playbook(
        [host],
        "infogerance.perimeter.adopt",
        extra_vars={**VARIABLES, "adopt_directory": str(tmp_path)},
        timeout=900,
    )

    assert written.rc == 0, written.stdout
    assert host.snapshot(watched) == before
    (lists,) = tmp_path.iterdir()
    assert lists.name == f"{host.name}.yml" and lists.stat().st_mode & 0o777 == 0o600
    text = lists.read_text()
    for doubt in (
        "review: alice: group sudo is as good as root",
        "review: alice: sudo by /etc/sudoers.d/alice line 1",
        "review: bob: /home/bob/.ssh/authorized_keys: line 2: no key",
        "review: carol: shell /usr/sbin/nologin",
        "review: dave: has expired on 2020-01-01: not declared",
        "review: root: root with keys",
        "opens bob, too",
    ):
        assert doubt in text

    audit = ansible_playbook(
        [host], "infogerance.perimeter.audit", extra_vars=VARIABLES, arguments=["-e", f"@{lists}"], timeout=900
    )

    assert audit.rc == 0, audit.stdout
    results = audit.entry_points()
    assert set(results) == {"ssh_accounts", "privileged_ips"}
    # What no list can hold, and what the file therefore has a comment for: an expired account, a rule of another file.
    assert {row["entry"] for row in results["ssh_accounts"]["obsolete"]} == {"dave", "alice /etc/sudoers.d/alice"}
    assert results["ssh_accounts"]["missing"] == []
    assert (results["privileged_ips"]["obsolete"], results["privileged_ips"]["missing"]) == ([], [])
    assert [row["action"] for kind in results.values() for row in kind["plan"]] == []
    assert not Path("/tmp/adopt-pwned").exists()


def test_a_file_that_is_there_stays_as_it_is(
    host: Host, ansible_playbook: Callable[..., PlayRun], tmp_path: Path
) -> None:
    mine = tmp_path / f"{host.name}.yml"
    mine.write_text(json.dumps({"access_ssh_accounts": []}))
    run = ansible_playbook(
        [host], "infogerance.perimeter.adopt", extra_vars={"adopt_directory": str(tmp_path)}, timeout=900
    )
    assert run.rc == 0, run.stdout
    assert mine.read_text() == json.dumps({"access_ssh_accounts": []})
    assert len(list(tmp_path.iterdir())) == 2
