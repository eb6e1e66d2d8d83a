# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leavers who want to keep a way in: each trick on a real host, some of them with the root that they used to have."""

from __future__ import annotations

import json

import pytest

MANAGE = {"local_people": True}
STATE = "/var/lib/infogerance-perimeter/ssh_accounts.json"


def _line(host, path, text):
    host.run(["sh", "-c", f"cat >> {path}"], input=text + "\n")


def _row(done, name):
    return next(row for row in done.result["access"] if row["account"] == name)


def test_a_process_that_moves_its_key_directory_about_is_closed_all_the_same(host, reconcile, deploy, account):
    bob = account("bob")
    # While it lives it swaps .ssh for a link and back, as fast as it can.
    host.spawn("cd ~bob; while :; do mv .ssh .x; ln -s /root .ssh; rm .ssh; mv .x .ssh; done", user="bob")
    done = reconcile(host, [deploy], obsolete="disable", manage=MANAGE)
    assert done.rc == 0, done.output
    assert done.entries("applied") == ["bob"]
    assert host.run("pgrep -u bob", check=False).stdout == ""
    assert host.ssh("bob", "true", bob.private).returncode != 0
    assert host.run("ls -ld /root").stdout.startswith("drwx")


def _runs_anything(host, user):
    # One look at a storm may miss all of it: each process is gone, and its child not yet listed, when it is asked for.
    return host.run(f"for _ in $(seq 50); do pgrep -u {user} && exit 0; done; exit 1", check=False).returncode == 0


@pytest.mark.parametrize("storms", [1, 4])
@pytest.mark.sample(1)
def test_processes_that_start_others_faster_than_we_count_are_ended(host, reconcile, deploy, account, storms):
    account("bob")
    host.write("/home/bob/w", "trap '' TERM\nwhile :; do sh /home/bob/w & exit; done\n", 0o755, "bob:bob")
    for _one in range(storms):
        host.spawn("sh /home/bob/w", user="bob")
    assert _runs_anything(host, "bob")
    done = reconcile(host, [deploy], obsolete="disable", manage=MANAGE)
    assert done.rc == 0, done.output
    assert not _runs_anything(host, "bob")


def test_a_key_file_that_resists_keeps_neither_its_account_nor_another_one_open(host, reconcile, deploy, account):
    bob, carl = account("bob"), account("carl")
    host.make_readonly("/home/bob/.ssh")
    done = reconcile(host, [deploy], obsolete="disable", manage=MANAGE)
    assert done.rc != 0
    assert "Read-only file system" in done.result["msg"], done.output
    assert done.entries("applied") == ["carl"]
    # What was closed is confirmed: the server won't put it back.
    assert done.result["confirmation"]["status"] == "confirmed"
    assert host.ssh("bob", "true", bob.private).returncode != 0
    assert host.ssh("carl", "true", carl.private).returncode != 0


def test_a_damaged_group_file_does_not_keep_an_account_open(host, reconcile, deploy, account):
    bob = account("bob", groups="sudo")
    _line(host, "/etc/group", "sudo:x:27:bob")
    done = reconcile(host, [deploy], obsolete="disable", manage=MANAGE)
    assert done.rc != 0
    assert "sudo" in done.result["msg"]
    assert host.ssh("bob", "true", bob.private).returncode != 0
    assert host.run("getent shadow bob").stdout.split(":")[7] == "1"


def test_fragments_with_a_mode_that_visudo_dislikes_do_not_stop_us(host, reconcile, deploy, account):
    account("bob")
    host.write("/etc/sudoers.d/bob", "bob ALL=(ALL) NOPASSWD: ALL\n", 0o440)
    host.write("/etc/sudoers.d/other", "daemon ALL=(ALL) /bin/true\n", 0o644)
    assert host.run("visudo -c -q", check=False).returncode != 0
    policy = {"obsolete": "disable", "manage": MANAGE}
    done = reconcile(host, [deploy, {"name": "alice", "sudo": {"commands": ["/bin/true"]}}], **policy)
    assert done.rc == 0, done.output
    assert not host.exists("/etc/sudoers.d/bob")
    assert "/bin/true" in host.run("sudo -l -U alice").stdout


def test_passwd_lines_that_only_the_c_library_reads_are_seen(host, reconcile, deploy, keys):
    public = keys("thief").public
    host.run("mkdir -p /opt/a/.ssh /opt/b/.ssh && chown 1777 /opt/a /opt/a/.ssh && chmod 700 /opt/a/.ssh")
    _line(host, "/etc/passwd", " hidden:x:+1777:1777::/opt/a:/bin/sh")
    _line(host, "/etc/passwd", "second:x:-0:0::/opt/b:/bin/sh")
    _line(host, "/etc/shadow", "hidden:*:19000:0:99999:7:::\nsecond:*:19000:0:99999:7:::")
    host.write("/opt/a/.ssh/authorized_keys", public + "\n", 0o600, "1777:1777")
    host.write("/opt/b/.ssh/authorized_keys", public + "\n", 0o600)
    assert host.can_log_in("hidden", keys("thief").private)
    assert host.ssh("second", "id -u", keys("thief").private).stdout.strip() == "0"
    told = reconcile(host, [deploy], manage=MANAGE)
    assert "hidden" in told.entries("obsolete"), told.output
    assert {"kind": "ssh_account", "entry": "second", "reason": "has root's uid"} in told.result["protected"]
    assert any(text.startswith("second: has root's uid") for text in told.result["problems"])


def test_a_name_with_two_lines_is_told_and_left_for_a_human(host, reconcile, deploy, account):
    account("bob")
    host.run("sed -i '1i bob:x:0:0::/root:/bin/bash' /etc/passwd")
    told = reconcile(host, [deploy], obsolete="remove", grace=0, manage=MANAGE)
    assert told.rc == 0, told.output
    assert any("bob: has more than one line in /etc/passwd" in text for text in told.result["problems"])
    assert "bob" in told.entries("protected")
    assert host.exists("/home/bob/.ssh/authorized_keys")
    host.run("sed -i '1d' /etc/passwd && grep ^bob: /etc/passwd | sed 's/:[^:]*$/:\\/bin\\/sh/' >> /etc/passwd")
    refused = reconcile(host, [deploy, {"name": "bob", "shell": "/bin/sh"}])
    assert (refused.result.get("entry"), refused.result.get("field")) == ("bob", "name"), refused.output


def test_root_by_an_alias_a_uid_an_include_or_an_own_group_is_told(host, reconcile, deploy, account):
    for name in ("al", "nu", "inc", "own", "twin"):
        account(name)
    uid = host.run("id -u nu").stdout.strip()
    host.write("/etc/sudoers.d/x", f"User_Alias ADM = al\nADM ALL=(ALL) ALL # why\n#{uid} ALL=(ALL) ALL\n", 0o440)
    host.write("/opt/.hidden", "inc ALL=(ALL) NOPASSWD: ALL\n", 0o440)
    _line(host, "/etc/sudoers", "@include /opt/.hidden")
    host.run("usermod -g sudo own")
    _line(host, "/etc/group", "audio2:x:27:twin")
    told = reconcile(host, [deploy])
    for name in ("al", "nu", "inc", "own", "twin"):
        assert "(ALL" in host.run(f"sudo -l -U {name}").stdout, name
        assert _row(told, name)["root"], (name, _row(told, name))


def test_an_rsa_key_under_the_name_of_its_signature_is_found_and_removed(host, reconcile, deploy, keys):
    host.run("ssh-keygen -q -t rsa -b 2048 -N '' -f /root/thief")
    alice = {"name": "alice", "keys": [keys("alice").public]}
    reconcile(host, [deploy, alice])
    kind, blob, _comment = host.read("/root/thief.pub").decode().split()
    assert kind == "ssh-rsa"
    _line(host, "/home/alice/.ssh/authorized_keys", f"rsa-sha2-512 {blob}")
    login = "ssh -i /root/thief -o BatchMode=yes -o StrictHostKeyChecking=no alice@127.0.0.1 id -un"
    assert host.run(login).stdout.strip() == "alice"
    done = reconcile(host, [deploy, alice], obsolete="disable")
    assert [kind for kind, _entry in done.actions("applied")] == ["remove"], done.output
    assert host.run(login, check=False).returncode != 0
    assert host.can_log_in("alice", keys("alice").private)


def test_a_linked_ssh_directory_counts_as_open(host, reconcile, deploy, account):
    bob = account("bob")
    host.run("su bob -c 'mv ~/.ssh ~/elsewhere && ln -s elsewhere ~/.ssh'")
    assert host.can_log_in("bob", bob.private)
    told = reconcile(host, [deploy])
    assert (_row(told, "bob")["open"], _row(told, "bob")["unread"]) == (
        True, ["/home/bob/.ssh/authorized_keys", "/home/bob/.ssh/authorized_keys2"],
    )  # fmt: skip


def test_a_password_that_only_a_match_block_allows_is_told(host, reconcile, deploy, account):
    account("bob")
    host.run("echo 'bob:S3cret-pass' | chpasswd")
    host.write("/etc/ssh/sshd_config.d/00-test.conf", "PasswordAuthentication no\nKbdInteractiveAuthentication no\n")
    assert _row(reconcile(host, [deploy]), "bob")["password"] is False
    _line(
        host, "/etc/ssh/sshd_config", "Match User bob\n  PasswordAuthentication yes\n  AuthorizedKeysCommand /bin/false"
    )
    _line(host, "/etc/ssh/sshd_config", "  AuthorizedKeysCommandUser nobody")
    told = reconcile(host, [deploy])
    assert _row(told, "bob")["password"] is True
    assert "sshd (Match User bob) authorizedkeyscommand /bin/false" in told.result["access_not_controlled"]


def test_bytes_that_are_no_text_reach_the_result(host, reconcile, deploy, account):
    bob = account("bob")
    host.run(["sh", "-c", "printf ' caf\\351' >> /home/bob/.ssh/authorized_keys"])
    host.write("/home/bob/.ssh/authorized_keys", bob.public.encode() + b" caf\xe9\n", 0o600, "bob:bob")
    host.run(["sh", "-c", "LC_ALL=C sed -i 's/^bob:x:\\([0-9]*:[0-9]*\\):[^:]*/bob:x:\\1:Andr\\xe9/' /etc/passwd"])
    told = reconcile(host, [deploy, {"name": "bob", "comment": "André", "keys": [bob.public]}], check=True, diff=True)
    assert told.rc == 0, told.output
    assert "Andr\ufffd" in told.result["diff"]["before"]
    assert reconcile(host, [deploy], obsolete="disable", manage=MANAGE).entries("applied") == ["bob"]


def test_what_still_names_a_leaver_is_told(host, reconcile, deploy, account):
    account("bob")
    _line(host, "/etc/sudoers", "bob, daemon ALL=(ALL) NOPASSWD: ALL")
    done = reconcile(host, [deploy], obsolete="remove", grace=0, manage=MANAGE)
    assert done.rc == 0, done.output
    assert any("still names bob" in text for text in done.result["notes"])
    later = reconcile(host, [deploy])
    assert any("bob is no account here" in text for text in later.result["problems"]), later.output


# -- Murphy -----------------------------------------------------------------------------------------------------------


def test_a_clock_that_was_never_set_stops_the_run(host, reconcile, deploy, account):
    account("bob")
    reconcile(host, [deploy], obsolete="disable", manage=MANAGE)
    state = json.loads(host.read(STATE))
    state["disabled"]["bob"]["since"] = "2031-01-01"
    host.write(STATE, json.dumps(state), 0o600)
    failed = reconcile(host, [deploy], obsolete="remove", grace=0, manage=MANAGE)
    assert failed.rc != 0
    assert "clock" in failed.result["msg"], failed.output


def test_an_account_is_enabled_although_its_archive_is_gone(host, reconcile, deploy, account, keys):
    account("bob")
    host.run("echo 'bob:S3cret-pass' | chpasswd")
    password = host.run("getent shadow bob").stdout.split(":")[1]
    reconcile(host, [deploy], obsolete="disable", manage=MANAGE)
    host.run("rm -rf /var/lib/infogerance-perimeter/archive")
    told = reconcile(host, [deploy], restore=["bob"])
    assert (told.result["entry"], told.result["field"]) == ("bob", "restore"), told.output
    assert "gone or damaged" in told.result["msg"]
    back = reconcile(host, [deploy, {"name": "bob", "keys": [keys("new").public]}])
    assert back.rc == 0, back.output
    assert any("archive is gone" in text for text in back.result["notes"])
    assert host.can_log_in("bob", keys("new").private)
    assert host.run("getent shadow bob").stdout.split(":")[1] == password


def test_a_removed_account_is_not_restored_over_what_has_taken_its_place(host, reconcile, deploy, account):
    account("bob")
    uid = host.run("id -u bob").stdout.strip()
    reconcile(host, [deploy], obsolete="remove", grace=0, manage=MANAGE)
    host.run("mkdir /home/bob")
    taken = reconcile(host, [deploy], restore=["bob"])
    assert (taken.result["field"], "place /home/bob is taken" in taken.result["msg"]) == ("restore", True), taken.output
    host.run(f"rmdir /home/bob && useradd -u {uid} -M other")
    other = reconcile(host, [deploy], restore=["bob"])
    assert f"its uid {uid} is other's now" in other.result["msg"], other.output
    host.run("userdel other")
    back = reconcile(host, [deploy], restore=["bob"])
    assert back.rc == 0, back.output


def test_a_restore_that_was_killed_is_finished_by_the_next_run(host, ansible, reconcile, deploy, account):
    bob = account("bob", groups="adm")
    reconcile(host, [deploy], obsolete="remove", grace=0, manage=MANAGE)
    task = {"environment": {"INFOGERANCE_PERIMETER_FAULT": "state:written"}}
    module = "infogerance.perimeter.ssh_accounts"
    rc, _result, output = ansible(
        host, module, {"accounts": [deploy], "restore": ["bob"], "confirm": "never"}, task=task
    )
    assert rc != 0, output
    assert host.run("getent passwd bob").stdout
    back = reconcile(host, [deploy], restore=["bob"])
    assert back.rc == 0, back.output
    assert host.can_log_in("bob", bob.private)
    assert "adm" in host.run("id -Gn bob").stdout


def test_the_next_owner_of_a_name_never_gets_the_password_of_the_former_one(host, reconcile, deploy, account):
    account("bob", groups="sudo")
    host.run("echo 'bob:Former-pass' | chpasswd")
    reconcile(host, [deploy], obsolete="disable", manage=MANAGE)
    host.run("userdel -r bob && useradd -m -u 4321 -p '*' bob && echo 'bob:Next-pass' | chpasswd")
    password = host.run("getent shadow bob").stdout.split(":")[1]
    reconcile(host, [deploy], obsolete="disable", manage=MANAGE)
    back = reconcile(host, [deploy], restore=["bob"])
    assert back.actions("applied") == [("restore", "ssh_account bob")], back.output
    assert host.run("getent shadow bob").stdout.split(":")[1] == password
    assert "sudo" not in host.run("id -Gn bob").stdout.split()


def test_a_home_that_cannot_be_moved_stays_and_is_told(host, reconcile, deploy, account):
    account("bob")
    host.mount_tmpfs("/home/bob", "64k")
    done = reconcile(host, [deploy], obsolete="remove", grace=0, manage=MANAGE)
    assert done.rc == 0, done.output
    assert any("home /home/bob stays: it is a mount point" in text for text in done.result["notes"])
    assert host.run("getent passwd bob", check=False).returncode != 0


def test_the_account_that_we_came_by_keeps_its_root(host, reconcile, deploy):
    smaller = reconcile(host, [dict(deploy, sudo={"commands": ["/bin/true"], "nopasswd": True})])
    assert (smaller.result["entry"], smaller.result["field"]) == ("deploy", "sudo"), smaller.output
    asking = reconcile(host, [dict(deploy, sudo={"commands": ["ALL"]})], confirm="never")
    assert (asking.result["entry"], asking.result["field"]) == ("deploy", "sudo.nopasswd"), asking.output
    assert host.ssh("deploy", "sudo -n id -u").stdout.strip() == "0"


def test_a_home_that_could_not_be_made_and_a_uid_of_the_system_are_refused_first(host, reconcile, deploy):
    for entry, field in (({"home": "/srv/none/zoe"}, "home"), ({"uid": 500}, "uid"), ({"home": "/tmp/x/zoe"}, "home")):
        refused = reconcile(host, [deploy, {"name": "zoe", **entry}])
        assert (refused.result.get("entry"), refused.result.get("field")) == ("zoe", field), refused.output
    assert host.run("getent passwd zoe", check=False).returncode != 0


def test_a_restore_that_fails_half_way_says_so_and_is_finished_later(host, reconcile, deploy, account):
    bob = account("bob")
    reconcile(host, [deploy], obsolete="remove", grace=0, manage=MANAGE)
    host.run("mv /usr/sbin/chpasswd /usr/sbin/chpasswd.away")
    failed = reconcile(host, [deploy], restore=["bob"], confirm="never")
    assert failed.rc != 0
    assert "restore bob: chpasswd" in failed.result["msg"], failed.output
    assert host.ssh("bob", "true", bob.private).returncode != 0
    host.run("mv /usr/sbin/chpasswd.away /usr/sbin/chpasswd")
    back = reconcile(host, [deploy], restore=["bob"])
    assert back.rc == 0, back.output
    assert host.can_log_in("bob", bob.private)
