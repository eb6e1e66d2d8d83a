# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the SSH server really does, as it says itself: ``sshd -T``, and ``sshd -T -C`` for Match blocks.

``sshd -T`` costs about 5 ms. With no Match block that matters one call serves all accounts.
"""

from __future__ import annotations

import glob
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Effective", "Sshd", "SshdProblem", "drop_from_allow_users"]

#: Directives that decide who gets in. A Match block with none of them is of no interest here.
RELEVANT = (
    "allowgroups", "allowusers", "authorizedkeyscommand", "authorizedkeysfile", "authorizedprincipalscommand",
    "authorizedprincipalsfile", "denygroups", "denyusers", "passwordauthentication", "permitemptypasswords",
    "permitrootlogin", "pubkeyauthentication", "trustedusercakeys",
)  # fmt: skip


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


class Sshd:
    """Door to the SSH server's configuration.

    ``config`` is the path of its file, ``address`` the client address for Match blocks.
    """

    def __init__(self, config: str = "/etc/ssh/sshd_config", address: str = "127.0.0.1") -> None:
        self.config = config
        self.address = address
        self.program = next(
            (p for p in ("/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd") if os.path.exists(p)), None
        )
        self._global: Effective | None = None
        self._users: dict[str, Effective] = {}
        self._match: tuple[bool, list[str]] | None = None

    def effective(self, user: str | None = None) -> Effective:
        """The configuration in force for everybody, or for one user where Match blocks differ."""
        if user is None or not self.per_user:
            if self._global is None:
                self._global = self._ask([])
            return self._global
        if user not in self._users:
            who = "user=%s,host=%s,addr=%s" % (user, self.address, self.address)
            self._users[user] = self._ask(["-C", who])
        return self._users[user]

    def _ask(self, more: list[str]) -> Effective:
        if self.program is None:
            raise SshdProblem("no sshd program was found on this server")
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        done = subprocess.run(
            [self.program, "-T", "-f", self.config] + more, capture_output=True, text=True, errors="replace", timeout=30
        )
        if done.returncode != 0:
            raise SshdProblem("%s -T failed: %s" % (self.program, done.stderr.strip()[-300:]))
        values: dict[str, list[str]] = {}
        for line in done.stdout.splitlines():
            name, _blank, value = line.partition(" ")
            values.setdefault(name.lower(), []).append(value)
        return Effective({name: tuple(found) for name, found in values.items()})

    @property
    def per_user(self) -> bool:
        """True where a Match block changes who gets in."""
        return self._matches()[0]

    def key_file_patterns(self, user: str) -> list[str]:
        """The AuthorizedKeysFile patterns for a user, and those that only some addresses see."""
        found = self.effective(user).words("authorizedkeysfile")
        return found + [p for p in self._matches()[1] if p not in found]

    def key_files(self, user: str, uid: int, home: str) -> list[str]:
        """The absolute paths that sshd reads for a user, the first one first."""
        paths = []
        for pattern in self.key_file_patterns(user):
            path = expand(pattern, user, uid, home)
            if path not in paths:
                paths.append(path)
        return paths

    def files(self) -> list[str]:
        """The configuration file and all that it includes, in the order they are read."""
        return [path for path, _number, _line in self._lines()]

    def reload(self) -> None:
        """Have the running server read its configuration; sessions go on. A server that can't be found is left alone."""
        try:
            with open("/run/sshd.pid", encoding="ascii") as stream:
                os.kill(int(stream.read()), signal.SIGHUP)
        except (OSError, ValueError):
            subprocess.run(["systemctl", "reload", "ssh"], capture_output=True, timeout=30, check=False)

    def _matches(self) -> tuple[bool, list[str]]:
        if self._match is None:
            relevant, elsewhere = False, []
            criteria: str | None = None
            for _path, _number, line in self._lines():
                name, _blank, value = line.partition(" ")
                if name == "match":
                    criteria = value.lower()
                elif criteria is not None and name in RELEVANT:
                    relevant = True
                    if name == "authorizedkeysfile" and not re.fullmatch(r"\s*(user|group)\s+\S+\s*", criteria):
                        # Depends on where the client comes from: read these files for everybody.
                        elsewhere += [word for word in value.split() if word != "none"]
            self._match = (relevant, elsewhere)
        return self._match

    def _lines(self) -> Iterator[tuple[str, int, str]]:
        yield from config_lines(self.config)


def config_lines(path: str, depth: int = 0) -> Iterator[tuple[str, int, str]]:
    """(file, line number, "directive value") of a configuration and its includes; directives in lower case."""
    if depth > 16:
        return
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            lines = stream.read().splitlines()
    except OSError:
        return
    for number, raw in enumerate(lines, 1):
        text = raw.strip()
        if not text or text.startswith("#"):
            continue
        words = re.split(r"[ \t]*=[ \t]*|[ \t]+", text, maxsplit=1)
        name, value = words[0].lower(), (words[1] if len(words) > 1 else "").strip()
        if name == "include":
            for pattern in value.split():
                for found in sorted(glob.glob(os.path.join("/etc/ssh", pattern.strip('"')))):
                    yield from config_lines(found, depth + 1)
        else:
            yield path, number, "%s %s" % (name, value.replace('"', ""))


def expand(pattern: str, user: str, uid: int, home: str) -> str:
    """Expand the tokens of AuthorizedKeysFile (sshd_config(5), TOKENS); relative paths start at the home."""
    tokens = {"%": "%", "h": home, "u": user, "U": str(uid)}
    text = re.sub(r"%([%huU])", lambda found: tokens[found.group(1)], pattern)
    return os.path.normpath(text if text.startswith("/") else os.path.join(home, text))


def drop_from_allow_users(text: str, user: str) -> str | None:
    """The configuration text without ``user`` in AllowUsers; None where there is nothing to do.

    A line's last name stays: without the line everybody would be let in.
    """
    out, changed = [], False
    for line in text.splitlines(keepends=True):
        found = re.match(r"(\s*allowusers[ \t]+)(.*?)(\s*)\Z", line, re.IGNORECASE | re.DOTALL)
        if found:
            words = found.group(2).split()
            kept = [word for word in words if word.split("@", 1)[0] != user]
            if kept and kept != words:
                line, changed = found.group(1) + " ".join(kept) + found.group(3), True
        out.append(line)
    return "".join(out) if changed else None
