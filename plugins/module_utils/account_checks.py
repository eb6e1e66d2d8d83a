# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list and the plan against this very server: what can't be done is said before anything has changed."""

from __future__ import annotations

import os
import stat
from typing import Any

from .homes import open_directory
from .reconcile import InvalidEntry, Plan

__all__ = ["check_list", "check_plan"]


def check_list(view: Any) -> None:
    """Faults of the list that only this server can show. Raises InvalidEntry."""
    by_uid = {a.uid: a.name for a in view.database.accounts.values()}
    former = {t["uid"]: t for t in view.registry["tombstones"]}
    for name in view.database.remote_names(list(view.wanted.rows)):
        raise InvalidEntry(name, "name", "comes from a directory service on this server, not from /etc/passwd")
    for name, row in view.wanted.rows.items():
        here = view.database.accounts.get(name)
        if row.get("system"):
            if here is None:
                raise InvalidEntry(name, "system", "there is no such account on this server")
            continue
        if here is not None and not view.database.is_person(here):
            raise InvalidEntry(
                name, "name", "is a system account here (uid %d); system: true manages its keys only" % here.uid
            )
        if here is None and name in view.database.groups and not row.get("gid"):
            raise InvalidEntry(name, "name", "is a group on this server already; a new account would need that name")
        uid = row.get("uid")
        if uid is not None and here is None and not view.database.uid_min <= uid <= view.database.uid_max:
            told = (uid, view.database.uid_min, view.database.uid_max)
            raise InvalidEntry(name, "uid", "%d is outside %d-%d, this server's numbers for people" % told)
        if uid is not None and here is None:
            if uid in by_uid:
                raise InvalidEntry(name, "uid", "%d is %s's on this server" % (uid, by_uid[uid]))
            if uid in former and former[uid]["name"] != name:
                told = (uid, former[uid]["name"], former[uid]["at"][:10])
                raise InvalidEntry(name, "uid", "%d was %s's until %s and is never given again" % told)
        if uid is not None and here is not None and here.uid != uid:
            raise InvalidEntry(
                name, "uid", "is %d on this server, the list says %d; a uid is never changed" % (here.uid, uid)
            )
        if row.get("home") and here is not None and here.home != row["home"]:
            raise InvalidEntry(
                name,
                "home",
                "is %s on this server, the list says %s; homes are not moved" % (here.home, row["home"]),
            )
        for group in row.get("groups") or []:
            if group not in view.database.groups:
                raise InvalidEntry(name, "groups", "there is no group %s on this server" % group)
        if row.get("shell") and not os.access(row["shell"], os.X_OK):
            raise InvalidEntry(name, "shell", "%s can't be run on this server" % row["shell"])


def check_plan(view: Any, made: Plan) -> None:
    """Faults that only carrying the plan out would show. Raises InvalidEntry before anything has changed."""
    for action in made.actions:
        name = action.entry.split(" ", 1)[0]
        if action.kind == "ssh_account" and action.action == "create":
            _check_new_home(view, name)
        if name in view.database.twice and action.kind in ("ssh_account", "ssh_group"):
            raise InvalidEntry(name, "name", "has more than one line in /etc/passwd: mend it by hand")
        if action.kind == "ssh_account" and action.action == "restore":
            from .account_archive import why_not_restored

            problem = why_not_restored(view, name, view.registry["disabled"].get(name), view.tombstone(name))
            if problem:
                raise InvalidEntry(name, "restore", problem)
        if action.kind == "ssh_account" and action.action == "update" and name in view.me:
            shell = action.changes.get("shell", (None, None))[1]
            if shell and (os.path.basename(shell) in ("nologin", "false") or shell not in _listed_shells()):
                raise InvalidEntry(
                    name, "shell", "%s may close the account that carries this connection (see /etc/shells)" % shell
                )
        if action.kind == "ssh_sudo" and action.action in ("create", "update") and name in view.me:
            _check_own_sudo(view, name)
        if action.kind == "ssh_key":
            for file in view.files.get(name, []):
                if file.problem:
                    raise InvalidEntry(name, "keys", file.problem)
                if file.path in view.shared_files and action.action != "remove":
                    raise InvalidEntry(name, "keys", "%s is read for several accounts" % file.path)
            if not view.sshd.key_file_patterns(name):
                raise InvalidEntry(name, "keys", "sshd reads no key file for this account (AuthorizedKeysFile none)")
        if action.kind == "ssh_sudo" and action.action in ("create", "update") and not _has_visudo():
            raise InvalidEntry(name, "sudo", "sudo is not installed on this server")


def _check_new_home(view: Any, name: str) -> None:
    row = view.wanted.rows[name]
    home = view.new_home(name)
    try:
        found = os.lstat(home)
    except OSError:
        try:
            os.close(open_directory(os.path.dirname(home.rstrip("/")), 0))
        except OSError as error:
            raise InvalidEntry(name, "home", "%s can't be made: %s" % (home, error.strerror or error)) from None
        return
    if not stat.S_ISDIR(found.st_mode) or row.get("uid") != found.st_uid:
        told = "%s exists already and belongs to uid %d: a new account would take over what a former one left"
        raise InvalidEntry(name, "home", told % (home, found.st_uid))


def _check_own_sudo(view: Any, name: str) -> None:
    """sudo's last rule that fits wins: a smaller one for the account that we came by would be its only one."""
    sudo = view.wanted.rows[name]["sudo"]
    mine = {"ALL", name, "#%d" % view.database.accounts[name].uid}
    mine |= {"%" + group for group in view.groups_of(name)}
    own = [g for g in view.grants if g.who in mine]
    if not any(g.everything for g in own):
        return
    if "ALL" not in sudo["commands"] or sudo["runas"].split(":")[0] not in ("ALL", "root"):
        raise InvalidEntry(name, "sudo", "would take root from the account that carries this connection")
    # Whether Ansible knows the password only a new connection can tell: where that is tried, it decides.
    if view.params.get("confirm") == "never" and not sudo["nopasswd"] and any("NOPASSWD" in g.text for g in own):
        raise InvalidEntry(name, "sudo.nopasswd", "would ask the account that carries this connection for a password")


def _has_visudo() -> bool:
    return any(
        os.access(os.path.join(p, "visudo"), os.X_OK) for p in ("/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin")
    )


def _listed_shells() -> set[str]:
    try:
        with open("/etc/shells", encoding="utf-8", errors="replace") as stream:
            return {line.strip() for line in stream if line.startswith("/")}
    except OSError:
        return {"/bin/sh", "/bin/bash"}
