# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of Debian's sudo, su, sshd and login become sessions; refusals and other people's do not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils.privileged_sessions.auth_messages import sessions_of
from ansible_collections.infogerance.perimeter.plugins.module_utils.privileged_sessions.session import Event, Session


def told(*rows: tuple[str, int, str]) -> list[Session]:
    return sessions_of([Event(float(number), *row) for number, row in enumerate(rows)])


OPENED = "pam_unix(sudo:session): session opened for user root(uid=0) by alice(uid=1000)"
CLOSED = "pam_unix(sudo:session): session closed for user root"


@pytest.mark.parametrize(
    ("command", "kind", "program", "interactive"),
    [
        ("/bin/bash", "sudo", "bash", True),
        ("/usr/bin/su -", "sudo", "su", True),
        ("/bin/bash -c id", "sudo", "bash", False),
        ("/usr/bin/mysql -psecret", "sudo", "mysql", False),
        ("/bin/sh -c echo BECOME-SUCCESS-abcdef ; /usr/bin/python3", "become", "sh", False),
        (r"/bin/sh -c echo\ BECOME-SUCCESS-abcdef\ \;\ /usr/bin/python3", "become", "sh", False),
        (r"/bin/sh -c 'echo BECOME-SUCCESS-abcdef ; /usr/bin/python3'", "become", "sh", False),
    ],
)
def test_a_command_of_sudos(command: str, kind: str, program: str, interactive: bool) -> None:
    (found,) = told(
        ("sudo", 7, f"  alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND={command}"),
        ("sudo", 7, OPENED),
        ("sudo", 7, CLOSED),
    )
    assert (found.kind, found.account, found.program, found.interactive) == (kind, "alice", program, interactive)
    assert (found.tty, found.began, found.ended) == ("pts/0", 0.0, 2.0)
    assert "secret" not in str(found.as_result())


@pytest.mark.parametrize(
    "message",
    [
        "alice : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/bash",
        "alice : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/bash",
        "alice : command not allowed ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/bash",
        "alice : TTY=pts/0 ; PWD=/ ; USER=www-data ; COMMAND=/bin/bash",
        "pam_unix(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 user=alice",
    ],
)
def test_a_refusal_or_another_target_is_no_session(message: str) -> None:
    assert told(("sudo", 7, message)) == []


def test_sudo_without_a_terminal_has_none() -> None:
    (found,) = told(("sudo", 7, "alice : PWD=/ ; USER=root ; COMMAND=/usr/bin/apt update"))
    assert (found.tty, found.program) == ("", "apt")


def test_group_session_and_environment_stand_before_the_command() -> None:
    more = "GROUP=adm ; TSID=00001 ; ENV=A=1 B=2 ; COMMAND=/bin/su"
    (found,) = told(("sudo", 7, "eve : TTY=pts/0 ; PWD=/ ; USER=root ; " + more))
    assert (found.account, found.program, found.interactive) == ("eve", "su", True)


@pytest.mark.parametrize("piece", ["A= ; ", "USER=root ; ", "USER=root ; ENV= ; ", " ; ", "TTY=a ; PWD="])
def test_no_line_is_made_to_be_read_for_ever(piece: str) -> None:
    for head in ("eve : TTY=pts/0 ; PWD=/ ; USER=root ; ", "eve : PWD=/ ; USER=root ; "):
        began = time.monotonic()
        assert told(("sudo", 7, (head + piece * 4096)[:4096])) == []
        assert time.monotonic() - began < 5


def test_logins_by_ssh_su_and_console() -> None:
    ssh, su, console = told(
        ("sshd", 11, "Accepted publickey for root from 192.0.2.7 port 50000 ssh2: ED25519 SHA256:abc"),
        ("su", 12, "(to root) alice on pts/1"),
        ("su", 12, "pam_unix(su-l:session): session opened for user root(uid=0) by alice(uid=1000)"),
        ("login", 13, "pam_unix(login:session): session opened for user root(uid=0) by LOGIN(uid=0)"),
        ("login", 13, "ROOT LOGIN  on '/dev/tty1'"),
        ("sshd-session", 11, "pam_unix(sshd:session): session closed for user root"),
        ("sshd", 14, "Accepted publickey for alice from 192.0.2.7 port 50001 ssh2: ED25519 SHA256:abc"),
    )
    assert (ssh.kind, ssh.address, ssh.key, ssh.ended) == ("ssh", "192.0.2.7", "SHA256:abc", 5.0)
    assert (su.kind, su.account, su.tty, su.interactive) == ("su", "alice", "pts/1", True)
    assert (console.kind, console.tty) == ("console", "tty1")


@given(st.lists(st.tuples(st.sampled_from(["sudo", "su", "sshd", "login"]), st.integers(0, 3), st.text())))
def test_no_text_breaks_it(rows: list[tuple[str, int, str]]) -> None:
    told(*rows)
