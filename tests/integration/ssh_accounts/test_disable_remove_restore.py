# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Obsolete accounts: reported, closed, removed after a grace, and brought back whole."""

from __future__ import annotations

import json

STATE = "/var/lib/infogerance-perimeter/ssh_accounts.json"
MANAGE = {"local_people": True}


def _plant(host, account, keys):
    """A leaver with every kind of way in."""
    account("bob", groups="sudo,adm")
    host.run("echo 'bob:S3cret-pass' | chpasswd")
    host.write("/home/bob/.ssh/authorized_keys2", keys("bob-second").public + "\n", 0o600, "bob:bob")
    host.write("/home/bob/work.txt", "his work\n", 0o640, "bob:bob")
    host.write("/etc/sudoers.d/bob", "bob ALL=(ALL) NOPASSWD: ALL\n", 0o440)
    host.write("/var/spool/cron/crontabs/bob", "0 4 * * * /bin/true\n", 0o600, "bob:crontab")
    host.run("mkdir -p /var/lib/systemd/linger && touch /var/lib/systemd/linger/bob")
    host.spawn("sleep 3600", user="bob")


def test_by_default_an_obsolete_account_is_only_told(host, reconcile, deploy, account):
    bob = account("bob")
    told = reconcile(host, [deploy], manage=MANAGE)
    assert told.rc == 0, told.output
    assert told.result["changed"] is False
    assert told.entries("obsolete") == ["bob"]
    assert host.can_log_in("bob", bob.private)


def test_an_account_that_is_not_ours_is_reported_and_never_touched(host, reconcile, deploy, account):
    bob = account("bob")
    told = reconcile(host, [deploy], obsolete="remove", grace=0, max_obsolete="100%")
    assert told.rc == 0, told.output
    assert told.entries("unmanaged") == ["bob"]
    assert told.result["plan"] == []
    assert host.can_log_in("bob", bob.private)


def test_disabled_means_that_nothing_of_the_account_is_open(host, reconcile, deploy, account, keys):
    _plant(host, account, keys)
    assert host.can_log_in("bob", keys("bob").private)
    assert host.can_log_in("bob", keys("bob-second").private)
    done = reconcile(host, [deploy], obsolete="disable", manage=MANAGE)
    assert done.rc == 0, done.output
    assert done.actions("applied") == [("disable", "ssh_account bob")]
    assert not host.can_log_in("bob", keys("bob").private)
    assert not host.can_log_in("bob", keys("bob-second").private)
    assert host.run("pgrep -u bob", check=False).stdout == ""
    assert host.run("id -Gn bob").stdout.split() == ["bob"]
    for path in ("/etc/sudoers.d/bob", "/var/spool/cron/crontabs/bob", "/var/lib/systemd/linger/bob",
                 "/home/bob/.ssh/authorized_keys", "/home/bob/.ssh/authorized_keys2"):  # fmt: skip
        assert not host.exists(path), path
    fields = host.run("getent shadow bob").stdout.strip().split(":")
    assert fields[1].startswith("!$") and fields[7] == "1"
    row = next(r for r in done.result["access"] if r["account"] == "bob")
    assert (row["open"], row["keys"], row["root"], row["processes"], row["password"]) == (False, [], [], 0, False)
    again = reconcile(host, [deploy], obsolete="disable", manage=MANAGE)
    assert (again.result["changed"], again.result["plan"]) == (False, [])
    assert host.read("/home/bob/work.txt") == b"his work\n"


def test_restore_brings_a_disabled_account_back_as_it_was(host, reconcile, deploy, account, keys):
    _plant(host, account, keys)
    watched = ["/home/bob", "/etc/sudoers.d", "/var/spool/cron/crontabs", "/var/lib/systemd/linger"]
    before = host.snapshot(watched)
    shadow, groups = host.run("getent shadow bob").stdout, set(host.run("id -Gn bob").stdout.split())
    assert reconcile(host, [deploy], obsolete="disable", manage=MANAGE).rc == 0
    back = reconcile(host, [deploy], obsolete="disable", manage=MANAGE, restore=["bob"])
    assert back.rc == 0, back.output
    assert back.actions("applied") == [("restore", "ssh_account bob")]
    assert host.snapshot(watched) == before
    now = host.run("getent shadow bob").stdout
    # The third field is the day of the last password change.
    assert now.split(":")[1] == shadow.split(":")[1] and now.split(":")[3:] == shadow.split(":")[3:]
    assert set(host.run("id -Gn bob").stdout.split()) == groups
    assert host.can_log_in("bob", keys("bob").private)


def test_removal_waits_for_the_grace_then_archives_the_home(host, reconcile, deploy, account, keys):
    _plant(host, account, keys)
    policy = {"obsolete": "remove", "manage": MANAGE, "grace": 30}
    first = reconcile(host, [deploy], **policy)
    assert first.actions("applied") == [("disable", "ssh_account bob")], first.output
    assert reconcile(host, [deploy], **policy).result["plan"] == []
    state = json.loads(host.read(STATE))
    state["disabled"]["bob"]["since"] = "2020-01-01"
    host.write(STATE, json.dumps(state), 0o600)
    last = reconcile(host, [deploy], **policy)
    assert last.rc == 0, last.output
    assert last.actions("applied") == [("remove", "ssh_account bob")]
    assert host.run("getent passwd bob", check=False).returncode != 0
    assert not host.exists("/home/bob")
    found = host.run('find / -xdev -name work.txt -not -path "/proc/*"').stdout.split()
    assert len(found) == 1 and host.read(found[0]) == b"his work\n"


def test_restore_brings_a_removed_account_back_with_its_keys_groups_and_home(host, reconcile, deploy, account, keys):
    _plant(host, account, keys)
    before = host.snapshot(["/home/bob", "/etc/sudoers.d", "/var/spool/cron/crontabs"])
    passwd = host.run("getent passwd bob").stdout
    password = host.run("getent shadow bob").stdout.split(":")[1]
    gone = reconcile(host, [deploy], obsolete="remove", grace=0, manage=MANAGE)
    assert gone.actions("applied") == [("disable", "ssh_account bob"), ("remove", "ssh_account bob")], gone.output
    back = reconcile(host, [deploy], restore=["bob"])
    assert back.rc == 0, back.output
    assert host.run("getent passwd bob").stdout == passwd
    assert host.run("getent shadow bob").stdout.split(":")[1] == password
    assert host.snapshot(["/home/bob", "/etc/sudoers.d", "/var/spool/cron/crontabs"]) == before
    assert set(host.run("id -Gn bob").stdout.split()) == {"bob", "sudo", "adm"}
    assert host.can_log_in("bob", keys("bob").private)


def test_restoring_what_was_never_taken_is_an_error_that_names_it(host, reconcile, deploy):
    failed = reconcile(host, [deploy], restore=["nobody-knows"])
    assert failed.rc != 0
    assert failed.result["entry"] == "nobody-knows" and failed.result["field"] == "restore"


def test_who_is_declared_again_is_enabled_with_the_declared_keys_only(host, reconcile, deploy, account, keys):
    _plant(host, account, keys)
    reconcile(host, [deploy], obsolete="disable", manage=MANAGE)
    back = reconcile(
        host, [deploy, {"name": "bob", "keys": [keys("bob-new").public]}], obsolete="disable", manage=MANAGE
    )
    assert back.rc == 0, back.output
    assert back.actions("applied")[:2] == [
        ("create", f"ssh_key bob {keys('bob-new').fingerprint}"), ("enable", "ssh_account bob"),
    ]  # fmt: skip
    assert host.can_log_in("bob", keys("bob-new").private)
    assert not host.can_log_in("bob", keys("bob").private)


def test_an_account_that_was_reopened_by_hand_is_closed_again(host, reconcile, deploy, account, keys):
    account("bob")
    reconcile(host, [deploy], obsolete="disable", manage=MANAGE)
    host.run("usermod -e '' bob")
    host.write("/home/bob/.ssh/authorized_keys", keys("bob").public + "\n", 0o600, "bob:bob")
    assert host.can_log_in("bob", keys("bob").private)
    again = reconcile(host, [deploy], obsolete="disable", manage=MANAGE)
    assert again.actions("applied") == [("disable", "ssh_account bob")], again.output
    assert not host.can_log_in("bob", keys("bob").private)


def test_what_expires_today_is_closed_today(host, reconcile, deploy, keys):
    today = host.run("date -u +%F").stdout.strip()
    entry = {"name": "temp", "keys": [keys("temp").public], "expires": "2031-01-01"}
    reconcile(host, [deploy, entry])
    assert host.can_log_in("temp", keys("temp").private)
    closed = reconcile(host, [deploy, dict(entry, expires=today)], obsolete="disable")
    assert closed.result["applied"][0]["reason"] == f"expired on {today}", closed.output
    assert not host.can_log_in("temp", keys("temp").private)


def test_who_has_left_is_closed_although_the_list_still_names_the_account(host, reconcile, deploy, keys):
    entry = {"name": "carol", "person": "carol.petit", "keys": [keys("carol").public]}
    reconcile(host, [deploy, entry])
    gone = reconcile(
        host, [deploy, entry], obsolete="disable", departed=[{"person": "carol.petit", "since": "2026-01-31"}]
    )
    assert gone.result["applied"][0]["reason"] == "carol.petit left on 2026-01-31", gone.output
    assert not host.can_log_in("carol", keys("carol").private)


def test_an_adopted_account_is_ours_from_then_on(host, reconcile, deploy, account, keys):
    account("dora", groups="sudo")
    entry = {"name": "dora", "keys": [keys("dora").public]}
    told = reconcile(host, [deploy, entry], obsolete="disable")
    assert told.entries("unmanaged", "ssh_group") == ["dora sudo"]
    taken = reconcile(host, [deploy, entry], obsolete="disable", adopt=True)
    assert ("adopt", "ssh_account dora") in taken.actions("applied"), taken.output
    assert ("remove", "ssh_group dora sudo") in taken.actions("applied")
    left = reconcile(host, [deploy], obsolete="disable")
    assert left.actions("applied") == [("disable", "ssh_account dora")], left.output


def test_an_uid_is_never_given_again(host, reconcile, deploy, account):
    account("bob")
    uid = host.run("id -u bob").stdout.strip()
    reconcile(host, [deploy], obsolete="remove", grace=0, manage=MANAGE)
    made = reconcile(host, [deploy, {"name": "erin"}])
    assert made.rc == 0, made.output
    assert int(host.run("id -u erin").stdout) > int(uid)
    asked = reconcile(host, [deploy, {"name": "erin"}, {"name": "fred", "uid": int(uid)}])
    assert asked.rc != 0
    assert (asked.result["entry"], asked.result["field"]) == ("fred", "uid")
    assert "never given again" in asked.result["msg"]


def test_a_reviewed_plan_is_refused_when_the_server_changed_since(host, reconcile, deploy, account):
    account("bob")
    reviewed = reconcile(host, [deploy], manage=MANAGE, check=True)
    account("carl")
    refused = reconcile(host, [deploy], obsolete="disable", manage=MANAGE, expect_plan=reviewed.result["plan_id"])
    assert refused.rc != 0 and "changed since" in refused.result["msg"]
    assert host.run("getent shadow bob").stdout.split(":")[7] == ""
    fresh = reconcile(host, [deploy], manage=MANAGE, check=True)
    done = reconcile(host, [deploy], obsolete="disable", manage=MANAGE, expect_plan=fresh.result["plan_id"])
    assert done.entries("applied") == ["bob", "carl"], done.output
