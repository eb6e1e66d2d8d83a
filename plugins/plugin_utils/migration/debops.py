# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DebOps: the lists of its roles users and sshd. Pure.

Sources: github.com/debops/debops: docs/ansible/roles/users/defaults-detailed.rst, docs/ansible/roles/users/examples,
ansible/roles/sshd/defaults/main.yml.
"""

from __future__ import annotations

import datetime
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.reconcile import InvalidEntry

from .carried import Carried, Fields, mapping, rows, texts

__all__ = ["debops"]

#: In the order in which the role puts them together.
ACCOUNTS = (
    "users__accounts",
    "users__group_accounts",
    "users__host_accounts",
    "users__dependent_accounts",
)
GROUPS = ("users__groups", "users__group_groups", "users__host_groups")
ADDRESSES = {
    name: reason
    for prefix in ("", "group_", "host_")
    for name, reason in (
        ("sshd__%swhitelist" % prefix, "no limit on connections"),
        ("sshd__%sallow" % prefix, "may reach SSH"),
    )
}


def debops(variables: Any) -> Carried:
    """Variables by name. Entries of one name are merged in their order, as the role does."""
    made = Carried()
    given = dict(mapping(variables, "debops"))
    merged: dict[str, dict[str, Any]] = {}
    for variable in (*GROUPS, *ACCOUNTS):
        for label, row in rows(given.pop(variable, None), variable):
            name = row.get("name")
            if not isinstance(name, str) or not name:
                raise InvalidEntry(label, "name", "is missing")
            merged.setdefault(name, {}).update(row)
    for name, row in merged.items():
        _account(made, name, row)
    for variable, reason in ADDRESSES.items():
        for text in texts(given.pop(variable, None), variable, "address"):
            made.address(text, variable, reason="%s (%s)" % (variable, reason))
    for variable, value in given.items():
        made.leave(variable, "variable", "holds no accounts and no addresses that the lists could", value)
    return made


def _account(made: Carried, name: str, row: dict[str, Any]) -> None:
    fields = Fields(name, row, made)
    fields.take("name")
    state = fields.text("state") or "present"
    if state != "present":
        made.leave(name, "state", "is to be gone: what the list doesn't hold is obsolete", state)
        return
    if fields.flag("user") is False:
        made.leave(name, "user", "is a group only", False)
        return
    fields.leave("passwords are not kept in a list", "password", "ssh_key_passphrase", secret=True)
    keys = fields.texts("sshkeys", separators="\n")
    if (fields.text("sshkeys_state") or "present") != "present":
        keys = []
    if fields.flag("sshkeys_exclusive") is False:
        made.leave(name, "sshkeys_exclusive", "a declared list is whole: keys beside it are told as obsolete", False)
    groups = fields.texts("groups", separators=",")
    if fields.flag("append"):
        made.leave(name, "append", "a declared list is whole: groups beside it are told as obsolete", True)
    if fields.flag("system"):
        fields.leave("can't be declared for a system account, only its keys can", "uid", "shell", "comment", "home")
        if groups:
            made.leave(name, "groups", "can't be declared for a system account, only its keys can", groups)
        made.account({"name": name, "system": True, "keys": keys})
    else:
        shell = fields.text("shell")
        if fields.flag("chroot"):
            made.leave(name, "chroot", "the account is carried over, its chroot stays sshd's matter", True)
            shell = shell or "/usr/sbin/nologin"
        made.account(
            {
                "name": name,
                "person": fields.text("comment") or name,
                "comment": row.get("comment"),
                "uid": fields.number("uid"),
                "shell": shell,
                "home": fields.text("home"),
                "groups": groups,
                "expires": _day(fields.number("expires"), name),
                "keys": keys,
            }
        )
    fields.rest()


def _day(seconds: int | None, name: str) -> str | None:
    """The day of seconds since 1970; Ansible's user module takes a negative number for no expiry."""
    if seconds is None:
        return None
    if seconds < 0:
        return "never"
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC).date().isoformat()
    except (OverflowError, ValueError, OSError):
        raise InvalidEntry(name, "expires", "%d is no time" % seconds) from None
