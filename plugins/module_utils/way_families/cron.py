# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Persistence, at set times: crontabs, cron's directories and at jobs.

Sources: crontab(5), cron(8), at(1), anacrontab(5).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from .context import Context
from .family import Closing, Finding, manage_account
from .remedy import comment_out, remove, word

__all__ = ["look"]

SPOOLS = ("/var/spool/cron/crontabs",)
JOBS = ("/var/spool/cron/atjobs", "/var/spool/at")
FOLDERS = ("/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly",
           "/etc/cron.yearly")  # fmt: skip
_SETTING = re.compile(r"\s*[A-Za-z_]\w*\s*=")


def look(ctx: Context) -> Iterator[Finding]:
    """What cron, anacron and at start."""
    yield from _crontabs(ctx)
    yield from _jobs(ctx)
    yield from _system(ctx)


def _crontabs(ctx: Context) -> Iterator[Finding]:
    for folder in SPOOLS:
        for found in ctx.files(folder):
            name = os.path.basename(found.path)
            lines = [line for _number, line in found.lines if not _SETTING.match(line)]
            if not lines:
                continue
            known = ctx.database.accounts.get(name)
            why = "cron runs %d line%s as this account, without a login" % (len(lines), "s" * (len(lines) > 1))
            command = remove(found.path)
            closing = manage_account(name, command) if known and ctx.database.is_person(known) else Closing(command)
            yield Finding(
                "crontab", found.path, why if known else why + "; there is no such account now", closing, name, "",
                *ctx.people.account(name), since=found.since, declared=ctx.people.declares_account(name),
            )  # fmt: skip


def _jobs(ctx: Context) -> Iterator[Finding]:
    for folder in JOBS:
        # at's own account owns the directory.
        for found in ctx.files(folder, ctx.database.accounts.get("daemon"), content=False):
            name = os.path.basename(found.path)
            if name.startswith("."):
                continue
            owner = ctx.name_of(found.uid)
            yield Finding(
                "at_job", found.path, "at runs it once as this account, without a login",
                Closing(remove(found.path, found.owner)),
                owner, "", *ctx.people.account(owner), since=found.since, declared=ctx.people.declares_account(owner),
            )  # fmt: skip


def _system(ctx: Context) -> Iterator[Finding]:
    if not ctx.packages.known:
        ctx.limit("persistence: no dpkg database: which of cron's files came with packages can't be known")
        return
    for path in ("/etc/crontab", "/etc/anacrontab"):
        found = ctx.look(path)
        if found is None or ctx.packages.pristine(path, found.data):
            continue
        for number, line in found.lines:
            if not _SETTING.match(line) and "run-parts" not in line:
                words = line.split()
                account = words[5] if len(words) > 6 and not line.startswith("@") else None
                yield Finding(
                    "system_cron", path, "a line that the package did not bring", Closing(comment_out(path, number)),
                    account, "line %d" % number, *ctx.people.account(account), since=found.since,
                )  # fmt: skip
    for folder in FOLDERS:
        for found in ctx.files(folder):
            name = os.path.basename(found.path)
            # cron and run-parts pass other names over.
            if not re.fullmatch(r"[A-Za-z0-9_-]+", name, re.ASCII) or ctx.packages.pristine(found.path, found.data):
                continue
            if folder != "/etc/cron.d" and not found.mode & 0o111 and found.link is None:
                continue
            if found.data is not None and not found.lines:
                continue
            changed = ctx.packages.owner(found.path) is not None
            why = "cron runs it; its package brought it otherwise" if changed else "cron runs it; no package brought it"
            command = remove(found.path)
            if changed:
                command = "mv -- %s %s" % (word(found.path), word(found.path + ".disabled"))
            yield Finding("system_cron", found.path, why, Closing(command), None, since=found.since)
