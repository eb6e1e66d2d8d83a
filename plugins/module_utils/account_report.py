# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told beside the plan: who can get in and by which path, what is not controlled here, what is odd.

Reads the kind's last observation (SshAccounts) and /proc; changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from .account_database import Account
from .processes import running
from .sudoers import Grant

__all__ = ["access", "not_controlled", "opens", "problems", "readable"]

#: Groups that are as good as root on the distributions we know, beside those that sudo names.
ROOT_GROUPS = ("docker", "lxd", "incus-admin", "disk", "shadow", "sudo", "wheel", "root", "libvirt")
#: sshd's other ways to accept a login, told where they are on.
OTHER_WAYS = ("permitemptypasswords", "hostbasedauthentication", "gssapiauthentication", "kerberosauthentication")
COMMANDS = ("authorizedkeyscommand", "trustedusercakeys", "authorizedprincipalsfile", "authorizedprincipalscommand")


def readable(text: str) -> str:
    """A text from the server for the result: bytes that are no UTF-8 show as replacement characters."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def access(view: Any, names: Sequence[str]) -> list[dict[str, Any]]:
    """Who can get in now, and by which path: read from the server, not from the plan."""
    chosen = [view.database.accounts[n] for n in names if n in view.database.accounts]
    alive = running([a.uid for a in chosen if a.uid >= view.database.uid_min], view.subordinate)
    return [_row(view, account, alive.get(account.uid, [])) for account in chosen]


def _row(view: Any, account: Account, pids: Sequence[int]) -> dict[str, Any]:
    expired = account.expires is not None and account.expires <= view.today
    keys = [
        {
            "fingerprint": line.fingerprint, "file": readable(file.path), "comment": readable(line.comment),
            "certificate_authority": line.is_ca, "expired": line.expired(view.today), "options": readable(line.options),
        }
        for file in view.files.get(account.name, []) for line in file.lines if line.fingerprint
    ]  # fmt: skip
    password = account.password in ("usable", "empty") and view.sshd.password_login(account.name)
    live = [k for k in keys if not k["expired"]]
    # What we can't read sshd may: a linked .ssh directory is no hindrance to it.
    unread = [readable(file.path) for file in view.files.get(account.name, []) if file.problem and file.uncertain]
    return {
        "account": account.name, "uid": account.uid,
        "person": view.wanted.rows.get(account.name, {}).get("person"),
        "open": bool((live or unread or password) and not expired) or bool(pids),
        "expires": account.expires, "password": password, "keys": keys, "unread": unread,
        "root": _root_paths(view, account), "processes": len(pids), "shell": account.shell,
        "managed": view.is_managed(account), "disabled_since": view.disabled_since(account),
    }  # fmt: skip


def opens(view: Any, account: Account) -> dict[str, Any]:
    """What an account opens: ``open`` where a key or a password lets somebody in, ``root`` where they become root."""
    files = view.files.get(account.name, [])
    keys = any(line.fingerprint and not line.expired(view.today) for file in files for line in file.lines)
    unread = any(file.problem and file.uncertain for file in files)
    expired = account.expires is not None and account.expires <= view.today
    password = account.password in ("usable", "empty") and view.sshd.password_login(account.name)
    return {"open": bool((keys or unread or password) and not expired), "root": bool(_root_paths(view, account))}


def _root_paths(view: Any, account: Account) -> list[str]:
    strong = view.admin_groups | view.database.with_twins(ROOT_GROUPS)
    told = ["group %s" % g for g in account.groups if g in strong]
    primary = view.database.primary_group(account)
    if primary in strong and account.name != "root":
        told.append("group %s (its own)" % primary)
    return told + ["%s:%d" % (g.path, g.line) for g in view.grants if names_account(g, account)]


def names_account(grant: Grant, account: Account) -> bool:
    """True where a sudo rule names this account, by name or by uid."""
    return grant.who in (account.name, "#%d" % account.uid)


def not_controlled(view: Any) -> list[str]:
    """Ways in that are read but not reconciled here."""
    told = []
    for name in COMMANDS:
        value = view.effective.one(name, "none")
        if value != "none":
            told.append("sshd %s %s" % (name, value))
    told += ["sshd %s yes" % name for name in OTHER_WAYS if view.effective.one(name) == "yes"]
    for block in view.sshd.blocks():
        for name, value in block.settings:
            if (name in COMMANDS and value != "none") or (name in OTHER_WAYS and value == "yes"):
                told.append("sshd (Match %s) %s %s" % (block.criteria, name, value))
    told += ["%s comes from a directory service" % name for name in view.database.remote_accounts()]
    if view.database.compat:
        told.append("/etc/passwd lets NIS accounts in by a line that starts with +")
    source = view.database.nsswitch("sudoers")
    if source - {"files"}:
        told.append("sudo rules come from %s, too (nsswitch.conf)" % ", ".join(sorted(source - {"files"})))
    if os.path.exists("/etc/doas.conf"):
        told.append("/etc/doas.conf lets accounts become others")
    told += [
        "%s holds a certificate authority for %s" % (f.path, n)
        for n, files in view.files.items()
        for f in files
        if any(k.is_ca for k in f.lines)
    ]
    return told


def problems(view: Any) -> list[str]:
    """What a competent reader would want to know although nothing can be done about it here."""
    told = list(view.database.oddities)
    told += [
        "%s: has root's uid (0), every way into it is a way to root" % a.name
        for a in view.database.accounts.values()
        if a.uid == 0 and a.name != "root"
    ]
    for name, files in view.files.items():
        for file in files:
            if file.problem:
                told.append("%s: %s" % (name, file.problem))
            bad = [number for number, line in enumerate(file.lines, 1) if line.problem]
            if bad:
                told.append(
                    "%s: %s: line %s: no key that sshd could use; kept"
                    % (name, file.path, ", ".join(map(str, bad[:20])))
                )
    for path, names in view.shared_files.items():
        told.append("%s is read for several accounts: %s" % (path, ", ".join(names[:5])))
    told += _sudo_problems(view)
    for name, row in view.wanted.rows.items():
        account = view.database.accounts.get(name)
        if account is not None and not row.get("system"):
            told += _declared_but_closed(view, account, row)
            primary = view.database.primary_group(account)
            if primary in view.admin_groups or primary in ROOT_GROUPS:
                told.append("%s: its own group is %s, which no list of groups takes away" % (name, primary))
    return [readable(text) for text in told]


def _sudo_problems(view: Any) -> list[str]:
    told = ["sudo reads %s, and it can't be read here" % text for text in view.sudoers.unread]
    if not view.sudoers.reads_folder and any(row.get("sudo") for row in view.wanted.rows.values()):
        told.append("sudo doesn't read %s: what the list grants has no effect" % view.sudoers.folder)
    known = set(view.database.accounts)
    for grant in view.grants:
        where = "%s:%d" % (grant.path, grant.line)
        if grant.who == "ALL" and grant.everything:
            told.append("%s lets every account become root: %s" % (where, grant.text))
        elif _names_nobody(view, grant, known):
            told.append("%s: %s is no account here: who gets that name gets the rule" % (where, grant.who))
    return told


def _names_nobody(view: Any, grant: Grant, known: set[str]) -> bool:
    plain = grant.who != "ALL" and grant.who[0] not in "%#+"
    return plain and grant.who not in known and not view.database.remote_names([grant.who])


def _declared_but_closed(view: Any, account: Account, row: dict[str, Any]) -> list[str]:
    told = []
    if not account.can_open_a_shell and row.get("keys"):
        told.append("%s: shell %s stops commands, not port forwarding or SFTP" % (account.name, account.shell))
    if account.expires and account.expires <= view.today and not row.get("expires"):
        told.append("%s: declared, but expired on the server since %s" % (account.name, account.expires))
    effective = view.sshd.effective(account.name)
    if not view.sshd.lets_in(account.name, view.groups_of(account.name)):
        if effective.words("allowgroups"):
            told.append("%s: declared, but in no group of sshd's AllowGroups" % account.name)
        elif effective.words("allowusers"):
            told.append("%s: declared, but not in sshd's AllowUsers" % account.name)
        else:
            told.append("%s: declared, but sshd's configuration keeps its keys out" % account.name)
    return told
