# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole life of an account on the oldest and the newest release that we serve."""

from __future__ import annotations

import subprocess
import time

import pytest

MANAGE = {"local_people": True}


# Not Debian 11 with systemd: in a container its logind goes on stopping the ended session, and a login of the restored
# account waits for that.
@pytest.mark.parametrize(("release", "flavour"), [("bullseye", "plain"), ("trixie", "plain"), ("trixie", "systemd")])
@pytest.mark.sample(1)
def test_an_account_lives_and_goes_on_every_release(make_host, reconcile, keys, account, tmp_path, release, flavour):
    host = make_host(release=release, flavour=flavour)
    if release == "trixie":
        # Logins that are refused on purpose would earn this machine a penalty.
        host.write("/etc/ssh/sshd_config.d/00-test.conf", "PerSourcePenalties no\n")
        host.restart_sshd()
    deploy = {"name": "deploy", "keys": [host.key.with_name(host.key.name + ".pub").read_text().strip()]}
    alice = {
        "name": "alice.m", "keys": [keys("alice").public], "groups": ["adm"], "expires": "2031-05-01",
        "sudo": {"commands": ["ALL"], "nopasswd": True}, "comment": "Alice",
    }  # fmt: skip
    bob = account("bob", groups="sudo", on=host)
    host.run("echo 'bob:S3cret-pass' | chpasswd")
    host.write("/etc/sudoers.d/bob", "bob ALL=(ALL) NOPASSWD: ALL\n", 0o440)
    password = host.run("getent shadow bob").stdout.split(":")[1]
    master = subprocess.Popen(
        host.ssh_argv("bob", None, bob.private, ["-o", f"ControlPath={tmp_path}/m", "-M", "-N"]),
        stdin=subprocess.DEVNULL,
    )
    try:
        for _attempt in range(100):
            if (tmp_path / "m").exists():
                break
            time.sleep(0.1)
        made = reconcile(host, [deploy, alice], obsolete="disable", manage=MANAGE)
        assert made.rc == 0, made.output
        assert ("disable", "ssh_account bob") in made.actions("applied")
        assert master.wait(timeout=10) != 0
    finally:
        master.kill()
        master.wait()
    assert host.ssh("alice.m", "sudo -n id -u", keys("alice").private).stdout.strip() == "0"
    assert host.ssh("bob", "true", bob.private).returncode != 0
    assert host.run("pgrep -u bob", check=False).stdout == ""
    again = reconcile(host, [deploy, alice], obsolete="disable", manage=MANAGE)
    assert (again.rc, again.result["changed"], again.result["plan"]) == (0, False, [])
    gone = reconcile(host, [deploy], obsolete="remove", grace=0, manage=MANAGE)
    assert gone.rc == 0, gone.output
    assert host.run("getent passwd bob alice.m", check=False).stdout == ""
    back = reconcile(host, [deploy], restore=["bob"])
    assert back.rc == 0, back.output
    assert host.can_log_in("bob", bob.private)
    assert host.run("getent shadow bob").stdout.split(":")[1] == password
    assert host.exists("/etc/sudoers.d/bob")
    assert "sudo" in host.run("id -Gn bob").stdout.split()


@pytest.mark.parametrize("release", ["bullseye", "trixie"])
def test_the_connecting_account_is_known_on_every_release(make_host, reconcile, keys, release):
    host = make_host(release=release)
    done = reconcile(
        host, [{"name": "alice", "keys": [keys("alice").public]}], obsolete="remove", grace=0, manage=MANAGE,
        max_obsolete="100%",
    )  # fmt: skip
    assert done.rc == 0, done.output
    assert {"kind": "ssh_account", "entry": "deploy", "reason": "carries this connection"} in done.result["protected"]
    assert host.can_log_in("deploy")
