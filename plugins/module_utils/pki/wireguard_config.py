# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A WireGuard configuration (``/etc/wireguard/wg0.conf``): peers in, the same bytes out but for what changed. Pure.

A peer is its public key. What we disable stays in the file as comments, so that it can come back unchanged.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

__all__ = ["ConfigDamaged", "Peer", "WireGuardConfig", "canonical_networks", "parse_wireguard", "public_key"]

NAME_MARK = "# infogerance.perimeter: peer "
DISABLED_MARK = "# infogerance.perimeter: disabled "
PREFIX = "#: "
#: What wg-quick understands and wg does not.
QUICK_ONLY = frozenset(("address", "dns", "mtu", "table", "preup", "postup", "predown", "postdown", "saveconfig"))
_SECTION = re.compile(r"\s*\[(\w+)\]\s*(?:#.*)?\Z")


class ConfigDamaged(ValueError):
    """The configuration can't be read surely: nothing may be written from it."""


@dataclass(frozen=True)
class Peer:
    """One peer. ``lines`` are its lines as wg would read them, comments above ``[Peer]`` included."""

    key: str
    networks: tuple[str, ...]
    lines: tuple[str, ...]
    name: str | None = None
    disabled_since: str | None = None

    def text(self) -> list[str]:
        """The lines as they stand in the file."""
        if self.disabled_since is None:
            return list(self.lines)
        return [DISABLED_MARK + self.disabled_since] + [PREFIX + line for line in self.lines]

    def with_networks(self, networks: Iterable[str]) -> Peer:
        """The same peer with other addresses; everything else of it stays."""
        wanted = tuple(networks)
        kept = [line for line in self.lines if _field(line)[0] != "allowedips"]
        kept.insert(_last_setting(kept) + 1, "AllowedIPs = " + ", ".join(wanted))
        return replace(self, networks=wanted, lines=tuple(kept))

    @classmethod
    def new(cls, key: str, networks: Iterable[str], name: str) -> Peer:
        """A peer that was not there."""
        wanted = tuple(networks)
        lines = (NAME_MARK + name, "[Peer]", "PublicKey = " + key, "AllowedIPs = " + ", ".join(wanted), "")
        return cls(key, wanted, lines, name)


@dataclass(frozen=True)
class WireGuardConfig:
    """The file: what stands before the first peer, and the peers in order."""

    head: tuple[str, ...]
    peers: tuple[Peer, ...]
    saves_itself: bool = False

    def text(self) -> str:
        """The whole file."""
        lines = list(self.head)
        for peer in self.peers:
            if lines and lines[-1].strip():
                lines.append("")
            lines += peer.text()
        return "\n".join(lines).rstrip("\n") + "\n"

    def active(self) -> list[Peer]:
        """The peers that may come in."""
        return [peer for peer in self.peers if peer.disabled_since is None]

    def for_wg(self, others: Iterable[str] = ()) -> str:
        """What ``wg syncconf`` takes: without wg-quick's own settings, with the lines of peers that are not ours."""
        lines = [line for line in self.head if _field(line)[0] not in QUICK_ONLY]
        for peer in self.active():
            lines += peer.lines
        return "\n".join([*lines, *others]) + "\n"


def public_key(text: str) -> str:
    """The key in its one spelling. Raises ValueError."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32:
        raise ValueError("%r is not a WireGuard public key (32 bytes in base64)" % text[:60])
    return base64.b64encode(raw).decode("ascii")


def canonical_networks(texts: Iterable[str]) -> tuple[str, ...]:
    """Sorted networks without host bits' ambiguity. Raises ValueError."""
    found = {ipaddress.ip_network(text.strip()) for text in texts if text.strip()}
    return tuple(str(n) for n in sorted(found, key=lambda n: (n.version, int(n.network_address), n.prefixlen)))


def parse_wireguard(data: bytes) -> WireGuardConfig:
    """Read a configuration. Raises ConfigDamaged."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigDamaged("is not UTF-8: %s" % error) from None
    if text and not text.endswith("\n"):
        raise ConfigDamaged("has no end of line at its end: it may have been cut short")
    head: list[str] = []
    groups: list[tuple[str | None, list[str]]] = []
    held: list[str] = []
    current: list[str] = head
    disabled: str | None = None
    section = ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw
        if raw.startswith(DISABLED_MARK):
            disabled = raw[len(DISABLED_MARK) :].strip()[:10]
            current = []
            groups.append((disabled, current))
            held = []
            continue
        if disabled is not None and raw.startswith(PREFIX.rstrip()):
            current.append(raw[len(PREFIX) :])
            continue
        if disabled is not None:
            disabled, section = None, ""
            current = []
        if line.lstrip().startswith("#"):
            # A comment belongs to the section that follows, if one does at once.
            held.append(line)
            continue
        found = _SECTION.match(line)
        if found is None:
            if held:
                current += held
                held = []
            if line.strip() and not section:
                raise ConfigDamaged("line %d: %r stands in no section" % (number, line[:40]))
            if current is not head and not section and not line.strip():
                continue
            current.append(line)
            continue
        section = found.group(1).lower()
        if section == "interface":
            if groups or any(_SECTION.match(earlier) for earlier in head):
                raise ConfigDamaged("line %d: a second [Interface], or one behind a peer" % number)
            head += [*held, line]
            current = head
        elif section == "peer":
            current = [*held, line]
            groups.append((None, current))
        else:
            raise ConfigDamaged("line %d: unknown section [%s]" % (number, found.group(1)))
        held = []
    current += held
    settings = dict(_field(line) for line in head)
    if "privatekey" not in settings and "postup" not in settings:
        raise ConfigDamaged("has no [Interface] with a PrivateKey: it may have been cut short or emptied")
    peers = [_peer(lines, since) for since, lines in groups]
    keys = [peer.key for peer in peers]
    for key in keys:
        if keys.count(key) > 1:
            raise ConfigDamaged("has the peer %s twice" % key)
    return WireGuardConfig(tuple(head), tuple(peers), settings.get("saveconfig", "").lower() == "true")


def _field(line: str) -> tuple[str, str]:
    name, _equals, value = line.partition("#")[0].partition("=")
    return name.strip().lower(), value.strip()


def _last_setting(lines: list[str]) -> int:
    return max((n for n, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")), default=0)


def _peer(lines: list[str], since: str | None) -> Peer:
    key = ""
    networks: list[str] = []
    name = None
    for line in lines:
        if line.startswith(NAME_MARK):
            name = line[len(NAME_MARK) :].strip()
        field, value = _field(line)
        if field == "publickey":
            key = value
        elif field == "allowedips":
            networks += value.split(",")
    try:
        return Peer(public_key(key), canonical_networks(networks), tuple(lines), name, since)
    except ValueError as error:
        raise ConfigDamaged("peer %s: %s" % (key or "without a PublicKey", error)) from None
