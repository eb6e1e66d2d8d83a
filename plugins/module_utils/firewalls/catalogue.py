# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backends by name, the option ``sinks``, and what ``auto`` finds on a host."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .command import attempt, find
from .kept_file import read_text
from .protocol import LISTS, Sink, SinkError

__all__ = ["SETTINGS", "SIDES", "argument", "build", "detect", "sink_class"]

SIDES = ("file", "live")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,60}\Z", re.ASCII)
#: Which settings belong to which backend. A setting for another backend is a mistake that would pass unseen.
SHARED = {"backend", "name", "lists", "manage"}
SETTINGS: dict[str, tuple[str, ...]] = {
    "apache": ("file", "ports"),
    "fail2ban": ("file",),
    "firewalld": ("set", "zone"),
    "ipset": ("file", "set"),
    "line_file": ("file", "template", "comment", "validate", "reload", "ports"),
    "minifirewall": ("file", "ports"),
    "nftables": ("family", "table", "set", "ports", "trusted_ports", "file", "include_in"),
    "nginx": ("file", "ports"),
    "nrpe": ("file",),
    "sshd": ("file", "include_in", "directives"),
    "ufw": ("ports",),
}


def sink_class(backend: str) -> type[Sink]:
    """The class behind a name. A server compiles each file that it imports anew in each run: only what is named."""
    if backend == "apache":
        from .apache import Apache

        return Apache
    if backend == "fail2ban":
        from .fail2ban import Fail2ban

        return Fail2ban
    if backend == "firewalld":
        from .firewalld import Firewalld

        return Firewalld
    if backend == "ipset":
        from .ipset import Ipset

        return Ipset
    if backend == "line_file":
        from .line_file import LineFile

        return LineFile
    if backend == "minifirewall":
        from .minifirewall import Minifirewall

        return Minifirewall
    if backend == "nftables":
        from .nftables import Nftables

        return Nftables
    if backend == "nginx":
        from .nginx import Nginx

        return Nginx
    if backend == "nrpe":
        from .nrpe import Nrpe

        return Nrpe
    if backend == "sshd":
        from .sshd import Sshd

        return Sshd
    if backend == "ufw":
        from .ufw import Ufw

        return Ufw
    raise SinkError("%r is no backend; there are auto, %s" % (backend, ", ".join(sorted(SETTINGS))))


def argument() -> dict[str, Any]:
    """Argument spec of the option ``sinks``."""
    return {
        "type": "list",
        "elements": "dict",
        "default": [{"backend": "auto"}],
        "options": {
            "backend": {"type": "str", "required": True, "choices": ["auto", *sorted(SETTINGS)]},
            "name": {"type": "str"},
            "lists": {"type": "list", "elements": "str", "choices": list(LISTS)},
            "manage": {"type": "str", "choices": ["ours", "all"]},
            "file": {"type": "path"},
            "include_in": {"type": "str"},
            "family": {"type": "str", "choices": ["inet", "ip", "ip6"]},
            "table": {"type": "str"},
            "set": {"type": "str"},
            "ports": {"type": "list", "elements": "int"},
            "trusted_ports": {"type": "list", "elements": "int"},
            "zone": {"type": "str"},
            "template": {"type": "str"},
            "comment": {"type": "str"},
            "validate": {"type": "str"},
            "reload": {"type": "str"},
            "directives": {"type": "list", "elements": "str"},
        },
    }


def build(rows: Sequence[Mapping[str, Any]], memory: Mapping[str, Any]) -> list[Sink]:
    """The sinks that the option names, ``auto`` replaced by what the host has. Raises SinkError."""
    sinks: list[Sink] = []
    for row in rows:
        settings = {k: v for k, v in row.items() if v is not None}
        found = detect() if settings.get("backend") == "auto" else [settings]
        if settings.get("backend") == "auto" and not found:
            raise SinkError("auto finds no firewall and no allow file of a known service on this host: name the sinks")
        shared = {k: v for k, v in settings.items() if k == "lists"} if settings.get("backend") == "auto" else {}
        for each in found:
            one = {**each, **shared}
            _check(one)
            name = str(one.get("name") or one["backend"])
            if name in [sink.name for sink in sinks]:
                if settings["backend"] == "auto":
                    # Named with its own settings before: that one counts.
                    continue
                raise SinkError("two sinks have the name %s: give one of them another" % name)
            known = memory.get(name, {})
            sinks.append(sink_class(one["backend"])(one, known if known.get("backend") == one["backend"] else {}))
    if not sinks:
        raise SinkError("no sink is named")
    return sinks


def _check(settings: Mapping[str, Any]) -> None:
    backend = str(settings.get("backend"))
    sink_class(backend)
    foreign = sorted(set(settings) - SHARED - set(SETTINGS[backend]))
    if foreign:
        raise SinkError("%s: %s is no setting of this backend" % (backend, ", ".join(foreign)))
    name = str(settings.get("name") or backend)
    if not NAME.match(name):
        raise SinkError("%r is no name for a sink" % name)
    for option in ("ports", "trusted_ports"):
        for port in settings.get(option) or ():
            if not 1 <= port <= 65535:
                raise SinkError("%s: %d in %s is no port" % (name, port, option))
    for option in ("file", "include_in"):
        path = settings.get(option)
        if path and (not str(path).startswith("/") or re.search(r"[\x00-\x1f\"'\\]", str(path))):
            raise SinkError("%s: %s %r is no absolute path that can stand in a configuration" % (name, option, path))


def detect() -> list[dict[str, Any]]:
    """The sinks of this host: its one firewall, and the allow lists of services that keep one.

    A front end is preferred to what it drives. An allow file must exist: nothing is a sink that nobody prepared.
    """
    from .apache import Apache
    from .minifirewall import FILE as MINIFIREWALL_FILE
    from .nginx import Nginx
    from .nrpe import FILE as NRPE_FILE
    from .sshd import FILE as SSHD_FILE
    from .ufw import Ufw

    found: list[dict[str, Any]] = []
    if read_text(MINIFIREWALL_FILE) is not None:
        found.append({"backend": "minifirewall"})
    elif find("ufw") is not None and Ufw.enabled():
        found.append({"backend": "ufw"})
    elif find("firewall-cmd") is not None and attempt(["firewall-cmd", "--state"]).code == 0:
        found.append({"backend": "firewalld"})
    elif find("nft") is not None:
        found.append({"backend": "nftables"})
    elif find("ipset") is not None:
        found.append({"backend": "ipset"})
    if find("fail2ban-client") is not None:
        found.append({"backend": "fail2ban"})
    if find("nrpe") is not None and read_text(NRPE_FILE) is not None:
        found.append({"backend": "nrpe"})
    for program, sink in (("nginx", Nginx), ("apache2ctl", Apache), ("apachectl", Apache)):
        row = {"backend": sink.backend}
        if find(program) is not None and row not in found and read_text(sink.default_file) is not None:
            found.append(row)
    text = read_text(SSHD_FILE)
    if text is not None:
        lines = [line.strip() for line in text.splitlines() if line.startswith("\t")]
        if lines:
            found.append({"backend": "sshd", "directives": lines})
    return found
