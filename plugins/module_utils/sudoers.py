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
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .account_database import ToolFailed, command
from .atomic_files import fault_point, read_bytes, remove_file, write_atomic

__all__ = ["Grant", "Sudoers", "render_rule"]

PREFIX = "infogerance-perimeter-"
_RULE = re.compile(r"^(?P<who>(?:\"[^\"]+\"|\\.|[^\s,=:#!]|,\s*)+)\s+\S.*=", re.ASCII)
_SKIPPED = re.compile(r"^(Defaults\b|[A-Za-z]+_Alias\b|[@#]include)", re.ASCII)


@dataclass(frozen=True)
class Grant:
    """One rule of a sudoers file. ``alone`` tells that its file speaks of nobody else."""

    who: str
    path: str
    line: int
    text: str
    alone: bool


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
    """Door to /etc/sudoers and its directory."""

    def __init__(self, main: str = "/etc/sudoers", folder: str = "/etc/sudoers.d") -> None:
        self.main = main
        self.folder = folder

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
        """Every rule of every file that sudo reads here. Aliases are not followed: they show as their name."""
        found: list[Grant] = []
        for path in [self.main] + self._fragments():
            try:
                text = read_bytes(path).decode("utf-8", "replace")
            except OSError:
                continue
            rows = list(_rules(text))
            names = {who for _line, who, _text in rows}
            other = any(_SKIPPED.match(line) for _number, line in _logical(text))
            for line, who, rule in rows:
                found.append(Grant(who, path, line, rule, path != self.main and len(names) == 1 and not other))
        return found

    def _fragments(self) -> list[str]:
        try:
            names = sorted(os.listdir(self.folder))
        except OSError:
            return []
        return [os.path.join(self.folder, n) for n in names if "." not in n and not n.endswith("~")]

    def put(self, account: str, rule: str) -> None:
        """Write our fragment, checked before it is in force and again after. Raises ToolFailed."""
        text = "# Managed by infogerance.perimeter: changes made here are lost.\n%s\n" % rule
        command(["visudo", "-c", "-q", "-f", "-"], text=text)
        if not os.path.isdir(self.folder):
            os.makedirs(self.folder, mode=0o750)
        path = self.fragment(account)
        before = _read_or_none(path)
        write_atomic(path, text.encode("utf-8"), mode=0o440)
        try:
            command(["visudo", "-c", "-q"])
        except ToolFailed:
            # One bad file makes sudo refuse everybody: never leave it so.
            if before is None:
                remove_file(path)
            else:
                write_atomic(path, before, mode=0o440)
            raise

    def take(self, path: str) -> None:
        """Remove a fragment; put it back if sudo's configuration is broken without it. Raises ToolFailed."""
        before = _read_or_none(path)
        if before is None:
            return
        found = os.stat(path, follow_symlinks=False)
        remove_file(path)
        fault_point("sudoers:taken")
        try:
            command(["visudo", "-c", "-q"])
        except ToolFailed:
            write_atomic(path, before, mode=found.st_mode & 0o777, uid=found.st_uid, gid=found.st_gid)
            raise


def admin_groups(grants: Sequence[Grant]) -> frozenset[str]:
    """The groups whose members may run everything."""
    return frozenset(g.who[1:] for g in grants if g.who.startswith("%") and grants_all(g.text))


def grants_all(rule: str) -> bool:
    """True where a rule gives every command."""
    return re.search(r"(^|[\s:,)])ALL\s*(,|$)", rule.partition("=")[2]) is not None


def _rules(text: str) -> list[tuple[int, str, str]]:
    rows = []
    for number, line in _logical(text):
        if _SKIPPED.match(line):
            continue
        found = _RULE.match(line)
        if found:
            for who in found.group("who").split(","):
                rows.append((number, who.strip().strip('"').replace("\\", ""), line))
    return rows


def _logical(text: str) -> list[tuple[int, str]]:
    rows, held, start = [], "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        start = start if held else number
        if raw.endswith("\\"):
            held += raw[:-1]
            continue
        line = (held + raw).strip()
        held = ""
        # "#" starts a comment, but "#include" and "#1001" (a uid) are words of the language.
        if line and (not line.startswith("#") or re.match(r"#(include|\d)", line)):
            rows.append((start, line))
    return rows


def _read_or_none(path: str) -> bytes | None:
    try:
        return read_bytes(path)
    except FileNotFoundError:
        return None
