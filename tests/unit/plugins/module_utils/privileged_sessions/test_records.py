# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wtmp, lastlog and the hook's notes: what is damaged is passed over, and nothing raises."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils.privileged_sessions.gathering import (
    _journal_events,
    _lines,
    _log_events,
    _told_once,
)
from ansible_collections.infogerance.perimeter.plugins.module_utils.privileged_sessions.login_records import (
    last_logins,
    wtmp_logins,
)
from ansible_collections.infogerance.perimeter.plugins.module_utils.privileged_sessions.session import Login
from ansible_collections.infogerance.perimeter.plugins.module_utils.privileged_sessions.spool import Spool, parse

SHORT, LONG = "<h2xi32s4s32s256shhiii16s20x", "<h2xi32s4s32s256shhq2q16s20x4x"
ADDRESS = bytes([192, 0, 2, 7]) + bytes(12)


def record(form: str, kind: int, line: bytes, user: bytes, at: int, address: bytes = ADDRESS) -> bytes:
    return struct.pack(form, kind, 1, line, b"ts", user, b"client", 0, 0, 0, at, 0, address)


@pytest.mark.parametrize(("form", "size"), [(SHORT, 384), (LONG, 400)])
def test_logins_end_with_their_line_or_with_the_next_boot(form: str, size: int) -> None:
    rows = [
        record(form, 7, b"pts/0", b"root", 1700000000),
        record(form, 7, b"pts/1", b"ada", 1700000100, bytes.fromhex("20010db8" + "0" * 23 + "7")),
        record(form, 8, b"pts/0", b"", 1700000200),
        record(form, 2, b"~", b"reboot", 1700000300),
        record(form, 7, b"pts/0", b"ada", 1700000400),
    ]
    assert {len(row) for row in rows} == {size}
    found = [(one.user, one.tty, one.address, one.began, one.ended) for one in wtmp_logins(b"".join(rows))]
    assert found == [
        ("root", "pts/0", "192.0.2.7", 1700000000.0, 1700000200.0),
        ("ada", "pts/1", "2001:db8::7", 1700000100.0, 1700000300.0),
        ("ada", "pts/0", "192.0.2.7", 1700000400.0, None),
    ]


def test_a_login_that_wtmp_and_wtmpdb_both_keep_is_one_login() -> None:
    def login(tty: str, began: float, source: str, user: str = "root") -> Login:
        return Login(user, tty, "192.0.2.7", began, began + 1, source)

    old = [login("pts/0", 1700000000, "wtmp"), login("pts/0", 1700000003, "wtmp"), login("pts/0", 1700000900, "wtmp")]
    new = [login("pts/0", 1700000000.6, "wtmpdb"), login("pts/0", 1700000003.2, "wtmpdb"),
           login("pts/1", 1700000900.1, "wtmpdb"), login("pts/0", 1700000900.1, "wtmpdb", "ada")]  # fmt: skip
    # Not the third: nothing but the time is alike.
    assert _told_once(old, new) == old[2:]
    assert _told_once(old, new[:1]) == old[1:]


@given(st.binary(max_size=2000))
def test_no_bytes_break_them(data: bytes) -> None:
    wtmp_logins(data)
    list(last_logins(data, 0))


def test_lastlog_is_by_uid() -> None:
    data = struct.pack("<i32s256s", 1700000000, b"pts/3", b"192.0.2.7") + bytes(292)
    assert list(last_logins(data, 0)) == [(1700000000.0, "pts/3", "192.0.2.7")]
    assert list(last_logins(data, 1)) == list(last_logins(data, 9)) == []


def test_a_note_is_read_and_one_without_a_beginning_refused() -> None:
    note = parse("n", "done", "begin 1700000000\nshell 12 34\nuser ada\nend 1600000000\nmessage a b\nuser eve\n")
    assert (note.began, note.ended, note.user, note.message, note.shell) == (
        1700000000,
        1700000000,
        "ada",
        "a b",
        (12, 34),
    )
    with pytest.raises(ValueError, match="began"):
        parse("n", "done", "user ada\n")


@given(st.text())
def test_no_text_breaks_a_note(text: str) -> None:
    parse("n", "done", "begin 1700000000\n" + text)


def test_a_note_that_was_closed_since_it_was_read_is_not_removed(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    name = "00000000-0000-0000-0000-000000000001"
    for state in ("open", "done"):
        (tmp_path / f"{name}.{state}").write_text("begin 1700000000\n")
    spool = Spool(str(tmp_path), os.getuid())
    assert spool.remove([f"{name}.open"]) == 1
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.done"]
    (tmp_path / f"{name}.open").write_text("begin 1700000000\n")
    assert spool.remove([f"{name}.done", f"{name}.done", "../spool"]) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_line_of_the_journal_counts_unless_another_program_wrote_it() -> None:
    def line(**more: object) -> bytes:
        row = {"__REALTIME_TIMESTAMP": "1700000000000000", "_PID": "7", "_COMM": "sudo", "MESSAGE": "m", **more}
        return json.dumps(row).encode()

    rows = [
        line(_EXE="/usr/bin/sudo"),
        line(),
        line(_EXE="/home/eve/sudo"),
        line(MESSAGE=None),
        b"{",
        line(MESSAGE=[104]),
    ]
    assert [event.message for event in _journal_events(rows)] == ["m", "m", "h"]
    # Of one that was over before the journal looked, its own word is all there is.
    gone = {"__REALTIME_TIMESTAMP": "1700000000000000", "_PID": "7", "SYSLOG_IDENTIFIER": "sudo", "MESSAGE": "m"}
    rows = [json.dumps(row).encode() for row in (gone, {**gone, "_COMM": "logger", "_EXE": "/usr/bin/logger"})]
    assert [event.program for event in _journal_events(rows)] == ["sudo"]


@pytest.mark.parametrize(("seconds", "most"), [(0.3, 1 << 40), (60.0, 1 << 20)])
def test_a_journal_without_an_end_is_read_up_to_a_bound(seconds: float, most: int) -> None:
    limits: list[str] = []
    began = time.monotonic()
    with subprocess.Popen(["/usr/bin/yes", "x" * 1000], stdout=subprocess.PIPE) as endless:
        size = sum(len(line) for line in _lines(endless, began + seconds, limits, most))
    assert time.monotonic() - began < 10
    assert size < most + 65536
    assert len(limits) == 1


def test_lines_of_auth_log_are_read_in_both_forms_of_time() -> None:
    now = 1767225600.0  # 2026-01-01T00:00:00Z
    lines = [
        "2025-12-31T23:00:00.123456+01:00 web sudo[12]: one",
        "Dec 31 12:00:00 web sudo: two",
        "Dec 31 12:00:00 web cron[1]: three",
        "rubbish",
    ]
    events = list(_log_events(lines, now))
    assert [(event.program, event.pid, event.message) for event in events] == [("sudo", 12, "one"), ("sudo", 0, "two")]
    assert all(now - 2 * 86400 < event.at <= now for event in events), "a time without a year is the last such day"
