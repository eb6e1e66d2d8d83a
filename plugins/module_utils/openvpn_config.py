# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An OpenVPN server's configuration: what decides who may come in. Pure: text in, values out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["ConfigDamaged", "ServerConfig", "directives", "server_config"]

_TAG = re.compile(r"<(/?)([a-z0-9-]+)>\s*\Z")


class ConfigDamaged(ValueError):
    """The configuration can't be read as OpenVPN would."""


@dataclass(frozen=True)
class ServerConfig:
    """Paths are as seen from outside a chroot, except ``seen_crl`` and ``seen_clients``: those are the daemon's own."""

    path: str
    crl: str | None = None
    crl_is_directory: bool = False
    seen_crl: str | None = None
    clients: str | None = None
    seen_clients: str | None = None
    exclusive: bool = False
    certificate: str | None = None
    inline_certificate: str | None = None
    ca: str | None = None
    inline_ca: str | None = None
    user: str | None = None
    group: str | None = None
    chroot: str | None = None
    management: tuple[str, str] | None = None
    management_password: str | None = None
    bridged: bool = False


def directives(text: str) -> Iterable[tuple[str, list[str]]]:
    """Each directive with its words; an inline block is one word. Raises ConfigDamaged."""
    block: str | None = None
    body: list[str] = []
    for number, raw in enumerate(text.splitlines(), 1):
        tag = _TAG.match(raw.strip())
        if block is not None:
            if tag and tag.group(1) and tag.group(2) == block:
                yield block, ["[[INLINE]]", "\n".join(body) + "\n"]
                block = None
            else:
                body.append(raw)
            continue
        if tag and not tag.group(1):
            block, body = tag.group(2), []
            continue
        words = _words(raw, number)
        if words:
            yield words[0].lstrip("-") if words[0].startswith("--") else words[0], words[1:]
    if block is not None:
        raise ConfigDamaged("<%s> has no end" % block)


def _words(raw: str, number: int) -> list[str]:
    words: list[str] = []
    current: list[str] | None = None
    quote = ""
    escaped = False
    for character in raw:
        if escaped:
            current = [*(current or []), character]
            escaped = False
        elif character == "\\" and quote != "'":
            escaped = True
        elif quote:
            if character == quote:
                quote = ""
            else:
                current = [*(current or []), character]
        elif character in "\"'":
            quote = character
            current = current or []
        elif character.isspace():
            if current is not None:
                words.append("".join(current))
            current = None
        elif character in "#;" and current is None:
            break
        else:
            current = [*(current or []), character]
    if quote or escaped:
        raise ConfigDamaged("line %d: quote or backslash without an end" % number)
    if current is not None:
        words.append("".join(current))
    return words


def server_config(path: str, text: str, arguments: Sequence[str] = (), directory: str | None = None) -> ServerConfig:
    """The parts of a configuration that decide who comes in.

    ``arguments``: the running daemon's own command line, which adds to the file. ``directory``: where it was started.
    """
    found: dict[str, list[str]] = {}
    rows = [*_arguments(arguments), *directives(text)]
    for name, words in rows:
        found[name] = words
    base = _first(found, "cd") or directory or os.path.dirname(path) or "/"
    if directory and not os.path.isabs(base):
        base = os.path.join(directory, base)
    chroot = _first(found, "chroot")
    if chroot is not None:
        chroot = os.path.normpath(os.path.join(base, chroot))

    def outside(value: str | None) -> str | None:
        return None if value is None else os.path.normpath(os.path.join(base, value))

    def seen(value: str | None) -> str | None:
        # After its chroot the daemon stands in the new root: relative names count from there.
        if value is None:
            return None
        return os.path.normpath(os.path.join("/", value)) if chroot else outside(value)

    def inside(value: str | None) -> str | None:
        own = seen(value)
        return own if own is None or chroot is None else os.path.normpath(chroot + own)

    crl = found.get("crl-verify", [])
    if crl[:1] == ["[[INLINE]]"]:
        raise ConfigDamaged("crl-verify is inline: a list inside the configuration can't be renewed")
    management = found.get("management", [])
    password = management[2] if len(management) > 2 else None
    return ServerConfig(
        path=path,
        crl=inside(crl[0]) if crl else None,
        crl_is_directory=len(crl) > 1 and crl[1] == "dir",
        seen_crl=seen(crl[0]) if crl else None,
        clients=inside(_first(found, "client-config-dir")),
        seen_clients=seen(_first(found, "client-config-dir")),
        exclusive="ccd-exclusive" in found,
        certificate=outside(_plain(found, "cert")),
        inline_certificate=_inline(found, "cert"),
        ca=outside(_plain(found, "ca")),
        inline_ca=_inline(found, "ca"),
        user=_first(found, "user"),
        group=_first(found, "group"),
        chroot=chroot,
        management=_management(management, base),
        management_password=None if password in (None, "stdin") else outside(password),
        bridged=(_first(found, "dev-type") or _first(found, "dev") or "").startswith("tap"),
    )


def _arguments(words: Sequence[str]) -> list[tuple[str, list[str]]]:
    rows: list[tuple[str, list[str]]] = []
    for word in words:
        if word.startswith("--"):
            rows.append((word[2:], []))
        elif rows:
            rows[-1][1].append(word)
    return rows


def _first(found: dict[str, list[str]], name: str) -> str | None:
    words = found.get(name)
    return words[0] if words else None


def _plain(found: dict[str, list[str]], name: str) -> str | None:
    value = _first(found, name)
    return None if value == "[[INLINE]]" else value


def _inline(found: dict[str, list[str]], name: str) -> str | None:
    words = found.get(name, [])
    return words[1] if words[:1] == ["[[INLINE]]"] else None


def _management(words: list[str], base: str) -> tuple[str, str] | None:
    if len(words) < 2:
        return None
    if words[1] == "unix":
        return ("unix", os.path.normpath(os.path.join(base, words[0])))
    if words[0] == "tunnel" or not words[1].isdecimal():
        return None
    return (words[0], words[1])
