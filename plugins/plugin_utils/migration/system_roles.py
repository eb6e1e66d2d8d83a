# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""linux-system-roles: the lists of its roles firewall and sudo. Pure.

Sources: README.md of github.com/linux-system-roles/firewall and github.com/linux-system-roles/sudo; firewalld's
richlanguage(5).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.reconcile import InvalidEntry

from .carried import Carried, Fields, mapping, rows, texts

__all__ = ["firewall", "sudo"]

#: Zones that keep out whoever is in them.
CLOSED = ("drop", "block")
#: What keeps out whoever is in a zone by its target.
REFUSED = ("DROP", "REJECT", "%%REJECT%%")
RICH = re.compile(r"\brule\b.*\bsource\s+address=\"?([^\"\s]+)\"?", re.DOTALL)
#: A value is no word of the rule: the prefix of a log may say "accept".
VALUES = re.compile(r"=\s*(?:\"[^\"]*\"|'[^']*'|\S+)")


def firewall(entries: Any) -> Carried:
    """``firewall``: the sources of zones, ipsets among them, and rich rules that accept one."""
    made = Carried()
    # The role takes one mapping for a list of one.
    listed = list(rows([entries] if isinstance(entries, Mapping) else entries, "firewall"))
    sets: dict[str, list[str]] = {}
    used: set[str] = set()
    # A row may give a zone its target and another one its sources.
    targets = {str(r.get("zone") or ""): str(r["target"]) for _l, r in listed if r.get("target") and _on(r)}
    for label, row in listed:
        name = row.get("ipset")
        if isinstance(name, str) and _on(row):
            sets.setdefault(name, []).extend(texts(row.get("ipset_entries"), label, "ipset_entries"))
    for label, row in listed:
        fields = Fields(label, row, made)
        if not _on(row):
            made.leave(label, "state", "opens nothing", row.get("state"))
            continue
        fields.take("state", "permanent", "runtime")
        zone = fields.text("zone") or ""
        if fields.take("ipset") is not None:
            fields.take("ipset_entries", "ipset_type", "ipset_options", "short", "description")
        target = fields.text("target") or targets.get(zone)
        list_ = "trusted" if zone == "trusted" or target == "ACCEPT" else "privileged"
        for text in fields.texts("source"):
            if zone in CLOSED or target in REFUSED:
                made.leave(label, "source", "the zone keeps it out", text)
            elif text.startswith("ipset:"):
                name = text[6:]
                if name not in sets:
                    made.leave(label, "source", "no entry of the list says what is in this ipset", text)
                used.add(name)
                for inner in sets.get(name, []):
                    made.address(inner, label, list_, reason="firewalld zone %s, ipset %s" % (zone or "default", name))
            else:
                made.address(text, label, list_, reason="firewalld zone %s" % (zone or "default"))
        for text in fields.texts("rich_rule"):
            _rich(made, label, text)
        fields.rest("opens to everybody, or no address: it stays the firewall role's matter")
    for name in sorted(set(sets) - used):
        made.leave("ipset %s" % name, "ipset_entries", "no zone of the list takes this ipset as its source", sets[name])
    return made


def _on(row: Mapping[str, Any]) -> bool:
    return str(row.get("state") or "enabled") in ("enabled", "present")


def _rich(made: Carried, label: str, text: str) -> None:
    found = RICH.match(text.strip())
    words = VALUES.sub("=", text).lower().split()
    if found and "accept" in words and not {"not", "invert=", "drop", "reject"} & set(words):
        made.address(found.group(1), label, reason=" ".join(text.split()))
    else:
        made.leave(label, "rich_rule", "accepts no one address", text)


def sudo(files: Any, accounts: Any = ()) -> Carried:
    """``sudo_sudoers_files``, put into accounts that are declared already.

    A rule whose account is not among them is left out: an account declared for its rule alone would lose its keys.
    """
    made = Carried()
    for label, row in rows(accounts, "accounts"):
        if not row.get("name"):
            raise InvalidEntry(label, "name", "is missing")
        made.account(row)
    for label, row in rows(files, "sudo_sudoers_files"):
        fields = Fields(str(row.get("path") or label), row, made)
        fields.take("path")
        aliases = mapping(fields.take("aliases") or {}, fields.entry)
        for number, (_label, rule) in enumerate(rows(fields.take("user_specifications"), fields.entry)):
            _rule(made, Fields("%s user_specifications[%d]" % (fields.entry, number), rule, made), aliases)
        fields.rest("the lists hold who may run what, no settings of sudo")
    return made


def _expanded(names: list[str], aliases: Mapping[str, Any], kind: str, field: str) -> list[str]:
    known = {str(a.get("name")): texts(a.get(field), kind, field) for _l, a in rows(aliases.get(kind), kind)}
    return [text for name in names for text in known.get(name, [name])]


def _rule(made: Carried, fields: Fields, aliases: Mapping[str, Any]) -> None:
    hosts = _expanded(fields.texts("hosts"), aliases, "host_alias", "hosts")
    tags = fields.texts("tags", separators=",:")
    commands = _expanded(fields.texts("commands"), aliases, "cmnd_alias", "commands")
    operators = _expanded(fields.texts("operators"), aliases, "runas_alias", "users") or ["root"]
    users = _expanded(fields.texts("users"), aliases, "user_alias", "users")
    fields.rest("a sudo rule of the lists has no such field")
    why = None
    if hosts and hosts != ["ALL"]:
        why = "is for some hosts only: %s" % ", ".join(hosts)
    elif set(tags) - {"NOPASSWD", "PASSWD"}:
        why = "has tags that the lists can't hold: %s" % ", ".join(sorted(set(tags) - {"NOPASSWD", "PASSWD"}))
    elif len(operators) != 1:
        why = "runs as several: %s" % ", ".join(operators)
    elif not commands:
        raise InvalidEntry(fields.entry, "commands", "is empty")
    for user in users:
        if user == "root":
            continue
        reason = why
        if reason is None and (user.startswith("%") or user == "ALL"):
            reason = "is for a group or for all: declare the group, or each account"
        if reason is None and user not in made.accounts:
            reason = "%s is no declared account" % user
        if reason is None and "sudo" in made.accounts[user]:
            reason = "a second rule for %s: the lists hold one an account" % user
        if reason is not None:
            made.leave(fields.entry, "users", reason, user)
            continue
        made.accounts[user]["sudo"] = {
            "commands": commands,
            "nopasswd": "NOPASSWD" in tags,
            "runas": operators[0],
        }
