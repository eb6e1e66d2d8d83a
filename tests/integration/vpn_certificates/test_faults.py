# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Killed runs, full disks, damaged files, other tools: old or new, never half, and the next run finishes."""

from __future__ import annotations

import pytest

from lab.vpn import Authority

STATE = "/var/lib/infogerance-perimeter"


def _kill_at(vpn, point: str, declared: list, **more):
    """Run the module on the host and die at this point, with SIGKILL."""
    name, _at, passage = point.partition("@")
    fault = {"INFOGERANCE_PERIMETER_FAULT": name, "INFOGERANCE_PERIMETER_FAULT_AT": passage or "1"}
    env = {"task": {"environment": fault}}
    outcome = vpn.run(declared, run=env, **more)
    assert outcome.rc != 0, f"{point} was never passed"
    assert "plan" not in outcome.result, "it was not killed"


@pytest.mark.parametrize(
    "point",
    [
        "write:opened@1", "write:synced@2", "disable:client-file", "archive:made", "crl:before-index",
        "crl:index-written", "crl:list-written", "crl:installed", "sessions:cut", "write:unlinked",
    ],
)  # fmt: skip
@pytest.mark.sample(2)
def test_a_killed_run_leaves_a_working_server_and_the_next_run_finishes(make_vpn, point):
    vpn = make_vpn("alice", "carol")
    _easy(vpn)
    vpn.server.stay_connected("carol")
    _kill_at(vpn, point, ["alice"])
    assert vpn.server.can_connect("alice")
    vpn.run(["alice"]).done()
    assert vpn.serials_revoked() == vpn.authority.serials["carol"]
    assert vpn.server.connected() == []
    assert (vpn.server.can_connect("alice"), vpn.server.can_connect("carol")) == (True, False)
    assert not vpn.host.exists("/etc/easy/private/carol.key")
    assert vpn.run(["alice"]).done().result["changed"] is False


def _easy(vpn) -> None:
    """The same authority in easy-rsa's layout, where keys have known places; the server keeps its list."""
    vpn.host.run(
        f"cp -a {vpn.authority.target} /etc/easy && cd /etc/easy && mkdir issued reqs certs_by_serial && "
        "cp newcerts/* certs_by_serial/ && cp ca.key private/ca.key && cp private/*.crt issued/ && "
        "for n in alice carol; do cp $n.csr reqs/$n.req; done"
    )
    vpn.pki = {"backend": "easy_rsa", "directory": "/etc/easy", "crl": f"{vpn.authority.target}/crl.pem"}


@pytest.mark.parametrize("point", ["crl:before-index", "crl:index-written", "crl:list-written"])
@pytest.mark.sample(1)
def test_taking_back_a_hold_is_finished_after_a_kill(make_vpn, point):
    vpn = make_vpn("alice", "carol", options={"client-config-dir": None})
    vpn.run(["alice"], obsolete="disable").done()
    assert vpn.serials_revoked() == vpn.authority.serials["carol"]
    _kill_at(vpn, point, ["alice", "carol"])
    vpn.run(["alice", "carol"]).done()
    assert vpn.serials_revoked() == []
    assert vpn.server.can_connect("carol")
    assert vpn.run(["alice", "carol"]).done().result["changed"] is False


def test_a_hold_that_an_old_index_lost_is_not_lifted(make_vpn):
    vpn = make_vpn("alice", "carol", options={"client-config-dir": None})
    old = vpn.index()
    vpn.run(["alice"], obsolete="disable").done()
    vpn.host.write(f"{vpn.authority.target}/index.txt", old)
    told = vpn.run(["alice"], obsolete="report").done()
    assert any("lost revocations" in alarm for alarm in told.result["alarms"])
    vpn.run(["alice"]).refused("lost revocations")
    assert not vpn.server.can_connect("carol")


def test_an_authority_without_a_key_identifier_gets_its_list(make_vpn):
    vpn = make_vpn("alice", "carol", identifier=False)
    vpn.run(["alice"]).done()
    assert (vpn.server.can_connect("alice"), vpn.server.can_connect("carol")) == (True, False)


def test_a_revocation_without_its_list_is_found_even_by_a_report(make_vpn):
    vpn = make_vpn("alice", "carol")
    _kill_at(vpn, "crl:index-written", ["alice"])
    assert vpn.index().splitlines()[2].startswith("R")
    assert vpn.serials_revoked() == []
    found = vpn.run(["alice"], obsolete="report").done()
    assert f"update {vpn.authority.target}/crl.pem" in found.actions("applied")
    assert found.result["plan"][0]["reason"].startswith("revocation list incomplete")
    assert vpn.serials_revoked() == vpn.authority.serials["carol"]


def test_a_full_disk_leaves_the_old_list(make_vpn):
    vpn = make_vpn("alice", "bob", "carol")
    target = vpn.authority.target
    copy = "/srv/copy"
    vpn.host.run(f"cp -a {target} {copy}")
    vpn.server.stop()
    vpn.host.mount_tmpfs(target, "128k")
    vpn.host.run(f"cp -a {copy}/. {target}/")
    vpn.server.start()
    vpn.host.run(f"dd if=/dev/zero of={target}/filler bs=1k 2>/dev/null; true")
    before = vpn.host.snapshot([f"{target}/crl.pem", f"{target}/index.txt", f"{target}/crlnumber"])
    vpn.run(["alice", "bob"]).refused("No space left on device")
    assert vpn.host.snapshot([f"{target}/crl.pem", f"{target}/index.txt", f"{target}/crlnumber"]) == before
    assert vpn.server.can_connect("alice")
    vpn.host.run(f"rm {target}/filler")
    vpn.run(["alice", "bob"]).done()
    assert not vpn.server.can_connect("carol")
    assert vpn.server.can_connect("bob")


def test_a_full_disk_where_the_server_reads_its_list_stops_the_run_before_any_change(make_vpn):
    vpn = make_vpn("alice", "carol", options={"crl-verify": "/srv/small/crl.pem"}, start=False)
    vpn.host.run("mkdir /srv/small")
    vpn.host.mount_tmpfs("/srv/small", "16k")
    vpn.host.run(f"cp {vpn.authority.target}/crl.pem /srv/small/ && chmod 755 /srv/small")
    vpn.server.start()
    vpn.host.run("dd if=/dev/zero of=/srv/small/filler bs=1k 2>/dev/null; true")
    before = vpn.host.read("/srv/small/crl.pem")
    # Whether the daemon will read it is tried there before anything is written: so the index stays, too.
    vpn.run(["alice"]).refused("No space left on device")
    assert vpn.host.read("/srv/small/crl.pem") == before
    assert vpn.index().count("R\t") == 0
    vpn.host.run("rm /srv/small/filler")
    vpn.run(["alice"]).done()
    assert not vpn.server.can_connect("carol")


def test_a_disk_that_fills_up_between_index_and_list_leaves_the_old_list_and_is_finished_later(make_vpn):
    """The probe still finds room, the list does not."""
    small = "/srv/small"

    def many(ca: Authority) -> None:
        rows = "".join(f"R\t20560101000000Z\t200101000000Z\t{n:04X}\tunknown\t/CN=old{n}\n" for n in range(4096, 4396))
        with (ca.folder / "index.txt").open("a") as stream:
            stream.write(rows)
        ca.new_crl()

    vpn = make_vpn("alice", "carol", options={"crl-verify": f"{small}/crl.pem"}, start=False, before=many)
    vpn.pki["crl"] = f"{small}/crl.pem"
    vpn.host.run(f"mkdir {small}")
    vpn.host.mount_tmpfs(small, "48k")
    vpn.host.run(f"cp {vpn.authority.target}/crl.pem {small}/ && chmod 755 {small}")
    vpn.server.start()
    before = vpn.host.read(f"{small}/crl.pem")
    assert len(before) > 8192
    # One page is left: enough for the probe, not for the list.
    vpn.host.run(f"dd if=/dev/zero of={small}/filler bs=4k 2>/dev/null; truncate -s -4096 {small}/filler")
    vpn.run(["alice"]).refused("No space left on device")
    assert vpn.index().splitlines()[2].startswith("R\t")
    assert vpn.host.read(f"{small}/crl.pem") == before
    assert vpn.host.run(f"ls -A {small}").stdout.split() == ["crl.pem", "filler"]
    assert vpn.server.can_connect("alice")
    vpn.host.run(f"rm {small}/filler")
    found = vpn.run(["alice"], obsolete="report").done()
    assert f"update {small}/crl.pem" in found.actions("applied")
    assert (vpn.server.can_connect("alice"), vpn.server.can_connect("carol")) == (True, False)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("truncate -s -10 {t}/index.txt", ("index.txt", "line 3", "cut short")),
        ("sed -i '2s/\\t/ /' {t}/index.txt", ("line 2", "fields")),
        ("sed -i '2p' {t}/index.txt", ("line 3", "already")),
        ("sed -i '2s/^V/X/' {t}/index.txt", ("line 2", "status")),
        ("rm {t}/index.txt", ("index.txt", "No such file")),
        ("chmod 0 {t}/ca.crt; rm {t}/ca.crt", ("ca.crt",)),
        ("echo rubbish > {t}/ca.crt", ("ca.crt",)),
        ("rm {t}/ca.key; mkdir {t}/ca.key", ("ca.key",)),
        ("echo rubbish > {t}/ca.key", ("CA ",)),
        ("ln -sf /etc/passwd {t}/index.txt", ("index.txt", "symbolic link")),
    ],
)
@pytest.mark.sample(2)
def test_damaged_files_stop_the_run_before_any_change(make_vpn, damage, words):
    vpn = make_vpn("alice", "carol", start=False)
    vpn.host.run(damage.format(t=vpn.authority.target))
    before = vpn.host.snapshot(["/etc/pki"])
    vpn.run(["alice"], openvpn=[]).refused(*words)
    assert vpn.host.snapshot(["/etc/pki"]) == before


def test_an_index_that_lost_a_revocation_gives_no_new_list(make_vpn):
    """An old copy of the index came back: a list made from it would let carol in again."""
    vpn = make_vpn("alice", "bob", "carol")
    old = vpn.index()
    vpn.run(["alice", "bob"]).done()
    vpn.host.write(f"{vpn.authority.target}/index.txt", old)
    told = vpn.run(["alice", "bob", "carol"], obsolete="report").done()
    assert any("lost revocations" in alarm for alarm in told.result["alarms"])
    before = vpn.host.snapshot(["/etc/pki"])
    vpn.run(["alice", "carol"]).refused("lost revocations", vpn.authority.serials["carol"][0])
    assert vpn.host.snapshot(["/etc/pki"]) == before
    assert not vpn.server.can_connect("carol")
    # An index cut at the end of a line looks whole: the list tells.
    vpn.host.write(f"{vpn.authority.target}/index.txt", "\n".join(old.splitlines()[:2]) + "\n")
    vpn.run([{"cn": "bob", "state": "absent"}, "alice"], obsolete="report").done()
    told = vpn.run(["alice"], obsolete="report").done()
    assert any("lost revocations" in alarm for alarm in told.result["alarms"])


def test_a_list_that_revokes_a_declared_client_is_not_put_in_place(make_vpn):
    vpn = make_vpn("alice", "bob", "carol")
    # The index on the server says that alice is revoked, the list in force does not: a killed run, or a hand.
    target = vpn.authority.target
    vpn.host.run(
        f"cd {target} && openssl ca -config openssl.cnf -revoke newcerts/{vpn.authority.serials['alice'][0]}.pem"
    )
    found = vpn.run(["alice", "bob"])
    found.done()
    assert [row["entry"] for row in found.result["missing"]] == ["alice"]
    assert found.result["missing"][0]["reason"].startswith("revoked on ")


def test_odd_names_and_far_dates_are_read_and_reported(make_vpn):
    def odd(ca: Authority) -> None:
        ca.issue("far", "client", "-enddate", "20560101000000Z")
        lines = (
            "V\t560101000000Z\t\tF1\tunknown\t/O=a\\/b/CN=with space\n"
            "V\t20560101000000Z\t\tF2\tunknown\t/CN=..\\/..\\/etc\\/passwd\n"
            "V\t20560101000000Z\t\tF3\tunknown\t/O=nobody\n"
            "V\t20560101000000Z\t\tF4\tunknown\t/CN=Ren\\xC3\\xA9\n"
        )
        with (ca.folder / "index.txt").open("a") as stream:
            stream.write(lines)

    vpn = make_vpn("alice", before=odd)
    found = vpn.run(["alice", "far"], obsolete="report").done()
    # F1's two-digit year 56 is 1956: long gone.
    assert found.entries("obsolete") == ["../../etc/passwd:F2", "?:F3", "?:F4"]
    assert found.result["expired"] == [{"entry": "?:F1", "since": "1956-01-01T00:00:00Z"}]
    gone = vpn.run(["alice", "far"]).done()
    assert sorted(vpn.serials_revoked()) == ["F2", "F3", "F4"]
    assert "passwd" in vpn.host.run("ls /etc").stdout
    assert gone.result["notes"] == []


def test_another_tool_that_works_on_the_index_stops_the_run(make_vpn):
    vpn = make_vpn("alice", "carol")
    _easy(vpn)
    vpn.host.write("/etc/easy/lock.file", "")
    vpn.run(["alice"]).refused("lock.file exists")
    assert vpn.serials_revoked() == []


def test_an_index_that_changes_under_our_hands_stops_the_run(make_vpn):
    vpn = make_vpn("alice", "carol")
    # openssl is made to append a line to the real index while it signs.
    vpn.host.run("mv /usr/bin/openssl /usr/bin/openssl.real")
    vpn.host.write(
        "/usr/bin/openssl",
        '#!/bin/sh\ncase "$*" in *-gencrl*) '
        f"printf 'V\\t20560101000000Z\\t\\tEE\\tunknown\\t/CN=new\\n' >> {vpn.authority.target}/index.txt;; esac\n"
        'exec /usr/bin/openssl.real "$@"\n',
        0o755,
    )
    vpn.run(["alice"]).refused("changed while we worked")
    assert vpn.serials_revoked() == []
    assert "\tEE\t" in vpn.index()


def test_a_management_interface_that_is_held_is_told(make_vpn):
    vpn = make_vpn("alice", "carol")
    vpn.server.stay_connected("carol")
    vpn.host.spawn("sh -c '(echo s3cret-management; sleep 60) | nc 127.0.0.1 2194'")
    vpn.host.run("sleep 0.5")
    told = vpn.run(["alice"], obsolete="report").done()
    assert any("who is connected can't be known" in alarm for alarm in told.result["alarms"])
    vpn.run(["alice"], obsolete="disable").refused("can't be cut")


def test_a_wrong_management_password_is_told(make_vpn):
    vpn = make_vpn("alice", "carol")
    vpn.host.write("/etc/openvpn/server/management-pwd", "wrong\n", 0o600)
    told = vpn.run(["alice"], obsolete="report").done()
    assert any("management interface" in alarm for alarm in told.result["alarms"])


def _worse_lists(vpn, tmp_path) -> dict[str, bytes]:
    """What must never take the place of the list in force, by the reason that is to be told."""
    ca = vpn.authority
    old = (ca.folder / "crl.pem").read_bytes()
    carol = ca.serials["carol"][0]
    worse = {"lacks": old, "is empty": b"", "no whole PEM block": old[:-60]}
    ca.revoke(carol)
    worse["expired on"] = ca.expired_crl()
    worse["is valid from"] = ca.new_crl("-crl_lastupdate", "20900101000000Z", "-crl_nextupdate", "20910101000000Z")
    ca.revoke(ca.serials["alice"][0])
    worse["it revokes what must stay"] = ca.new_crl()
    namesake = Authority.make(tmp_path / "namesake", ["mallory", "carol"])
    namesake.revoke(namesake.serials["carol"][0])
    worse["was not signed by this authority"] = namesake.new_crl()
    return worse


def test_a_lying_openssl_is_found_out(make_vpn, tmp_path):
    """openssl says yes and gives a list that is worse than the one in force: it is not put in place."""
    vpn = make_vpn("alice", "carol")
    vpn.host.run("mv /usr/bin/openssl /usr/bin/openssl.real")
    vpn.host.write(
        "/usr/bin/openssl",
        '#!/bin/sh\ncase "$*" in *-gencrl*) cp /root/lie.pem crl.pem; exit 0;; esac\nexec /usr/bin/openssl.real "$@"\n',
        0o755,
    )
    before = vpn.host.snapshot(["/etc/pki"])
    for reason, lie in _worse_lists(vpn, tmp_path).items():
        vpn.host.write("/root/lie.pem", lie)
        vpn.run(["alice"]).refused("not put in place", reason)
        assert vpn.host.snapshot(["/etc/pki"]) == before, reason
    assert vpn.server.can_connect("alice")
