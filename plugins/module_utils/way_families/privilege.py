# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Privilege: who becomes root without root's password, by sudo, doas, polkit or a group.

Sources: sudoers(5), doas.conf(5), polkit(8), pklocalauthority(8). A group as good as root: the distribution's devices
and sockets belong to it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from ansible_collections.infogerance.perimeter.plugins.module_utils.account_report import ROOT_GROUPS
from ansible_collections.infogerance.perimeter.plugins.module_utils.sudoers import Grant

from .context import Context, Seen
from .family import SSH_ACCOUNTS, Closing, Finding
from .remedy import comment_out, on_path, remove, word

__all__ = ["look"]

#: Beside those that ssh_accounts tells: their members write raw disks, memory, or the system's own programs.
STRONG_GROUPS = frozenset(ROOT_GROUPS) | {"kmem", "admin", "lxc", "incus", "podman", "microk8s"}
POLKIT_RULES = (
    "/etc/polkit-1/rules.d",
    "/usr/share/polkit-1/rules.d",
    "/usr/local/share/polkit-1/rules.d",
    "/run/polkit-1/rules.d",
)
POLKIT_AUTHORITY = ("/etc/polkit-1/localauthority", "/var/lib/polkit-1/localauthority")
DOAS = ("/etc/doas.conf", "/usr/local/etc/doas.conf")
SOCKETS = ("/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock", "/run/containerd/containerd.sock",
           "/var/lib/lxd/unix.socket", "/run/libvirt/libvirt-sock")  # fmt: skip


def look(ctx: Context) -> Iterator[Finding]:
    """Rules, groups, sockets."""
    yield from _sudo(ctx)
    yield from _sudo_defaults(ctx)
    yield from _doas(ctx)
    yield from _polkit(ctx)
    yield from _groups(ctx)
    yield from _sockets()


def _sudo(ctx: Context) -> Iterator[Finding]:
    for grant in ctx.grants:
        seen = ctx.look(grant.path, content=False)
        since = seen.since if seen else None
        for account, why in _grantees(ctx, grant):
            yield Finding(
                "sudo_rule", grant.path, why, _closes_rule(ctx, grant, account), account, grant.text,
                *ctx.people.account(account), since=since, declared=_sudo_declared(ctx, grant, account),
            )  # fmt: skip
        program = _weak_program(grant)
        if program:
            yield Finding(
                "sudo_weak_program", program,
                "%s line %d runs it as another user, and others than root may change it" % (grant.path, grant.line),
                Closing("chown root:root -- %s && chmod go-w -- %s" % (word(program), word(program))),
                None, grant.text, since=since,
            )  # fmt: skip
    for text in ctx.sudoers.unread:
        ctx.unread(text.split(":")[0], "sudo reads it: %s" % text)


def _grantees(ctx: Context, grant: Grant) -> Iterator[tuple[str | None, str]]:
    """(account, why) of each account that a rule gives something to; root is none of them."""
    power = "becomes root" if grant.everything else "may run some commands as another"
    database = ctx.database
    if grant.who == "ALL":
        yield None, "every account %s by sudo" % power
    elif grant.who.startswith("%"):
        name = grant.who.lstrip("%:")
        names = {name} | {g for g, (gid, _m) in database.groups.items() if name == "#%d" % gid}
        for group in sorted(database.with_twins(names)):
            for member in sorted(_members(ctx, group)):
                yield member, "%s by sudo, as a member of group %s" % (power, group)
    elif grant.who.startswith("#"):
        found = ctx.name_of(int(grant.who[1:])) if grant.who[1:].isdecimal() else None
        if found != "root":
            yield found, "%s by sudo, by uid%s" % (power, "" if found else ": no account has it, the next one may")
    elif grant.who.startswith("+"):
        yield None, "netgroup %s %s by sudo" % (grant.who, power)
    elif grant.who != "root":
        known = grant.who in database.accounts
        yield (
            grant.who,
            "%s by sudo%s" % (power, "" if known else "; there is no such account: who gets the name gets it"),
        )


def _without_line(path: str, number: int) -> str:
    return "%s && visudo -cqf %s" % (comment_out(path, number), word(path))


def _members(ctx: Context, group: str) -> set[str]:
    gid, named = ctx.database.groups.get(group, (-1, ()))
    own = {a.name for a in ctx.database.accounts.values() if a.gid == gid}
    return {m for m in named if m in ctx.database.accounts} | own - {"root"}


def _sudo_declared(ctx: Context, grant: Grant, account: str | None) -> bool:
    row = ctx.people.rows.get(account or "", {})
    if grant.who.startswith("%"):
        return bool(account) and ctx.people.declares_group(str(account), grant.who.lstrip("%:"))
    return bool(row.get("sudo")) and account is not None and grant.path == ctx.sudoers.fragment(account)


def _closes_rule(ctx: Context, grant: Grant, account: str | None) -> Closing:
    person = account in ctx.database.accounts and ctx.database.is_person(ctx.database.accounts[account])
    if grant.who.startswith("%") and account is not None:
        group = grant.who.lstrip("%:")
        if account in ctx.database.groups.get(group, (0, ()))[1]:
            return _leave(account, group, person)
    if grant.alone and grant.path != ctx.sudoers.main:
        command = remove(grant.path)
    else:
        command = _without_line(grant.path, grant.line)
    if grant.alone and person and account is not None:
        return Closing(command, SSH_ACCOUNTS, {"manage": {"names": [account]}, "obsolete": "remove"})
    return Closing(command)


def _leave(account: str, group: str, person: bool) -> Closing:
    command = "gpasswd -d %s %s" % (word(account), word(group))
    return (
        Closing(command, SSH_ACCOUNTS, {"manage": {"names": [account]}, "obsolete": "remove"})
        if person
        else Closing(command)
    )


def _weak_program(grant: Grant) -> str | None:
    """A program of a rule that somebody else may replace."""
    for path in re.findall(r"(?:\A|[\s,:!])(/[^\s,*?\[\]\\:=]+)", grant.text.partition("=")[2]):
        try:
            found = os.lstat(path)
        except OSError:
            continue
        if found.st_uid != 0 or found.st_mode & 0o002:
            return str(path)
    return None


def _sudo_defaults(ctx: Context) -> Iterator[Finding]:
    paths = [ctx.sudoers.main] + [s.path for s in ctx.files(ctx.sudoers.folder, content=False)
                                  if "." not in os.path.basename(s.path) and not s.path.endswith("~")]  # fmt: skip
    for path in paths:
        found = ctx.look(path)
        since = found.since if found else None
        for number, line in found.lines if found else []:
            why = _default(line)
            if why:
                yield Finding(
                    "sudo_default", path, why, Closing(_without_line(path, number)), None, line,
                    since=since,
                )  # fmt: skip


def _default(line: str) -> str | None:
    if not re.match(r"Defaults\b", line):
        return None
    if re.search(r"!\s*authenticate\b", line):
        return "sudo asks for no password"
    if re.search(r"env_(keep|check)\b.*\b(LD_\w+|PYTHONPATH|PERL5LIB|BASH_ENV)", line) or re.search(
        r"!\s*env_reset\b", line
    ):
        return "the caller's environment reaches programs that run as root"
    if re.search(r"\b(runaspw|targetpw|rootpw)\b", line) and "!" not in line:
        return None
    return None


def _doas(ctx: Context) -> Iterator[Finding]:
    for path in DOAS:
        found = ctx.look(path)
        since = found.since if found else None
        for number, line in found.lines if found else []:
            words = line.split()
            if words[0] != "permit":
                continue
            rest = re.sub(r"\{[^}]*\}", "", line).split()[1:]
            who = next((w for w in rest if w not in ("nopass", "persist", "keepenv", "nolog", "setenv")), "")
            if who == "root":
                continue
            account = None if who.startswith(":") else who
            yield Finding(
                "doas_rule", path,
                "%s may become another by doas%s" % (who, ", without a password" if "nopass" in rest else ""),
                Closing(comment_out(path, number)), account, line, *ctx.people.account(account), since=since,
            )  # fmt: skip


def _polkit(ctx: Context) -> Iterator[Finding]:
    for folder in POLKIT_RULES:
        for found in ctx.files(folder, ending=".rules"):
            if ctx.packages.pristine(found.path, found.data):
                continue
            text = re.sub(r"/\*.*?\*/|//[^\n]*", "", found.text, flags=re.DOTALL)
            if re.search(r"Result\s*\.\s*YES|[\"']yes[\"']|spawn\s*\(", text):
                yield _polkit_finding(found, "polkit says yes without a password where its own rules say so")
    for folder in POLKIT_AUTHORITY:
        for name in ctx.names(folder):
            for found in ctx.files(os.path.join(folder, name), ending=".pkla"):
                if not ctx.packages.pristine(found.path, found.data) and re.search(
                    r"^\s*Result(Any|Inactive|Active)\s*=\s*yes", found.text, re.MULTILINE
                ):
                    yield _polkit_finding(found, "polkit says yes without a password")


def _polkit_finding(found: Seen, why: str) -> Finding:
    return Finding("polkit_rule", found.path, why, Closing(remove(found.path)), None, since=found.since)


def _groups(ctx: Context) -> Iterator[Finding]:
    sudo = {g.who.lstrip("%:") for g in ctx.grants if g.who.startswith("%")}
    seen = ctx.look("/etc/group", content=False)
    strong = ctx.database.with_twins(STRONG_GROUPS | _writers_of_programs(ctx))
    for group in sorted(strong):
        for member in sorted(_members(ctx, group)):
            account = ctx.database.accounts[member]
            own = ctx.database.primary_group(account) == group
            if own and (account.uid == 0 or group == account.name or not account.can_open_a_shell):
                continue
            if group in sudo:
                # Told as the sudo rule that makes the group strong.
                continue
            person = ctx.database.is_person(account)
            closing = (
                Closing("usermod -g nogroup %s" % word(member)) if own and member not in ctx.database.groups[group][1]
                else _leave(member, group, person)
            )  # fmt: skip
            yield Finding(
                "strong_group", "/etc/group", "a member of group %s can make itself root" % group, closing,
                member, group, *ctx.people.account(member), since=seen.since if seen else None,
                declared=ctx.people.declares_group(member, group),
            )  # fmt: skip


def _writers_of_programs(ctx: Context) -> set[str]:
    """Groups that may put programs into root's search path, such as staff on older Debian."""
    found = set()
    for folder in ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"):
        try:
            facts = os.lstat(folder)
        except OSError:
            continue
        if facts.st_mode & 0o020 and facts.st_gid != 0:
            found |= {name for name, (gid, _members_) in ctx.database.groups.items() if gid == facts.st_gid}
    return found


def _sockets() -> Iterator[Finding]:
    for path in SOCKETS:
        try:
            found = os.lstat(path)
        except OSError:
            continue
        if found.st_mode & 0o002:
            yield Finding(
                "open_socket", path, "everybody may command a daemon that runs as root",
                Closing(on_path(["chmod", "o-rwx", "--"], path)), None,
            )  # fmt: skip
