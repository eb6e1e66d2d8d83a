# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sudo, su, sshd and login write to the log, as sessions. Pure.

Of a command only the program's name is kept: its arguments may hold passwords. A refused attempt is no session.
Sources: sudo(8) ``COMMAND=`` lines, pam_unix(8) ``session opened`` and ``closed``, the lines of sshd (``Accepted``),
of su and of login, as Debian 11 to 13 have them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from .session import Event, Session

__all__ = ["PROGRAMS", "sessions_of", "tells"]

#: Whose lines are looked at.
PROGRAMS = ("sudo", "su", "sshd", "sshd-session", "login")
SHELLS = frozenset(("sh", "bash", "dash", "zsh", "ksh", "mksh", "fish", "tcsh", "csh", "ash", "busybox", "su"))
# Each field once: any user chooses the text of such a line, and could make a loop of fields take for ever.
_RUN = r"PWD=.*? ; USER=(\S+) ; (?:GROUP=\S* ; )?(?:TSID=\S* ; )?(?:ENV=.*? ; )?COMMAND=(.*)\Z"
_SUDO = re.compile(r"\s*(\S+) : (?:[A-Z]+=\S* ; )*TTY=(\S+) ; " + _RUN, re.DOTALL)
_SUDO_BARE = re.compile(r"\s*(\S+) : " + _RUN, re.DOTALL)
_OPENED = re.compile(
    r"pam_unix\(([\w-]+):session\): session opened for user ([^\s(]+)(?:\(uid=\d+\))? by ([^\s(]*)(?:\(uid=(\d+)\))?"
)
_CLOSED = re.compile(r"pam_unix\(([\w-]+):session\): session closed for user (\S+)")
_ACCEPTED = re.compile(r"Accepted (\S+) for (\S+) from (\S+) port \d+(?: ssh2)?(?:: \S+ (SHA256:\S+))?")
_SU = re.compile(r"\(to (\S+)\) (\S+) on (\S+)")
_CONSOLE = re.compile(r"ROOT LOGIN\s+on '?(?:/dev/)?([\w/]+)'?")
_MARKS = ("session opened", "session closed", "COMMAND=", "Accepted ", "(to ", "ROOT LOGIN")
#: Ansible's own. sudo writes the blanks of an argument with or without a backslash.
_BECOME = re.compile(r"/\w+ -c .?echo.{1,2}BECOME-SUCCESS-\w+")


def tells(message: str) -> bool:
    """False for what sessions_of makes nothing of, such as the refusals that strangers cause by the thousand."""
    return any(mark in message for mark in _MARKS)


def sessions_of(events: Iterable[Event], roots: Iterable[str] = ("root",)) -> list[Session]:
    """The sessions with root's rights, in the order of their beginning. roots: the names of uid 0."""
    reader = _Reader(frozenset(roots))
    for event in sorted(events, key=lambda one: one.at):
        reader.take(event)
    return reader.found


class _Reader:
    def __init__(self, roots: frozenset[str]) -> None:
        self.roots = roots
        self.found: list[Session] = []
        #: Sessions that may still end, by program and pid; without pids the last one opened closes first.
        self.open: dict[tuple[str, int], list[Session]] = {}

    def take(self, event: Event) -> None:
        """One line, in the order of time."""
        name = "sshd" if event.program == "sshd-session" else event.program
        closed = _CLOSED.search(event.message)
        if closed:
            if closed.group(2) in self.roots:
                waiting = self.open.get((name, event.pid)) or []
                if waiting:
                    waiting.pop().ended = event.at
        elif name == "sudo":
            self._sudo(event)
        elif name == "sshd":
            self._ssh(event)
        elif name == "su":
            self._su(event)
        elif name == "login":
            self._login(event)

    def _add(self, name: str, event: Event, session: Session) -> None:
        self.found.append(session)
        self.open.setdefault((name, event.pid), []).append(session)

    def _sudo(self, event: Event) -> None:
        row = _SUDO.match(event.message)
        bare = None if row else _SUDO_BARE.match(event.message)
        if row:
            account, tty, target, command = row.groups()
        elif bare:
            (account, target, command), tty = bare.groups(), ""
        else:
            return
        if target not in self.roots:
            return
        words = command.split()
        program = os.path.basename(words[0]) if words else ""
        become = bool(_BECOME.search(command))
        shell = not become and program in SHELLS and "-c" not in words[1:3]
        kind = "become" if become else "sudo"
        tty = "" if tty == "unknown" else tty
        self._add("sudo", event, Session(kind, account, event.at, None, tty, "", program, shell))

    def _ssh(self, event: Event) -> None:
        row = _ACCEPTED.search(event.message)
        if row and row.group(2) in self.roots:
            address, key = row.group(3), row.group(4) or ""
            self._add("sshd", event, Session("ssh", row.group(2), event.at, address=address, key=key))

    def _su(self, event: Event) -> None:
        row = _SU.search(event.message)
        if row and row.group(1) in self.roots:
            account, tty = row.group(2), row.group(3)
            tty = "" if tty == "none" else tty
            self._add("su", event, Session("su", account, event.at, None, tty, "", "su", bool(tty)))

    def _login(self, event: Event) -> None:
        row = _CONSOLE.search(event.message)
        opened = _OPENED.search(event.message)
        waiting = self.open.get(("login", event.pid)) or []
        if row and waiting:
            waiting[-1].tty = row.group(1)
        elif opened and opened.group(2) in self.roots:
            self._add("login", event, Session("console", opened.group(2), event.at, interactive=True))
