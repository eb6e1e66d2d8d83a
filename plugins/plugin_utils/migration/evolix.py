# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evolix's roles: ``evolinux_users``, ``project_users_db`` and minifirewall's variables. Pure.

Sources: github.com/Evolix/ansible-roles: evolinux-users/README.md and tasks/user.yml, sudo*.yml;
project-users/README.md and tasks/user/add.yml; minifirewall/defaults/main.yml.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.reconcile import InvalidEntry

from .carried import Carried, Fields, mapping, texts

__all__ = ["evolinux_users", "minifirewall", "project_users"]

#: Variable of the role -> our list. TRUSTEDIPS reach more ports than PRIVILEGIEDIPS.
MINIFIREWALL_LISTS = {
    "minifirewall_trusted_ips": "trusted",
    "minifirewall_default_trusted_ips": "trusted",
    "default_trusted_ips": "trusted",
    "additional_trusted_ips": "trusted",
    "minifirewall_additional_trusted_ips": "trusted",
    "minifirewall_privilegied_ips": "privileged",
}
PASSWORD = "passwords are not kept in a list; an account that is there keeps its own"  # noqa: S105 - a text


def evolinux_users(
    users: Any, create: str = "always", groups: Sequence[str] = ("evolinux-ssh", "evolinux-sudo", "adm")
) -> Carried:
    """``evolinux_users``: the role makes the users whose ``create`` is the one asked for, all with sudo."""
    made = Carried()
    for key, value in mapping(users, "evolinux_users").items():
        fields = Fields("evolinux_users.%s" % key, value, made)
        when = fields.text("create") or "always"
        if when != create:
            made.leave(fields.entry, "create", "is made for create: %s only" % when, when)
            continue
        made.account(_user(fields, groups))
        fields.rest()
    return made


def project_users(
    db: Any,
    present: Sequence[str] = (),
    absent: Sequence[str] = (),
    main_group: str | None = None,
    groups: Sequence[str] = ("evolinux-ssh",),
) -> Carried:
    """``project_users_db`` with the names of its present and absent lists: present counts but where absent says no."""
    made = Carried()
    known = mapping(db, "project_users_db")
    wanted = texts(present, "project_users_present", "present")
    gone = texts(absent, "project_users_absent", "absent")
    for name in wanted + gone:
        if name not in known:
            which = "present" if name in wanted else "absent"
            raise InvalidEntry("project_users_%s" % which, name, "is not in project_users_db")
    for key, value in known.items():
        entry = "project_users_db.%s" % key
        if key in gone:
            made.leave(entry, "absent", "is to be gone: what the list doesn't hold is obsolete", key)
        elif key not in wanted:
            made.leave(entry, "present", "is in no list: not for this host", key)
        else:
            fields = Fields(entry, value, made)
            fields.leave(PASSWORD, "update_password")
            made.account(_user(fields, [*([main_group] if main_group else []), *groups]))
            fields.rest()
    return made


def _user(fields: Fields, groups: Sequence[str]) -> dict[str, Any]:
    name = fields.text("name")
    if name is None:
        raise InvalidEntry(fields.entry, "name", "is missing")
    fullname = fields.text("fullname")
    fields.leave(PASSWORD, "password_hash", secret=True)
    own = fields.texts("groups", separators=",")
    return {
        "name": name,
        "person": fullname or name,
        "comment": fullname,
        "uid": fields.number("uid"),
        "shell": fields.text("shell") or "/bin/bash",
        "groups": list(dict.fromkeys([*groups, *own])),
        "keys": list(dict.fromkeys(fields.texts("ssh_key") + fields.texts("ssh_keys"))),
    }


def minifirewall(variables: Any) -> Carried:
    """The variables of the role minifirewall, by name. INTLAN and ports are no lists of people's addresses."""
    made = Carried()
    given: Mapping[str, Any] = mapping(variables, "minifirewall")
    for name, value in given.items():
        if name in MINIFIREWALL_LISTS:
            # One address in both lists reaches what the wider one does; minifirewall tries the trusted ones, too.
            for text in texts(value, name, "address", separators=" "):
                made.address(text, name, MINIFIREWALL_LISTS[name], reason=name)
        elif name in ("minifirewall_intlan", "intlan"):
            made.leave(name, "address", "the local network reaches all ports: no list of people's addresses", value)
        else:
            made.leave(name, "variable", "is no list of addresses", value)
    return made
