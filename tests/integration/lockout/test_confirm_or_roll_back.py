# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of access undoes itself unless a new login proves that the controller can still get in."""

from __future__ import annotations

import json

import pytest

from tests.integration.lockout.looking import PENDING, settled, state

pytestmark = pytest.mark.sample(1)


@pytest.fixture(params=["plain", "systemd"])
def target(request, make_host):
    return make_host(flavour=request.param)


@pytest.fixture
def me(target):
    return {"name": "deploy", "keys": [target.key.with_name(target.key.name + ".pub").read_text().strip()]}


def test_a_good_change_is_confirmed_over_a_new_login(target, reconcile, me, keys):
    done = reconcile(target, [me, {"name": "alice", "keys": [keys("alice").public]}])
    assert done.rc == 0, done.output
    assert done.result["confirmation"]["status"] == "confirmed"
    kind = "unit" if target.flavour == "systemd" else "process"
    assert done.result["confirmation"]["timer"].startswith(kind)
    settled(target)
    hooks = "ls /etc/cron.d/infogerance* /etc/systemd/system/infogerance* 2>/dev/null"
    assert target.run(hooks, check=False).stdout == ""
    assert target.can_log_in("alice", keys("alice").private)
    again = reconcile(target, [me, {"name": "alice", "keys": [keys("alice").public]}])
    assert again.result["confirmation"] == {"status": "nothing to confirm"}


def test_a_change_that_breaks_sudo_is_rolled_back_byte_for_byte(target, reconcile, me):
    target.run("groupadd nosudo && echo '%nosudo ALL=(ALL) !ALL' > /etc/sudoers.d/zz && chmod 440 /etc/sudoers.d/zz")
    before = state(target)
    # The group's rule comes last: become is gone, and no reading of our own rule shows it.
    locked = reconcile(target, [dict(me, groups=["nosudo"]), {"name": "alice"}], adopt=True, confirm_timeout=10)
    assert locked.rc != 0
    assert locked.result["confirmation"]["status"] == "rolled back", locked.output
    assert locked.result["applied"] == []
    assert state(target) == before
    assert target.ssh("deploy", "sudo -n id -u").stdout.strip() == "0"
    told = reconcile(target, [me], check=True)
    assert told.result["rolled_back"][0]["why"] == "not confirmed in time"
    assert "create ssh_group deploy nosudo" in told.result["rolled_back"][0]["actions"]
    marked = reconcile(target, [me, {"name": "zoe"}])
    assert marked.rc == 0, marked.output
    assert marked.result["rolled_back"]
    assert "rolled_back" not in reconcile(target, [me, {"name": "zoe"}]).result


def test_a_change_that_closes_the_own_key_is_rolled_back(target, reconcile, me):
    before = state(target)
    narrowed = dict(me, keys=['from="192.0.2.1" ' + me["keys"][0]])
    locked = reconcile(target, [narrowed], confirm_timeout=10)
    assert locked.result["confirmation"]["status"] == "rolled back", locked.output
    assert state(target) == before
    assert target.can_log_in("deploy")


def test_a_module_killed_half_way_is_rolled_back_without_the_controller(target, ansible, me):
    before = state(target)
    task = {"environment": {"INFOGERANCE_PERIMETER_FAULT": "useradd:done"}}
    arguments = {"accounts": [me, {"name": "alice", "sudo": {}}], "confirm_timeout": 10}
    rc, _result, output = ansible(target, "infogerance.perimeter.ssh_accounts", arguments, task=task)
    assert rc != 0, output
    assert target.run("getent passwd alice").stdout
    settled(target)
    assert target.run("getent passwd alice", check=False).stdout == ""
    assert state(target) == before


def test_a_reboot_before_the_confirmation_rolls_back(make_host, ansible, keys):
    host = make_host(flavour="systemd")
    me = {"name": "deploy", "keys": [host.key.with_name(host.key.name + ".pub").read_text().strip()]}
    before = host.snapshot(["/etc/passwd", "/etc/shadow", "/etc/group"])
    task = {"environment": {"INFOGERANCE_PERIMETER_FAULT": "useradd:done"}}
    arguments = {"accounts": [me, {"name": "alice"}], "confirm_timeout": 3600}
    ansible(host, "infogerance.perimeter.ssh_accounts", arguments, task=task)
    assert host.run("getent passwd alice").stdout
    host.reboot()
    settled(host)
    assert host.snapshot(["/etc/passwd", "/etc/shadow", "/etc/group"]) == before
    evidence = json.loads(host.run(f"cat {PENDING}/*/evidence.json").stdout)
    assert evidence["why"] == "the server was started anew before the change was confirmed"


def test_a_second_run_refuses_while_a_change_waits_for_its_confirmation(target, ansible, reconcile, me):
    task = {"environment": {"INFOGERANCE_PERIMETER_FAULT": "useradd:done"}}
    arguments = {"accounts": [me, {"name": "alice"}], "confirm_timeout": 600}
    ansible(target, "infogerance.perimeter.ssh_accounts", arguments, task=task)
    refused = reconcile(target, [me, {"name": "bob"}])
    assert refused.rc != 0
    assert "waits for its confirmation" in refused.result["msg"]
    folder = target.run(f"ls -d {PENDING}/*").stdout.strip()
    by_hand = target.run(f"cd {folder} && python3 -m program status . && python3 -m program rollback .").stdout
    assert "armed" in by_hand
    assert "rolled back" in by_hand
    assert target.run("getent passwd alice", check=False).stdout == ""
    assert reconcile(target, [me, {"name": "bob"}]).rc == 0


def test_a_confirmation_needs_the_right_nonce_and_holds_for_good(target, ansible, me):
    task = {"environment": {"INFOGERANCE_PERIMETER_FAULT": "useradd:done"}}
    arguments = {"accounts": [me, {"name": "alice"}], "confirm_timeout": 600}
    ansible(target, "infogerance.perimeter.ssh_accounts", arguments, task=task)
    folder = target.run(f"ls -d {PENDING}/*").stdout.strip()
    nonce = folder.rsplit("/", 1)[1]
    run = f"cd {folder} && python3 -m program "
    assert target.run(run + "confirm . 0000", check=False).returncode == 1
    assert target.run(run + f"confirm . {nonce}").stdout.strip() == "confirmed"
    # Its answer may be lost on the way: asked again, it says so again.
    assert target.run(run + f"confirm . {nonce}").stdout.strip() == "confirmed"
    assert target.run(run + "confirm . 0000", check=False).returncode == 1
    assert target.run(run + "rollback .", check=False).returncode == 1
    assert target.run("getent passwd alice").stdout


def test_check_mode_arms_nothing(target, reconcile, me):
    dry = reconcile(target, [me, {"name": "alice"}], check=True)
    assert dry.result["confirmation"] == {"status": "check mode: nothing is armed"}
    assert not target.exists("/var/lib/infogerance-perimeter")


def test_confirm_never_arms_nothing(target, reconcile, me):
    done = reconcile(target, [me, {"name": "alice"}], confirm="never")
    assert done.result["confirmation"] == {"status": "never: switched off by confirm"}, done.output
    assert not target.exists(PENDING)


def test_a_failed_step_puts_everything_back_at_once(target, reconcile, me):
    # The second account can't be made, after the first one was.
    target.run("mv /usr/sbin/useradd /usr/sbin/useradd.real")
    broken = '#!/bin/sh\nfor last; do :; done\n[ "$last" = zoe ] && { echo broken >&2; exit 9; }\n'
    target.write("/usr/sbin/useradd", broken + 'exec /usr/sbin/useradd.real "$@"\n', 0o755)
    before = state(target)
    failed = reconcile(target, [me, {"name": "alice"}, {"name": "zoe"}])
    assert failed.rc != 0
    assert "rolled back" in failed.result["msg"]
    assert failed.result["changed"] is False
    assert state(target) == before
