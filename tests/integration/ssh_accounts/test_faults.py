# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults in the middle of the work: nothing is lost, and the next run finishes."""

from __future__ import annotations

import pytest

MANAGE = {"local_people": True}
FAULT = "INFOGERANCE_PERIMETER_FAULT"
#: Every point at which the module can be killed while it disables and removes an account.
POINTS = [
    "archive:made", "write:opened", "write:synced", "write:renamed", "state:written", "disable:expired", "disable:keys",
    "sudoers:taken", "park:unlinked", "write:opened:4", "write:synced:5", "home:moved", "userdel:done", "apply:done",
]  # fmt: skip


def _fault(point):
    name, _colon, number = point.rpartition(":")
    return f"{name}:{number}" if number.isdecimal() else f"{point}:1"


@pytest.fixture
def killed(ansible):
    def call(host, accounts, point, **policy):
        name, number = _fault(point).rsplit(":", 1)
        task = {"environment": {FAULT: name, FAULT + "_AT": number}}
        module = "infogerance.perimeter.ssh_accounts"
        # Not armed: what a killed run left is finished by the next one, not rolled back by the server.
        return ansible(host, module, dict(policy, accounts=accounts, confirm="never"), task=task)

    return call


def _sane(host):
    host.run("pwck -r -q; test $? -le 2 || exit 1; grpck -r && visudo -c -q && sshd -t")


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.sample(2)
def test_a_run_killed_while_it_takes_an_account_away_is_finished_by_the_next(
    host, reconcile, killed, deploy, account, keys, point
):
    account("bob", groups="sudo")
    host.run("echo 'bob:S3cret-pass' | chpasswd")
    host.write("/home/bob/work.txt", "his work\n", 0o640, "bob:bob")
    host.write("/etc/sudoers.d/bob", "bob ALL=(ALL) NOPASSWD: ALL\n", 0o440)
    host.write("/var/spool/cron/crontabs/bob", "0 4 * * * /bin/true\n", 0o600, "bob:crontab")
    password = host.run("getent shadow bob").stdout.split(":")[1]
    policy = {"obsolete": "remove", "grace": 0, "manage": MANAGE}
    rc, _result, output = killed(host, [deploy], point, **policy)
    assert rc != 0, output
    assert host.can_log_in("deploy")
    _sane(host)
    done = reconcile(host, [deploy], **policy)
    assert done.rc == 0, done.output
    assert host.run("getent passwd bob", check=False).returncode != 0
    back = reconcile(host, [deploy], restore=["bob"])
    assert back.rc == 0, back.output
    assert host.can_log_in("bob", keys("bob").private)
    assert host.run("getent shadow bob").stdout.split(":")[1] == password
    assert host.read("/home/bob/work.txt") == b"his work\n"
    assert host.exists("/etc/sudoers.d/bob") and host.exists("/var/spool/cron/crontabs/bob")
    assert set(host.run("id -Gn bob").stdout.split()) == {"bob", "sudo"}


@pytest.mark.parametrize(
    "point", ["state:written", "useradd:done", "write:opened:2", "write:synced:2", "write:renamed:2", "apply:done"]
)
@pytest.mark.sample(2)
def test_a_run_killed_while_it_makes_accounts_is_finished_by_the_next(host, reconcile, killed, deploy, keys, point):
    accounts = [deploy] + [
        {"name": n, "keys": [keys(n).public], "groups": ["adm"], "sudo": {"nopasswd": True}} for n in ("alice", "bob")
    ]
    rc, _result, output = killed(host, accounts, point)
    assert rc != 0, output
    _sane(host)
    done = reconcile(host, accounts, obsolete="disable")
    assert done.rc == 0, done.output
    for name in ("alice", "bob"):
        assert host.ssh(name, "sudo -n id -u", keys(name).private).stdout.strip() == "0"
        assert "adm" in host.run(f"id -Gn {name}").stdout
    assert reconcile(host, accounts, obsolete="disable").result["plan"] == []


def test_a_full_disk_leaves_the_old_key_file(make_host, reconcile, keys):
    host = make_host(tmpfs={"/home/alice": "64k"})
    public = host.key.with_name(host.key.name + ".pub").read_text().strip()
    host.run("useradd -M -d /home/alice -s /bin/bash -p '*' alice && chown alice: /home/alice")
    host.run("install -d -o alice -g alice -m 700 /home/alice/.ssh")
    path = "/home/alice/.ssh/authorized_keys"
    host.write(path, keys("alice").public + "\n", 0o600, "alice:alice")
    host.run("dd if=/dev/zero of=/home/alice/fill bs=1k 2>/dev/null; true")
    before = host.snapshot(["/home/alice/.ssh"])
    wanted = [
        {"name": "deploy", "keys": [public]},
        {"name": "alice", "keys": [keys("alice").public, keys("new").public]},
    ]
    failed = reconcile(host, wanted)
    assert failed.rc != 0 and "No space left" in failed.result["msg"], failed.output
    assert host.snapshot(["/home/alice/.ssh"]) == before
    assert host.can_log_in("alice", keys("alice").private)


def test_a_read_only_home_leaves_everything_as_it_was(make_host, reconcile, keys):
    host = make_host()
    public = host.key.with_name(host.key.name + ".pub").read_text().strip()
    deploy = {"name": "deploy", "keys": [public]}
    assert reconcile(host, [deploy, {"name": "alice", "keys": [keys("alice").public]}]).rc == 0
    host.make_readonly("/home")
    failed = reconcile(host, [deploy, {"name": "alice", "keys": [keys("alice").public, keys("new").public]}])
    assert failed.rc != 0 and "Read-only file system" in failed.result["msg"], failed.output
    assert host.can_log_in("alice", keys("alice").private)


def test_a_key_file_of_ten_megabytes_keeps_every_byte(host, reconcile, deploy, keys):
    alice = {"name": "alice", "keys": [keys("alice").public]}
    reconcile(host, [deploy, alice])
    path = "/home/alice/.ssh/authorized_keys"
    host.run(["sh", "-c", f"yes '# a comment that goes on and on and on' | head -c 10000000 >> {path}; echo >> {path}"])
    size = len(host.read(path))
    more = reconcile(host, [deploy, dict(alice, keys=[keys("alice").public, keys("new").public])])
    assert more.rc == 0, more.output
    data = host.read(path)
    assert len(data) == size + len(keys("new").public) + 1
    assert host.can_log_in("alice", keys("new").private)


def test_a_damaged_state_file_stops_the_run_before_any_change(host, reconcile, deploy):
    reconcile(host, [deploy, {"name": "alice"}])
    host.write("/var/lib/infogerance-perimeter/ssh_accounts.json", "{", 0o600)
    failed = reconcile(host, [deploy, {"name": "zoe"}])
    assert failed.rc != 0 and "is damaged" in failed.result["msg"]
    assert host.run("getent passwd zoe", check=False).returncode != 0


def test_a_state_directory_of_somebody_else_is_refused(host, reconcile, deploy):
    host.run("install -d -m 777 /var/lib/infogerance-perimeter")
    failed = reconcile(host, [deploy, {"name": "alice"}])
    assert failed.rc != 0 and "mode 0700" in failed.result["msg"]


def test_a_second_run_at_once_waits_or_says_who_is_at_work(host, reconcile, deploy):
    host.run("install -d -m 700 /var/lib/infogerance-perimeter")
    host.spawn("flock /var/lib/infogerance-perimeter/lock sleep 60")
    busy = reconcile(host, [deploy, {"name": "alice"}], lock_wait=1)
    assert busy.rc != 0 and "another run holds" in busy.result["msg"]
    assert host.run("getent passwd alice", check=False).returncode != 0
    assert reconcile(host, [deploy, {"name": "alice"}], lock_wait=1, check=True).rc == 0
