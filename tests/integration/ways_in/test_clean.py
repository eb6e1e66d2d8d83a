# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No noise: what a clean Debian, and a host that this collection set up, have no findings of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.ways_in import last_looks
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.access import matrix, open_ways
from lab import Host, Lab
from lab.ansible_run import PlayRun
from tests.integration.ways_in import ways
from tests.integration.ways_in.conftest import Look, lists

#: Packages whose own crontabs, units, accounts, PAM lines and setuid programs must not be told.
STOCKED = ("chrony", "exim4-daemon-light", "fail2ban", "iptables", "libcap2-bin", "mariadb-server", "nginx", "openvpn",
           "policykit-1", "postgresql", "redis-server", "rsyslog", "samba", "ufw", "unattended-upgrades",
           "vsftpd")  # fmt: skip

MARIADB = r"""
CREATE USER 'bob'@'%' IDENTIFIED BY 'x'; CREATE USER 'shop'@'198.51.100.7' IDENTIFIED BY 'x';
CREATE USER 'o''ne\\two'@'%' IDENTIFIED BY 'x'; CREATE USER ''@'203.0.113.0/255.255.255.0';
CREATE USER 'near'@'localhost' IDENTIFIED BY 'x'; CREATE ROLE staff;
"""


def told(result: dict[str, Any]) -> list[tuple[str, str, str | None, str]]:
    return [(row["kind"], row["path"], row["account"], row["entry"]) for row in result["findings"]]


@pytest.mark.soak
@pytest.mark.parametrize("release", ["bullseye", "bookworm", "trixie"])
@pytest.mark.parametrize("flavour", ["plain", "systemd"])
def test_a_clean_debian_has_no_findings(make_host: Any, look: Look, release: str, flavour: str) -> None:
    result = look(make_host("clean", flavour=flavour, release=release))
    assert told(result) == []
    assert (result["unread"], result["limits"]) == ([], [])


@pytest.mark.soak
def test_a_host_with_many_services_has_only_what_their_packages_open(make_host: Any, look: Look) -> None:
    host: Host = make_host("stocked", flavour="systemd", extra_packages=STOCKED)
    result = look(host)
    # Debian's vsftpd lets accounts in by FTP with their passwords: that is a way in, and a reviewer wants to know.
    assert [row[:2] for row in told(result)] == [("ftp_accounts", "/etc/vsftpd.conf")]
    assert result["limits"] == []

    # Accounts of a database that take connections from elsewhere, with the worst of names.
    host.run(["mariadb", "-e", MARIADB])
    rows = [row for row in look(host)["findings"] if row["kind"] == "mariadb_account"]
    assert {(row["account"], row["entry"], row["person"]) for row in rows} == {
        ("bob", "bob@%", "bob.leroy"),
        ("shop", "shop@198.51.100.7", "bob.leroy"),
        ("o'ne\\two", "o'ne\\two@%", None),
        ("", "@203.0.113.0/255.255.255.0", None),
    }
    for row in rows:
        host.run(row["closes_with"]["command"])
    assert [row[:2] for row in told(look(host))] == [("ftp_accounts", "/etc/vsftpd.conf")]
    left = host.run(["mariadb", "-N", "-e", "SELECT User FROM mysql.user WHERE User IN ('near', 'staff')"]).stdout
    assert sorted(left.split()) == ["near", "staff"]


def test_a_host_that_this_collection_set_up_has_no_findings(
    make_host: Any, look: Look, lab: Lab, ansible_playbook: Callable[..., PlayRun], tmp_path: Path
) -> None:
    host: Host = make_host("set-up", flavour="systemd")
    own = lists(lab)["accounts"][0]["keys"]
    accounts = [
        {"name": "deploy", "person": "the team", "keys": own},
        {"name": "alice", "person": "alice.martin", "keys": [ways.ALICE_KEY], "groups": ["adm", "sudo"]},
        {"name": "carol", "person": "carol.petit", "keys": [ways.key("carol")], "sudo": {"commands": ["ALL"]}},
    ]
    addresses = [{"address": "192.0.2.7", "owner": "alice.martin"}, {"address": "10.0.0.0/8", "owner": "the team"}]
    variables = {
        "access_ssh_accounts": accounts,
        "access_privileged_ips": addresses,
        "access_privileged_ips_sinks": [{"backend": "nftables", "ports": [22]}],
        "access_privileged_ips_allow": ["10.0.0.0/8"],
        "access_privileged_ips_min_prefix_ipv4": 8,
        "access_privileged_ips_controller": "keep",
    }
    run = ansible_playbook([host], "infogerance.perimeter.reconcile", extra_vars=variables)
    assert run.rc == 0, run.stdout

    result = look(host, accounts=accounts, addresses=addresses, people=[])

    assert told(result) == []
    assert (result["unread"], result["limits"]) == ([], [])
    kinds = {(row["kind"], row["account"], row["person"]) for row in result["declared"]}
    assert {
        ("ssh_key", "alice", "alice.martin"),
        ("sudo_rule", "alice", "alice.martin"),
        ("sudo_rule", "carol", "carol.petit"),
    } <= kinds

    audit = ansible_playbook(
        [host], "infogerance.perimeter.audit", extra_vars={**variables, "audit_ways_accept": ways.OF_THE_LAB}
    )
    assert audit.rc == 0, audit.stdout
    assert "ways_in: 0 that no list covers" in audit.stdout

    # A leaver's key in root's account: the audit tells it, and the report's matrix has it at the leaver.
    host.run(ways.put(ways.BOB_KEY, "/root/.ssh/authorized_keys", mode="600"))
    ledger = tmp_path / "ledger.sqlite3"
    leaver = {"person": "bob.leroy", "keys": [ways.BOB_KEY]}
    audit = ansible_playbook(
        [host],
        "infogerance.perimeter.audit",
        extra_vars={**variables, "audit_ways_accept": ways.OF_THE_LAB, "audit_ways_people": [leaver]},
        extra_env={
            "ANSIBLE_CALLBACKS_ENABLED": "infogerance.perimeter.intervention",
            "INFOGERANCE_PERIMETER_LEDGER": str(ledger),
        },
    )
    assert audit.rc == 0, audit.stdout
    assert "ways_in: 1 that no list covers" in audit.stdout
    with Ledger(ledger).reading() as connection:
        looks = last_looks(connection, "9999")
    lines = {line["name"]: line["servers"] for line in matrix(open_ways(looks, datetime.now(UTC).date()))}
    (marks,) = lines["bob.leroy"].values()
    assert [(mark["kind"], mark["state"]) for mark in marks] == [("way_in", "undeclared")]
