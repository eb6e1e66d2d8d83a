# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSH, the files beside keys: trust in other hosts, Kerberos names, and what runs at each login.

Sources: hosts.equiv(5), ruserok(3), k5login(5), sshd(8) (~/.ssh/rc, ~/.ssh/environment).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from ansible_collections.infogerance.perimeter.plugins.module_utils.account_database import Account
from ansible_collections.infogerance.perimeter.plugins.module_utils.sshd import SshdProblem

from .context import Context, Seen
from .family import Closing, Finding
from .remedy import comment_out, remove

__all__ = ["look"]

SYSTEM_TRUST = ("/etc/hosts.equiv", "/etc/ssh/shosts.equiv", "/etc/shosts.equiv")
#: Name in a home -> (kind, why).
IN_HOMES = {
    ".rhosts": ("rhosts", "trusts users of other hosts without a key or password"),
    ".shosts": ("rhosts", "trusts users of other hosts without a key or password"),
    ".k5login": ("k5login", "these Kerberos principals become this account"),
    ".k5users": ("k5login", "these Kerberos principals become this account"),
    ".ssh/rc": ("ssh_rc", "runs at each SSH login of this account, forced commands included"),
    ".ssh/environment": ("ssh_environment", "sets the environment of each SSH login, LD_PRELOAD too"),
}


def look(ctx: Context) -> Iterator[Finding]:
    """Files of the system, then of each home."""
    for path in SYSTEM_TRUST:
        found = ctx.look(path)
        since = found.since if found else None
        for number, line in found.lines if found else []:
            yield Finding(
                "hosts_equiv", path, "trusts users of another host%s" % _asleep(ctx),
                Closing(comment_out(path, number)), None, line, *ctx.people.address(line.split()[0]), since=since,
            )  # fmt: skip
    found = ctx.look("/etc/ssh/sshrc")
    if found is not None and found.lines:
        yield Finding(
            "ssh_rc", found.path, "runs at each SSH login of everybody", Closing(remove(found.path)), since=found.since
        )
    for account, home in ctx.homes():
        for name in IN_HOMES:
            seen = ctx.look(os.path.join(home, name), account)
            if seen is not None:
                yield from _in_home(ctx, account, name, seen)


def _in_home(ctx: Context, account: Account, name: str, seen: Seen) -> Iterator[Finding]:
    kind, why = IN_HOMES[name]
    if kind == "ssh_environment":
        if not _environment_counts(ctx, account):
            return
    elif kind == "rhosts":
        why += _asleep(ctx)
    if seen.data is not None and not seen.lines:
        # Empty, or comments only.
        return
    if seen.data is None:
        why += "; it could not be read"
    yield Finding(
        kind, seen.path, why, Closing(remove(seen.path, seen.owner)), account.name, "",
        *ctx.people.account(account.name), since=seen.since,
    )  # fmt: skip


def _asleep(ctx: Context) -> str:
    try:
        on = ctx.sshd.effective().one("hostbasedauthentication") == "yes"
    except SshdProblem:
        on = True
    return "" if on else "; sshd doesn't ask it now (HostbasedAuthentication no), rsh and rlogin servers would"


def _environment_counts(ctx: Context, account: Account) -> bool:
    try:
        return ctx.sshd.effective(account.name).one("permituserenvironment", "no") != "no"
    except SshdProblem:
        return True
