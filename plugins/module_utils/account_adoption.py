# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The accounts of a server as a declared list would hold them, with what a person has to look at before it is one.

Reads the kind's last observation (SshAccounts); changes nothing.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from .account_database import Account
from .account_report import ROOT_GROUPS, names_account, readable
from .authorized_keys import BadKey, KeyLine, parse_declared
from .sudoers import render_rule

__all__ = ["as_declared", "sudo_of_rule"]


def as_declared(view: Any) -> list[dict[str, Any]]:
    """One row an account that can be told: account, entry (None where it is not to be declared), review."""
    chosen = [o.entry for o in view.observed.values() if o.kind == "ssh_account"]
    users: dict[str, set[str]] = defaultdict(set)
    for name, files in view.files.items():
        for file in files:
            for line in file.lines:
                if line.fingerprint:
                    users[line.fingerprint].add(name)
    rows = []
    for name in sorted(chosen):
        account = view.database.accounts.get(name)
        if account is not None:
            review: list[str] = []
            entry = _entry(view, account, review, users)
            rows.append({"account": name, "entry": entry, "review": [readable(text) for text in review]})
    return rows


def _entry(view: Any, account: Account, review: list[str], users: dict[str, set[str]]) -> dict[str, Any] | None:
    person = view.database.is_person(account)
    keys = _keys(view, account, review, users)
    password = account.password in ("usable", "empty") and view.sshd.password_login(account.name)
    if password:
        review.append("sshd lets it in by password, which no list of keys tells")
    if account.name in view.database.twice:
        review.append("has more than one line in /etc/passwd: not declared before that is mended")
        return None
    if account.uid == 0 and account.name != "root":
        review.append("has root's uid: not declared")
        return None
    if not person:
        if not keys:
            review.append("a system account without keys: not declared")
            return None
        review.append("%s with keys: whose are they?" % ("root" if account.uid == 0 else "a system account"))
        return {"name": account.name, "system": True, "keys": keys}
    if account.expires is not None and account.expires <= view.today:
        review.append("has expired on %s: not declared" % account.expires)
        return None
    return _person(view, account, review, keys, password)


def _person(view: Any, account: Account, review: list[str], keys: list[str], password: bool) -> dict[str, Any]:
    named = readable(account.comment).split(",")[0].strip()
    if not named:
        review.append("no name in its comment: who is it?")
    if not keys and not password:
        review.append("neither a key nor a password lets anybody in")
    twins = [a.name for a in view.database.accounts.values() if a.uid == account.uid and a.name != account.name]
    if twins:
        review.append("shares its uid with %s" % ", ".join(twins))
    if not account.can_open_a_shell:
        review.append("shell %s stops commands, not port forwarding" % account.shell)
    strong = view.admin_groups | view.database.with_twins(ROOT_GROUPS)
    review += ["group %s is as good as root" % group for group in account.groups if group in strong]
    entry: dict[str, Any] = {
        "name": account.name,
        "person": named or account.name,
        "uid": account.uid,
        "shell": account.shell,
        "home": readable(account.home),
        "groups": list(account.groups),
        "keys": keys,
    }
    if account.expires is not None:
        entry["expires"] = account.expires
    sudo = _sudo(view, account, review)
    if sudo is not None:
        entry["sudo"] = sudo
    return entry


def _keys(view: Any, account: Account, review: list[str], users: dict[str, set[str]]) -> list[str]:
    found: dict[str, str] = {}
    options: dict[str, str] = {}
    for file in view.files.get(account.name, []):
        if file.problem:
            review.append("%s: %s: its keys are not in the list" % (file.path, file.problem))
        if file.path in view.shared_files:
            review.append("%s is read for several accounts" % file.path)
        bad = [str(number) for number, line in enumerate(file.lines, 1) if line.problem]
        if bad:
            review.append("%s: line %s: no key that sshd could use" % (file.path, ", ".join(bad[:20])))
        for line in file.lines:
            if line.fingerprint and line.fingerprint not in found:
                text = _text(line)
                if text is None:
                    review.append("%s: its options can't be declared: not in the list" % line.fingerprint)
                    continue
                found[line.fingerprint] = text
                options[line.fingerprint] = line.options
                review += _doubts(view, account, line, users)
            elif line.fingerprint and line.options != options[line.fingerprint]:
                # sshd takes the first line that fits, so that both may let somebody in; a list holds a key once.
                told = (line.fingerprint, file.path, line.options or "none")
                review.append("%s is there once more, in %s, with other options (%s): not in the list" % told)
    return list(found.values())


def _text(line: KeyLine) -> str | None:
    """The key as a list can hold it: as it stands, else without its comment."""
    for comment in (line.comment, ""):
        text = " ".join(part for part in (line.options, line.type, line.blob, comment) if part)
        if text.isprintable():
            try:
                if parse_declared(text).fingerprint == line.fingerprint:
                    return text
            except BadKey:
                continue
    return None


def _doubts(view: Any, account: Account, line: KeyLine, users: dict[str, set[str]]) -> list[str]:
    told = []
    if not line.comment.strip():
        told.append("%s has no comment: whose is it?" % line.fingerprint)
    if line.is_ca:
        told.append("%s is a certificate authority: every key that it signs gets in" % line.fingerprint)
    if line.expired(view.today):
        told.append("%s has expired" % line.fingerprint)
    others = sorted(users[str(line.fingerprint)] - {account.name})
    if others:
        told.append("%s opens %s, too" % (line.fingerprint, ", ".join(others[:5])))
    return told


def _sudo(view: Any, account: Account, review: list[str]) -> dict[str, Any] | None:
    ours = view.sudoers.fragment(account.name)
    for grant in view.grants:
        if names_account(grant, account) and grant.path != ours:
            review.append("sudo by %s line %d, which no list holds: %s" % (grant.path, grant.line, grant.text))
    rule = view.sudoers.rule(account.name)
    if rule is None:
        return None
    found = sudo_of_rule(account.name, rule)
    if found is None:
        review.append("%s holds another rule than a list could: %s" % (ours, rule))
    return found


def sudo_of_rule(name: str, rule: str) -> dict[str, Any] | None:
    """The declared value that gives this rule; None where none does."""
    match = re.fullmatch(r"\S+ ALL=\(([^)]+)\) (NOPASSWD: )?(.+)", rule.strip())
    if match is None:
        return None
    commands = [re.sub(r"\\(.)", r"\1", text) for text in match.group(3).split(", ")]
    found = {"commands": commands, "nopasswd": bool(match.group(2)), "runas": match.group(1)}
    return found if render_rule(name, found) == rule.strip() else None
