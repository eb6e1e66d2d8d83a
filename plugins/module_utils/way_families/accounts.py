# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts: what in passwd(5), shadow(5), group(5), gshadow(5) and subuid(5) opens a door by itself.

Sources: the manual pages of these files; nsswitch.conf(5); newuidmap(1).
"""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Iterator

from ansible_collections.infogerance.perimeter.plugins.module_utils.account_database import Account
from ansible_collections.infogerance.perimeter.plugins.module_utils.sshd import SshdProblem

from .context import Context, Seen
from .family import Closing, Finding, manage_account
from .remedy import comment_out, on_path, word

__all__ = ["look"]

#: File -> the most it may allow.
MODES = {
    "/etc/passwd": 0o644, "/etc/group": 0o644, "/etc/shadow": 0o640, "/etc/gshadow": 0o640, "/etc/passwd-": 0o644,
    "/etc/shadow-": 0o640, "/etc/group-": 0o644, "/etc/gshadow-": 0o640, "/etc/sudoers": 0o440, "/etc/subuid": 0o644,
}  # fmt: skip


def look(ctx: Context) -> Iterator[Finding]:
    """The account files."""
    passwd = ctx.look("/etc/passwd", content=False)
    since = passwd.since if passwd else None
    yield from _uids(ctx, since)
    for account in ctx.database.accounts.values():
        yield from _password(ctx, account, since)
        yield from _home(ctx, account)
    yield from _texts(ctx)
    yield from _group_passwords(ctx)
    yield from _subordinate(ctx)
    yield from _modes(ctx)
    yield from _elsewhere(ctx)


def _uids(ctx: Context, since: str | None) -> Iterator[Finding]:
    by_uid: dict[int, list[Account]] = defaultdict(list)
    for account in ctx.database.accounts.values():
        by_uid[account.uid].append(account)
    for uid, found in by_uid.items():
        for account in found:
            if uid == 0 and account.name != "root":
                yield Finding(
                    "uid0_account", "/etc/passwd", "is root by its uid", _delete(account),
                    account.name, "", *ctx.people.account(account.name), since=since,
                )  # fmt: skip
            elif uid != 0 and account is not found[0]:
                yield Finding(
                    "shared_uid", "/etc/passwd",
                    "shares uid %d with %s: to the kernel they are one" % (uid, found[0].name),
                    _delete(account), account.name, str(uid), *ctx.people.account(account.name), since=since,
                    declared=ctx.people.declares_account(account.name),
                )  # fmt: skip
    for account in ctx.database.accounts.values():
        for tombstone in ctx.tombstones:
            if tombstone.get("uid") == account.uid and tombstone.get("name") != account.name:
                yield Finding(
                    "reused_uid", "/etc/passwd",
                    "has uid %d of the removed account %s: what that one left belongs to this one now"
                    % (account.uid, tombstone["name"]),
                    Closing("usermod -u %d %s" % (ctx.database.free_uid({int(t["uid"]) for t in ctx.tombstones}),
                                                  word(account.name))),
                    account.name, str(account.uid), *ctx.people.account(account.name),
                    since=str(tombstone.get("at") or ""),
                )  # fmt: skip


def _delete(account: Account) -> Closing:
    # userdel would take along what the other account with this uid owns, and refuses while that one runs something.
    pattern = "".join("[%s]" % c if c.isalnum() else "\\" + c for c in account.name)
    return Closing(
        "sed -i %s /etc/passwd && sed -i %s /etc/shadow"
        % (word("/^%s:/d" % pattern), word("/^%s:/d" % pattern))
    )  # fmt: skip


def _password(ctx: Context, account: Account, since: str | None) -> Iterator[Finding]:
    if account.password == "locked" or (ctx.closed(account) and account.password != "empty"):  # noqa: S105 - a state
        return
    person = account.uid == 0 or ctx.database.is_person(account)
    who = ctx.people.account(account.name)
    declared = ctx.people.declares_account(account.name) and account.uid != 0
    command = "usermod -p '!' %s" % word(account.name)
    closing = manage_account(account.name, command) if person and account.uid else Closing(command)
    if account.password == "empty":  # noqa: S105 - a state
        why = "has an empty password: su and the console ask for none"
        yield Finding(
            "empty_password", "/etc/shadow", why, closing, account.name, "", *who, since=_shadow(ctx) or since
        )
        return
    try:
        by_ssh = ctx.sshd.password_login(account.name) and not _denied(ctx, account)
    except SshdProblem:
        by_ssh = True
    if not person and account.can_open_a_shell:
        why = "is a system account with a shell and a password%s" % (", and sshd takes passwords" if by_ssh else "")
        yield Finding(
            "system_account_password", "/etc/shadow", why, closing, account.name, "", *who, since=_shadow(ctx)
        )
    elif by_ssh:
        why = "sshd lets it in by password: whoever learns or guesses it"
        yield Finding(
            "password_login", "/etc/shadow", why, closing, account.name, "", *who, since=_shadow(ctx), declared=declared
        )


def _denied(ctx: Context, account: Account) -> bool:
    told = ctx.sshd.effective(account.name)
    users, groups = told.words("allowusers"), told.words("allowgroups")
    mine = ctx.groups_of(account.name)
    plain = not any(c in word_ for word_ in users + groups for c in "*?@!")
    return plain and bool((users and account.name not in users) or (groups and not mine & set(groups)))


def _shadow(ctx: Context) -> str | None:
    found = ctx.look("/etc/shadow", content=False)
    return found.since if found else None


def _home(ctx: Context, account: Account) -> Iterator[Finding]:
    """A home that others may write to is theirs: its start-up files run as the account."""
    if not account.can_open_a_shell or not (account.uid == 0 or ctx.database.is_person(account)):
        return
    if account.name == "nobody" or not account.home.startswith("/") or not ctx.reachable(account.home, account.name):
        return
    try:
        found = os.lstat(account.home)
    except OSError:
        return
    if not stat.S_ISDIR(found.st_mode):
        return
    who = ctx.people.account(account.name)
    if found.st_uid not in (0, account.uid):
        yield Finding(
            "foreign_home", account.home,
            "belongs to uid %d (%s), who can plant what runs as %s"
            % (found.st_uid, ctx.name_of(found.st_uid) or "no account", account.name),
            Closing(on_path(["chown", "-h", account.name, "--"], account.home)), account.name, "", *who,
        )  # fmt: skip
    own_group = found.st_gid in (0, account.gid) and not _others_in(ctx, account)
    if found.st_mode & 0o002 or (found.st_mode & 0o020 and not own_group):
        yield Finding(
            "writable_home", account.home, "others may write to it, and plant what runs as %s" % account.name,
            Closing(on_path(["chmod", "go-w", "--"], account.home)), account.name, "", *who,
        )  # fmt: skip


def _others_in(ctx: Context, account: Account) -> bool:
    primary = ctx.database.primary_group(account)
    members = set(ctx.database.groups[primary][1]) if primary in ctx.database.groups else set()
    return bool(members - {account.name}) or any(
        a.gid == account.gid and a.name != account.name for a in ctx.database.accounts.values()
    )


def _texts(ctx: Context) -> Iterator[Finding]:
    """Lines of /etc/passwd that are more than they seem."""
    found = ctx.look("/etc/passwd")
    if found is None:
        return
    for number, line in found.lines:
        row = line.split(":")
        if line[0] == "+":
            yield Finding(
                "nis_accounts", "/etc/passwd", "a line that starts with + lets accounts of a directory in",
                Closing("sed -i '%d{/^+/d}' /etc/passwd" % number), None, row[0], since=found.since,
            )  # fmt: skip
        elif len(row) > 1 and row[1] not in ("x", "*", "!", "") and row[1][0] not in "!*":
            yield Finding(
                "password_in_passwd", "/etc/passwd", "its password stands where everybody may read it",
                Closing("pwconv && usermod -p '!' %s" % word(row[0])), row[0], "", *ctx.people.account(row[0]),
                since=found.since,
            )  # fmt: skip
        elif row[0] in ctx.database.twice and any(
            other.split(":")[0] == row[0] and earlier < number for earlier, other in found.lines
        ):
            yield Finding(
                "account_twice", "/etc/passwd", "has a second line: tools and logins may not mean the same account",
                Closing("sed -i '%d{/^[^:]*:/d}' /etc/passwd" % number), row[0], "line %d" % number,
                *ctx.people.account(row[0]), since=found.since,
            )  # fmt: skip


def _group_passwords(ctx: Context) -> Iterator[Finding]:
    found = ctx.look("/etc/gshadow")
    since = found.since if found else None
    for _number, line in found.lines if found else []:
        row = line.split(":")
        if len(row) > 1 and row[1] and row[1][0] not in "!*x":
            yield Finding(
                "group_password", "/etc/gshadow", "whoever knows its password joins group %s by newgrp" % row[0],
                Closing("gpasswd -r %s" % word(row[0])), None, row[0], since=since,
            )  # fmt: skip
        administrators = [name for name in (row[2].split(",") if len(row) > 2 else []) if name]
        for name in administrators:
            yield Finding(
                "group_administrator", "/etc/gshadow", "may add anybody to group %s (gpasswd)" % row[0],
                Closing("gpasswd -A '' %s" % word(row[0])), name, row[0], *ctx.people.account(name), since=since,
            )  # fmt: skip


def _subordinate(ctx: Context) -> Iterator[Finding]:
    """A range that reaches into real accounts: newuidmap(1) lets its owner become them."""
    found = ctx.look("/etc/subuid")
    since = found.since if found else None
    for number, line in found.lines if found else []:
        row = line.split(":")
        if len(row) != 3 or not row[1].isdecimal() or not row[2].isdecimal():
            continue
        first, count = int(row[1]), int(row[2])
        inside = [a.name for a in ctx.database.accounts.values() if first <= a.uid < first + count and a.name != row[0]]
        if inside:
            yield Finding(
                "subordinate_uids", "/etc/subuid",
                "may become %s by newuidmap: its range starts at %d" % (", ".join(inside[:3]), first),
                Closing(comment_out("/etc/subuid", number)), row[0], line, *ctx.people.account(row[0]),
                since=since,
            )  # fmt: skip


def _modes(ctx: Context) -> Iterator[Finding]:
    for path, most in MODES.items():
        found = ctx.look(path, content=False)
        if found is None or found.link is not None:
            continue
        too_much = found.mode & ~most & 0o066
        if path == "/etc/sudoers":
            too_much = found.mode & 0o022
        if too_much or found.uid != 0:
            yield _mode(found, most)


def _mode(found: Seen, most: int) -> Finding:
    why = "others may %s it" % ("write to" if found.mode & 0o022 or found.uid else "read the hashes in")
    command = "%s && %s" % (
        on_path(["chown", "root", "--"], found.path),
        on_path(["chmod", "%04o" % most, "--"], found.path),
    )
    return Finding("account_file_mode", found.path, why, Closing(command), None, "%04o" % found.mode, since=found.since)


def _elsewhere(ctx: Context) -> Iterator[Finding]:
    sources = ctx.database.nsswitch("passwd") - {"files", "systemd", "db"}
    sources -= set() if ctx.database.compat else {"compat"}
    if sources:
        found = ctx.look("/etc/nsswitch.conf", content=False)
        command = "sed -i -E '/^passwd:/s/ (%s)\\b//g' /etc/nsswitch.conf" % "|".join(sorted(sources))
        yield Finding(
            "directory_accounts", "/etc/nsswitch.conf",
            "accounts come from %s, too: no local list holds them" % ", ".join(sorted(sources)),
            Closing(command), None, " ".join(sorted(sources)), since=found.since if found else None,
        )  # fmt: skip
