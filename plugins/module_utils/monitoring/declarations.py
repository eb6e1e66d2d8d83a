# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's declarations, validated: every entry, before anything is looked at. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.reconcile import InvalidEntry

from .item import KINDS, Item

__all__ = ["Rule", "declared", "rules"]

#: Kind -> the fields that an entry of it may have, beside kind, name, note and check.
FIELDS = {
    "port": ("protocol", "port", "address", "user", "program", "unit"),
    "unit": ("user", "program", "state"),
    "timer": ("unit", "state"),
    "container": ("image", "user", "state"),
    "vhost": ("server", "ports", "tls"),
}
CHECKS = ("tcp", "udp", "http", "https", "none")
_WORD = re.compile(r"[A-Za-z0-9_.@:+\\-]{1,200}\Z")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?\Z")
#: A site may have a star at either end, too.
_SITE = re.compile(r"(?:\*\.)?" + _HOST.pattern.replace(r"\Z", r"(?:\.\*)?\Z"))
_PATH = re.compile(r"/[!-~]{0,500}\Z")
_SERVERS = ("nginx", "apache")
_UNIT_STATES = ("active", "failed", "inactive")


class Rule:
    """A rule of the baseline: what all its fields fit is left out of the noise. system: not what a person runs."""

    def __init__(self, fields: Mapping[str, Any], *, system: bool = False) -> None:
        self.fields = dict(fields)
        self.system = system


def declared(entries: Sequence[Any]) -> list[Item]:
    """The declared items. Raises InvalidEntry, which names the entry and the field."""
    found: list[Item] = []
    seen: dict[tuple[Any, ...], int] = {}
    for place, entry in enumerate(entries):
        item = _declared(entry, "entries[%d]" % place)
        # The same site may stand on nginx and on Apache behind it.
        apart = item.user if item.kind in ("unit", "container") else item.server
        key = (item.kind, item.name, item.addresses, apart)
        if key in seen:
            raise InvalidEntry(
                "entries[%d]" % place, "name", "%s is declared in entries[%d], too" % (item.name, seen[key])
            )
        seen[key] = place
        found.append(item)
    return found


def _declared(entry: Any, where: str) -> Item:
    if not isinstance(entry, Mapping):
        raise InvalidEntry(where, "kind", "the entry is no mapping")
    kind = entry.get("kind")
    if kind not in KINDS:
        raise InvalidEntry(where, "kind", "%r is not one of %s" % (kind, ", ".join(KINDS)))
    allowed = {*FIELDS[str(kind)], "kind", "name", "note", "check"}
    for key in entry:
        if key not in allowed:
            raise InvalidEntry(where, str(key), "a %s has no such field" % kind)
    fields: dict[str, Any] = {key: entry[key] for key in FIELDS[str(kind)] if entry.get(key) is not None}
    for key in ("user", "program", "unit", "image"):
        if key in fields:
            pattern = _WORD if key != "image" else re.compile(r"[A-Za-z0-9_.:/@+-]{1,300}\Z")
            if not isinstance(fields[key], str) or not pattern.match(fields[key]):
                raise InvalidEntry(where, key, "%r is no %s" % (fields[key], key))
    name = _name(str(kind), entry, fields, where)
    about = _check(entry.get("check"), where)
    _fits(str(kind), about, where)
    if entry.get("note") is not None:
        about["note"] = str(entry["note"])[:300]
    address = fields.pop("address", None)
    return Item(
        str(kind), name, addresses=() if address is None else (_address(address, where),), about=about, **fields
    )


def _name(kind: str, entry: Mapping[str, Any], fields: dict[str, Any], where: str) -> str:
    name = entry.get("name")
    if kind == "port":
        fields["protocol"] = fields.get("protocol", "tcp")
        if fields["protocol"] not in ("tcp", "udp"):
            raise InvalidEntry(where, "protocol", "%r is not tcp or udp" % (fields["protocol"],))
        fields["port"] = _port(entry.get("port"), where, "port")
        if name is not None:
            raise InvalidEntry(where, "name", "a port goes by protocol and port; say more in note")
        return "%s/%d" % (fields["protocol"], fields["port"])
    if not isinstance(name, str) or not name:
        raise InvalidEntry(where, "name", "is missing")
    if kind in ("unit", "timer"):
        ending = ".timer" if kind == "timer" else (".service", ".socket", ".mount", ".path", ".target")
        if not _WORD.match(name) or not name.endswith(ending):
            raise InvalidEntry(
                where,
                "name",
                "%r is no name of a %s, such as %s"
                % (name, kind, "backup.timer" if kind == "timer" else "shop.service"),
            )
        fields["state"] = fields.get("state", "active")
        if fields["state"] not in _UNIT_STATES:
            raise InvalidEntry(where, "state", "%r is not one of %s" % (fields["state"], ", ".join(_UNIT_STATES)))
    elif kind == "container":
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}", name, re.ASCII):
            raise InvalidEntry(where, "name", "%r is no name of a container" % name)
        if fields.get("state", "running") not in ("running", "stopped"):
            raise InvalidEntry(where, "state", "%r is not running or stopped" % (fields["state"],))
    else:
        if not _SITE.match(name):
            raise InvalidEntry(where, "name", "%r is no server name" % name)
        if fields.get("server") not in (None, *_SERVERS):
            raise InvalidEntry(where, "server", "%r is not one of %s" % (fields["server"], ", ".join(_SERVERS)))
        if not isinstance(fields.get("tls", False), bool):
            raise InvalidEntry(where, "tls", "is not true or false")
        ports = fields.get("ports", [])
        if not isinstance(ports, Sequence) or isinstance(ports, str):
            raise InvalidEntry(where, "ports", "is no list")
        fields["ports"] = tuple(sorted({_port(port, where, "ports") for port in ports}))
        # Of a web server that does not run no site answers.
        fields["state"] = "active"
        return name.lower()
    return name


def _port(value: Any, where: str, field: str) -> int:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, str))
        or not re.fullmatch(r"\d{1,5}", str(value), re.ASCII)
    ):
        raise InvalidEntry(where, field, "%r is no port" % (value,))
    if not 1 <= int(value) <= 65535:
        raise InvalidEntry(where, field, "%s is not within 1 to 65535" % value)
    return int(value)


def _address(value: Any, where: str) -> str:
    try:
        found = ipaddress.ip_address(str(value))
        if "%" in str(found):
            raise ValueError
        # The kernel's tables tell a mapped address as the one that it maps.
        return str(getattr(found, "ipv4_mapped", None) or found)
    except ValueError:
        raise InvalidEntry(where, "address", "%r is no address" % (value,)) from None


def _check(value: Any, where: str) -> dict[str, Any]:
    """How a draft may check it: type, host, path and status."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidEntry(where, "check", "is no mapping")
    for key in value:
        if key not in ("type", "host", "path", "status"):
            raise InvalidEntry(where, "check", "has no field %s" % key)
    found: dict[str, Any] = {}
    if "type" in value:
        if value["type"] not in CHECKS:
            raise InvalidEntry(where, "check", "type: %r is not one of %s" % (value["type"], ", ".join(CHECKS)))
        found["type"] = value["type"]
    if "host" in value:
        if not isinstance(value["host"], str) or not _HOST.match(value["host"]):
            raise InvalidEntry(where, "check", "host: %r is no host name" % (value["host"],))
        found["host"] = value["host"]
    if "path" in value:
        if not isinstance(value["path"], str) or not _PATH.match(value["path"]):
            raise InvalidEntry(where, "check", "path: %r is no path of a URL" % (value["path"],))
        found["path"] = value["path"]
    if "status" in value:
        if (
            isinstance(value["status"], bool)
            or not isinstance(value["status"], int)
            or not 100 <= value["status"] < 600
        ):
            raise InvalidEntry(where, "check", "status: %r is no HTTP status" % (value["status"],))
        found["status"] = value["status"]
    return found


def _fits(kind: str, check: Mapping[str, Any], where: str) -> None:
    """Only a port has a port to connect to, and only a site or a port a place to ask over HTTP."""
    how = check.get("type", "none")
    if how in ("tcp", "udp") and kind != "port":
        raise InvalidEntry(where, "check", "type: %s needs a port, and a %s has none" % (how, kind))
    if how in ("http", "https") and kind not in ("port", "vhost") and "host" not in check:
        raise InvalidEntry(where, "check", "host: is missing: a %s has no name to ask for over %s" % (kind, how))


def rules(given: Sequence[Any]) -> list[Rule]:
    """The user's rules for the baseline. Raises InvalidEntry."""
    found = []
    for place, rule in enumerate(given):
        where = "baseline[%d]" % place
        if not isinstance(rule, Mapping):
            raise InvalidEntry(where, "kind", "the rule is no mapping")
        if rule.get("kind") not in KINDS:
            raise InvalidEntry(where, "kind", "%r is not one of %s" % (rule.get("kind"), ", ".join(KINDS)))
        fields = {key: value for key, value in rule.items() if key != "reason"}
        if len(fields) < 2:
            raise InvalidEntry(where, "name", "a rule that fits every %s would hide them all" % rule["kind"])
        for key, value in fields.items():
            if key not in ("kind", "name", "program", "user", "unit"):
                raise InvalidEntry(where, str(key), "a rule has no such field")
            if not isinstance(value, str) or not value or value == "*":
                raise InvalidEntry(where, str(key), "%r is no pattern" % (value,))
        found.append(Rule(fields))
    return found
