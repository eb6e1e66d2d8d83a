# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ending what an account runs: real processes under a uid that nobody has."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.infogerance.perimeter.plugins.module_utils import processes as p

UID, OTHER, SUB = 61003, 61004, 6100300

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="another account's processes need root")


@pytest.fixture
def start():
    started = []

    def run(uid, code):
        argv = [
            sys.executable,
            "-c",
            f"import ctypes, os, signal, threading, time; os.setresuid({uid}, {uid}, {uid})\n{code}",
        ]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout.readline() == b"up\n"
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()


SLEEP = "print('up', flush=True); time.sleep(600)"
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEP


def test_each_uid_gets_its_own_processes(start):
    mine, other = start(UID, SLEEP), start(OTHER, SLEEP)
    assert p.running([UID, OTHER, 61005]) == {UID: [mine.pid], OTHER: [other.pid], 61005: []}
    assert p.running([]) == {}


def test_what_is_ended_is_gone_and_nobody_elses_is(start):
    mine, other = start(UID, SLEEP), start(OTHER, SLEEP)
    assert p.end_all(UID, "nobody-here") == []
    assert mine.wait(timeout=5) != 0
    assert other.poll() is None


def test_a_process_that_ignores_term_is_killed(start):
    mine = start(UID, STUBBORN)
    began = time.monotonic()
    assert p.end_all(UID, "nobody-here", patience=0.3) == []
    assert mine.wait(timeout=5) == -9
    assert time.monotonic() - began >= 0.3


def test_the_kill_of_a_whole_uid_meets_no_other_uid(start):
    mine, other = start(UID, STUBBORN), start(OTHER, STUBBORN)
    p._kill_as([UID])
    assert mine.wait(timeout=5) == -9
    time.sleep(0.1)
    assert other.poll() is None


def test_what_the_first_look_misses_and_the_kill_still_lists_gets_its_time_to_go(start, monkeypatch):
    mine, look = start(UID, STUBBORN), p.running
    # A storm is between two processes at the first look; at the second its last one is killed, but still listed.
    looks = iter([{UID: []}, {UID: [mine.pid]}])
    monkeypatch.setattr(p, "running", lambda *args: next(looks, None) or look(*args))
    assert p.end_all(UID, "nobody-here") == []
    assert mine.wait(timeout=5) == -9


def test_a_zombie_counts_as_gone(start):
    mine = start(UID, "print('up', flush=True)")
    deadline = time.monotonic() + 5
    while p.running([UID])[UID] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert os.path.exists(f"/proc/{mine.pid}")
    assert p.running([UID])[UID] == []


def test_a_process_whose_first_thread_is_gone_still_counts(start):
    # To /proc it is a zombie; its other threads go on.
    code = "threading.Thread(target=time.sleep, args=(600,)).start()\n"
    mine = start(UID, code + "print('up', flush=True); ctypes.CDLL(None).pthread_exit(None)")
    deadline = time.monotonic() + 5
    status = Path(f"/proc/{mine.pid}/status")
    while "State:\tZ" not in status.read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert p.running([UID])[UID] == [mine.pid]
    assert p.end_all(UID, "nobody-here", patience=0.2) == []
    mine.wait(timeout=5)


def test_what_runs_under_a_subordinate_uid_is_its_owners(start):
    mine, other = start(SUB, SLEEP), start(OTHER, SLEEP)
    ranges = ((SUB - 5, 10),)
    assert p.running([UID], lambda _uid: ranges) == {UID: [mine.pid]}
    assert p.running([UID])[UID] == []
    assert p.end_all(UID, "nobody-here", ranges) == []
    assert mine.wait(timeout=5) != 0
    assert other.poll() is None


@pytest.mark.parametrize("uid", [0, -1])
def test_roots_processes_are_never_ended(uid):
    with pytest.raises(ValueError, match="never ended"):
        p.end_all(uid, "root")
