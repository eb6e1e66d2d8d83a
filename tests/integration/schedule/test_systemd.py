# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Timers and services on a control node with systemd running, against a real server. The tests follow each other."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

# Minutes on a busy machine. What the program itself does is in tests/unit/schedule, on every run.
pytestmark = pytest.mark.soak
STATE = "/var/lib/infogerance-perimeter-schedule"
STOP = "/etc/infogerance-perimeter/schedule.stop"
UNITS = [f"infogerance-perimeter-{name}.timer" for name in ("audit-acme", "audit-globex", "reconcile-acme")]


def units(control: Any) -> set[str]:
    listed = control.host.run("systemctl list-unit-files --no-legend 'infogerance-perimeter-*' | cut -d' ' -f1").stdout
    return set(listed.split())


@pytest.fixture(scope="module")
def scheduled(control: Any) -> Any:
    """The control node after the role."""
    run = control.apply()
    assert run.rc == 0, run.stdout + run.stderr
    return control


def test_the_timers_are_listed_and_a_second_run_changes_nothing(scheduled: Any) -> None:
    listed = json.loads(scheduled.host.run("systemctl list-timers --output=json 'infogerance-perimeter-*'").stdout)
    assert sorted(timer["unit"] for timer in listed) == UNITS
    shown = scheduled.host.run(["systemctl", "show", UNITS[2], "-p", "RandomizedDelayUSec", "-p", "TimersCalendar"])
    assert "RandomizedDelayUSec=15min" in shown.stdout
    assert "OnCalendar=Mon..Thu *-*-* 06:30:00" in shown.stdout
    again = scheduled.apply()
    assert again.changed == 0, again.stdout


def test_systemd_finds_no_fault_in_the_units_and_calls_the_service_well_fenced(scheduled: Any) -> None:
    names = " ".join(f"/etc/systemd/system/{name}" for name in units(scheduled) if "@" not in name)
    verified = scheduled.host.run(f"systemd-analyze verify --man=no {names} 2>&1")
    assert "infogerance" not in verified.stdout
    service = UNITS[2].replace("timer", "service")
    judged = scheduled.host.run(["systemd-analyze", "security", "--no-pager", service]).stdout
    exposure = re.search(r"Overall exposure level for \S+ (\d+\.\d)", judged)
    assert exposure is not None, judged
    assert float(exposure[1]) < 2.0, judged


def test_a_service_audits_and_reconciles_a_server_as_a_user_without_rights(scheduled: Any) -> None:
    code, log = scheduled.start("audit-acme")
    assert code == 0, log
    assert "missing" in log or "create" in log, log
    assert scheduled.server.run(["id", "alice"], check=False).returncode == 1
    code, log = scheduled.start("reconcile-acme")
    assert code == 0, log
    assert scheduled.server.run(["id", "-u", "alice"]).returncode == 0
    assert scheduled.status("reconcile-acme")["outcome"] == "ok"
    # The record is the jobs' user's own; the secrets were never readable for it.
    owner = scheduled.host.run(f"find {STATE} -name ledger.sqlite3 -printf %u").stdout
    assert owner == "infogerance-perimeter"
    seen = scheduled.host.run("cat /etc/fleet/ssh_key", user="infogerance-perimeter", check=False)
    assert seen.returncode != 0
    assert "only root reads this" not in log


def test_the_kill_switch_stops_all_jobs_and_says_so(scheduled: Any) -> None:
    scheduled.host.write(STOP, "the data centre moves\n")
    try:
        for unit in ("audit-acme", "reconcile-acme", "audit-globex"):
            code, log = scheduled.start(unit)
            assert (code, scheduled.status(unit)["outcome"]) == (0, "stopped")
            assert f"was not run: {STOP} is there: the data centre moves" in log
            assert "PLAY" not in log
    finally:
        scheduled.host.run(["rm", STOP])


def test_a_freeze_window_holds_reconcile_back_and_lets_the_audit_go_on(scheduled: Any) -> None:
    today = datetime.now(UTC).date()
    window = {"from": str(today - timedelta(1)), "until": str(today + timedelta(1)), "reason": "sales"}
    scheduled.reconfigure(freeze=[window])
    code, log = scheduled.start("reconcile-acme")
    assert code == 0, log
    assert f"frozen from {window['from']} until {window['until']}: sales" in log
    assert "PLAY" not in log
    code, log = scheduled.start("audit-acme")
    assert "PLAY RECAP" in log
    past = {"from": "2020-01-01", "until": str(today - timedelta(2))}
    scheduled.reconfigure(freeze=[past])
    code, log = scheduled.start("reconcile-acme")
    assert "PLAY RECAP" in log, log


def test_two_jobs_of_one_inventory_take_turns_or_say_that_they_could_not(scheduled: Any) -> None:
    lock = scheduled.host.run(f"ls {STATE}/locks/*").stdout.strip()
    scheduled.host.spawn(["sh", "-c", f"exec flock -x {lock} sleep 4"])
    time.sleep(0.3)
    code, log = scheduled.start("audit-acme")
    assert code != 0
    assert "the inventory is still busy" in log
    assert scheduled.status("audit-acme")["outcome"] == "busy"
    time.sleep(3)
    # Longer patience than the other job needs: it waits and then does its work.
    scheduled.reconfigure(lock_wait=30)
    scheduled.host.spawn(["sh", "-c", f"exec flock -x {lock} sleep 2"])
    time.sleep(0.3)
    code, log = scheduled.start("audit-acme")
    assert code == 0, log
    assert "waits for" in log
    assert scheduled.status("audit-acme")["outcome"] == "ok"


def test_a_failed_run_is_told_with_what_it_printed(scheduled: Any) -> None:
    scheduled.host.run(["rm", "-f", "/tmp/notice"])
    scheduled.server.run("mv /home/deploy/.ssh/authorized_keys /home/deploy/.ssh/kept")
    try:
        code, log = scheduled.start("reconcile-acme")
        assert code != 0, log
    finally:
        scheduled.server.run("mv /home/deploy/.ssh/kept /home/deploy/.ssh/authorized_keys")
    deadline = time.monotonic() + 20
    while not scheduled.host.exists("/tmp/notice") and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.3)
    told = scheduled.host.read("/tmp/notice").decode()
    assert told.startswith(f"[infogerance.perimeter] reconcile of acme on {scheduled.host.name}: failed, exit code 4")
    assert "UNREACHABLE" in told
    assert "journalctl -u infogerance-perimeter-reconcile-acme.service" in told


def test_a_run_that_takes_too_long_is_ended_and_told(scheduled: Any) -> None:
    scheduled.host.run(["rm", "-f", "/tmp/notice"])
    scheduled.host.write("/usr/local/bin/slow-ansible", "#!/bin/sh\nsleep 60\n", 0o755)
    scheduled.reconfigure(program="/usr/local/bin/slow-ansible")
    drop_in = "/run/systemd/system/infogerance-perimeter-audit-acme.service.d/timeout.conf"
    scheduled.host.write(drop_in, "[Service]\nTimeoutStartSec=2\n")
    scheduled.host.run(["systemctl", "daemon-reload"])
    code, log = scheduled.start("audit-acme")
    assert code != 0
    scheduled.host.run(["rm", drop_in])
    deadline = time.monotonic() + 20
    while not scheduled.host.exists("/tmp/notice") and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.3)
    assert "was killed, or took too long" in scheduled.host.read("/tmp/notice").decode()


def test_what_is_no_longer_declared_is_taken_off_and_absent_leaves_only_the_record(scheduled: Any) -> None:
    jobs = [{"name": "globex", "limit": "client_globex"}]
    assert scheduled.apply(schedule_jobs=jobs).rc == 0
    assert units(scheduled) == {
        "infogerance-perimeter-audit-globex.service",
        "infogerance-perimeter-audit-globex.timer",
        "infogerance-perimeter-notice@.service",
    }
    gone = scheduled.apply(schedule_state="absent")
    assert gone.rc == 0, gone.stdout + gone.stderr
    assert units(scheduled) == set()
    active = scheduled.host.run("systemctl list-units --all --no-legend 'infogerance-perimeter-*.timer'").stdout
    assert active.strip() == ""
    left = scheduled.host.run("find /etc /usr/local -path '*infogerance-perimeter*' ! -type d").stdout
    assert left == ""
    assert scheduled.host.run(f"find {STATE} -name ledger.sqlite3").stdout != ""


@pytest.mark.soak
def test_a_dry_run_and_a_second_absence_change_nothing(control: Any) -> None:
    for settings in ({"check": True}, {"schedule_state": "absent"}):
        run = control.apply(**settings)
        assert run.rc == 0, run.stdout + run.stderr
        assert units(control) == set()
    assert run.changed == 0


def case(said: str, **settings: Any) -> Any:
    return pytest.param(settings, said, id=said, marks=pytest.mark.soak)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        case("push needs schedule_project", schedule_project=None),
        ({"schedule_jobs": [{"name": "../acme"}]}, "schedule_jobs (../acme): name takes"),
        ({"schedule_jobs": [{"name": "acme\n"}]}, "digits, dots, dashes and underscores"),
        case("names of jobs are unique", schedule_jobs=[{"name": "acme"}, {"name": "acme"}]),
        ({"schedule_jobs": [{"name": "acme", "audit_calendar": "every noon"}]}, "every noon"),
        case("in this order", schedule_freeze=[{"from": "2026-12-24", "until": "2026-12-01"}]),
        case("dates such as", schedule_freeze=[{"from": "24/12/2026", "until": "2026-12-01"}]),
        case("/etc/fleet/none is not there", schedule_credentials={"ssh_key": "/etc/fleet/none"}),
    ],
)
def test_bad_settings_are_named_before_anything_changes(control: Any, settings: dict[str, Any], said: str) -> None:
    before = units(control)
    run = control.apply(**settings)
    assert run.rc != 0
    assert said in run.stdout.replace("\n", " "), run.stdout
    assert run.changed == 0
    assert units(control) == before
