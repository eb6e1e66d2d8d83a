# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who carries the connection, read from a made-up /proc."""

from __future__ import annotations

import os

import pytest

from ansible_collections.infogerance.perimeter.plugins.module_utils import connection as c

KEY = "SHA256:" + "a" * 43
OTHER = "SHA256:" + "b" * 43


@pytest.fixture
def processes(monkeypatch):
    """``processes({pid: (parent, name, uid, environment)}, login)``: our own pid is 100."""

    def set_up(table, login=None):
        monkeypatch.setattr(os, "getpid", lambda: 100)
        monkeypatch.setattr(c, "_status", lambda pid: table[pid][:3] if pid in table else (0, "", 0))
        monkeypatch.setattr(c, "_environment", lambda pid: table[pid][3] if pid in table else {})
        monkeypatch.setattr(c, "_login_uid", lambda: login)
        return c.current()

    return set_up


@pytest.mark.parametrize("server", ["sshd", "sshd-session"])
def test_the_account_behind_sudo_is_found_through_our_ancestors(processes, server):
    found = processes({
        100: (99, "python3", 0, {"SUDO_UID": "1000", "SUDO_USER": "deploy"}),
        99: (98, "sudo", 0, {}),
        98: (97, "sh", 1000, {"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22", "SSH_USER_AUTH": "/tmp/x"}),
        97: (96, server, 1000, {}),
        96: (1, server, 0, {}),
    })  # fmt: skip
    assert (found.uids, found.names) == ({1000}, {"deploy"})
    assert (found.address, found.port, found.auth_info) == ("192.0.2.1", "50000", "/tmp/x")


def test_a_login_as_root_is_roots(processes):
    found = processes({
        100: (97, "python3", 0, {"SSH_CONNECTION": "2001:db8::1 50000 2001:db8::2 22"}),
        97: (96, "sshd", 0, {}),
        96: (1, "sshd", 0, {}),
    })  # fmt: skip
    assert found.uids == {0}
    assert found.address == "2001:db8::1"


def test_an_account_on_the_way_and_the_one_of_the_login_are_kept_too(processes):
    found = processes({100: (99, "python3", 0, {}), 99: (98, "su", 1002, {}), 98: (1, "tmux", 1001, {})}, login=1003)
    assert found.uids == {1001, 1002, 1003}


def test_an_sshd_without_an_address_is_told(processes):
    found = processes({100: (99, "python3", 0, {}), 99: (1, "sshd", 1000, {})})
    assert found.uids == {1000}
    assert found.notes


def test_without_proc_nothing_is_known_and_that_is_said(processes):
    assert processes({}).known is False
    assert processes({100: (1, "python3", 0, {})}).known is True


def test_a_loop_of_parents_ends(processes):
    assert processes({100: (99, "a", 1, {}), 99: (100, "b", 2, {})}).uids == {1, 2}


LINE = "sshd[1]: Accepted publickey for deploy from 192.0.2.1 port 50000 ssh2: ED25519 "


@pytest.mark.parametrize(
    ("logs", "key"),
    [
        ([LINE + KEY], KEY),
        ([LINE + KEY + "\n" + LINE + KEY, LINE + KEY], KEY),
        ([], None),
        ([LINE.replace("50000", "5000") + KEY], None),
        ([LINE.replace("192.0.2.1", "192.0.2.11") + KEY], None),
        ([LINE.replace("192.0.2.1", "192x0.2.1") + KEY], None),
        ([LINE + KEY + "\n" + LINE + OTHER], None),
        ([LINE + OTHER, LINE + KEY], None),
    ],
)
def test_the_key_is_known_where_the_logs_agree_on_one(monkeypatch, logs, key):
    monkeypatch.setattr(c, "_logs", lambda: logs)
    assert c.connecting_key(c.Connection(address="192.0.2.1", port="50000")) == key


def test_the_file_that_sshd_exposes_comes_first_and_may_be_a_trap(monkeypatch, tmp_path):
    monkeypatch.setattr(c, "_logs", lambda: [LINE + OTHER])
    path = tmp_path / "auth"
    blob = "AAAAC3NzaC1lZDI1NTE5AAAAIGu2Q7oq5vTgCzVnbU0IZkY3w1lyRrpYyqLh0yD1bJ1x"
    path.write_text(f"password\npublickey ssh-ed25519 {blob}\n")
    known = c.Connection(address="192.0.2.1", port="50000", auth_info=str(path))
    assert c.connecting_key(known) not in (None, OTHER)
    path.unlink()
    os.mkfifo(path)
    assert c.connecting_key(known) == OTHER
