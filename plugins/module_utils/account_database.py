# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's own account database: passwd(5), shadow(5), group(5), login.defs(5).

The files are read themselves, not NSS: an account of a directory service is not ours to change.
They are read as the C library reads them: it takes short lines, leading blanks and signed numbers, and of two
lines with one name the first. A line that it takes and we don't would be an account that nobody sees.
Changes go through the server's shadow tools only.
"""

from __future__ import annotations

import datetime
import os
import pwd
import re
import subprocess
from collections.abc import Iterable, Sequence
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
            check=False,
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
    password: str = "locked"  # noqa: S105 - a state, not a password
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
        #: What a reader should know of the files themselves: names given twice, lines that can't be read.
        self.oddities: list[str] = []
        #: Names with more than one line: which one a tool would change is anybody's guess.
        self.twice: set[str] = set()
        #: True where passwd(5) holds "+" or "-" lines that let NIS accounts in (nsswitch "compat").
        self.compat = False
        shadow = self._shadow()
        self.groups: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._group_names: dict[str, int] = {}
        self._by_number: dict[int, str] = {}
        self._subordinate: list[tuple[str, int, int]] | None = None
        member_of: dict[str, set[str]] = {}
        for row in self._rows("group", 4):
            members = tuple(m for m in row[3].split(",") if m)
            # Of two lines with one name the first gives the number; the members of both count.
            number, before = self.groups.get(row[0], (_number(row[2]), ()))
            self.groups[row[0]] = (number, before + members)
            for member in members:
                member_of.setdefault(member, set()).add(row[0])
        self.accounts: dict[str, Account] = {}
        for row in self._rows("passwd", 7):
            if row[0] in self.accounts:
                self.twice.add(row[0])
                self.oddities.append("%s: has more than one line in %s/passwd" % (row[0], self.root))
                continue
            password, expires = shadow.get(row[0], ("locked", None))
            if row[1] != "x":
                # The field wins over shadow(5) where it is no reference to it.
                password = _password_state(row[1])
            self.accounts[row[0]] = Account(
                name=row[0],
                uid=_number(row[2]),
                gid=_number(row[3]),
                comment=row[4],
                home=row[5],
                shell=row[6] or "/bin/sh",
                password=password,
                expires=expires,
                groups=tuple(sorted(member_of.get(row[0], ()))),
            )

    def _rows(self, name: str, width: int) -> list[list[str]]:
        rows = []
        with open(os.path.join(self.root, name), encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
            for number, line in enumerate(stream, 1):
                text = line.rstrip("\n").lstrip(" \t")
                if not text.strip() or text.startswith("#"):
                    continue
                if text[0] in "+-":
                    self.compat = self.compat or (name == "passwd" and text[0] == "+")
                    continue
                row = text.split(":")
                numbers = (2, 3) if name == "passwd" else (2,)
                if len(row) <= numbers[-1] or not row[0] or any(_number(row[n]) < 0 for n in numbers):
                    self.oddities.append(
                        "%s/%s:%d: can't be read: kept, and counted as no account" % (self.root, name, number)
                    )
                    continue
                rows.append(row + [""] * (width - len(row)))
        return rows

    def _shadow(self) -> dict[str, tuple[str, str | None]]:
        found: dict[str, tuple[str, str | None]] = {}
        try:
            with open(os.path.join(self.root, "shadow"), encoding="utf-8", errors="surrogateescape") as stream:
                rows = [line.rstrip("\n").split(":") for line in stream]
        except FileNotFoundError:
            return found
        for row in rows:
            if len(row) >= 2 and row[0] not in found:
                day = _number(row[7]) if len(row) > 7 and row[7] else -1
                found[row[0]] = (_password_state(row[1]), iso_of_day(day) if day >= 0 else None)
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

    def primary_group(self, account: Account) -> str | None:
        """The name of an account's own group; None where /etc/group doesn't know its number."""
        if len(self._group_names) != len(self.groups):
            self._group_names = {name: gid for name, (gid, _members) in self.groups.items()}
            self._by_number = {gid: name for name, gid in reversed(self._group_names.items())}
        return self._by_number.get(account.gid)

    def with_twins(self, groups: Iterable[str]) -> frozenset[str]:
        """These groups, and those that share a number with one of them: to the kernel they are the same."""
        wanted = set(groups)
        numbers = {gid for name, (gid, _members) in self.groups.items() if name in wanted}
        return frozenset(wanted | {name for name, (gid, _members) in self.groups.items() if gid in numbers})

    def subordinate(self, account: Account) -> list[tuple[int, int]]:
        """The account's subordinate uids (subuid(5)) as (first, how many), where nobody else has a part in them."""
        if self._subordinate is None:
            self._subordinate = self._read_subordinate()
        mine = [row[1:] for row in self._subordinate if row[0] in (account.name, str(account.uid))]
        others = [row[1:] for row in self._subordinate if row[0] not in (account.name, str(account.uid))]
        others += [(a.uid, 1) for a in self.accounts.values()]
        return [
            (first, count)
            for first, count in mine
            if first > 0 and not any(first < low + many and low < first + count for low, many in others)
        ]

    def _read_subordinate(self) -> list[tuple[str, int, int]]:
        try:
            with open(os.path.join(self.root, "subuid"), encoding="utf-8", errors="surrogateescape") as stream:
                rows = [line.strip().split(":") for line in stream]
        except OSError:
            return []
        read = [(row[0], _number(row[1]), _number(row[2])) for row in rows if len(row) == 3]
        return [row for row in read if row[1] >= 0 and row[2] >= 0]

    def is_person(self, account: Account) -> bool:
        """True within UID_MIN..UID_MAX: where the distribution puts people."""
        return self.uid_min <= account.uid <= self.uid_max

    def learn(self, name: str) -> Account:
        """Take up an account that was just made, with its own group. Raises ToolFailed where it is not there."""
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            raise ToolFailed(["useradd", name], 0, "no account came of it") from None
        made = Account(name, found.pw_uid, found.pw_gid, found.pw_gecos, found.pw_dir, found.pw_shell)
        self.accounts[name] = made
        self.groups.setdefault(name, (made.gid, ()))
        return made

    def shadow_hash(self, name: str) -> str:
        """The password field of one account, for its archive."""
        with open(os.path.join(self.root, "shadow"), encoding="utf-8", errors="surrogateescape") as stream:
            for line in stream:
                if line.startswith(name + ":"):
                    return line.rstrip("\n").split(":")[1]
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

    def nsswitch(self, database: str) -> set[str]:
        """The sources that nsswitch.conf(5) names for a database; empty where it names none."""
        try:
            with open(os.path.join(self.root, "nsswitch.conf"), encoding="utf-8", errors="replace") as stream:
                lines = [line.split("#")[0].partition(":") for line in stream]
        except FileNotFoundError:
            return set()
        return {
            word for name, _colon, words in lines if name.strip() == database
            for word in words.split() if not word.startswith("[")
        }  # fmt: skip

    def home_base(self) -> str:
        """Where useradd(8) puts the home of a new account."""
        try:
            with open(os.path.join(self.root, "default/useradd"), encoding="utf-8", errors="replace") as stream:
                found = [line.strip()[5:].strip("'\"") for line in stream if line.startswith("HOME=")]
        except OSError:
            return "/home"
        return found[-1] if found and found[-1].startswith("/") else "/home"

    def _has_remote_source(self) -> bool:
        local = {"files", "systemd", "db"} | (set() if self.compat else {"compat"})
        return bool(self.nsswitch("passwd") - local)


def _number(text: str) -> int:
    """A uid, gid or day as the C library reads it; -1 where it reads none."""
    found = re.fullmatch(r"\s*(?:\+?(\d+)|-(0+))", text, re.ASCII)
    value = int(found.group(1) or 0) if found else -1
    return value if value < 2**32 else -1


def _password_state(field_text: str) -> str:
    if field_text == "":
        return "empty"
    return "locked" if field_text[0] in "!*" or field_text == "x" else "usable"
