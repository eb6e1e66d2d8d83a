# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the declared list to the door: report, disable, revoke, renew, issue; with a real server and real clients."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.vpn import Authority, OpenVpn, openssl
from tests.integration.vpn_certificates.vpn import PACKAGES, TUN, Vpn

STATE = "/var/lib/infogerance-perimeter"


def test_the_first_run_reports_and_changes_nothing(make_vpn):
    vpn = make_vpn("alice", "carol")
    before = vpn.host.snapshot(["/etc/pki", "/etc/openvpn/server/ccd"])
    found = vpn.run(["alice"], obsolete="report").done()
    assert found.entries("obsolete") == [vpn.authority.entry("carol")]
    assert found.actions() == []
    assert found.result["changed"] is False
    checked = vpn.run(["alice"], run={"check": True}).done()
    assert checked.actions() == [f"disable {vpn.authority.entry('carol')}", f"remove {vpn.authority.entry('carol')}"]
    assert vpn.host.snapshot(["/etc/pki", "/etc/openvpn/server/ccd"]) == before
    assert not vpn.host.exists(STATE)


def test_what_is_not_ours_is_only_reported(make_vpn):
    vpn = make_vpn("alice", "carol")
    found = vpn.run(["alice"], manage={}).done()
    assert found.entries("unmanaged") == [vpn.authority.entry("carol")]
    assert found.actions() == []
    adopted = vpn.run(["alice", "carol"], manage={}, adopt=True).done()
    assert sorted(adopted.actions()) == [f"adopt {vpn.authority.entry(n)}" for n in ("alice", "carol")]
    gone = vpn.run(["alice"], manage={}).done()
    assert gone.actions("applied") == [
        f"disable {vpn.authority.entry('carol')}",
        f"remove {vpn.authority.entry('carol')}",
    ]


def test_disabling_cuts_the_client_and_the_others_never_notice(make_vpn):
    vpn = make_vpn("alice", "bob", "carol")
    for name in ("alice", "carol"):
        vpn.server.stay_connected(name)
    found = vpn.run(["alice", "bob"], obsolete="disable").done()
    assert found.actions("applied") == [f"disable {vpn.authority.entry('carol')}"]
    assert found.result["sessions_cut"] == 1
    assert vpn.server.connected() == ["alice"]
    assert not vpn.server.can_connect("carol")
    assert vpn.server.can_connect("bob")
    # carol's own client has tried to come back by itself since, in vain.
    vpn.host.run("sleep 2")
    assert vpn.server.connected() == ["alice"]
    assert vpn.server.client_log("alice").count("Initialization Sequence Completed") == 1
    assert vpn.serials_revoked() == []
    again = vpn.run(["alice", "bob"], obsolete="disable").done()
    assert again.result["changed"] is False
    back = vpn.run(["alice", "bob"], obsolete="disable", restore=["carol"]).done()
    assert back.actions("applied") == [f"restore {vpn.authority.entry('carol')}"]
    assert vpn.server.can_connect("carol")


def test_a_disabled_client_that_is_declared_again_is_let_in(make_vpn):
    vpn = make_vpn("alice", "carol")
    vpn.host.write("/etc/openvpn/server/ccd/carol", 'push "route 198.51.100.0 255.255.255.0"\n')
    vpn.run(["alice"], obsolete="disable").done()
    assert not vpn.server.can_connect("carol")
    assert vpn.run(["alice", "carol"]).done().actions("applied") == [f"enable {vpn.authority.entry('carol')}"]
    assert vpn.server.can_connect("carol")
    assert vpn.host.read("/etc/openvpn/server/ccd/carol") == b'push "route 198.51.100.0 255.255.255.0"\n'


def test_a_disable_line_of_somebody_else_stays(make_vpn):
    vpn = make_vpn("alice", "carol")
    vpn.host.write("/etc/openvpn/server/ccd/carol", "# lost laptop, ticket 7\ndisable\n")
    assert vpn.run(["alice", "carol"]).done().actions() == []
    vpn.run(["alice"], obsolete="disable").done()
    vpn.run(["alice", "carol"]).done()
    assert vpn.host.read("/etc/openvpn/server/ccd/carol") == b"# lost laptop, ticket 7\ndisable\n"
    assert not vpn.server.can_connect("carol")


def test_revoking_is_proved_and_takes_one_list_for_all(make_vpn):
    vpn = make_vpn("alice", "bob", "carol", "dave")
    for name in ("alice", "bob", "carol"):
        vpn.server.stay_connected(name)
    number = vpn.crl_number()
    found = vpn.run(["alice"]).done()
    gone = [vpn.authority.serials[name][0] for name in ("bob", "carol", "dave")]
    assert vpn.serials_revoked() == gone
    assert vpn.crl_number() == number + 1
    assert [line.split("\t")[0] for line in vpn.index().splitlines()] == ["V", "V", "R", "R", "R"]
    assert vpn.server.connected() == ["alice"]
    assert vpn.server.client_log("alice").count("Initialization Sequence Completed") == 1
    assert [vpn.server.can_connect(name) for name in ("alice", "bob", "carol", "dave")] == [True, False, False, False]
    assert {row["undo"] for row in found.result["applied"] if row["action"] == "remove"} == {
        "none: a revoked certificate stays revoked; have a new one issued"
    }
    before = vpn.host.stamps(["/etc/pki", "/etc/openvpn/server/ccd", STATE])
    assert vpn.run(["alice"]).done().result["changed"] is False
    assert vpn.host.stamps(["/etc/pki", "/etc/openvpn/server/ccd", STATE]) == before
    # openssl itself goes on with the index that we wrote.
    base = f"cd {vpn.authority.target} && openssl ca -config openssl.cnf"
    vpn.host.run(
        f"{base} -revoke newcerts/{vpn.authority.serials['alice'][0]}.pem && {base} -gencrl -out /tmp/next.pem"
    )
    assert len(vpn.host.run("openssl crl -in /tmp/next.pem -noout -text").stdout.split("Serial Number:")) == 5


def test_grace_comes_between_disabling_and_revoking(make_vpn):
    vpn = make_vpn("alice", "carol")
    vpn.run(["alice"], grace=30).done()
    assert vpn.serials_revoked() == []
    path = "/etc/openvpn/server/ccd/carol"
    text = vpn.host.read(path).decode()
    assert text.startswith("# infogerance.perimeter: disabled 20")
    assert vpn.run(["alice"], grace=30).done().actions() == []
    vpn.host.write(path, "# infogerance.perimeter: disabled 2026-01-01\ndisable\n")
    assert vpn.run(["alice"], grace=30).done().actions() == [f"remove {vpn.authority.entry('carol')}"]
    assert vpn.serials_revoked() == vpn.authority.serials["carol"]


def test_the_serial_is_the_key_of_a_renewed_name(make_vpn):
    vpn = make_vpn("alice", before=lambda ca: ca.issue("alice"))
    old, new = vpn.authority.serials["alice"]
    assert vpn.run(["alice"]).done().entries("obsolete") == []
    found = vpn.run([{"cn": "alice", "serial": new.lower()}], obsolete="disable").done()
    # A file by name would close the new one, too: the old one is held in the list.
    assert found.actions("applied") == [f"disable alice:{old}"]
    assert vpn.serials_revoked() == [old]
    assert "Certificate Hold" in vpn.host.run(f"openssl crl -in {vpn.authority.target}/crl.pem -noout -text").stdout
    assert vpn.server.can_connect("alice")
    back = vpn.run(["alice"]).done()
    assert back.actions("applied") == [f"enable alice:{old}"]
    assert vpn.serials_revoked() == []
    vpn.run([{"cn": "alice", "serial": new}]).done()
    assert vpn.serials_revoked() == [old]
    assert "Certificate Hold" not in vpn.host.run(f"openssl crl -in {vpn.authority.target}/crl.pem -noout -text").stdout
    assert vpn.server.can_connect("alice")


def test_expired_certificates_are_told_apart(make_vpn):
    def past(ca: Authority) -> None:
        ca.issue("gone", "client", "-startdate", "20200101000000Z", "-enddate", "20200201000000Z")

    vpn = make_vpn("alice", before=past)
    found = vpn.run(["alice"]).done()
    assert found.actions() == []
    assert found.result["expired"] == [{"entry": vpn.authority.entry("gone"), "since": "2020-02-01T00:00:00Z"}]
    assert found.result["index"] == {"lines": 3, "live": 2, "revoked": 0, "expired": 1}
    missing = vpn.run(["alice", "gone", "nobody"]).done()
    assert [(row["entry"], row["reason"].split(":")[0]) for row in missing.result["missing"]] == [
        ("gone", "expired on 2020-02-01"),
        ("nobody", "no such certificate was issued here"),
    ]
    assert missing.actions() == []


def test_servers_and_authorities_are_protected(make_vpn):
    def more(ca: Authority) -> None:
        ca.issue("mail.example.org", "server")
        ca.issue("old-gateway")

    vpn = make_vpn("alice", before=more)
    found = vpn.run(["alice"], server_names=["old-gateway"]).done()
    assert {row["entry"].split(":")[0]: row["reason"] for row in found.result["protected"]} == {
        "vpn.example.org": "is the certificate of the server /etc/openvpn/server/server.conf",
        "mail.example.org": "is made for serverAuth",
        "old-gateway": "is a server, by server_names",
    }
    assert found.actions() == []
    # Expired on the list is no reason to revoke a server, either.
    lapsed = vpn.run(
        ["alice", {"cn": "mail.example.org", "expires": "2020-01-01"}], server_names=["old-gateway"]
    ).done()
    assert lapsed.actions() == []
    vpn.host.run(f"rm {vpn.authority.target}/newcerts/*.pem")
    unsure = vpn.run(["alice"], openvpn=[], server_names=["old-gateway"]).done()
    assert [row["entry"] for row in unsure.result["protected"] if "may be a server's" in row["reason"]] == [
        vpn.authority.entry(name) for name in ("vpn.example.org", "mail.example.org")
    ]
    assert unsure.actions() == []


def test_the_certificate_that_carries_this_connection_is_protected(make_vpn):
    vpn = make_vpn("alice", "carol")
    # What the server believes about addresses in the tunnel is made to match where the test really comes from.
    vpn.server.stay_connected("carol")
    source = vpn.host.ssh("deploy", "echo $SSH_CONNECTION").stdout.split()[0]
    tunnel = vpn.host.run(
        "(echo s3cret-management; echo status 2; sleep 0.3; echo quit) | nc -q 1 127.0.0.1 2194 | grep ^CLIENT_LIST"
    ).stdout.split(",")[3]
    assert tunnel.startswith("10.8.0.")
    fake = (
        "import socket,sys\n"
        "s=socket.create_server(('127.0.0.1',2199))\n"
        "while True:\n"
        " c,_=s.accept(); u=socket.create_connection(('127.0.0.1',2194))\n"
        " import threading\n"
        " def pump(a,b,f):\n"
        "  while True:\n"
        "   d=a.recv(65536)\n"
        "   if not d: break\n"
        "   b.sendall(f(d))\n"
        "  b.close()\n"
        " threading.Thread(target=pump,args=(c,u,lambda d:d),daemon=True).start()\n"
        f" threading.Thread(target=pump,args=(u,c,lambda d:d.replace(b'{tunnel}',b'{source}')),daemon=True).start()\n"
    )
    vpn.host.write("/tmp/relay.py", fake)
    vpn.host.spawn("python3 /tmp/relay.py")
    text = vpn.host.read(vpn.server.config).decode().replace("127.0.0.1 2194", "127.0.0.1 2199")
    vpn.host.write("/etc/openvpn/server/relayed.conf", text)
    vpn.host.run("cp /etc/openvpn/server/relayed.conf /etc/openvpn/server/server.conf")
    found = vpn.run(["alice"]).done()
    assert {row["reason"] for row in found.result["protected"] if row["entry"].startswith("carol")} == {
        "carries this connection"
    }
    assert vpn.server.can_connect("carol")


def test_key_material_is_archived_with_the_way_back(make_vpn):
    vpn = make_vpn("alice", "carol")
    base = "/etc/easy"
    # The same authority in easy-rsa's layout, where keys have known places.
    vpn.host.run(
        f"cp -a {vpn.authority.target} {base} && cd {base} && mkdir issued reqs certs_by_serial && "
        "cp newcerts/* certs_by_serial/ && "
        "cp ca.key private/ca.key && cp private/*.crt issued/ && for n in alice carol; do cp $n.csr reqs/$n.req; done"
    )
    pki = {"backend": "easy_rsa", "directory": base, "crl": f"{vpn.authority.target}/crl.pem"}
    found = vpn.run(["alice"], pki=pki).done()
    assert not vpn.host.exists(f"{base}/private/carol.key")
    assert vpn.host.exists(f"{base}/private/alice.key")
    assert any("archived" in note for note in found.result["notes"])
    listing = vpn.host.run(f"find {STATE}/archive -type f -printf '%f %m\\n'").stdout
    assert "carol.key 600" in listing
    assert "carol.req 600" in listing


@pytest.mark.parametrize("material", ["purge", "keep"])
def test_key_material_can_be_purged_or_kept(make_vpn, material):
    vpn = make_vpn("alice", "carol")
    base = "/etc/easy"
    vpn.host.run(
        f"cp -a {vpn.authority.target} {base} && cd {base} && mkdir issued reqs certs_by_serial && "
        "cp newcerts/* certs_by_serial/ && "
        "cp ca.key private/ca.key && cp private/*.crt issued/ && for n in alice carol; do cp $n.csr reqs/$n.req; done"
    )
    pki = {"backend": "easy_rsa", "directory": base, "crl": f"{vpn.authority.target}/crl.pem"}
    vpn.run(["alice"], pki=pki, key_material=material).done()
    assert vpn.host.exists(f"{base}/private/carol.key") is (material == "keep")
    assert "carol.key" not in vpn.host.run(f"find {STATE}/archive -type f").stdout


def test_a_declared_client_is_issued_from_its_request(make_vpn, tmp_path):
    vpn = make_vpn("alice", "erin")
    vpn.run(["alice"]).done()
    assert not vpn.server.can_connect("erin")
    request = vpn.authority.request("erin")
    vpn.host.copy_in(vpn.authority.folder / "private/erin.key", f"{vpn.authority.target}/private/erin.key", 0o600)
    found = vpn.run(["alice", {"cn": "erin", "csr": request, "person": "erin.petit", "expires": "2090-01-01"}]).done()
    assert found.actions("applied") == ["create erin"]
    made = found.result["issued"][0]
    assert made["cn"] == "erin"
    vpn.host.write("/tmp/erin.crt", made["certificate"])
    assert vpn.server.can_connect("erin", "/tmp/erin.crt")
    assert "notAfter=Jan  1 00:00:00 2090" in vpn.host.run("openssl x509 -in /tmp/erin.crt -noout -enddate").stdout
    again = vpn.run(["alice", {"cn": "erin", "csr": request, "person": "erin.petit", "expires": "2090-01-01"}]).done()
    assert again.result["changed"] is False
    # Issued here, so managed without more words.
    assert f"remove erin:{made['serial']}" in vpn.run(["alice"], manage={}).done().actions("applied")


def test_a_request_for_another_name_or_without_its_key_is_refused(make_vpn):
    vpn = make_vpn("alice")
    before = vpn.index()
    request = vpn.authority.request("mallory")
    vpn.run(["alice", {"cn": "erin", "csr": request}]).refused("csr of erin", "mallory")
    spoilt = request.splitlines()
    spoilt[-2] = spoilt[-2][:-8] + ("AAAA" if spoilt[-2][-8:-4] != "AAAA" else "BBBB") + spoilt[-2][-4:]
    vpn.run(["alice", {"cn": "mallory", "csr": "\n".join(spoilt) + "\n"}]).refused("csr of mallory")
    assert vpn.index() == before


def test_the_list_is_renewed_when_it_nears_its_end(make_vpn):
    vpn = make_vpn("alice", before=lambda ca: ca.new_crl("-crldays", "5"))
    assert vpn.run(["alice"], obsolete="report", crl_renew_before=3).done().result["changed"] is False
    found = vpn.run(["alice"], obsolete="report", crl_renew_before=14).done()
    assert found.actions("applied") == [f"update {vpn.authority.target}/crl.pem"]
    assert found.result["plan"][0]["reason"].startswith("revocation list expiring")
    assert found.result["crl"]["expires_in"] in (89, 90)
    assert vpn.server.can_connect("alice")
    assert vpn.run(["alice"], obsolete="report", crl_renew_before=14).done().result["changed"] is False


def test_an_encrypted_ca_key_is_opened_without_showing_its_password(make_vpn):
    secret = "correct horse, battery"
    vpn = make_vpn("alice", "carol", password=secret)
    # Every openssl that runs on the host leaves its command line and environment.
    vpn.host.run("mv /usr/bin/openssl /usr/bin/openssl.real")
    vpn.host.write(
        "/usr/bin/openssl",
        "#!/bin/sh\n(echo \"$@\"; tr '\\0' '\\n' < /proc/self/environ) >> /tmp/seen\n"
        'exec /usr/bin/openssl.real "$@"\n',
        0o755,
    )
    before = vpn.host.snapshot(["/etc/pki"])
    locked = {"backend": "openssl_ca", "config": f"{vpn.authority.target}/openssl.cnf"}
    vpn.run(["alice"], pki=locked).refused("pki: ca_password")
    vpn.run(["alice"], pki={**locked, "ca_password": "wrong"}).refused("can't be opened with the password given")
    after = vpn.host.snapshot(["/etc/pki"])
    assert after == before
    found = vpn.run(["alice"], run={"diff": True}).done()
    assert vpn.serials_revoked() == vpn.authority.serials["carol"]
    seen = vpn.host.read("/tmp/seen").decode()
    assert "gencrl" in seen
    assert "-passin fd:" in seen
    assert secret not in seen
    assert secret not in found.output
    assert secret not in vpn.host.run(f"cat {STATE}/*.json").stdout


def test_an_offline_authority_gives_the_commands_that_work(make_vpn, tmp_path: Path):
    vpn = make_vpn("alice", "carol")
    vpn.host.run(f"rm {vpn.authority.target}/ca.key")
    found = vpn.run(["alice"], openvpn=[]).done()
    assert found.result["ca"]["key"] == "offline"
    assert found.result["changed"] is False
    commands = found.result["commands"]
    assert len(commands) == 3, str(found.result)
    # Typed where the key is, in a tree with the same paths.
    script = "\n".join(commands).replace(vpn.authority.target, str(vpn.authority.folder))
    config = vpn.authority.folder / "openssl.cnf"
    config.write_text(config.read_text().replace(vpn.authority.target, str(vpn.authority.folder)))
    subprocess.run(["sh", "-ec", script], check=True, capture_output=True, cwd=tmp_path)
    shown = openssl("crl", "-in", "crl.pem", "-noout", "-text", cwd=vpn.authority.folder)
    assert f"Serial Number: {vpn.authority.serials['carol'][0]}" in shown
    # With a server at hand its door can be closed without the key.
    closed = vpn.run(["alice"]).done()
    assert closed.actions("applied") == [f"disable {vpn.authority.entry('carol')}"]
    assert not vpn.server.can_connect("carol")
    assert vpn.serials_revoked() == []


def test_two_runs_at_once_take_turns(make_vpn):
    vpn = make_vpn("alice", "bob", "carol")
    number = vpn.crl_number()
    outcomes = []
    threads = [
        threading.Thread(target=lambda names=names: outcomes.append(vpn.run(names))) for names in (["alice"], ["alice"])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcome.rc for outcome in outcomes] == [0, 0], [outcome.output for outcome in outcomes]
    assert sorted(len(outcome.result["applied"]) for outcome in outcomes) in ([0, 4], [0, 4])
    assert vpn.crl_number() == number + 1
    assert len(vpn.serials_revoked()) == 2


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"cn": "../evil"}, ("../evil", "cn")),
        ({"cn": "a b"}, ("cn",)),
        ({"cn": "DEFAULT"}, ("DEFAULT",)),
        ({"cn": "x" * 65}, ("cn",)),
        ({"cn": "zoé"}, ("cn",)),
        ({"cn": "bob", "serial": "xyz"}, ("bob: serial",)),
        ({"cn": "bob", "expires": "soon"}, ("bob: expires",)),
        ({"cn": "alice", "serial": "0A"}, ("alice: serial",)),
        ({"cn": "bob", "serial": "0B"}, ("bob: serial", "belongs to")),
        ({"cn": "alice"}, ("twice",)),
        ({"cn": "bob", "csr": "rubbish"}, ("csr of bob",)),
        ({"cn": "bob", "public_key": "x"}, ("bob: public_key", "wireguard")),
    ],
)
@pytest.mark.sample(5)
def test_bad_entries_are_named_before_any_change(shared_vpn, entry, words):
    before = shared_vpn.host.snapshot(["/etc/pki", "/etc/openvpn"])
    shared_vpn.run(["alice", entry]).refused(*words)
    assert shared_vpn.host.snapshot(["/etc/pki", "/etc/openvpn"]) == before


def test_an_empty_list_and_a_large_loss_are_refused(shared_vpn):
    before = shared_vpn.host.snapshot(["/etc/pki", "/etc/openvpn"])
    shared_vpn.run([]).refused("refused, nothing was changed", "the declared list is empty")
    shared_vpn.run([{"cn": "alice", "state": "absent"}]).refused("the declared list is empty")
    shared_vpn.run(["alice"], max_obsolete="1").refused("max_obsolete")
    shared_vpn.run(["alice"], expect_plan="0" * 64).refused("not the reviewed")
    assert shared_vpn.host.snapshot(["/etc/pki", "/etc/openvpn"]) == before


@pytest.fixture(scope="module")
def shared_vpn(module_hosts, runner, tmp_path_factory) -> Callable[..., object]:
    """A host for tests that must not change it."""
    made = Authority.make(tmp_path_factory.mktemp("shared") / "ca", ["alice", "carol", "dave"])
    host = module_hosts("vpn-shared", extra_packages=PACKAGES, devices=TUN)
    made.install(host)
    server = OpenVpn(host, made)
    server.write()
    return Vpn(host, made, server, runner.module, {"backend": "openssl_ca", "config": f"{made.target}/openssl.cnf"})
