# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Confirm-or-roll-back under attack: killed anywhere, starved, raced, led astray by an open channel."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.errors import LabError
from tests.integration.lockout.looking import PENDING, login_key, settled, state

MODULE = "infogerance.perimeter.ssh_accounts"
FAULT = "INFOGERANCE_PERIMETER_FAULT"
#: Deaths while a change is being armed: nothing is changed yet.
WHILE_ARMING = [
    ("arm:made", 1), ("write:opened", 1), ("write:renamed", 6), ("write:synced", 9), ("arm:hooked", 1),
    ("rollback:armed", 1), ("rollback:watched", 1),
]  # fmt: skip
HOOKS = "ls /etc/cron.d/infogerance* /etc/systemd/system/infogerance* /etc/systemd/system/*/infogerance* 2>/dev/null"


@pytest.fixture
def me(host):
    return {"name": "deploy", "keys": [login_key(host)]}


def killed(ansible, host, accounts, point, number=1, **arguments):
    task = {"environment": {FAULT: point, FAULT + "_AT": str(number)}}
    rc, result, output = ansible(host, MODULE, dict(arguments, accounts=accounts), task=task)
    assert rc != 0, output
    return result


@pytest.mark.parametrize("flavour", ["plain", "systemd"])
@pytest.mark.sample(1)
def test_killed_at_any_step_of_arming_nothing_has_changed_and_the_next_run_works(
    flavour, make_host, ansible, reconcile, keys
):
    host = make_host(flavour=flavour)
    me = {"name": "deploy", "keys": [login_key(host)]}
    before = state(host)
    for point, number in WHILE_ARMING:
        result = killed(ansible, host, [me, {"name": "alice"}], point, number, confirm_timeout=10)
        assert result["confirmation"]["status"].startswith("unknown: the module ended without an answer"), result
        # All that arming writes outside its own folder are the boot hooks.
        assert {p: row for p, row in state(host).items() if "infogerance" not in p} == before, point
        if point == "rollback:watched":
            settled(host)
    done = reconcile(host, [me, {"name": "alice"}])
    assert done.rc == 0 and done.result["confirmation"]["status"] == "confirmed", done.output
    assert host.run(HOOKS, check=False).stdout == ""


def test_an_armed_change_without_a_timer_does_not_block_the_next_run(host, ansible, reconcile, me):
    killed(ansible, host, [me, {"name": "alice"}], "rollback:armed", confirm_timeout=3600)
    done = reconcile(host, [me, {"name": "bob"}])
    assert done.rc == 0, done.output
    assert "its timer was lost" in done.result["rolled_back"][0]["why"]


def test_a_killed_timer_starts_anew_and_rolls_back(make_host, ansible):
    for flavour in ("plain", "systemd"):
        host = make_host(flavour=flavour)
        me = {"name": "deploy", "keys": [login_key(host)]}
        before = state(host)
        killed(ansible, host, [me, {"name": "alice"}], "useradd:done", confirm_timeout=10)
        if flavour == "plain":
            # The process that waits; the one above it starts another.
            host.run("kill -9 $(pgrep -P $(cat %s/*/watching))" % PENDING)
        else:
            host.run("kill -9 $(pgrep -f '[w]atch %s')" % PENDING)
        settled(host, 60)
        assert state(host) == before


def test_a_timer_killed_for_good_is_made_up_for_by_the_next_run(host, ansible, reconcile, me):
    before = state(host)
    killed(ansible, host, [me, {"name": "alice"}], "useradd:done", confirm_timeout=3600)
    host.run("kill -9 $(cat %s/*/watching) $(pgrep -P $(cat %s/*/watching))" % (PENDING, PENDING))
    assert "NO timer runs" in host.run(f"cd {PENDING}/* && python3 -m program status .").stdout
    done = reconcile(host, [me, {"name": "alice", "expires": "2020-01-01"}], check=False)
    assert "its timer was lost" in done.result["rolled_back"][0]["why"], done.output
    assert before


def test_a_change_whose_controller_dies_is_rolled_back(host, runner, me):
    """It is a good change: a controller that lives on confirms it within a second."""
    host.run("mv /usr/sbin/useradd /usr/sbin/useradd.real")
    slow = '#!/bin/sh\n/usr/sbin/useradd.real "$@"\nuntil [ -e /run/go ]; do sleep 0.1; done\n'
    host.write("/usr/sbin/useradd", slow, 0o755)
    before = state(host)
    arguments = {"accounts": [me, {"name": "alice"}], "confirm_timeout": 10}
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(runner.module, host, MODULE, arguments)
        while not host.run("getent passwd alice", check=False).stdout:
            assert not run.done(), run.result()
        for process in of_the_controller(runner):
            os.kill(process, signal.SIGKILL)
        assert isinstance(run.exception(timeout=60), LabError)
    host.run("touch /run/go")
    settled(host)
    assert state(host) == before
    assert "not confirmed in time" in host.run(f"cat {PENDING}/*/evidence.json").stdout


def of_the_controller(runner):
    """Every process of this run's Ansible, its SSH clients included: they share a configuration of their own."""
    mark = f"ANSIBLE_CONFIG={runner.config}".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in path.read_bytes():
                yield int(path.parent.name)


def test_over_a_connection_without_a_login_nothing_is_armed_and_the_answer_says_so(runner, tmp_path, host):
    """On this machine itself, with a file and a state directory of the test's own."""
    state_directory = tmp_path / "state"
    sink = {"backend": "line_file", "file": str(tmp_path / "allow.conf"), "template": "allow {address};"}
    arguments = {
        "addresses": ["198.51.100.7"], "sinks": [sink], "controller": "ignore", "state_directory": str(state_directory),
    }  # fmt: skip
    rc, result, output = runner.module(
        host, "infogerance.perimeter.privileged_ips", arguments, become=False,
        inventory_vars={"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
    )  # fmt: skip
    assert rc == 0, output
    assert "allow 198.51.100.7;" in (tmp_path / "allow.conf").read_text()
    assert result["confirmation"]["status"].startswith("not applicable: connection"), result["confirmation"]
    assert "local" in result["confirmation"]["status"]
    assert not (state_directory / "pending").exists()


def test_a_roll_back_killed_half_way_is_finished_by_the_timer(host, ansible, me):
    before = state(host)
    killed(ansible, host, [me, {"name": "alice"}], "useradd:done", confirm_timeout=3600)
    cut = host.run(f"cd {PENDING}/* && {FAULT}=write:renamed {FAULT}_AT=2 python3 -m program rollback .", check=False)
    assert cut.returncode != 0
    settled(host)
    assert state(host) == before
    assert b"finished by the timer" in host.read(host.run(f"ls {PENDING}/*/evidence.json").stdout.strip())


def test_no_copy_of_a_password_hash_stays_after_the_confirmation(host, reconcile, me):
    host.run("echo 'deploy:S3cret-pass' | chpasswd")
    word = host.run("getent shadow deploy").stdout.split(":")[1]
    done = reconcile(host, [me, {"name": "alice"}])
    assert done.result["confirmation"]["status"] == "confirmed", done.output
    assert host.run(["grep", "-rlF", word, "/var/lib/infogerance-perimeter"], check=False).stdout == ""
    assert host.run(f"stat -c %a {PENDING}").stdout.strip() == "700"
    # And the rest of the folder goes by itself.
    deadline = time.monotonic() + 60
    while host.run(f"ls {PENDING}").stdout and time.monotonic() < deadline:
        time.sleep(1)
    assert host.run(f"ls {PENDING}").stdout == ""


def test_a_disk_without_room_for_the_copies_refuses_before_any_change(make_host, reconcile):
    host = make_host(tmpfs={"/var/lib/infogerance-perimeter": "96k"})
    host.run("chmod 700 /var/lib/infogerance-perimeter")
    before = state(host)
    failed = reconcile(host, [{"name": "deploy", "keys": [login_key(host)]}, {"name": "alice"}])
    assert failed.rc != 0
    assert "nothing was changed" in failed.result["msg"] and "No space left" in failed.result["msg"], failed.output
    assert state(host) == before
    assert host.run(f"ls {PENDING}").stdout == ""
    assert host.run(HOOKS, check=False).stdout == ""


@pytest.mark.parametrize("option", ["-o ControlPath={path}", "-S {path}"])
@pytest.mark.sample(1)
def test_an_open_channel_of_the_users_own_proves_nothing(option, host, ansible, me, tmp_path):
    before = state(host)
    path = f"/tmp/ipl-{host.port}.sock"
    arguments = "-F /dev/null -o ControlMaster=auto -o ControlPersist=60 " + option.format(path=path)
    narrowed = dict(me, keys=['from="192.0.2.1" ' + me["keys"][0]])
    rc, result, output = ansible(
        host, MODULE, {"accounts": [narrowed], "confirm_timeout": 10}, inventory_vars={"ansible_ssh_args": arguments}
    )
    assert rc != 0
    assert result["confirmation"]["status"] == "rolled back", output
    assert state(host) == before


def test_what_somebody_else_did_meanwhile_is_kept_aside_and_the_way_in_comes_back(host, reconcile, me):
    """Another tool writes the key file and opens the directory to all, while our change waits."""
    before = state(host)
    other = (
        "until grep -q 192.0.2.1 /home/deploy/.ssh/authorized_keys; do sleep 0.05; done; sleep 2;"
        " echo '# theirs' >> /home/deploy/.ssh/authorized_keys; chmod 777 /home/deploy/.ssh /home/deploy"
    )
    host.spawn(other)
    locked = reconcile(host, [dict(me, keys=['from="192.0.2.1" ' + me["keys"][0]])], confirm_timeout=10)
    assert locked.result["confirmation"]["status"] == "rolled back", locked.output
    assert state(host) == before
    assert host.can_log_in("deploy")
    told = reconcile(host, [me], check=True).result["rolled_back"][0]
    assert "/home/deploy/.ssh/authorized_keys was changed by somebody else" in told["displaced"][0]
    assert b"# theirs" in host.read(told["displaced"][0].rsplit(" ", 1)[1])


def test_sudo_that_asks_for_a_password_is_proved_with_it(host, ansible, me):
    host.run("echo 'deploy:S3cret-pass' | chpasswd")
    host.run("grep -rl deploy /etc/sudoers.d | xargs sed -i 's/NOPASSWD: *//'")
    arguments = {"accounts": [me, {"name": "alice"}]}
    rc, result, output = ansible(host, MODULE, arguments, inventory_vars={"ansible_become_password": "S3cret-pass"})
    assert rc == 0 and result["confirmation"]["status"] == "confirmed", output


def test_a_host_behind_a_jump_host_is_proved_through_it(make_host, ansible):
    jump, host = make_host("jump"), make_host("behind")
    command = (
        f"ssh -F /dev/null -i {jump.key} -p {jump.port} -o UserKnownHostsFile={jump.known_hosts} "
        "-o IdentitiesOnly=yes -o BatchMode=yes -W %h:%p deploy@127.0.0.1"
    )
    host.known_hosts.write_text(host.known_hosts.read_text().replace(f"[127.0.0.1]:{host.port}", host.address))
    reach = {
        "ansible_host": host.address, "ansible_port": 22,
        "ansible_ssh_extra_args": f"-o ProxyCommand='{command}'",
    }  # fmt: skip
    me = {"name": "deploy", "keys": [login_key(host)]}
    rc, result, output = ansible(host, MODULE, {"accounts": [me, {"name": "alice"}]}, inventory_vars=reach)
    assert rc == 0 and result["confirmation"]["status"] == "confirmed", output
    # The jump host's address is not among those the key is good for.
    narrowed = dict(me, keys=['from="192.0.2.1" ' + me["keys"][0]])
    arguments = {"accounts": [narrowed, {"name": "alice"}], "confirm_timeout": 10}
    rc, result, output = ansible(host, MODULE, arguments, inventory_vars=reach)
    assert result["confirmation"]["status"] == "rolled back", output


@pytest.mark.parametrize("release", ["bullseye", "trixie"])
@pytest.mark.sample(1)
def test_other_pythons_and_releases_confirm_and_roll_back(release, make_host, reconcile):
    host = make_host(release=release)
    me = {"name": "deploy", "keys": [login_key(host)]}
    assert reconcile(host, [me, {"name": "alice"}]).result["confirmation"]["status"] == "confirmed"
    before = state(host)
    narrowed = dict(me, keys=['from="192.0.2.1" ' + me["keys"][0]])
    locked = reconcile(host, [narrowed, {"name": "alice"}], confirm_timeout=10)
    assert locked.result["confirmation"]["status"] == "rolled back", locked.output
    assert state(host) == before
