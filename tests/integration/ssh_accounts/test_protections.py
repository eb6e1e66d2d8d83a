# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module never does, whatever the list says."""

from __future__ import annotations

import pytest

ALL = {"manage": {"local_people": True}, "obsolete": "remove", "grace": 0, "max_obsolete": "100%"}


def test_the_connecting_account_stays_with_its_groups_and_sudo_although_it_is_not_declared(
    host, reconcile, keys, account
):
    account("bob")
    host.run("gpasswd -a deploy adm")
    done = reconcile(host, [{"name": "alice", "keys": [keys("alice").public]}], **ALL)
    assert done.rc == 0, done.output
    assert {"kind": "ssh_account", "entry": "deploy", "reason": "carries this connection"} in done.result["protected"]
    assert done.entries("applied") == ["alice", "bob", "bob"]
    assert host.ssh("deploy", "sudo -n id -u").stdout.strip() == "0"
    assert "adm" in host.run("id -Gn deploy").stdout


def test_the_key_that_carries_the_connection_stays_where_the_log_tells_which_it_is(make_host, reconcile, keys):
    host = make_host(flavour="systemd")
    host.run(["sh", "-c", "cat >> /home/deploy/.ssh/authorized_keys"], input=keys("stray").public + "\n")
    done = reconcile(host, [{"name": "deploy", "keys": [keys("other").public]}], adopt=True, **ALL)
    assert done.rc == 0, done.output
    reasons = {row["entry"]: row["reason"] for row in done.result["protected"] if row["kind"] == "ssh_key"}
    assert list(reasons.values()) == ["this connection came in with it"]
    assert ("remove", f"ssh_key deploy {keys('stray').fingerprint}") in done.actions("applied")
    assert host.can_log_in("deploy")
    assert not host.can_log_in("deploy", keys("stray").private)


def test_all_keys_of_the_connecting_account_stay_where_no_log_tells(host, reconcile, keys):
    host.run("rm -f /var/log/auth.log /var/log/secure")
    host.run(["sh", "-c", "cat >> /home/deploy/.ssh/authorized_keys"], input=keys("stray").public + "\n")
    done = reconcile(host, [{"name": "deploy", "keys": [keys("other").public]}], adopt=True, **ALL)
    assert done.rc == 0, done.output
    reasons = {row["reason"] for row in done.result["protected"] if row["kind"] == "ssh_key"}
    assert reasons == {"may carry this connection: no log tells which key of deploy does"}
    assert host.can_log_in("deploy")


def test_root_and_system_accounts_stay_and_their_keys_are_told(host, reconcile, deploy, keys):
    host.write("/root/.ssh/authorized_keys", keys("rooter").public + "\n", 0o600)
    host.run("usermod -d /var/lib/backup backup && install -d -o backup -m 700 /var/lib/backup /var/lib/backup/.ssh")
    line = 'command="/usr/bin/rsync --server",restrict ' + keys("puller").public
    host.write("/var/lib/backup/.ssh/authorized_keys", line + "\n", 0o600, "backup:backup")
    before = host.snapshot(["/root", "/var/lib/backup", "/etc/passwd"])
    done = reconcile(host, [deploy], **ALL)
    assert done.rc == 0, done.output
    protected = {row["entry"]: row["reason"] for row in done.result["protected"]}
    assert protected["root"] == "root's account" and protected["backup"].startswith("system account")
    assert f"root {keys('rooter').fingerprint}" in done.entries("unmanaged", "ssh_key")
    assert f"backup {keys('puller').fingerprint}" in done.entries("unmanaged", "ssh_key")
    assert host.snapshot(["/root", "/var/lib/backup", "/etc/passwd"]) == before


def test_root_keys_follow_the_list_once_they_are_declared_and_adopted(host, reconcile, deploy, keys):
    stray = keys("stray").public
    host.write("/root/.ssh/authorized_keys", stray + "\n" + keys("rooter").public + "\n", 0o600)
    root = {"name": "root", "system": True, "keys": [keys("rooter").public]}
    kept = reconcile(host, [deploy, root], obsolete="disable")
    assert kept.entries("unmanaged", "ssh_key") == [f"root {keys('stray').fingerprint}"], kept.output
    done = reconcile(host, [deploy, root], obsolete="disable", adopt=True)
    assert ("remove", f"ssh_key root {keys('stray').fingerprint}") in done.actions("applied"), done.output
    assert host.read("/root/.ssh/authorized_keys") == (keys("rooter").public + "\n").encode()


def test_a_service_account_goes_only_when_it_is_named(host, reconcile, deploy, keys):
    host.run("useradd -r -m -s /bin/sh -p '*' puller && install -d -o puller -m 700 /home/puller/.ssh")
    host.write("/home/puller/.ssh/authorized_keys", keys("puller").public + "\n", 0o600, "puller:puller")
    kept = reconcile(host, [deploy], **ALL)
    assert "puller" in kept.entries("protected"), kept.output
    assert host.can_log_in("puller", keys("puller").private)
    named = reconcile(host, [deploy], **{**ALL, "manage": {"names": ["puller"]}})
    assert named.entries("applied") == ["puller", "puller"], named.output


def test_naming_root_for_removal_is_an_error(host, reconcile, deploy):
    refused = reconcile(host, [deploy], **{**ALL, "manage": {"names": ["root"]}})
    assert refused.rc != 0 and "root is protected" in refused.result["msg"]


def test_an_empty_list_is_refused_and_nothing_changes(host, reconcile, account):
    bob = account("bob")
    refused = reconcile(host, [], **ALL)
    assert refused.rc != 0 and "declared list is empty" in refused.result["msg"]
    assert refused.result["changed"] is False
    assert host.can_log_in("bob", bob.private)


def test_too_many_at_once_are_refused_and_nothing_changes(host, reconcile, deploy, account, keys):
    for number in range(5):
        account(f"user{number}", key="shared")
    before = host.stamps(["/etc/passwd", "/etc/shadow", "/home"])
    policy = {**ALL, "max_obsolete": "20%"}
    refused = reconcile(host, [deploy, {"name": "alice", "keys": [keys("alice").public]}], **policy)
    assert refused.rc != 0
    assert "5 of 6 managed entries of kind ssh_account would lose access" in refused.result["msg"]
    assert host.stamps(["/etc/passwd", "/etc/shadow", "/home"]) == before


def test_a_protected_name_stays_with_its_keys(host, reconcile, deploy, account):
    bob = account("bob")
    kept = reconcile(host, [deploy], **ALL, protect=["bob"])
    assert {"kind": "ssh_account", "entry": "bob", "reason": "named by protect"} in kept.result["protected"]
    assert host.can_log_in("bob", bob.private)


def test_a_group_that_something_else_gives_stays(host, reconcile, deploy):
    reconcile(host, [deploy, {"name": "alice", "groups": ["adm", "video"]}])
    done = reconcile(host, [deploy, {"name": "alice", "groups": []}], obsolete="disable", keep_groups=["video"])
    assert done.actions("applied") == [("remove", "ssh_group alice adm")], done.output


@pytest.mark.parametrize("shell", ["/usr/sbin/nologin", "/bin/false"])
def test_the_connecting_account_keeps_a_shell_that_opens(host, reconcile, deploy, shell):
    refused = reconcile(host, [dict(deploy, shell=shell)])
    assert refused.rc != 0 and refused.result["field"] == "shell"
    assert host.can_log_in("deploy")
