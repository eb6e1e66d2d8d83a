# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role access plans all kinds in one turn: what it tells, what it keeps quiet, and that it only looks."""

from __future__ import annotations

from typing import Any

import pytest

from lab.vpn import Authority

PLAN = "infogerance.perimeter.access_plan"
PASSWORD = "correct-horse-battery-staple"
KINDS = ["ssh_accounts", "privileged_ips", "vpn_certificates"]


@pytest.fixture(scope="module")
def server(module_hosts: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    host = module_hosts("one-turn")
    Authority.make(tmp_path_factory.mktemp("ca"), ["alice"], target="/etc/pki/vpn").install(host)
    return host


def options(host: Any, **more: Any) -> dict[str, Any]:
    gateway = host.run("ip -4 route show default").stdout.split()[2]
    return {
        "ssh_accounts": {"accounts": [{"name": "alice"}]},
        "privileged_ips": {
            "addresses": ["192.0.2.7", gateway],
            "sinks": [{"backend": "nftables", "lists": ["privileged"]}],
        },
        "vpn_certificates": {
            "certificates": [{"cn": "alice"}],
            "pki": {"backend": "openssl_ca", "config": "/etc/pki/vpn/openssl.cnf", "ca_password": PASSWORD},
        },
        **more,
    }


def test_all_kinds_are_planned_at_once_as_their_modules_plan_them_and_nothing_is_written(
    server: Any, ansible: Any
) -> None:
    asked = options(server)
    paths = ["/etc", "/var/lib", "/home"]
    before = server.snapshot(paths)
    rc, whole, output = ansible(server, PLAN, {**asked, "audit": True}, arguments=["-vvv"])
    assert rc == 0, output
    assert [row["entry_point_kind"] for row in whole["results"]] == KINDS
    assert whole["changed"] is True and whole["as_declared"] is False
    assert server.snapshot(paths) == before
    assert server.run("test -e /var/lib/infogerance-perimeter", check=False).returncode != 0
    for kind in KINDS:
        rc, alone, told = ansible(server, f"infogerance.perimeter.{kind}", asked[kind], check=True)
        assert rc == 0, told
        assert alone["plan_id"] == whole["plans"][kind]["plan_id"]
    # The one secret among the options: neither in what Ansible tells nor in the server's log.
    assert PASSWORD not in output


def test_a_fault_in_one_list_is_named_with_its_entry_and_the_others_are_planned_all_the_same(
    server: Any, ansible: Any
) -> None:
    wrong = {"accounts": [{"name": "alice", "key": "x"}]}
    rc, whole, output = ansible(server, PLAN, options(server, ssh_accounts=wrong))
    assert rc != 0
    assert "ssh_accounts: alice: key: unknown option" in whole["msg"], output
    assert list(whole["plans"]) == ["privileged_ips", "vpn_certificates"]
    rc, whole, output = ansible(server, PLAN, options(server, ssh_accounts={"accounts": [{"name": "Alice!"}]}))
    assert rc != 0
    assert (whole["entry"], whole["field"]) == ("Alice!", "name"), output
    assert list(whole["plans"]) == ["privileged_ips", "vpn_certificates"]


def test_an_unknown_kind_and_none_at_all_are_refused(server: Any, ansible: Any) -> None:
    for asked, told in (({"wireguard": {}}, "wireguard"), ({}, "one of the following")):
        rc, whole, _output = ansible(server, PLAN, asked)
        assert rc != 0
        assert told in whole["msg"]
