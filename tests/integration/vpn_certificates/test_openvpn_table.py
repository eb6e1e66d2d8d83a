# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What OpenVPN does with each state of its revocation list, and that the module sees, says and mends it.

Each test shows the hazard first, on the real server: it locks everybody out, or lets revoked clients in. Then the
module runs, and the door is as the list says.
"""

from __future__ import annotations

import pytest

from lab.vpn import Authority, OpenVpn

DAEMON = "OpenVPN refuses every client"


def _with_revoked(make_vpn, **more):
    """alice is good; carol was revoked before, and the list says so."""

    def before(ca: Authority) -> None:
        ca.revoke(ca.serials["carol"][0])
        ca.new_crl()

    vpn = make_vpn("alice", "carol", before=before, **more)
    assert (vpn.server.can_connect("alice"), vpn.server.can_connect("carol")) == (True, False)
    return vpn


def _mended(vpn, word: str) -> None:
    """A report says what is wrong; a run (still in report mode) mends it, and the next has nothing to do."""
    told = vpn.run(["alice"], obsolete="report", run={"check": True}).done()
    assert any(alarm.startswith(f"revocation list {word}") for alarm in told.result["alarms"]), told.result["alarms"]
    vpn.run(["alice"], obsolete="report").done()
    assert (vpn.server.can_connect("alice"), vpn.server.can_connect("carol")) == (True, False)
    again = vpn.run(["alice"], obsolete="report").done()
    assert (again.result["changed"], again.result["alarms"]) == (False, [])


def test_a_valid_list_is_left_alone(make_vpn):
    vpn = _with_revoked(make_vpn)
    found = vpn.run(["alice"], obsolete="report").done()
    assert (found.result["changed"], found.result["alarms"]) == (False, [])


def test_a_new_list_counts_without_a_restart(make_vpn):
    vpn = make_vpn("alice", "carol")
    started = vpn.host.run("cat /run/openvpn-server.pid").stdout
    assert vpn.server.can_connect("carol")
    vpn.run(["alice"]).done()
    assert (vpn.server.can_connect("alice"), vpn.server.can_connect("carol")) == (True, False)
    assert vpn.host.run("cat /run/openvpn-server.pid").stdout == started


def test_an_expired_list_locks_all_out_and_is_renewed(make_vpn):
    vpn = _with_revoked(make_vpn)
    vpn.put_crl(vpn.authority.expired_crl())
    assert not vpn.server.can_connect("alice")
    _mended(vpn, "expired")


def test_a_list_from_the_future_locks_all_out_and_is_renewed(make_vpn):
    vpn = _with_revoked(make_vpn)
    vpn.put_crl(vpn.authority.new_crl("-crl_lastupdate", "20900101000000Z", "-crl_nextupdate", "20910101000000Z"))
    assert not vpn.server.can_connect("alice")
    _mended(vpn, "not yet valid")


def test_a_truncated_list_locks_all_out_and_is_renewed(make_vpn):
    vpn = _with_revoked(make_vpn)
    vpn.put_crl(vpn.authority.new_crl()[:200])
    assert not vpn.server.can_connect("alice")
    _mended(vpn, "damaged")


def test_an_empty_list_locks_all_out_and_is_renewed(make_vpn):
    vpn = _with_revoked(make_vpn)
    vpn.put_crl(b"")
    assert not vpn.server.can_connect("alice")
    _mended(vpn, "empty")


def test_a_list_that_only_root_reads_locks_all_out_and_is_opened(make_vpn):
    vpn = _with_revoked(make_vpn)
    vpn.put_crl(vpn.authority.new_crl(), 0o600)
    assert not vpn.server.can_connect("alice")
    _mended(vpn, "closed")
    assert vpn.host.run(f"stat -c %a {vpn.authority.target}/crl.pem").stdout.strip() == "644"


def test_a_list_of_another_authority_lets_the_revoked_in_and_is_replaced(make_vpn, tmp_path):
    vpn = _with_revoked(make_vpn)
    other = Authority.make(tmp_path / "other", [], name="Somebody Else")
    vpn.put_crl(other.new_crl())
    assert (vpn.server.can_connect("alice"), vpn.server.can_connect("carol")) == (True, True)
    _mended(vpn, "foreign")


def test_a_list_of_a_namesake_with_another_key_is_replaced(make_vpn, tmp_path):
    vpn = _with_revoked(make_vpn)
    other = Authority.make(tmp_path / "other", [])
    vpn.put_crl(other.new_crl())
    _mended(vpn, "foreign")


def test_a_directory_that_the_daemon_cannot_enter_keeps_an_old_list_in_force(make_vpn):
    vpn = _with_revoked(make_vpn)
    vpn.host.run(f"chmod 700 {vpn.authority.target}")
    told = vpn.run(["alice"], obsolete="report").done()
    assert any(alarm.startswith("revocation list closed") for alarm in told.result["alarms"])
    assert told.actions() == []
    # Revoking would have no effect, so it is refused: nothing may look closed that is open.
    vpn.authority.issue("dave")
    vpn.host.run(f"printf '%s\\n' '{_index_line(vpn, 'dave')}' >> {vpn.authority.target}/index.txt")
    vpn.host.copy_in(vpn.authority.folder / "private/dave.crt", f"{vpn.authority.target}/private/dave.crt")
    vpn.host.copy_in(vpn.authority.folder / "private/dave.key", f"{vpn.authority.target}/private/dave.key")
    before = vpn.host.snapshot(["/etc/pki"])
    vpn.run(["alice"]).refused("can't reach it", "Nothing was revoked")
    assert vpn.host.snapshot(["/etc/pki"]) == before
    # Had the list been replaced all the same, the running server would not have noticed.
    vpn.authority.revoke(vpn.authority.serials["dave"][0])
    vpn.put_crl(vpn.authority.new_crl())
    assert vpn.server.can_connect("dave")
    vpn.host.run(f"chmod 751 {vpn.authority.target}")
    vpn.host.run(f"touch {vpn.authority.target}/crl.pem")
    assert not vpn.server.can_connect("dave")


def _index_line(vpn, name: str) -> str:
    lines = (vpn.authority.folder / "index.txt").read_text().splitlines()
    return next(line for line in lines if line.endswith(f"CN={name}"))


def test_a_list_that_vanished_stays_in_force_until_a_restart_and_is_made_again(make_vpn):
    vpn = _with_revoked(make_vpn)
    vpn.host.run(f"rm {vpn.authority.target}/crl.pem")
    assert (vpn.server.can_connect("alice"), vpn.server.can_connect("carol")) == (True, False)
    vpn.server.stop()
    assert not vpn.server.start(check=False)
    told = vpn.run(["alice"], obsolete="report", run={"check": True}).done()
    assert any(alarm.startswith("revocation list missing") for alarm in told.result["alarms"])
    vpn.run(["alice"], obsolete="report").done()
    vpn.server.start()
    assert (vpn.server.can_connect("alice"), vpn.server.can_connect("carol")) == (True, False)


DIRECTORY = {"crl-verify": "/etc/openvpn/server/revoked dir", "client-config-dir": None}


def test_a_serial_file_closes_one_certificate_and_is_taken_back(make_vpn):
    vpn = make_vpn("alice", "carol", start=False, options=DIRECTORY, before=lambda ca: ca.issue("carol"))
    vpn.host.run("mkdir -m 755 /etc/openvpn/server/revoked")
    vpn.server.start()
    old, new = vpn.authority.serials["carol"]
    found = vpn.run(["alice", {"cn": "carol", "serial": old}], obsolete="disable").done()
    assert found.actions("applied") == [f"disable carol:{new}"]
    assert vpn.host.run("ls /etc/openvpn/server/revoked").stdout.split() == [str(int(new, 16))]
    assert not vpn.server.can_connect("carol")
    back = vpn.run(["alice", "carol"], obsolete="disable").done()
    assert back.actions("applied") == [f"enable carol:{new}"]
    assert vpn.server.can_connect("carol")


def test_revoking_keeps_the_serial_file_and_makes_a_missing_one(make_vpn):
    vpn = make_vpn("alice", "carol", start=False, options=DIRECTORY)
    vpn.host.run("mkdir -m 755 /etc/openvpn/server/revoked")
    vpn.server.start()
    vpn.server.stay_connected("carol")
    vpn.run(["alice"]).done()
    assert vpn.server.connected() == []
    assert not vpn.server.can_connect("carol")
    assert vpn.serials_revoked() == vpn.authority.serials["carol"]
    vpn.server.leave("carol")
    vpn.host.run("rm /etc/openvpn/server/revoked/*")
    assert vpn.server.can_connect("carol")
    told = vpn.run(["alice"], obsolete="report").done()
    assert told.actions("applied") == ["update /etc/openvpn/server/revoked"]
    assert not vpn.server.can_connect("carol")


def test_a_hold_closes_a_server_with_serial_files_too_and_opens_it_again(make_vpn):
    vpn = make_vpn("alice", "carol", options={"client-config-dir": None})
    second = OpenVpn(vpn.host, vpn.authority, "second", 1195, "10.9.0.0")
    second.write({"crl-verify": "/etc/openvpn/second/revoked dir", "client-config-dir": None})
    vpn.host.run("mkdir -m 755 /etc/openvpn/second/revoked")
    second.start()
    both = [{"config": server.config} for server in (vpn.server, second)]
    vpn.run(["alice"], obsolete="disable", openvpn=both).done()
    assert [server.can_connect("carol") for server in (vpn.server, second)] == [False, False]
    vpn.run(["alice", "carol"], obsolete="disable", openvpn=both).done()
    assert [server.can_connect("carol") for server in (vpn.server, second)] == [True, True]
    # Held for the first server alone, and a second one appears: it gets the file, and loses it again.
    vpn.run(["alice"], obsolete="disable").done()
    vpn.run(["alice"], obsolete="disable", openvpn=both).done()
    assert not second.can_connect("carol")
    vpn.run(["alice", "carol"], obsolete="disable", openvpn=both).done()
    assert second.can_connect("carol")
    # A run that was killed had opened the first server only.
    serial = int(vpn.authority.serials["carol"][0], 16)
    vpn.host.write(f"/etc/openvpn/second/revoked/{serial}", "# infogerance.perimeter: disabled 2026-01-01\n")
    back = vpn.run(["alice", "carol"], obsolete="disable", openvpn=both).done()
    assert back.actions("applied") == [f"enable {vpn.authority.entry('carol')}"]
    assert second.can_connect("carol")


def test_a_serial_directory_that_the_daemon_cannot_read_lets_all_in_and_is_told(make_vpn):
    vpn = make_vpn("alice", "carol", start=False, options=DIRECTORY)
    vpn.host.run("mkdir -m 700 /etc/openvpn/server/revoked")
    vpn.server.start()
    vpn.run(["alice"], obsolete="disable").refused("applied, but not proved", "does not see the file of serial")
    assert vpn.server.can_connect("carol")
    vpn.host.run("chmod 755 /etc/openvpn/server/revoked")
    assert not vpn.server.can_connect("carol")


def test_a_client_file_that_the_daemon_cannot_read_lets_it_in_and_is_told(make_vpn):
    vpn = make_vpn("alice", "carol")
    vpn.host.run("chmod 700 /etc/openvpn/server/ccd")
    vpn.run(["alice"], obsolete="disable").refused("applied, but not proved", "does not see the file of carol")
    assert vpn.server.can_connect("carol")


def test_a_revoked_client_that_stays_connected_is_seen_and_cut(make_vpn):
    vpn = make_vpn("alice", "carol")
    vpn.server.stay_connected("carol")
    # Somebody revokes by hand and thinks that is all.
    vpn.authority.revoke(vpn.authority.serials["carol"][0])
    vpn.host.write(f"{vpn.authority.target}/index.txt", (vpn.authority.folder / "index.txt").read_text())
    vpn.put_crl(vpn.authority.new_crl())
    vpn.host.run("sleep 1")
    assert vpn.server.connected() == ["carol"]
    told = vpn.run(["alice"], obsolete="report").done()
    assert told.entries("obsolete") == [vpn.authority.entry("carol")]
    vpn.run(["alice"]).done()
    assert vpn.server.connected() == []
    assert not vpn.server.can_connect("carol")


def test_a_server_without_crl_verify_is_an_alarm_and_nothing_is_revoked_in_vain(make_vpn):
    vpn = make_vpn("alice", "carol", options={"crl-verify": None})
    told = vpn.run(["alice"], obsolete="report").done()
    assert any("has no crl-verify" in alarm for alarm in told.result["alarms"])
    vpn.run(["alice"]).refused("has no crl-verify")
    vpn.run(["alice"], obsolete="disable").done()
    assert not vpn.server.can_connect("carol")


def test_a_server_without_a_management_interface_is_an_alarm(make_vpn):
    vpn = make_vpn("alice", "carol", options={"management": None})
    told = vpn.run(["alice"]).done()
    assert any("no management interface" in alarm for alarm in told.result["alarms"])
    assert not vpn.server.can_connect("carol")


def test_a_server_that_trusts_another_authority_is_refused(make_vpn, tmp_path):
    vpn = make_vpn("alice", "carol")
    other = Authority.make(tmp_path / "other", [], name="Somebody Else", target="/etc/pki/other")
    other.install(vpn.host)
    pki = {"backend": "openssl_ca", "config": "/etc/pki/other/openssl.cnf"}
    vpn.run(["alice"], pki=pki).refused("trusts another CA")


def test_a_copy_of_the_list_elsewhere_is_brought_up_to_date(make_vpn):
    vpn = make_vpn("alice", "carol", start=False, options={"crl-verify": "/etc/openvpn/crl-copy.pem"})
    vpn.host.run(f"cp {vpn.authority.target}/crl.pem /etc/openvpn/crl-copy.pem")
    vpn.server.start()
    vpn.run(["alice"]).done()
    assert not vpn.server.can_connect("carol")
    vpn.host.run("rm /etc/openvpn/server/ccd/carol")
    # Somebody puts the old copy back: the CA's own list is good, so no signature is needed.
    vpn.host.write("/etc/openvpn/crl-copy.pem", vpn.authority.new_crl())
    assert vpn.server.can_connect("carol")
    vpn.host.run(f"mv {vpn.authority.target}/ca.key /root/")
    mended = vpn.run(["alice"], obsolete="report").done()
    assert mended.actions("applied") == ["update /etc/openvpn/crl-copy.pem"]
    assert not vpn.server.can_connect("carol")


def test_a_daemon_in_a_chroot_reads_its_list_there(make_vpn):
    jail = "/srv/jail"
    vpn = make_vpn(
        "alice", "carol", start=False,
        options={"chroot": jail, "crl-verify": "/crl.pem", "client-config-dir": "/ccd", "tmp-dir": "/tmp"},
    )  # fmt: skip
    vpn.host.run(
        f"mkdir -p {jail}/ccd {jail}/tmp && chmod 1777 {jail}/tmp && chmod 751 {jail} && "
        f"cp {vpn.authority.target}/crl.pem {jail}/crl.pem"
    )
    vpn.server.start()
    assert vpn.server.can_connect("carol")
    vpn.run(["alice"], obsolete="disable").done()
    assert vpn.host.read(f"{jail}/ccd/carol").startswith(b"# infogerance.perimeter")
    assert not vpn.server.can_connect("carol")
    vpn.run(["alice"]).done()
    assert vpn.host.read(f"{jail}/crl.pem") == vpn.host.read(f"{vpn.authority.target}/crl.pem")
    vpn.host.run(f"rm {jail}/ccd/carol")
    assert (vpn.server.can_connect("alice"), vpn.server.can_connect("carol")) == (True, False)
    vpn.host.run(f"chmod 700 {jail}")
    told = vpn.run(["alice"], obsolete="report").done()
    assert any(alarm.startswith("revocation list closed") for alarm in told.result["alarms"])


@pytest.mark.parametrize("release", ["bullseye", "trixie"])
@pytest.mark.sample(1)
def test_other_debian_releases(make_vpn, release):
    vpn = make_vpn("alice", "carol", release=release)
    vpn.server.stay_connected("carol")
    vpn.run(["alice"]).done()
    assert vpn.server.connected() == []
    assert (vpn.server.can_connect("alice"), vpn.server.can_connect("carol")) == (True, False)
    assert vpn.run(["alice"]).done().result["changed"] is False
