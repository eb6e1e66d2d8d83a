# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSH accounts as entries for the planner. Pure: the client's list in, declared entries out; and the last-way guard.

One account gives several entries, since each is a way in of its own:

* ``ssh_account``  ``alice``: the account itself (staged: disabled, later removed);
* ``ssh_key``      ``alice SHA256:...``: one key in whatever files sshd reads for the account;
* ``ssh_group``    ``alice docker``: one supplementary group;
* ``ssh_sudo``     ``alice``: our sudoers fragment; ``alice /etc/sudoers.d/x``: somebody else's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable

from .authorized_keys import BadKey, KeyLine, parse_declared, split_options
from .reconcile import Declared, InvalidEntry, Key, Observed, Plan, parse_date

__all__ = ["DeclaredAccounts", "Manage", "Ways", "declare", "last_admin", "parse_manage"]

#: Debian's relaxed rule (adduser(8)): no name that a shell, a path or passwd(5) could misread.
NAME = re.compile(r"[a-z_][a-z0-9_.-]{0,30}[a-z0-9_$-]?\Z")
GROUP = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\Z")
RUNAS = re.compile(r"(ALL|[a-z_][a-z0-9_.-]*)(:(ALL|[a-z_][a-z0-9_.-]*))?\Z")
#: Only keys can be declared for an account that belongs to the system.
SYSTEM_FIELDS = ("groups", "sudo", "shell", "comment", "uid", "home", "expires")
NEVER = "never"


@dataclass
class DeclaredAccounts:
    """The validated list: entries for the planner, and what applying them needs."""

    entries: list[Declared] = field(default_factory=list)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, KeyLine] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def declare(accounts: Sequence[Mapping[str, Any]], exact_options: bool = False) -> DeclaredAccounts:
    """Validate the whole list and turn it into entries. Raises InvalidEntry for the first fault."""
    made = DeclaredAccounts()
    uids: dict[int, str] = {}
    for position, row in enumerate(accounts):
        name = _name(row, position, made.rows)
        _check_row(name, row, uids)
        made.rows[name] = dict(row)
        expires = None
        if row.get("expires") and row["expires"] != NEVER:
            expires = parse_date(row["expires"], name, "expires")
        account = Declared("ssh_account", name, _attributes(row, expires), expires, row.get("person"), None, True)
        made.entries.append(account)
        _declare_keys(made, name, row, account.key, exact_options)
        for group in row.get("groups") or []:
            made.entries.append(
                Declared("ssh_group", "%s %s" % (name, group), {}, None, row.get("person"), account.key)
            )
        if row.get("sudo"):
            sudo = {k: row["sudo"][k] for k in ("commands", "nopasswd", "runas")}
            rule = {"sudo": sudo, "all": "ALL" in sudo["commands"]}
            made.entries.append(Declared("ssh_sudo", name, rule, None, row.get("person"), account.key))
    return made


def _name(row: Mapping[str, Any], position: int, known: Mapping[str, Any]) -> str:
    name = row.get("name")
    label = "accounts[%d]" % position
    if not isinstance(name, str) or not name:
        raise InvalidEntry(label, "name", "is missing")
    if not NAME.match(name):
        raise InvalidEntry(
            name, "name", "%r is no account name: small letters, digits, '_', '-', '.', at most 32" % name
        )
    if name in known:
        raise InvalidEntry(name, "name", "is declared twice")
    return name


def _check_row(name: str, row: Mapping[str, Any], uids: dict[int, str]) -> None:
    if row.get("system"):
        for other in SYSTEM_FIELDS:
            if row.get(other):
                raise InvalidEntry(name, other, "can't be declared for a system account, only its keys can")
    uid = row.get("uid")
    if uid is not None:
        if uid <= 0 or uid >= 2**32 - 1:
            raise InvalidEntry(name, "uid", "%d is out of range" % uid)
        if uid in uids:
            raise InvalidEntry(name, "uid", "%d is %s's, too" % (uid, uids[uid]))
        uids[uid] = name
    for path in ("home", "shell"):
        value = row.get(path)
        if value is not None and (
            not value.startswith("/") or ":" in value or _unprintable(value) or value == "/" or ".." in value.split("/")
        ):
            raise InvalidEntry(name, path, "%r is not an absolute path that passwd(5) can hold" % value)
    comment = row.get("comment")
    if comment is not None and (":" in comment or _unprintable(comment)):
        raise InvalidEntry(name, "comment", "holds a colon, a line break or a control character")
    seen = set()
    for group in row.get("groups") or []:
        if not isinstance(group, str) or not GROUP.match(group):
            raise InvalidEntry(name, "groups", "%r is no group name" % (group,))
        if group in seen:
            raise InvalidEntry(name, "groups", "%s is named twice" % group)
        seen.add(group)
    if row.get("sudo"):
        _check_sudo(name, row["sudo"])


def _check_sudo(name: str, sudo: Mapping[str, Any]) -> None:
    if not RUNAS.match(sudo["runas"]):
        raise InvalidEntry(name, "sudo.runas", "%r is neither ALL nor user[:group]" % sudo["runas"])
    if not sudo["commands"]:
        raise InvalidEntry(name, "sudo.commands", "is empty: leave sudo out to grant nothing")
    for text in sudo["commands"]:
        if _unprintable(text) or not (text == "ALL" or text.startswith("/")):
            raise InvalidEntry(
                name, "sudo.commands", "%r is neither ALL nor an absolute path with its arguments" % text
            )
        if any(c in text for c in "!#\"'"):
            raise InvalidEntry(
                name, "sudo.commands", "%r holds a character with a meaning of its own in sudoers" % text
            )


def _declare_keys(made: DeclaredAccounts, name: str, row: Mapping[str, Any], parent: Key, exact: bool) -> None:
    for number, text in enumerate(row.get("keys") or []):
        where = "keys[%d]" % number
        try:
            line = parse_declared(text)
        except BadKey as error:
            raise InvalidEntry(name, where, str(error)) from None
        entry = "%s %s" % (name, line.fingerprint)
        if entry in made.keys:
            raise InvalidEntry(name, where, "is the same key as an earlier one (%s)" % line.fingerprint)
        made.keys[entry] = line
        attributes = {"options": [line.options]} if line.options or exact else {}
        made.entries.append(Declared("ssh_key", entry, attributes, None, row.get("person"), parent))


def _attributes(row: Mapping[str, Any], expires: str | None) -> dict[str, Any]:
    made: dict[str, Any] = {n: row[n] for n in ("uid", "shell", "comment", "home") if row.get(n) is not None}
    if expires is not None:
        made["expires"] = expires
    elif row.get("expires") == NEVER:
        made["expires"] = None
    return made


def _unprintable(text: str) -> bool:
    return any(ord(c) < 32 or ord(c) == 127 for c in text)


@dataclass(frozen=True)
class Manage:
    """Which accounts the user lets us take away, beside those that we created or adopted."""

    local_people: bool = False
    groups: frozenset[str] = frozenset()
    uids: tuple[tuple[int, int], ...] = ()
    names: frozenset[str] = frozenset()

    def covers(self, name: str, uid: int, groups: Sequence[str], person: bool) -> bool:
        """True where the account is in scope. A uid or a group alone never reaches a system account."""
        if name in self.names:
            return True
        if not person:
            return False
        if self.local_people or self.groups & set(groups):
            return True
        return any(low <= uid <= high for low, high in self.uids)


def parse_manage(manage: Mapping[str, Any] | None) -> Manage:
    """Read the ``manage`` option. Raises InvalidEntry."""
    if not manage:
        return Manage()
    ranges = []
    for text in manage.get("uids") or []:
        found = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", text)
        low, high = (int(found.group(1)), int(found.group(2) or found.group(1))) if found else (1, 0)
        if low > high or low == 0:
            raise InvalidEntry("manage", "uids", "%r is not a uid above 0 or a range low-high" % text)
        ranges.append((low, high))
    names = frozenset(manage.get("names") or [])
    if "root" in names:
        raise InvalidEntry("manage", "names", "root is protected: it can't be named for removal")
    return Manage(bool(manage.get("local_people")), frozenset(manage.get("groups") or []), tuple(ranges), names)


@dataclass(frozen=True)
class Ways:
    """How accounts get in and become root on this server.

    ``admin_groups``: groups that sudo lets do everything. ``passwords``: accounts that may log in by password.
    ``everyone``: sudo lets every account do everything. ``lets_in``: sshd's answer for a name and its groups.
    """

    admin_groups: frozenset[str] = frozenset()
    passwords: frozenset[str] = frozenset()
    everyone: bool = False
    lets_in: Callable[[str, Collection[str]], bool] = lambda _name, _groups: True
    today: str = "1970-01-01"


def last_admin(ways: Ways) -> Callable[[Mapping[Key, Observed], Plan, Mapping[Key, Observed]], str | None]:
    """A guard: whoever may log in and become root can go only where somebody else certainly still can.

    Before the change every doubtful way counts, after it none.
    """

    def guard(before: Mapping[Key, Observed], _made: Plan, after: Mapping[Key, Observed]) -> str | None:
        lost = _admins(before, ways, sure=False) - _admins(after, ways, sure=False)
        if not lost or _admins(after, ways, sure=True):
            return None
        return "no account would be left that can log in and become root: %s would no longer" % ", ".join(sorted(lost))

    return guard


def _admins(state: Mapping[Key, Observed], ways: Ways, sure: bool) -> set[str]:
    """The accounts that can log in and become root. With ``sure`` only those that nothing stands in the way of."""
    accounts = {o.entry: o for o in state.values() if o.kind == "ssh_account"}
    groups: dict[str, set[str]] = {name: {str(o.attributes.get("group"))} for name, o in accounts.items()}
    able, rooted = set(ways.passwords), {"root"} | (set(accounts) if ways.everyone else set())
    for (kind, entry), found in state.items():
        name, _blank, rest = entry.partition(" ")
        if kind == "ssh_key" and (not sure or _opens_a_shell(found, ways.today)):
            able.add(name)
        elif kind == "ssh_group":
            groups.setdefault(name, set()).add(rest)
        elif kind == "ssh_sudo" and found.attributes.get("all", True):
            rooted.add(name)
    rooted |= {name for name, mine in groups.items() if mine & ways.admin_groups}
    return {
        name
        for name in able & rooted & set(accounts)
        if not _closed(accounts[name]) and (not sure or _lets_in(accounts[name], groups[name], ways))
    }


def _closed(account: Observed) -> bool:
    return bool(account.disabled_since or account.attributes.get("closed"))


def _lets_in(account: Observed, groups: Collection[str], ways: Ways) -> bool:
    shell = str(account.attributes.get("shell") or "").rpartition("/")[2]
    return shell not in ("nologin", "false") and ways.lets_in(account.entry, groups)


def _opens_a_shell(key: Observed, today: str) -> bool:
    """False for a key that is bound to a command, has run out, or only signs other keys."""
    options = key.attributes.get("options") or [""]
    lines = [KeyLine(b"", options=text) for text in options]
    return any(
        not line.is_ca and not line.expired(today) and "command" not in (n for n, _v in split_options(line.options))
        for line in lines
    )
