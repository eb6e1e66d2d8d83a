# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the SSH server really does, as it says itself: ``sshd -T``, and ``sshd -T -C`` for Match blocks.

``sshd -T`` costs about 5 ms. With no Match block that matters one call serves all accounts; where the blocks speak
of users and groups by name, one call serves all accounts that the same blocks fit.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import signal
import subprocess
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Callable

__all__ = ["Block", "Effective", "Sshd", "SshdProblem", "allowed_words", "drop_from_allow_users"]

#: Directives that decide who gets in. A Match block with none of them is of no interest here.
RELEVANT = (
    "allowgroups", "allowusers", "authenticationmethods", "authorizedkeyscommand", "authorizedkeysfile",
    "authorizedprincipalscommand", "authorizedprincipalsfile", "challengeresponseauthentication", "denygroups",
    "denyusers", "gssapiauthentication", "hostbasedauthentication", "kbdinteractiveauthentication",
    "passwordauthentication", "permitemptypasswords", "permitrootlogin", "pubkeyauthentication", "trustedusercakeys",
)  # fmt: skip
#: A Match line that names users or groups one by one.
BY_NAME = re.compile(r"\s*(user|group)\s+([A-Za-z0-9_.,$-]+)\s*\Z", re.IGNORECASE)


class SshdProblem(Exception):
    """sshd can't tell its configuration: where it reads keys is unknown, so nothing may be done."""


@dataclass(frozen=True)
class Effective:
    """sshd's answer: directive (lower case) -> its values."""

    values: dict[str, tuple[str, ...]]

    def words(self, name: str) -> list[str]:
        """All words of a directive; empty where it is unset or ``none``."""
        found = [word for value in self.values.get(name, ()) for word in value.split()]
        return [] if found == ["none"] else found

    def one(self, name: str, default: str = "") -> str:
        """The first value of a directive."""
        return self.values.get(name, (default,))[0]


@dataclass(frozen=True)
class Block:
    """One Match block: its criteria as written, and what it sets of RELEVANT."""

    criteria: str
    settings: list[tuple[str, str]] = field(default_factory=list)

    def by_name(self) -> tuple[str, frozenset[str]] | None:
        """("user" or "group", names) where the block depends on nothing else."""
        found = BY_NAME.match(self.criteria)
        return (found.group(1).lower(), frozenset(found.group(2).split(","))) if found else None


class Sshd:
    """Door to the SSH server's configuration.

    ``config`` is the path of its file, ``address`` the client address for Match blocks, ``groups_of`` tells the
    groups of an account.
    """

    def __init__(
        self,
        config: str = "/etc/ssh/sshd_config",
        address: str = "127.0.0.1",
        groups_of: Callable[[str], Collection[str]] | None = None,
    ) -> None:
        self.config = config
        self.address = address
        self.groups_of = groups_of
        self.program = next(
            (p for p in ("/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd") if os.path.exists(p)), None
        )
        self._global: Effective | None = None
        self._users: dict[object, Effective] = {}
        self._blocks: list[Block] | None = None

    def effective(self, user: str | None = None) -> Effective:
        """The configuration in force for everybody, or for one user where Match blocks differ."""
        key = self._same_as(user) if user is not None and self.per_user else ()
        if user is None or key == ():
            if self._global is None:
                self._global = self._ask([])
            return self._global
        if key not in self._users:
            who = "user=%s,host=%s,addr=%s" % (user, self.address, self.address)
            self._users[key] = self._ask(["-C", who])
        return self._users[key]

    def _same_as(self, user: str) -> object:
        """A value that is equal for users with the same configuration; empty for those whom no block fits."""
        fits = []
        for number, block in enumerate(self.blocks()):
            names = block.by_name()
            if names is None or (names[0] == "group" and self.groups_of is None):
                return user
            kind, wanted = names
            mine = {user} if kind == "user" or self.groups_of is None else set(self.groups_of(user))
            if mine & wanted:
                fits.append(number)
        return tuple(fits)

    def _ask(self, more: list[str]) -> Effective:
        if self.program is None:
            raise SshdProblem("no sshd program was found on this server")
        with contextlib.suppress(OSError):
            # sshd wants it even to tell its configuration; with socket activation nothing has made it yet.
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        argv = [self.program, "-T", "-f", self.config] + more
        try:
            done = subprocess.run(argv, check=False, capture_output=True, text=True, errors="replace", timeout=30)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SshdProblem("%s failed: %s" % (" ".join(argv), error)) from None
        if done.returncode != 0:
            raise SshdProblem("%s failed: %s" % (" ".join(argv), done.stderr.strip()[-300:]))
        values: dict[str, list[str]] = {}
        for line in done.stdout.splitlines():
            name, _blank, value = line.partition(" ")
            values.setdefault(name.lower(), []).append(value)
        return Effective({name: tuple(found) for name, found in values.items()})

    @property
    def per_user(self) -> bool:
        """True where a Match block changes who gets in."""
        return bool(self.blocks())

    def blocks(self) -> list[Block]:
        """The Match blocks that change who gets in."""
        if self._blocks is None:
            found: list[Block] = []
            for _path, _number, line in config_lines(self.config):
                name, _blank, value = line.partition(" ")
                if name == "match":
                    found.append(Block(value.strip()))
                elif name in RELEVANT and found and found[-1].criteria.lower() != "all":
                    found[-1].settings.append((name, value))
            self._blocks = [block for block in found if block.settings]
        return self._blocks

    def somewhere(self, name: str) -> list[tuple[str, str]]:
        """(criteria, value) of a directive in blocks that depend on more than a name: on the client's address, ..."""
        return [(b.criteria, v) for b in self.blocks() if b.by_name() is None for n, v in b.settings if n == name]

    def key_file_patterns(self, user: str) -> list[str]:
        """The AuthorizedKeysFile patterns for a user, and those that only some addresses see."""
        found = self.effective(user).words("authorizedkeysfile")
        for _criteria, value in self.somewhere("authorizedkeysfile"):
            # Depends on where the client comes from: read these files for everybody.
            found += [word for word in value.split() if word != "none" and word not in found]
        return found

    def password_login(self, user: str) -> bool:
        """True where sshd lets a user in by password, from some address at least."""
        told = self.effective(user)
        if user == "root" and told.one("permitrootlogin", "yes") != "yes":
            return False
        asks = ("kbdinteractiveauthentication", "challengeresponseauthentication")
        pam = told.one("usepam", "no") == "yes"
        if told.one("passwordauthentication", "yes") == "yes" or (pam and any(told.one(n) == "yes" for n in asks)):
            return True
        names = ("passwordauthentication",) + (asks if pam else ())
        return any(value == "yes" for name in names for _criteria, value in self.somewhere(name))

    def lets_in(self, user: str, groups: Collection[str]) -> bool:
        """True where sshd opens to a key of this user, from some address at least."""
        told = self.effective(user)
        if told.one("pubkeyauthentication", "yes") != "yes":
            return False
        if user == "root" and told.one("permitrootlogin", "yes") not in (
            "yes", "without-password", "prohibit-password",
        ):  # fmt: skip
            return False
        if any(_fits(word.split("@")[0], user) for word in told.words("denyusers")):
            return False
        if any(_fits(word, group) for word in told.words("denygroups") for group in groups):
            return False
        users, some = told.words("allowusers"), told.words("allowgroups")
        if users and not any(_fits(word.split("@")[0], user) for word in users):
            return False
        return not some or any(_fits(word, group) for word in some for group in groups)

    def key_files(self, user: str, uid: int, home: str) -> list[str]:
        """The absolute paths that sshd reads for a user, the first one first."""
        paths = []
        for pattern in self.key_file_patterns(user):
            path = expand(pattern, user, uid, home)
            if path not in paths:
                paths.append(path)
        return paths

    def files(self) -> list[str]:
        """The configuration file and all that it includes, each once, in the order they are read."""
        return list(dict.fromkeys(path for path, _number, _line in config_lines(self.config)))

    def reload(self) -> None:
        """Have the running server read its configuration; sessions go on. One that can't be found is left alone."""
        try:
            with open("/run/sshd.pid", encoding="ascii") as stream:
                pid = int(stream.read())
            with open("/proc/%d/comm" % pid, encoding="utf-8", errors="replace") as stream:
                # The file may be older than the process that has this number now.
                if stream.read().strip() != "sshd":
                    raise ValueError("not the server")
            os.kill(pid, signal.SIGHUP)
        except (OSError, ValueError):
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(["systemctl", "reload", "ssh"], capture_output=True, timeout=30, check=False)


def config_lines(path: str, depth: int = 0, criteria: str = "all") -> Iterator[tuple[str, int, str]]:
    """(file, line number, "directive value") of a configuration and its includes; directives in lower case.

    A Match block ends with the file that it stands in: then the surrounding one is told again.
    """
    if depth > 16:
        return
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            lines = stream.read().split("\n")
    except OSError:
        return
    outer = criteria
    for number, raw in enumerate(lines, 1):
        text = raw.strip()
        if not text or text.startswith("#"):
            continue
        found = re.match(r"\"?([A-Za-z0-9]+)\"?(?:[ \t]*=[ \t]*|[ \t]+|\Z)(.*)", text)
        if found is None:
            continue
        name, value = found.group(1).lower(), found.group(2).strip()
        if name == "include":
            for pattern in value.split():
                for inner in sorted(glob.glob(os.path.join("/etc/ssh", pattern.strip('"')))):
                    yield from config_lines(inner, depth + 1, criteria)
        else:
            plain = _without_comment(value).replace('"', "")
            if name == "match":
                criteria = plain
            yield path, number, "%s %s" % (name, plain)
    if criteria != outer:
        yield path, len(lines), "match %s" % outer


def _without_comment(value: str) -> str:
    # Newer sshd takes a comment behind a value.
    return re.split(r"[ \t]#", " " + value, maxsplit=1)[0].strip()


def _fits(pattern: str, name: str) -> bool:
    """sshd's wildcards: ``*`` and ``?`` and nothing else."""
    wild = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch(wild, name, re.DOTALL) is not None


def expand(pattern: str, user: str, uid: int, home: str) -> str:
    """Expand the tokens of AuthorizedKeysFile (sshd_config(5), TOKENS); relative paths start at the home."""
    tokens = {"%": "%", "h": home, "u": user, "U": str(uid)}
    text = re.sub(r"%([%huU])", lambda found: tokens[found.group(1)], pattern)
    return os.path.normpath(text if text.startswith("/") else os.path.join(home, text))


_ALLOW_USERS = re.compile(r"(\s*\"?allowusers\"?(?:[ \t]*=[ \t]*|[ \t]+))(.*?)(\s*)\Z", re.IGNORECASE | re.DOTALL)


def allowed_words(line: str) -> list[str]:
    """The words of an AllowUsers line; empty for any other line."""
    found = _ALLOW_USERS.match(line)
    return [word.strip('"') for word in _words_and_tail(found.group(2))[0]] if found else []


def drop_from_allow_users(text: str, user: str) -> str | None:
    """The configuration text without ``user`` in AllowUsers; None where there is nothing to do.

    A line's last name stays: without the line everybody would be let in.
    """
    out, changed = [], False
    for line in text.splitlines(keepends=True):
        found = _ALLOW_USERS.match(line)
        if found:
            words, tail = _words_and_tail(found.group(2))
            kept = [word for word in words if word.strip('"').split("@", 1)[0] != user]
            if kept and kept != words:
                rest = " ".join(kept) + (" " + tail if tail else "")
                line, changed = found.group(1) + rest + found.group(3), True  # noqa: PLW2901 - the line as it is kept
        out.append(line)
    return "".join(out) if changed else None


def _words_and_tail(value: str) -> tuple[list[str], str]:
    """The words of a value, and the comment behind them."""
    parts = re.split(r"(?:\A|[ \t])(?=#)", value, maxsplit=1)
    return re.findall(r'"[^"]*"|\S+', parts[0]), parts[1] if len(parts) > 1 else ""
