# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Persistence, on the way: start-up files of shells, hooks of the system, and libraries loaded into everything.

Root's and shared accounts' start-up files are read for what no customisation needs. Sources: bash(1), ld.so(8),
apt.conf(5), update-motd(5), interfaces(5).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from ansible_collections.infogerance.perimeter.plugins.module_utils.account_database import Account

from .context import Context, Seen
from .family import Closing, Finding
from .remedy import comment_out, remove, word

__all__ = ["look"]

STARTUP = (
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".profile",
    ".bash_logout",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".zlogin",
    ".kshrc",
    ".cshrc",
    ".tcshrc",
    ".pam_environment",
    ".xprofile",
)
SYSTEM = ("/etc/profile", "/etc/bash.bashrc", "/etc/environment", "/etc/zsh/zshrc", "/etc/zsh/zshenv", "/etc/csh.cshrc")
HOOKS = (
    "/etc/update-motd.d",
    "/etc/network/if-up.d",
    "/etc/network/if-pre-up.d",
    "/etc/network/if-down.d",
    "/etc/network/if-post-down.d",
    "/etc/dhcp/dhclient-enter-hooks.d",
    "/etc/dhcp/dhclient-exit-hooks.d",
    "/etc/NetworkManager/dispatcher.d",
    "/etc/networkd-dispatcher/routable.d",
    "/etc/ppp/ip-up.d",
    "/etc/kernel/postinst.d",
    "/usr/lib/systemd/system-sleep",
    "/usr/lib/systemd/system-shutdown",
)
#: (pattern, why): what a start-up file needs only if somebody else is to come in.
SIGNS = (
    (r"/dev/(tcp|udp)/|\b(nc|ncat|netcat|socat)\b", "opens a connection"),
    (r"\b(curl|wget)\b[^\n]*\|\s*(ba|da|z)?sh\b", "runs what it fetches"),
    (r"authorized_keys", "writes keys"),
    (r"\bLD_(PRELOAD|LIBRARY_PATH|AUDIT)\s*=", "loads a library into each program"),
    (
        r"\b(alias\s+|function\s+)(sudo|su|ssh|passwd|doas)\b|^\s*(sudo|su|ssh|passwd|doas)\s*\(\)",
        "stands in for a program that asks for passwords",
    ),
    (r"\bchmod\b[^\n]*(\+s|[ugo]*\+[rwx]*s|\b[246]7?\d\d\d\b)", "sets a setuid bit"),
    (r"base64\s+(-d|--decode)[^\n]*\|\s*(ba|da)?sh", "runs hidden text"),
    (r"\b(nohup|setsid|disown)\b", "leaves something running"),
    (r"\bssh\b[^\n]*\s-\w*[RD]\b", "opens a tunnel"),
)


def look(ctx: Context) -> Iterator[Finding]:
    """Start-up files, hooks, preloaded libraries."""
    for path in SYSTEM:
        found = ctx.look(path)
        if found is not None and not ctx.packages.pristine(path, found.data):
            yield from _signs(ctx, found, None)
    for found in ctx.files("/etc/profile.d"):
        if not ctx.packages.pristine(found.path, found.data):
            yield from _signs(ctx, found, None)
    for account, home in ctx.homes():
        if not account.can_open_a_shell or not (account.uid == 0 or ctx.database.is_person(account)):
            continue
        for name in STARTUP:
            seen = ctx.look(os.path.join(home, name), account, content=_shared(ctx, account))
            if seen is not None:
                yield from _startup(ctx, account, seen)
    yield from _hooks(ctx)
    yield from _preload(ctx)
    yield from _apt(ctx)


def _shared(ctx: Context, account: Account) -> bool:
    """True for root, and for an account that is not one declared person's alone."""
    return account.uid == 0 or not ctx.people.declares_account(account.name)


def _startup(ctx: Context, account: Account, seen: Seen) -> Iterator[Finding]:
    own_group = ctx.database.groups.get(ctx.database.primary_group(account) or "", (-1, ()))[1]
    by_group = seen.mode & 0o020 and (seen.gid != account.gid or set(own_group) - {account.name})
    foreign = seen.uid not in (0, account.uid)
    if seen.link is None and (seen.mode & 0o002 or by_group or foreign):
        command = "chown -h %s -- %s; chmod go-w -- %s" % (word(account.name), word(seen.path), word(seen.path))
        if seen.owner:
            command = "runuser -u %s -- chmod go-w -- %s" % (word(seen.owner), word(seen.path))
        yield Finding(
            "startup_writable",
            seen.path,
            "others may write what this account's shell runs",
            Closing(command),
            account.name,
            "",
            *ctx.people.account(account.name),
            since=seen.since,
        )
    if seen.data is not None:
        yield from _signs(ctx, seen, account)


def _signs(ctx: Context, seen: Seen, account: Account | None) -> Iterator[Finding]:
    for number, line in seen.lines:
        for pattern, why in SIGNS:
            if re.search(pattern, line):
                name = account.name if account else None
                yield Finding(
                    "shell_startup",
                    seen.path,
                    "at each shell it %s" % why,
                    Closing(comment_out(seen.path, number, seen.owner)),
                    name,
                    "line %d" % number,
                    *ctx.people.account(name),
                    since=seen.since,
                )
                break


def _hooks(ctx: Context) -> Iterator[Finding]:
    if not ctx.packages.known:
        return
    for folder in HOOKS:
        for found in ctx.files(folder):
            if found.link is None and found.mode & 0o111 and not ctx.packages.pristine(found.path, found.data):
                yield Finding(
                    "hook_script",
                    found.path,
                    "the system runs it as root; it is not as a package brought it",
                    Closing("chmod a-x -- %s" % word(found.path)),
                    None,
                    since=found.since,
                )


def _preload(ctx: Context) -> Iterator[Finding]:
    found = ctx.look("/etc/ld.so.preload")
    if found is not None and found.lines:
        yield Finding(
            "preload",
            found.path,
            "its libraries are loaded into every program",
            Closing(remove(found.path)),
            None,
            " ".join(line for _n, line in found.lines)[:200],
            since=found.since,
        )


def _apt(ctx: Context) -> Iterator[Finding]:
    for found in ctx.files("/etc/apt/apt.conf.d"):
        if not ctx.packages.pristine(found.path, found.data) and re.search(
            r"(Pre-Invoke|Post-Invoke|Pre-Install-Pkgs|Post-Invoke-Success)\b", "\n".join(t for _n, t in found.lines)
        ):
            yield Finding(
                "apt_hook", found.path, "apt runs it as root", Closing(remove(found.path)), None, since=found.since
            )
