# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sudoers(5): our own fragment per account, and what other files grant.

A fragment of ours is ``/etc/sudoers.d/infogerance-perimeter-<account>``. sudo passes over file names with a dot
or a final tilde, so such characters are written as ``%xx``. Nothing is put in place that ``visudo -c`` refuses.
"""

from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .account_database import ToolFailed, command
from .atomic_files import fault_point, read_bytes, remove_file, write_atomic
from .sudoers_text import SudoersText, expand, gives_everything, grants_all, read_sudoers

__all__ = ["Grant", "Sudoers", "admin_groups", "grants_all", "render_rule"]

PREFIX = "infogerance-perimeter-"
#: A file that sudo reads is a few lines; a larger one is not read here, and told.
LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True)
class Grant:
    """What one rule gives one user, group (``%name``, ``%#gid``), uid (``#uid``) or everybody (``ALL``).

    ``alone`` tells that its file speaks of nobody else; ``everything`` that it gives all commands as root.
    """

    who: str
    path: str
    line: int
    text: str
    alone: bool
    everything: bool = False


def render_rule(account: str, sudo: dict[str, Any]) -> str:
    """The line for ``sudo: {commands, runas, nopasswd}``; commands are checked by the caller."""
    commands = ", ".join(_escape(c) for c in sudo["commands"])
    return "%s ALL=(%s) %s%s" % (
        _escape_name(account),
        sudo["runas"],
        "NOPASSWD: " if sudo["nopasswd"] else "",
        commands,
    )


def _escape(text: str) -> str:
    return text if text == "ALL" else re.sub(r"([,:=\\])", r"\\\1", text)


def _escape_name(name: str) -> str:
    return re.sub(r"([^A-Za-z0-9_.-])", r"\\\1", name)


def fragment_name(account: str) -> str:
    """The file name of our fragment; sudo must not pass over it."""
    return PREFIX + "".join(c if c.isalnum() or c in "_-" else "%%%02x" % ord(c) for c in account)


class Sudoers:
    """Door to /etc/sudoers, all that it includes, and its directory."""

    def __init__(self, main: str = "/etc/sudoers", folder: str = "/etc/sudoers.d") -> None:
        self.main = main
        self.folder = folder
        #: Files that sudo reads and we can't.
        self.unread: list[str] = []
        #: False where sudo's configuration doesn't include ``folder``: a fragment there has no effect.
        self.reads_folder = True

    def fragment(self, account: str) -> str:
        """The path of our fragment for an account."""
        return os.path.join(self.folder, fragment_name(account))

    def rule(self, account: str) -> str | None:
        """The rule that our fragment holds now, or None."""
        try:
            lines = read_bytes(self.fragment(account)).decode("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return None
        return "\n".join(line for line in lines if not line.startswith("#"))

    def grants(self) -> list[Grant]:
        """Every rule of every file that sudo reads here, one row a user; aliases and includes are followed."""
        texts: dict[str, tuple[SudoersText, bool]] = {}
        self.unread = []
        self.reads_folder = False
        self._collect(self.main, texts, 0)
        # Read in every case: a directory that is included tomorrow gives its rights at once.
        for path in self._names(self.folder):
            self._collect(path, texts, 1)
        self.reads_folder = self.reads_folder or not texts
        aliases = {key: items for text, _link in texts.values() for key, items in text.aliases.items()}
        found: list[Grant] = []
        for path, (text, link) in texts.items():
            rows = [(rule, who) for rule in text.rules for who in expand(rule.users, aliases, "User")]
            named = {who for _rule, who in rows}
            alone = path != self.main and len(named) == 1 and not text.more and not link
            for rule, who in rows:
                found.append(Grant(who, path, rule.line, rule.text, alone, gives_everything(rule.commands, aliases)))
        return found

    def _collect(self, path: str, texts: dict[str, tuple[SudoersText, bool]], depth: int) -> None:
        if path in texts or depth > 16:
            return
        try:
            data = _read(path)
        except FileNotFoundError:
            return
        except OSError as error:
            told = "%s: %s" % (path, error.strerror)
            if told not in self.unread:
                self.unread.append(told)
            return
        texts[path] = (read_sudoers(data.decode("utf-8", "replace")), os.path.islink(path))
        for directive, target in texts[path][0].includes:
            place = os.path.join(os.path.dirname(path), target.replace("%h", socket.gethostname().split(".")[0]))
            if directive == "include":
                self._collect(place, texts, depth + 1)
            else:
                self.reads_folder = self.reads_folder or os.path.normpath(place) == os.path.normpath(self.folder)
                for name in self._names(place):
                    self._collect(name, texts, depth + 1)

    @staticmethod
    def _names(folder: str) -> list[str]:
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            return []
        # sudo passes such names over.
        return [os.path.join(folder, n) for n in names if "." not in n and not n.endswith("~")]

    def put(self, account: str, rule: str) -> None:
        """Write our fragment, checked before it is in force and again after. Raises ToolFailed."""
        text = "# Managed by infogerance.perimeter: changes made here are lost.\n%s\n" % rule
        command(["visudo", "-c", "-q", "-f", "-"], text=text)
        if not os.path.isdir(self.folder):
            os.makedirs(self.folder, mode=0o750)
        path = self.fragment(account)
        before = _read_or_none(path)
        write_atomic(path, text.encode("utf-8"), mode=0o440)
        trouble = _complaint()
        if trouble is None:
            return
        # One bad file makes sudo refuse everybody: never leave it so.
        if before is None:
            remove_file(path)
        else:
            write_atomic(path, before, mode=0o440)
        if _complaint() is None:
            raise trouble
        write_atomic(path, text.encode("utf-8"), mode=0o440)

    def take(self, path: str) -> None:
        """Remove a fragment; put it back if that breaks sudo's configuration. Raises ToolFailed."""
        before = _read_or_none(path)
        if before is None:
            return
        found = os.stat(path, follow_symlinks=False)
        remove_file(path)
        fault_point("sudoers:taken")
        trouble = _complaint()
        if trouble is None:
            return
        write_atomic(path, before, mode=found.st_mode & 0o777, uid=found.st_uid, gid=found.st_gid)
        if _complaint() is None:
            raise trouble
        remove_file(path)

    def give_back(self, path: str, data: bytes, mode: int) -> None:
        """Put a fragment back from the archive, unless it would break sudo's configuration. Raises ToolFailed."""
        write_atomic(path, data, mode=mode)
        trouble = _complaint()
        if trouble is not None:
            remove_file(path)
            if _complaint() is None:
                raise trouble
            write_atomic(path, data, mode=mode)


def _complaint() -> ToolFailed | None:
    """What visudo says against the configuration; None where it is fine, or where sudo is not installed.

    It complains about a mode 0644, too, which sudo itself accepts. So a complaint that was there before a change
    is no reason to give the change up.
    """
    try:
        command(["visudo", "-c", "-q"])
    except ToolFailed as error:
        return None if error.status == 127 else error
    return None


def _read(path: str) -> bytes:
    """A file of sudo's, through links as sudo goes: only root can have made them. Never blocks."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(22, "is not a regular file", path)
        if found.st_size > LARGEST:
            raise OSError(27, "is larger than %d MiB" % (LARGEST >> 20), path)
        return stream.read()


def admin_groups(grants: Sequence[Grant]) -> frozenset[str]:
    """The groups whose members may run everything: names, and ``#gid`` where a rule gives the number."""
    return frozenset(g.who[1:] for g in grants if g.who.startswith("%") and g.everything)


def _read_or_none(path: str) -> bytes | None:
    try:
        return read_bytes(path)
    except FileNotFoundError:
        return None
