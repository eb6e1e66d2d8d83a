# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The info module, and the role's way through the same module."""

from __future__ import annotations

from tests.integration.vpn_certificates.vpn import Vpn

INFO = "infogerance.perimeter.vpn_certificates_info"


def test_the_info_module_tells_the_state_of_each_certificate(make_vpn, ansible):
    vpn: Vpn = make_vpn("alice", "bob", "carol")
    vpn.run(["alice", "bob"]).done()
    vpn.run(["alice"], obsolete="disable").done()
    vpn.server.stay_connected("alice")
    before = vpn.host.snapshot(["/etc/pki", "/var/lib/infogerance-perimeter"])
    rc, result, output = ansible(vpn.host, INFO, {"pki": vpn.pki, "openvpn": [{"config": vpn.server.config}]})
    assert rc == 0, output
    rows = {row["cn"]: (row["state"], row["connected"]) for row in result["certificates"]}
    assert rows == {
        "vpn.example.org": ("live", False),
        "alice": ("live", True),
        "bob": ("disabled", False),
        "carol": ("revoked", False),
    }
    assert result["alarms"] == []
    assert result["crl"]["revoked"] == 1
    assert vpn.host.snapshot(["/etc/pki", "/var/lib/infogerance-perimeter"]) == before
    vpn.put_crl(vpn.authority.expired_crl())
    rc, result, output = ansible(vpn.host, INFO, {"pki": vpn.pki, "openvpn": [{"config": vpn.server.config}]})
    assert [alarm.split(":")[0] for alarm in result["alarms"]] == ["revocation list expired"]


def test_the_role_reconciles_what_is_declared(make_vpn, ansible_playbook):
    vpn: Vpn = make_vpn("alice", "carol")
    variables = {
        "access_vpn_certificates": [{"cn": "alice", "person": "alice.martin"}],
        "access_vpn_pki": vpn.pki,
        "access_vpn_servers": [{"config": vpn.server.config}],
        "access_vpn_manage": {"ca": True},
    }
    role = [{"hosts": "all", "gather_facts": False, "roles": ["infogerance.perimeter.access"]}]
    audit = ansible_playbook([vpn.host], "infogerance.perimeter.audit", extra_vars=variables)
    assert audit.rc == 0, audit.stdout
    assert "obsolete: vpn_certificate carol:" in audit.stdout
    assert vpn.server.can_connect("carol")
    done = ansible_playbook([vpn.host], role, extra_vars={**variables, "access_obsolete": "disable"})
    assert done.rc == 0, done.stdout
    assert "done: disable vpn_certificate carol:" in done.stdout
    assert not vpn.server.can_connect("carol")
    assert vpn.server.can_connect("alice")
    again = ansible_playbook([vpn.host], role, extra_vars={**variables, "access_obsolete": "disable"})
    assert again.stats[vpn.host.name]["changed"] == 0
