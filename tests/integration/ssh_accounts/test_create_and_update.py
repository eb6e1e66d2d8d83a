# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declared accounts come into being, work, and stay as declared."""

from __future__ import annotations

WATCHED = ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/sudoers.d", "/home", "/var/lib"]


def test_a_declared_account_is_made_and_its_owner_can_log_in_and_use_sudo(host, reconcile, keys, deploy):
    alice = {
        "name": "alice", "person": "alice.martin", "keys": [keys("alice").public], "groups": ["adm"],
        "comment": "Alice Martin", "expires": "2031-05-01", "sudo": {"commands": ["ALL"], "nopasswd": True},
    }  # fmt: skip
    first = reconcile(host, [deploy, alice])
    assert first.rc == 0, first.output
    assert ("create", "ssh_account alice") in first.actions("applied")
    assert {
        "kind": "ssh_account",
        "entry": "alice",
        "reason": "declared, not on the server",
        "person": "alice.martin",
    } in first.result["missing"]
    assert host.can_log_in("alice", keys("alice").private)
    assert host.ssh("alice", "sudo -n id -u", keys("alice").private).stdout.strip() == "0"
    assert "adm" in host.ssh("alice", "id -Gn", keys("alice").private).stdout.split()
    assert "2031" in host.run("chage -l alice").stdout
    again = reconcile(host, [deploy, alice])
    assert (again.rc, again.result["changed"], again.result["plan"]) == (0, False, [])


def test_a_converged_server_is_not_written_to(host, reconcile, keys, deploy):
    accounts = [deploy, {"name": "alice", "keys": [keys("alice").public]}]
    assert reconcile(host, accounts).rc == 0
    # The next run clears what the confirmation of the first one left; from then on nothing is written.
    assert reconcile(host, accounts).result["changed"] is False
    before = host.stamps(WATCHED)
    assert reconcile(host, accounts).result["changed"] is False
    assert host.stamps(WATCHED) == before


def test_check_mode_tells_the_same_plan_and_changes_nothing(host, reconcile, keys, deploy, account):
    account("bob", groups="sudo")
    accounts = [deploy, {"name": "alice", "keys": [keys("alice").public], "groups": ["adm"]}]
    policy = {"obsolete": "disable", "manage": {"local_people": True}}
    before = host.stamps([*WATCHED, "/etc/ssh"])
    dry = reconcile(host, accounts, check=True, diff=True, **policy)
    assert dry.rc == 0, dry.output
    assert host.stamps([*WATCHED, "/etc/ssh"]) == before
    assert dry.result["applied"] == []
    assert "alice" in dry.result["diff"]["after"]
    assert "bob: enabled" in dry.result["diff"]["before"]
    real = reconcile(host, accounts, **policy)
    assert real.rc == 0, real.output
    assert dry.actions() == real.actions() == real.actions("applied")
    assert dry.result["plan_id"] == real.result["plan_id"]


def test_shell_comment_and_expiry_follow_the_list(host, reconcile, deploy):
    reconcile(host, [deploy, {"name": "alice", "comment": "One", "expires": "2031-01-01"}])
    changed = reconcile(host, [deploy, {"name": "alice", "comment": "Two", "shell": "/bin/sh", "expires": "never"}])
    assert changed.actions("applied") == [("update", "ssh_account alice")], changed.output
    assert host.run("getent passwd alice").stdout.strip().endswith(":Two:/home/alice:/bin/sh")
    assert host.run("getent shadow alice").stdout.split(":")[7] == ""


def test_who_leaves_the_list_of_a_group_leaves_it_on_the_server(host, reconcile, deploy):
    reconcile(host, [deploy, {"name": "alice", "groups": ["sudo", "adm"]}])
    told = reconcile(host, [deploy, {"name": "alice", "groups": ["adm"]}])
    assert told.entries("obsolete", "ssh_group") == ["alice sudo"]
    assert told.result["changed"] is False
    done = reconcile(host, [deploy, {"name": "alice", "groups": ["adm"]}], obsolete="disable")
    assert done.actions("applied") == [("remove", "ssh_group alice sudo")], done.output
    assert host.run("id -Gn alice").stdout.split() == ["alice", "adm"]


def test_sudo_goes_when_the_list_no_longer_grants_it(host, reconcile, deploy):
    reconcile(host, [deploy, {"name": "a.b", "sudo": {"commands": ["/usr/bin/id -u", "/bin/true"], "runas": "root"}}])
    assert "(root) /usr/bin/id -u, /bin/true" in host.run("sudo -l -U a.b").stdout
    changed = reconcile(host, [deploy, {"name": "a.b", "sudo": {"commands": ["/bin/true"]}}])
    assert changed.actions("applied") == [("update", "ssh_sudo a.b")], changed.output
    gone = reconcile(host, [deploy, {"name": "a.b"}], obsolete="disable")
    assert gone.actions("applied") == [("remove", "ssh_sudo a.b")], gone.output
    assert "not allowed" in host.run("sudo -l -U a.b").stdout


def test_an_undeclared_key_is_found_and_removed_and_the_other_lines_keep_every_byte(host, reconcile, keys, deploy):
    alice = {"name": "alice", "keys": [keys("alice").public]}
    reconcile(host, [deploy, alice])
    odd = b'# note\n\n  command="/usr/bin/rrsync  -ro /srv/a  b",restrict ' + keys("alice").public.encode()
    bad = b"\nssh-future AAAAnot-base64 \xff\xfe\nnot a key at all\n" + keys("thief").public.encode() + b"\n"
    path = "/home/alice/.ssh/authorized_keys"
    host.write(path, odd + bad, 0o600, "alice:alice")
    told = reconcile(host, [deploy, alice])
    assert told.entries("obsolete", "ssh_key") == [f"alice {keys('thief').fingerprint}"], told.output
    assert any("line 4, 5: no key that sshd could use; kept" in text for text in told.result["problems"])
    assert host.read(path) == odd + bad
    done = reconcile(host, [deploy, alice], obsolete="disable")
    assert done.rc == 0, done.output
    assert host.read(path) == odd + b"\nssh-future AAAAnot-base64 \xff\xfe\nnot a key at all\n"
    assert not host.can_log_in("alice", keys("thief").private)
    archived = host.run("cat /var/lib/infogerance-perimeter/archive/ssh_keys/*/keys.0 | base64 -w0").stdout
    import base64

    assert base64.b64decode(archived) == odd + bad


def test_declared_options_replace_those_on_the_server_and_undeclared_ones_are_kept(host, reconcile, keys, deploy):
    public = keys("alice").public
    reconcile(host, [deploy, {"name": "alice", "keys": [f'from="192.0.2.0/24" {public}']}])
    assert not host.can_log_in("alice", keys("alice").private)
    kept = reconcile(host, [deploy, {"name": "alice", "keys": [public]}])
    assert kept.result["changed"] is False
    exact = reconcile(host, [deploy, {"name": "alice", "keys": [public]}], key_options="exact")
    assert exact.rc == 0, exact.output
    assert host.can_log_in("alice", keys("alice").private)


def test_a_skeleton_key_does_not_come_with_a_new_account(host, reconcile, keys, deploy):
    host.write("/etc/skel/.ssh/authorized_keys", keys("thief").public + "\n", 0o600)
    host.write("/etc/skel/.ssh/authorized_keys2", keys("thief").public + "\n", 0o600)
    made = reconcile(host, [deploy, {"name": "alice", "keys": [keys("alice").public]}])
    assert made.rc == 0, made.output
    assert host.can_log_in("alice", keys("alice").private)
    assert not host.can_log_in("alice", keys("thief").private)
