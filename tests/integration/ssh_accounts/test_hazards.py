# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a closed account open all the same: each hazard shown on a real host, then closed by the module."""

from __future__ import annotations

import subprocess
import time

import pytest

MANAGE = {"local_people": True}


def _sshd_option(host, *lines):
    host.write("/etc/ssh/sshd_config.d/00-test.conf", "".join(line + "\n" for line in lines))
    host.restart_sshd()


@pytest.mark.parametrize("pam", ["yes", "no"])
def test_locks_that_do_not_lock_and_the_disable_that_does_with_pam(host, reconcile, deploy, account, pam):
    bob = account("bob")
    _sshd_option(host, f"UsePAM {pam}")
    seen = {}
    for state, command in {
        "usermod -L": "usermod -p 'x' bob && usermod -L bob",
        "!": "usermod -p '!' bob",
        "*": "usermod -p '*' bob",
        "expired": "usermod -p '*' -e 1 bob",
    }.items():
        host.run(command)
        # PAM refuses an expired account by closing the line, without a word.
        seen[state] = host.ssh("bob", "true", bob.private).returncode == 0
    assert seen == {"usermod -L": pam == "yes", "!": pam == "yes", "*": True, "expired": False}
    host.run("usermod -e '' bob")
    assert host.can_log_in("bob", bob.private)
    done = reconcile(host, [deploy], obsolete="disable", manage=MANAGE)
    assert done.rc == 0, done.output
    assert host.ssh("bob", "true", bob.private).returncode != 0


@pytest.mark.parametrize("pam", ["yes", "no"])
def test_a_new_account_gets_in_with_its_key_with_and_without_pam(host, reconcile, deploy, keys, pam):
    _sshd_option(host, f"UsePAM {pam}")
    assert reconcile(host, [deploy, {"name": "alice", "keys": [keys("alice").public]}]).rc == 0
    assert host.can_log_in("alice", keys("alice").private)


def _forward_answers(host, user, key, port):
    """True when a forwarded port brings an answer from sshd behind it."""
    argv = host.ssh_argv(
        user, None, key.private, ["-N", "-L", f"127.0.0.1:{port}:127.0.0.1:22", "-o", "ExitOnForwardFailure=yes"]
    )
    tunnel = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _attempt in range(30):
            if tunnel.poll() is not None:
                return False
            probe = subprocess.run(
                ["ssh-keyscan", "-T", "2", "-p", str(port), "127.0.0.1"], capture_output=True, check=False
            )
            if probe.stdout:
                return True
            time.sleep(0.1)
        return False
    finally:
        tunnel.kill()
        tunnel.wait()


def test_nologin_still_forwards_ports_and_disabled_does_not(host, reconcile, deploy, account, worker_port):
    bob = account("bob")
    host.run("usermod -s /usr/sbin/nologin bob")
    assert not host.can_log_in("bob", bob.private)
    assert _forward_answers(host, "bob", bob, worker_port)
    told = reconcile(host, [deploy, {"name": "bob", "keys": [bob.public]}])
    assert any("not port forwarding" in text for text in told.result["problems"]), told.output
    done = reconcile(host, [deploy], obsolete="disable", manage=MANAGE)
    assert done.rc == 0, done.output
    assert not _forward_answers(host, "bob", bob, worker_port)


def test_a_live_multiplexing_master_is_cut(host, reconcile, deploy, account, tmp_path):
    bob = account("bob")
    socket = ["-o", f"ControlPath={tmp_path}/m"]
    master = subprocess.Popen(host.ssh_argv("bob", None, bob.private, [*socket, "-M", "-N"]), stdin=subprocess.DEVNULL)
    try:
        for _attempt in range(50):
            if (tmp_path / "m").exists():
                break
            time.sleep(0.1)
        host.run("rm /home/bob/.ssh/authorized_keys")
        assert not host.can_log_in("bob", bob.private)
        # The key is gone, the live master still opens sessions: that is the hazard.
        assert host.ssh("bob", "id -un", bob.private, socket).stdout.strip() == "bob"
        done = reconcile(host, [deploy], obsolete="disable", manage=MANAGE)
        assert done.rc == 0, done.output
        assert host.ssh("bob", "id -un", bob.private, socket).returncode != 0
        assert host.run("pgrep -u bob", check=False).stdout == ""
        assert master.wait(timeout=10) != 0
    finally:
        master.kill()
        master.wait()


def test_without_terminate_the_result_says_that_a_session_still_runs(host, reconcile, deploy, account):
    account("bob")
    host.spawn("sleep 3600", user="bob")
    done = reconcile(host, [deploy], obsolete="disable", manage=MANAGE, terminate=False)
    row = next(r for r in done.result["access"] if r["account"] == "bob")
    assert (done.rc, row["open"]) == (0, True) and row["processes"] >= 1, done.output


def test_an_undeclared_key_in_authorized_keys2_is_found(host, reconcile, deploy, keys):
    alice = {"name": "alice", "keys": [keys("alice").public]}
    reconcile(host, [deploy, alice])
    host.write("/home/alice/.ssh/authorized_keys2", keys("thief").public + "\n", 0o600, "alice:alice")
    assert host.can_log_in("alice", keys("thief").private)
    done = reconcile(host, [deploy, alice], obsolete="disable")
    assert done.actions("applied") == [("remove", f"ssh_key alice {keys('thief').fingerprint}")], done.output
    assert not host.can_log_in("alice", keys("thief").private)
    assert host.can_log_in("alice", keys("alice").private)


def test_a_key_file_that_only_a_match_block_names_is_found(host, reconcile, deploy, keys):
    alice = {"name": "alice", "keys": [keys("alice").public]}
    reconcile(host, [deploy, alice])
    _sshd_option(host, "Match User alice", "  AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/extra/%u")
    host.run("mkdir -m 755 /etc/ssh/extra")
    host.write("/etc/ssh/extra/alice", keys("thief").public + "\n", 0o644)
    assert host.can_log_in("alice", keys("thief").private)
    done = reconcile(host, [deploy, alice], obsolete="disable")
    assert done.actions("applied") == [("remove", f"ssh_key alice {keys('thief').fingerprint}")], done.output
    assert not host.can_log_in("alice", keys("thief").private)
    assert host.run("stat -c %U:%a /etc/ssh/extra/alice").stdout.strip() == "root:644"


def test_keys_outside_the_home_are_written_where_sshd_reads_them(host, reconcile, deploy, keys):
    host.run("mkdir -p -m 755 /etc/ssh/keys && install -m 644 /home/deploy/.ssh/authorized_keys /etc/ssh/keys/deploy")
    _sshd_option(host, "AuthorizedKeysFile /etc/ssh/keys/%u")
    done = reconcile(host, [deploy, {"name": "alice", "keys": [keys("alice").public]}])
    assert done.rc == 0, done.output
    assert host.exists("/etc/ssh/keys/alice") and not host.exists("/home/alice/.ssh")
    assert host.can_log_in("alice", keys("alice").private)


def test_a_key_file_that_all_accounts_share_is_told_and_left(host, reconcile, deploy, keys, account):
    account("bob")
    host.write("/etc/ssh/all_keys", keys("thief").public + "\n", 0o644)
    _sshd_option(host, "AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/all_keys")
    done = reconcile(host, [deploy], obsolete="disable", manage=MANAGE)
    assert any("/etc/ssh/all_keys is read for several accounts" in text for text in done.result["problems"]), (
        done.output
    )
    assert host.read("/etc/ssh/all_keys") == (keys("thief").public + "\n").encode()


def test_a_linked_ssh_directory_leads_nobody_into_another_home(host, reconcile, deploy, account, keys):
    account("victim")
    account("rogue")
    host.run("rm -rf /home/rogue/.ssh && su rogue -c 'ln -s /home/victim/.ssh /home/rogue/.ssh'")
    before = host.snapshot(["/home/victim"])
    accounts = [
        deploy,
        {"name": "victim", "keys": [keys("victim").public]},
        {"name": "rogue", "keys": [keys("new").public]},
    ]
    refused = reconcile(host, accounts)
    assert refused.rc != 0
    assert (refused.result["entry"], refused.result["field"]) == ("rogue", "keys")
    assert "/home/rogue/.ssh is a symbolic link to /home/victim/.ssh" in refused.result["msg"]
    assert host.snapshot(["/home/victim"]) == before
    closed = reconcile(host, accounts[:2], obsolete="disable", manage=MANAGE)
    assert closed.entries("applied") == ["rogue"], closed.output
    assert host.snapshot(["/home/victim"]) == before
    assert not host.exists("/home/rogue/.ssh")
    assert not host.can_log_in("rogue", keys("victim").private)
    back = reconcile(host, accounts[:2], restore=["rogue"])
    assert back.rc == 0, back.output
    assert host.run("readlink /home/rogue/.ssh").stdout.strip() == "/home/victim/.ssh"


@pytest.mark.parametrize(
    ("trap", "told"),
    [
        ("rm -f $F && mkdir $F", "is not a regular file"),
        ("rm -f $F && ln -s /etc/shadow $F", "is a symbolic link"),
        ("rm -f $F && mkfifo $F", "is not a regular file"),
        ("chown daemon $F", "belongs to uid 1"),
        ("ln $F /home/other-name", "has 2 hard links"),
        ("chown daemon $D", "belongs to uid 1, not to root"),
    ],
)
@pytest.mark.sample(3)
def test_a_trap_in_place_of_a_key_file_is_refused_before_any_change(host, reconcile, deploy, account, keys, trap, told):
    account("alice")
    host.run("D=/home/alice/.ssh; F=$D/authorized_keys; " + trap)
    before = host.snapshot(["/home", "/etc/shadow"])
    refused = reconcile(host, [deploy, {"name": "alice", "keys": [keys("new").public]}, {"name": "zoe"}])
    assert refused.rc != 0
    assert (refused.result["entry"], refused.result["field"]) == ("alice", "keys")
    assert told in refused.result["msg"], refused.result["msg"]
    assert host.snapshot(["/home", "/etc/shadow"]) == before
    closed = reconcile(host, [deploy], obsolete="disable", manage=MANAGE)
    assert closed.entries("applied") == ["alice"], closed.output
    assert not host.can_log_in("alice", keys("alice").private)


def test_a_new_account_does_not_inherit_what_a_former_one_left(host, reconcile, deploy, account):
    account("bob")
    host.run("userdel bob")
    refused = reconcile(host, [deploy, {"name": "bob"}])
    assert (refused.result["entry"], refused.result["field"]) == ("bob", "home"), refused.output
    assert "what a former one left" in refused.result["msg"]


def test_a_sudoers_rule_left_for_a_name_does_not_serve_its_next_owner(host, reconcile, deploy):
    host.write("/etc/sudoers.d/bob", "bob ALL=(ALL) NOPASSWD: ALL\n", 0o440)
    reconcile(host, [deploy, {"name": "bob"}])
    told = reconcile(host, [deploy, {"name": "bob"}])
    assert told.entries("obsolete", "ssh_sudo") == ["bob /etc/sudoers.d/bob"], told.output
    reconcile(host, [deploy, {"name": "bob"}], obsolete="disable")
    assert not host.exists("/etc/sudoers.d/bob")


def test_removal_tells_what_it_leaves(host, reconcile, deploy, account):
    account("bob")
    host.write("/var/mail/bob", "mail\n", 0o660, "bob:mail")
    host.write("/etc/aliases", "bob: root\n")
    host.write("/var/tmp/his-file", "x", 0o644, "bob:bob")
    gone = reconcile(host, [deploy], obsolete="remove", grace=0, manage=MANAGE, scan=["/var/tmp"])
    assert gone.rc == 0, gone.output
    told = " ".join(gone.result["notes"])
    assert "mail: /var/mail/bob" in told and "/etc/aliases:1" in told
    # userdel takes the subordinate ids along.
    assert "subuid" not in told
    assert "bob" not in host.read("/etc/subuid").decode()
    assert gone.result["files_left"]["complete"] is True
    assert gone.result["files_left"]["files"][0].endswith("/var/tmp/his-file")


def test_allow_users_forgets_a_name_but_never_its_last_one(host, reconcile, deploy, account):
    account("bob")
    account("carl")
    _sshd_option(host, "AllowUsers deploy bob@192.0.2.*", "AllowUsers carl")
    assert reconcile(host, [deploy], obsolete="disable", manage=MANAGE).rc == 0
    assert host.read("/etc/ssh/sshd_config.d/00-test.conf") == b"AllowUsers deploy\nAllowUsers carl\n"
    back = reconcile(host, [deploy], restore=["bob"])
    assert back.rc == 0, back.output
    assert host.read("/etc/ssh/sshd_config.d/00-test.conf") == b"AllowUsers deploy bob@192.0.2.*\nAllowUsers carl\n"


def test_a_declared_account_that_sshd_keeps_out_is_told(host, reconcile, deploy, keys):
    host.run("groupadd ssh-in && gpasswd -a deploy ssh-in")
    _sshd_option(host, "AllowGroups ssh-in")
    told = reconcile(host, [deploy, {"name": "alice", "keys": [keys("alice").public]}])
    assert "alice: declared, but in no group of sshd's AllowGroups" in told.result["problems"], told.output


def test_an_account_of_a_directory_service_is_told_and_never_changed(make_host, reconcile, keys):
    host = make_host(extra_packages=["libnss-extrausers"])
    public = host.key.with_name(host.key.name + ".pub").read_text().strip()
    deploy = {"name": "deploy", "keys": [public]}
    host.run("sed -i 's/^passwd:.*/passwd: files extrausers/' /etc/nsswitch.conf")
    host.write("/var/lib/extrausers/passwd", "ldapuser:x:5000:5000::/home/ldapuser:/bin/bash\n")
    told = reconcile(host, [deploy], obsolete="remove", grace=0, manage=MANAGE)
    assert "ldapuser comes from a directory service" in told.result["access_not_controlled"], told.output
    refused = reconcile(host, [deploy, {"name": "ldapuser", "keys": [keys("x").public]}])
    assert (refused.result["entry"], refused.result["field"]) == ("ldapuser", "name")


def test_other_ways_in_are_told(host, reconcile, deploy, keys):
    host.write("/etc/ssh/ca.pub", keys("ca").public + "\n")
    _sshd_option(
        host,
        "TrustedUserCAKeys /etc/ssh/ca.pub",
        "AuthorizedKeysCommand /bin/false",
        "AuthorizedKeysCommandUser nobody",
    )
    told = reconcile(host, [deploy]).result["access_not_controlled"]
    assert told == ["sshd authorizedkeyscommand /bin/false", "sshd trustedusercakeys /etc/ssh/ca.pub"]
