# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Persistence, by systemd and at boot: units, timers, drop-ins, users' own units, init scripts, rc.local, udev.

A unit of a package that nobody changed is no finding, nor a link to one. Sources: systemd.unit(5), loginctl(1),
systemd.generator(7), udev(7).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from ansible_collections.infogerance.perimeter.plugins.module_utils.account_database import Account

from .context import Context, Seen
from .family import Closing, Finding, manage_account
from .remedy import comment_out, remove, word

__all__ = ["look"]

SYSTEM_UNITS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/transient",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/etc/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/lib/systemd/user",
)
GENERATORS = (
    "/etc/systemd/system-generators",
    "/usr/local/lib/systemd/system-generators",
    "/run/systemd/system-generators",
    "/etc/systemd/user-generators",
)
USER_UNITS = (".config/systemd/user", ".local/share/systemd/user")
LINGER = "/var/lib/systemd/linger"
KINDS = {".service": "systemd_unit", ".timer": "systemd_timer", ".socket": "systemd_socket", ".path": "systemd_unit"}
_STARTS = re.compile(r"^\s*(Exec\w+|ListenStream|ListenDatagram|On\w+|Path\w+|Unit|User)\s*=\s*\S", re.MULTILINE)
#: Made by systemd's own tools or by logins, never by hand.
TRANSIENT = re.compile(r"(session-|user-|run-|init\.)[\w.@:\\-]*\.(scope|slice)\Z|infogerance-perimeter-")


def look(ctx: Context) -> Iterator[Finding]:
    """The system's units, users' units, and what runs at boot beside systemd."""
    if not ctx.packages.known:
        ctx.limit("persistence: no dpkg database: which units came with packages can't be known")
        return
    for folder in SYSTEM_UNITS:
        yield from _units(ctx, folder)
    for folder in GENERATORS:
        for found in ctx.files(folder):
            if not ctx.packages.pristine(found.path, found.data):
                yield Finding(
                    "systemd_generator",
                    found.path,
                    "runs as root at each start and reload",
                    Closing(remove(found.path)),
                    None,
                    since=found.since,
                )
    lingering = set(ctx.names(LINGER))
    for name in sorted(lingering):
        yield _linger(ctx, name)
    for account, home in ctx.homes():
        yield from _users_units(ctx, account, home, account.name in lingering)
    yield from _boot(ctx)


def _units(ctx: Context, folder: str) -> Iterator[Finding]:
    for name in ctx.names(folder):
        path = os.path.join(folder, name)
        ending = os.path.splitext(name)[1]
        if name.endswith(".d"):
            for found in ctx.files(path, ending=".conf"):
                if not ctx.packages.pristine(found.path, found.data) and re.search(
                    r"^\s*(Exec\w*\s*=\s*\S|Environment\s*=.*\bLD_)", found.text, re.M
                ):
                    yield Finding(
                        "systemd_drop_in",
                        found.path,
                        "changes what %s starts" % name[:-2],
                        Closing(_without(found.path, None)),
                        None,
                        since=found.since,
                    )
        elif ending in KINDS and not TRANSIENT.match(name):
            found_unit = _unit_file(ctx, path)
            if found_unit is not None and not ctx.packages.pristine(found_unit.path, found_unit.data):
                yield from _unit(ctx, found_unit, KINDS[ending], name)


def _unit_file(ctx: Context, path: str) -> Seen | None:
    """The unit itself; a link only where it leads out of the system's own unit directories."""
    try:
        target = os.readlink(path)
    except OSError:
        return ctx.look(path)
    whole = os.path.normpath(os.path.join(os.path.dirname(path), target))
    if whole == "/dev/null" or whole.startswith(
        ("/lib/systemd/", "/usr/lib/systemd/", "/etc/systemd/", "/run/systemd/")
    ):
        return None
    found = os.lstat(path)
    return Seen(path, None, 0o777, found.st_uid, found.st_gid, found.st_mtime, None, whole)


def _unit(ctx: Context, found: Seen, kind: str, name: str) -> Iterator[Finding]:
    if found.link is not None:
        why = "a unit from outside the system's directories: %s" % found.link
    elif found.data is None or not _STARTS.search(found.text):
        return
    elif ctx.packages.owner(found.path):
        why = "the package brought this unit otherwise"
    else:
        why = "no package brought this unit"
    user = re.search(r"^\s*User\s*=\s*(\S+)", found.text, re.MULTILINE)
    account = user.group(1) if user else None
    yield Finding(
        kind,
        found.path,
        why,
        Closing(_without(found.path, name)),
        account,
        "",
        *ctx.people.account(account),
        since=found.since,
    )


def _without(path: str, unit: str | None) -> str:
    stop = "systemctl disable --now %s 2>/dev/null; " % word(unit) if unit and "@." not in unit else ""
    return "%s%s; systemctl daemon-reload 2>/dev/null || true" % (stop, remove(path))


def _linger(ctx: Context, name: str) -> Finding:
    found = ctx.look(os.path.join(LINGER, name), content=False)
    command = "loginctl disable-linger %s 2>/dev/null; %s" % (word(name), remove(os.path.join(LINGER, name)))
    return Finding(
        "linger",
        os.path.join(LINGER, name),
        "its own units run from boot on, without a login",
        Closing(command),
        name,
        "",
        *ctx.people.account(name),
        since=found.since if found else None,
        declared=ctx.people.declares_account(name),
    )


def _users_units(ctx: Context, account: Account, home: str, lingering: bool) -> Iterator[Finding]:
    for folder in USER_UNITS:
        for found in ctx.files(os.path.join(home, folder), account):
            if os.path.splitext(found.path)[1] not in KINDS or (
                found.data is not None and not _STARTS.search(found.text)
            ):
                continue
            when = "from boot on" if lingering else "while the account is logged in"
            command = remove(found.path, found.owner)
            person = ctx.database.is_person(account)
            yield Finding(
                "user_unit",
                found.path,
                "the account's own systemd starts it, %s" % when,
                manage_account(account.name, command) if person else Closing(command),
                account.name,
                "",
                *ctx.people.account(account.name),
                since=found.since,
                declared=ctx.people.declares_account(account.name),
            )


def _boot(ctx: Context) -> Iterator[Finding]:
    found = ctx.look("/etc/rc.local")
    if found is not None and found.mode & 0o111 and any(line != "exit 0" for _n, line in found.lines):
        yield Finding(
            "rc_local",
            found.path,
            "runs as root at boot",
            Closing("chmod a-x -- /etc/rc.local"),
            None,
            since=found.since,
        )
    for found in ctx.files("/etc/init.d"):
        if found.mode & 0o111 and found.link is None and not ctx.packages.pristine(found.path, found.data):
            yield Finding(
                "init_script",
                found.path,
                "may run as root at boot; it is not as a package brought it",
                Closing(
                    "update-rc.d -f %s remove >/dev/null; chmod a-x -- %s"
                    % (word(os.path.basename(found.path)), word(found.path))
                ),
                None,
                since=found.since,
            )
    inittab = ctx.look("/etc/inittab")
    for number, line in inittab.lines if inittab else []:
        if not ctx.packages.pristine("/etc/inittab", inittab.data if inittab else None) and ":respawn:" in line:
            yield Finding(
                "inittab",
                "/etc/inittab",
                "init starts it over and over",
                Closing(comment_out("/etc/inittab", number)),
                None,
                line.split(":")[0],
            )
    for folder in ("/etc/udev/rules.d", "/run/udev/rules.d", "/usr/lib/udev/rules.d"):
        for found in ctx.files(folder, ending=".rules"):
            if not ctx.packages.pristine(found.path, found.data) and re.search(
                r"\b(RUN|PROGRAM)\b[^=]*\+?=", found.text
            ):
                yield Finding(
                    "udev_rule",
                    found.path,
                    "the kernel's events run a program as root",
                    Closing(remove(found.path)),
                    None,
                    since=found.since,
                )
