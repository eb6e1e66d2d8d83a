# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's own account database: passwd(5), shadow(5), group(5), login.defs(5).

The files are read themselves, not NSS: an account of a directory service is not ours to change.
Changes go through the server's shadow tools only.
"""

from __future__ import annotations

import datetime
import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Account", "AccountDatabase", "ToolFailed", "command", "day_of", "iso_of_day"]

EPOCH = datetime.date(1970, 1, 1)


class ToolFailed(Exception):
    """One of the server's tools left with an error."""

    def __init__(self, argv: Sequence[str], status: int, text: str) -> None:
        super().__init__("%s: exit %d: %s" % (" ".join(argv), status, text.strip()[-300:]))
        self.status = status


def command(argv: Sequence[str], text: str | None = None, ok: Sequence[int] = (0,), seconds: int = 60) -> str:
    """Run a tool with a plain environment; its output. ``text`` goes to its standard input. Raises ToolFailed."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            list(argv),
            input=text or "",
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            timeout=seconds,
        )
    except FileNotFoundError:
        raise ToolFailed(argv, 127, "not found on this server") from None
    except subprocess.TimeoutExpired:
        raise ToolFailed(argv, 124, "did not end within %d s" % seconds) from None
    if done.returncode not in ok:
        raise ToolFailed(argv, done.returncode, done.stderr or done.stdout)
    return done.stdout


def day_of(iso: str) -> int:
    """Days since 1970-01-01, as shadow(5) counts."""
    return (datetime.date.fromisoformat(iso) - EPOCH).days


def iso_of_day(day: int) -> str:
    """The ISO date of a day number; days beyond year 9999 are its last day."""
    try:
        return (EPOCH + datetime.timedelta(days=day)).isoformat()
    except OverflowError:
        return "9999-12-31"


@dataclass(frozen=True)
class Account:
    """One line of /etc/passwd with its shadow fields and groups.

    ``expires`` is the first day on which the account is closed (ISO date) or None.
    ``password`` is ``usable``, ``empty`` or ``locked``: the hash itself stays in the file.
    """

    name: str
    uid: int
    gid: int
    comment: str
    home: str
    shell: str
    password: str = "locked"
    expires: str | None = None
    groups: tuple[str, ...] = field(default_factory=tuple)

    @property
    def can_open_a_shell(self) -> bool:
        return os.path.basename(self.shell) not in ("nologin", "false", "sync", "halt", "shutdown")


class AccountDatabase:
    """A snapshot of the account files. Make a new one to read afresh."""

    def __init__(self, root: str = "/etc") -> None:
        self.root = root
        limits = self._login_defs()
        self.uid_min = limits.get("UID_MIN", 1000)
        self.uid_max = limits.get("UID_MAX", 60000)
        shadow = self._shadow()
        self.groups: dict[str, tuple[int, tuple[str, ...]]] = {}
        member_of: dict[str, list[str]] = {}
        for row in self._rows("group", 4):
            members = tuple(m for m in row[3].split(",") if m)
            self.groups[row[0]] = (int(row[2]), members)
            for member in members:
                member_of.setdefault(member, []).append(row[0])
        self.accounts: dict[str, Account] = {}
        for row in self._rows("passwd", 7):
            password, expires = shadow.get(row[0], (_password_state(row[1]), None))
            self.accounts[row[0]] = Account(
                name=row[0],
                uid=int(row[2]),
                gid=int(row[3]),
                comment=row[4],
                home=row[5],
                shell=row[6] or "/bin/sh",
                password=password,
                expires=expires,
                groups=tuple(sorted(member_of.get(row[0], ()))),
            )

    def _rows(self, name: str, width: int) -> list[list[str]]:
        with open(os.path.join(self.root, name), encoding="utf-8", errors="surrogateescape") as stream:
            rows = [
                line.rstrip("\n").split(":") for line in stream if line.strip() and not line.startswith(("#", "+", "-"))
            ]
        return [row for row in rows if len(row) >= width and row[2].isdecimal()]

    def _shadow(self) -> dict[str, tuple[str, str | None]]:
        found: dict[str, tuple[str, str | None]] = {}
        try:
            with open(os.path.join(self.root, "shadow"), encoding="utf-8", errors="surrogateescape") as stream:
                rows = [line.rstrip("\n").split(":") for line in stream]
        except FileNotFoundError:
            return found
        for row in rows:
            if len(row) >= 8:
                expires = iso_of_day(int(row[7])) if row[7].isdecimal() else None
                found[row[0]] = (_password_state(row[1]), expires)
        return found

    def _login_defs(self) -> dict[str, int]:
        limits: dict[str, int] = {}
        try:
            with open(os.path.join(self.root, "login.defs"), encoding="utf-8", errors="replace") as stream:
                for line in stream:
                    words = line.split()
                    if len(words) >= 2 and words[0] in ("UID_MIN", "UID_MAX") and words[1].isdecimal():
                        limits[words[0]] = int(words[1])
        except FileNotFoundError:
            pass
        return limits

    def is_person(self, account: Account) -> bool:
        """True within UID_MIN..UID_MAX: where the distribution puts people."""
        return self.uid_min <= account.uid <= self.uid_max

    def shadow_hash(self, name: str) -> str:
        """The password field of one account, for its archive."""
        with open(os.path.join(self.root, "shadow"), encoding="utf-8", errors="surrogateescape") as stream:
            for line in stream:
                if line.startswith(name + ":"):
                    return line.split(":")[1]
        return "!"

    def free_uid(self, taken: set[int]) -> int:
        """The next uid above all people's, past those in ``taken`` (former accounts: a uid is never reused)."""
        used = {a.uid for a in self.accounts.values()} | {gid for gid, _members in self.groups.values()} | taken
        people = [n for n in used if self.uid_min <= n <= self.uid_max]
        start = max(people, default=self.uid_min - 1) + 1
        for uid in list(range(start, self.uid_max + 1)) + list(range(self.uid_min, start)):
            if uid not in used:
                return uid
        raise ToolFailed(["useradd"], 4, "no free uid between %d and %d" % (self.uid_min, self.uid_max))

    def remote_names(self, names: Sequence[str]) -> list[str]:
        """Which of these names another NSS source knows (LDAP, SSSD, ...) and /etc/passwd doesn't."""
        if not self._has_remote_source():
            return []
        found = []
        for name in names:
            if name not in self.accounts:
                try:
                    pwd.getpwnam(name)
                except KeyError:
                    continue
                found.append(name)
        return found

    def remote_accounts(self) -> list[str]:
        """The accounts that only another NSS source knows, as far as it lists them."""
        if not self._has_remote_source():
            return []
        return sorted({p.pw_name for p in pwd.getpwall()} - set(self.accounts))

    def _has_remote_source(self) -> bool:
        try:
            with open("/etc/nsswitch.conf", encoding="utf-8", errors="replace") as stream:
                lines = [line.split("#")[0].split() for line in stream]
        except FileNotFoundError:
            return False
        local = {"files", "compat", "systemd", "db"}
        return any(set(line[1:]) - local for line in lines if line and line[0] == "passwd:")


def _password_state(field_text: str) -> str:
    if field_text == "":
        return "empty"
    return "locked" if field_text[0] in "!*" or field_text == "x" else "usable"
