# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSH, the keys: every key in every file that sshd reads, whoever's it is; and keys that come back by themselves.

Sources: sshd(8) (authorized_keys), sshd_config(5) (AuthorizedKeysFile, AuthorizedPrincipalsFile), cloud-init's
``ssh_authorized_keys``, dropbear(8), useradd(8) (/etc/skel).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.infogerance.perimeter.plugins.module_utils.account_database import Account
from ansible_collections.infogerance.perimeter.plugins.module_utils.authorized_keys import (
    KeyLine,
    parse_file,
    split_options,
)
from ansible_collections.infogerance.perimeter.plugins.module_utils.key_files import KeyFile, read_key_file
from ansible_collections.infogerance.perimeter.plugins.module_utils.sshd import SshdProblem, expand

from .context import Context, Seen
from .family import Closing, Finding, manage_account
from .remedy import comment_out, drop_lines, remove

__all__ = ["look"]

DEFAULT_FILES = [".ssh/authorized_keys", ".ssh/authorized_keys2"]
DROPBEAR_FILES = ("/etc/dropbear/authorized_keys", "/etc/dropbear/initramfs/authorized_keys",
                  "/etc/dropbear-initramfs/authorized_keys", "/etc/initramfs-tools/root/.ssh/authorized_keys",
                  "/etc/tinyssh/authorized_keys")  # fmt: skip
CLOUD_FOLDERS = ("/etc/cloud/cloud.cfg.d", "/var/lib/cloud/seed/nocloud", "/var/lib/cloud/seed/nocloud-net")
CLOUD_FILES = (
    "/etc/cloud/cloud.cfg",
    "/var/lib/cloud/instance/user-data.txt",
    "/var/lib/cloud/instance/cloud-config.txt",
)
#: A public key anywhere in a text: cloud-init's YAML is read for keys, not understood.
KEY_IN_TEXT = re.compile(
    r"((?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-[a-z0-9]+|sk-[a-z0-9@.-]+) [A-Za-z0-9+/]{60,}={0,3}[^\"'\n]*)"
)


def look(ctx: Context) -> Iterator[Finding]:
    """All keys."""
    shared: set[str] = set()
    for account in ctx.database.accounts.values():
        if ctx.over:
            ctx.limit("ssh: time is used up: not all accounts' keys were read")
            return
        for path in _paths(ctx, account):
            if path in shared:
                continue
            if not _inside(path, account) and path not in _own_patterns(ctx, account):
                # One file for everybody: its keys open each account, and are told once.
                shared.add(path)
            yield from _key_file(ctx, account, path)
        yield from _principals(ctx, account)
    yield from _keys_that_come_back(ctx)


def _paths(ctx: Context, account: Account) -> list[str]:
    try:
        return ctx.sshd.key_files(account.name, account.uid, account.home)
    except SshdProblem as error:
        ctx.limit("ssh: %s: keys were looked for in sshd's default files" % error)
        return [expand(p, account.name, account.uid, account.home) for p in DEFAULT_FILES]


def _own_patterns(ctx: Context, account: Account) -> list[str]:
    try:
        patterns = ctx.sshd.key_file_patterns(account.name)
    except SshdProblem:
        return []
    return [expand(p, account.name, account.uid, account.home) for p in patterns if re.search(r"%[huU]", p)]


def _key_file(ctx: Context, account: Account, path: str) -> Iterator[Finding]:
    if not ctx.reachable(path, account.name):
        return
    found = read_key_file(path, account.uid)
    if found.problem:
        ctx.unread(path, found.problem, account.name)
        if found.uncertain:
            yield Finding(
                "ssh_key_file_unread",
                path,
                "sshd may read keys here; as root we must not: %s" % found.problem,
                Closing(remove(path, _owner(ctx.look(path, account, content=False), account))),
                account.name,
                "",
                *ctx.people.account(account.name),
            )
        return
    seen = ctx.look(path, account, content=False) if found.lines else None
    for number, line in enumerate(found.lines, 1):
        if line.fingerprint is not None and not line.expired(ctx.today):
            yield _key(ctx, account, found, (number, line), seen)


def _inside(path: str, account: Account) -> bool:
    return path.startswith(account.home.rstrip("/") + "/")


def _key(ctx: Context, account: Account, file: KeyFile, at: tuple[int, KeyLine], seen: Seen | None) -> Finding:
    number, line = at
    owner = _owner(seen, account)
    who = ctx.people.key(line.fingerprint, account.name)
    declared = ctx.people.declares_key(account.name, line.fingerprint)
    command = (
        drop_lines(file.path, line.blob, owner)
        if re.fullmatch(r"[A-Za-z0-9+/=]+", line.blob, re.ASCII)
        else comment_out(file.path, number, owner)
    )
    closing = Closing(command)
    if account.uid != 0 and ctx.database.is_person(account):
        closing = manage_account(account.name, command)
    return Finding(
        "ssh_certificate_authority" if line.is_ca else "ssh_key",
        file.path,
        _why(ctx, account, line, declared),
        closing,
        account.name,
        str(line.fingerprint),
        who.person,
        who.by,
        seen.since if seen else None,
        declared,
    )


def _why(ctx: Context, account: Account, line: KeyLine, declared: bool) -> str:
    words = ["%s %s" % (line.type, "opens it" if not line.is_ca else "signs keys that open it")]
    if not declared:
        words.append("the list doesn't have this key for the account" if ctx.people.declares_account(account.name) else
                     "the account is not declared")  # fmt: skip
    if account.uid == 0 and account.name != "root":
        words.append("the account is root by its uid")
    elif account.uid != 0 and not ctx.database.is_person(account):
        words.append("it is a system account")
    narrowed = [name for name, _value in split_options(line.options) if name in ("from", "command", "restrict")]
    if narrowed:
        words.append("narrowed by %s" % ", ".join(narrowed))
    if ctx.closed(account):
        words.append("the account has expired: PAM keeps it out until that is lifted")
    elif not _lets_in(ctx, account):
        words.append("sshd's configuration keeps the account out now")
    return "; ".join(words)


def _lets_in(ctx: Context, account: Account) -> bool:
    try:
        return ctx.sshd.lets_in(account.name, ctx.groups_of(account.name))
    except SshdProblem:
        return True


def _owner(seen: Seen | None, account: Account) -> str | None:
    """As whom to change the file: who owns its directory, else the account; never root by a path of a user's."""
    return seen.owner if seen is not None else account.name if account.uid else None


def _principals(ctx: Context, account: Account) -> Iterator[Finding]:
    """Names that a certificate may carry to get in as this account."""
    try:
        patterns = ctx.sshd.effective(account.name).words("authorizedprincipalsfile")
    except SshdProblem:
        return
    for pattern in patterns:
        path = expand(pattern, account.name, account.uid, account.home)
        found = ctx.look(path, account)
        if found is None:
            continue
        for number, line in found.lines:
            who = ctx.people.certificate(line.split()[-1], account.name)
            yield Finding(
                "ssh_principal",
                path,
                "a certificate for %s of a trusted authority opens it" % line.split()[-1],
                Closing(comment_out(path, number, found.owner)),
                account.name,
                line.split()[-1],
                who.person,
                who.by,
                found.since,
            )


def _keys_that_come_back(ctx: Context) -> Iterator[Finding]:
    for name in ("authorized_keys", "authorized_keys2"):
        found = ctx.look("/etc/skel/.ssh/" + name)
        yield from _listed(ctx, found, "ssh_key_in_skel", "each new account gets this key (useradd copies /etc/skel)")
    for path in DROPBEAR_FILES:
        yield from _listed(
            ctx, ctx.look(path), "ssh_key_of_other_server", "dropbear or its like lets this key in as root"
        )
    files = [ctx.look(path) for path in CLOUD_FILES]
    for folder in CLOUD_FOLDERS:
        files += list(ctx.files(folder))
    for found in files:
        for number, line in found.lines if found else []:
            for text in KEY_IN_TEXT.findall(line):
                for key in parse_file(text.encode("utf-8", "surrogateescape")):
                    if key.fingerprint and found is not None:
                        why = "cloud-init puts this key back at a new instance's first boot"
                        yield _kept(ctx, found, (number, key), "ssh_key_in_cloud_init", why)


def _listed(ctx: Context, found: Seen | None, kind: str, why: str) -> Iterator[Finding]:
    if found is not None and found.data is not None:
        for number, line in enumerate(parse_file(found.data), 1):
            if line.fingerprint:
                yield _kept(ctx, found, (number, line), kind, why)


def _kept(ctx: Context, found: Seen, at: tuple[int, KeyLine], kind: str, why: str) -> Finding:
    number, line = at
    who = ctx.people.key(line.fingerprint)
    command = comment_out(found.path, number)
    return Finding(
        kind, found.path, why, Closing(command), None, str(line.fingerprint), who.person, who.by, found.since
    )
