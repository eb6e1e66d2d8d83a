# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The authorities' own tools before and after us: easy-rsa from Debian, and a stand-in with shellpki's behaviour."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.vpn_certificates.vpn import MODULE, PACKAGES, TUN, Outcome

PASSWORD = "ca-secret"
EASY = "/usr/share/easy-rsa/easyrsa --pki-dir=/etc/easy/pki"
PKI = "/etc/easy/pki"
SHELL_ENV = f"CA_PASSWORD='{PASSWORD}' USER=root"
SHELLPKI = "/usr/local/sbin/shellpki"


@pytest.fixture
def run(ansible):
    def call(host, declared, pki, **more):
        args = {
            "certificates": [{"cn": row} if isinstance(row, str) else row for row in declared],
            "pki": {"ca_password": PASSWORD, **pki},
            "manage": {"ca": True},
            "obsolete": "remove",
            "grace": 0,
            "disable_by": "hold",
            "max_obsolete": "100%",
            "server_names": ["vpn.example.org"],
            **more,
        }
        return Outcome(*ansible(host, MODULE, args))

    return call


@pytest.fixture
def easy(make_host):
    """easy-rsa's authority with an encrypted key; alice, bob (twice) and a server."""
    host = make_host("easy", extra_packages=PACKAGES, devices=TUN)
    host.write("/etc/easy/vars", 'set_var EASYRSA_CRL_DAYS 60\nset_var EASYRSA_ALGO ec\nset_var EASYRSA_BATCH "yes"\n')
    env = "EASYRSA_VARS_FILE=/etc/easy/vars EASYRSA_BATCH=1"
    env += f" EASYRSA_PASSIN=pass:{PASSWORD} EASYRSA_PASSOUT=pass:{PASSWORD}"
    host.run(f"cd /etc/easy && export {env} && {EASY} init-pki && {EASY} --req-cn=Example build-ca")
    host.run("mv /etc/easy/vars /etc/easy/pki/vars")
    env = env.replace("EASYRSA_VARS_FILE=/etc/easy/vars ", "").replace(f" EASYRSA_PASSOUT=pass:{PASSWORD}", "")
    make = f"cd /etc/easy && export {env} && "
    for name in ("alice", "bob"):
        host.run(make + f"{EASY} build-client-full {name} nopass")
    host.run(make + f"{EASY} build-server-full vpn.example.org nopass && {EASY} gen-crl")
    return host, make


def _revoked(host, crl: str) -> list[str]:
    shown = host.run(f"openssl crl -in {crl} -noout -text").stdout
    return [line.split(":")[1].strip() for line in shown.splitlines() if "Serial Number:" in line]


def _serial(host, certificate: str) -> str:
    return host.run(f"openssl x509 -in {certificate} -noout -serial").stdout.strip().partition("=")[2]


def test_easy_rsa_is_reconciled_and_goes_on_working(easy, run):
    host, make = easy
    bob = _serial(host, f"{PKI}/issued/bob.crt")
    alice = _serial(host, f"{PKI}/issued/alice.crt")
    pki = {"backend": "easy_rsa", "directory": PKI}
    first = run(host, ["alice"], pki, obsolete="report").done()
    assert first.entries("obsolete") == [f"bob:{bob}"]
    assert [row["entry"].split(":")[0] for row in first.result["protected"]] == ["vpn.example.org"]
    assert first.result["crl"]["expires_in"] in (59, 60)
    gone = run(host, ["alice"], pki).done()
    assert f"remove bob:{bob}" in gone.actions("applied")
    assert _revoked(host, f"{PKI}/crl.pem") == [bob]
    assert not host.exists(f"{PKI}/private/bob.key")
    assert not host.exists(f"{PKI}/issued/bob.crt")
    assert run(host, ["alice"], pki).done().result["changed"] is False
    # easy-rsa itself goes on from there: it issues, revokes and makes a list that holds what we revoked.
    host.run(make + f"{EASY} build-client-full carol nopass && {EASY} revoke alice && {EASY} gen-crl")
    assert sorted(_revoked(host, f"{PKI}/crl.pem")) == sorted([alice, bob])
    after = run(host, ["carol"], pki).done()
    assert after.result["index"] == {"lines": 4, "live": 2, "revoked": 2, "expired": 0}
    # easy-rsa leaves its list to root alone; no server is named here, so nobody was locked out by it.
    assert after.result["changed"] is False


def test_easy_rsa_renewals_are_told_apart_by_serial(easy, run):
    host, make = easy
    old = _serial(host, f"{PKI}/issued/bob.crt")
    host.run(make + f"EASYRSA_CERT_RENEW=5000 {EASY} renew bob nopass")
    new = _serial(host, f"{PKI}/issued/bob.crt")
    assert new != old
    pki = {"backend": "easy_rsa", "directory": PKI}
    gone = run(host, ["alice", {"cn": "bob", "serial": new}], pki).done()
    assert _revoked(host, f"{PKI}/crl.pem") == [old]
    assert _serial(host, f"{PKI}/issued/bob.crt") == new
    assert host.exists(f"{PKI}/private/bob.key")
    assert gone.result["counts"]["obsolete"] == 1


def test_easy_rsa_takes_a_certificate_that_we_issued(easy, run):
    host, make = easy
    host.run(
        "openssl req -new -newkey rsa:2048 -nodes -keyout /root/erin.key -out /root/erin.csr -subj /CN=erin 2>/dev/null"
    )
    pki = {"backend": "easy_rsa", "directory": PKI}
    made = run(host, ["alice", "bob", {"cn": "erin", "csr": host.read("/root/erin.csr").decode()}], pki).done()
    serial = made.result["issued"][0]["serial"]
    assert _serial(host, f"{PKI}/issued/erin.crt") == serial
    assert host.run(f"openssl verify -CAfile {PKI}/ca.crt {PKI}/issued/erin.crt").stdout.strip().endswith("OK")
    host.run(make + f"{EASY} revoke erin && {EASY} gen-crl")
    assert _revoked(host, f"{PKI}/crl.pem") == [serial]


def test_easy_rsa_commands_for_an_offline_authority_work(easy, run):
    host, make = easy
    bob = _serial(host, f"{PKI}/issued/bob.crt")
    host.run(f"mv {PKI}/private/ca.key /root/ca.key")
    told = run(host, ["alice"], {"backend": "easy_rsa", "directory": PKI}).done()
    assert told.result["changed"] is False
    host.run(f"mv /root/ca.key {PKI}/private/ca.key")
    script = "\n".join(told.result["commands"]).replace("easyrsa ", "/usr/share/easy-rsa/easyrsa ")
    host.run(make + script)
    assert _revoked(host, f"{PKI}/crl.pem") == [bob]


@pytest.fixture
def shell(make_host):
    host = make_host("shellpki", extra_packages=PACKAGES, devices=TUN)
    host.write(SHELLPKI, (Path(__file__).parent / "shellpki.sh").read_text(), 0o755)
    host.run(f"{SHELL_ENV} {SHELLPKI} init --non-interactive 'Example CA'")
    for name in ("vpn.example.org", "alice", "bob"):
        host.run(f"{SHELL_ENV} {SHELLPKI} create --non-interactive {name}")
    return host


BASE = "/etc/shellpki"


def test_shellpki_is_reconciled_and_goes_on_working(shell, run):
    host = shell
    bob = _serial(host, f"{BASE}/certs/bob.crt")
    pki = {"backend": "shellpki"}
    first = run(host, ["alice"], pki, obsolete="report").done()
    assert first.entries("obsolete") == [f"bob:{bob}"]
    assert first.result["crl"]["expires_in"] in (729, 730)
    modes = host.run(f"stat -c %a {BASE}/crl.pem {BASE}/index.txt").stdout
    run(host, ["alice"], pki).done()
    assert _revoked(host, f"{BASE}/crl.pem") == [bob]
    assert host.run(f"stat -c %a {BASE}/crl.pem {BASE}/index.txt").stdout == modes
    assert modes.startswith("604")
    left = host.run(f"find {BASE} -name 'bob*'").stdout
    assert left == ""
    assert "alice-" in host.run(f"find {BASE}/private").stdout
    assert run(host, ["alice"], pki).done().result["changed"] is False
    host.run(
        f"{SHELL_ENV} {SHELLPKI} create --non-interactive bob && {SHELL_ENV} {SHELLPKI} revoke --non-interactive alice"
    )
    assert len(_revoked(host, f"{BASE}/crl.pem")) == 2
    assert run(host, ["bob"], pki).done().result["changed"] is False


def test_shellpki_says_yes_when_its_list_was_not_made_and_we_finish_it(shell, run):
    host = shell
    bob = _serial(host, f"{BASE}/certs/bob.crt")
    host.run(f"rm {BASE}/crl.pem && mkdir {BASE}/crl.pem")
    assert host.run(f"{SHELL_ENV} {SHELLPKI} revoke --non-interactive bob", check=False).returncode == 0
    host.run(f"rmdir {BASE}/crl.pem && touch {BASE}/crl.pem && chmod 604 {BASE}/crl.pem")
    found = run(host, ["alice"], {"backend": "shellpki"}, obsolete="report").done()
    assert found.actions("applied") == [f"update {BASE}/crl.pem"]
    assert _revoked(host, f"{BASE}/crl.pem") == [bob]


def test_shellpki_cannot_revoke_without_its_file_and_we_can(shell, run):
    host = shell
    bob = _serial(host, f"{BASE}/certs/bob.crt")
    host.run(f"rm {BASE}/certs/bob.crt")
    assert host.run(f"{SHELL_ENV} {SHELLPKI} revoke --non-interactive bob", check=False).returncode == 1
    run(host, ["alice"], {"backend": "shellpki"}).done()
    assert _revoked(host, f"{BASE}/crl.pem") == [bob]


def test_shellpki_keys_of_a_longer_name_are_not_mistaken(shell, run):
    host = shell
    host.run(f"{SHELL_ENV} {SHELLPKI} create --non-interactive bob-laptop")
    run(host, ["alice", "bob-laptop"], {"backend": "shellpki"}).done()
    left = sorted(Path(name).name.split(".")[0][:10] for name in host.run(f"find {BASE} -name 'bob*'").stdout.split())
    assert left == ["bob-laptop"] * 5
