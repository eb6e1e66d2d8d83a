# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All three kinds by the role, on each supported Debian release. `make matrix` runs it under each ansible-core."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.vpn import Authority

pytestmark = pytest.mark.soak
ALICE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGu2Q7oq5vTgCzVnbU0IZkY3w1lyRrpYyqLh0yD1bJ1x alice@laptop"
KINDS = ["ssh_accounts", "privileged_ips", "vpn_certificates"]


@pytest.mark.parametrize("release", ["bullseye", "bookworm", "trixie"])
def test_a_server_is_made_to_agree_once_and_then_found_so(
    release: str, make_host: Callable[..., Any], runner: Any, tmp_path: Path
) -> None:
    host = make_host("platform", release=release)
    host.run("useradd -m carol")
    Authority.make(tmp_path / "ca", ["alice", "carol"], target="/etc/pki/vpn").install(host)
    lists = {
        "access_ssh_accounts": [{"name": "alice", "keys": [ALICE], "groups": ["adm"]}],
        "access_privileged_ips": ["192.0.2.7", "2001:db8::7", host.run("ip -4 route show default").stdout.split()[2]],
        "access_privileged_ips_sinks": [{"backend": "nftables", "lists": ["privileged"]}],
        "access_vpn_certificates": [{"cn": "alice"}],
        "access_vpn_pki": {"backend": "openssl_ca", "config": "/etc/pki/vpn/openssl.cnf"},
        "access_vpn_manage": {"ca": True},
        "access_vpn_disable_by": "auto",
        "access_manage": {"local_people": True},
        "access_obsolete": "remove",
        "access_grace": 0,
        "access_max_obsolete": "100%",
    }
    book = "infogerance.perimeter.reconcile"
    # What is obsolete is disabled by the first run, and removed by the second.
    for _stage in range(2):
        run = runner.playbook([host], book, inventory_vars=lists, timeout=600)
        assert run.rc == 0, run.stdout + run.stderr
    again = runner.playbook([host], book, inventory_vars=lists, timeout=600)
    assert (again.rc, again.stats[host.name]["changed"]) == (0, 0), again.stdout
    seen = again.entry_points()
    assert sorted(seen) == sorted(KINDS)
    assert [seen[kind]["left"]["obsolete"] for kind in KINDS] == [0, 0, 0]
    assert [seen[kind]["left"]["missing"] for kind in KINDS] == [0, 0, 0]
    assert host.run(["id", "-nG", "alice"]).stdout.split() == ["alice", "adm"]
    assert host.run(["id", "carol"], check=False).returncode == 1
    assert "192.0.2.7" in host.run("nft list set inet infogerance_perimeter privileged_ipv4").stdout
