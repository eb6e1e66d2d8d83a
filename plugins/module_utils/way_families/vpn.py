# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network: VPN servers' configurations, peers and clients' files.

Sources: openvpn(8), wg(8), wg-quick(8).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from ansible_collections.infogerance.perimeter.plugins.module_utils.openvpn_config import (
    ConfigDamaged,
    directives,
    server_config,
)
from ansible_collections.infogerance.perimeter.plugins.module_utils.pki.wireguard_config import (
    ConfigDamaged as WireGuardDamaged,
)
from ansible_collections.infogerance.perimeter.plugins.module_utils.pki.wireguard_config import parse_wireguard

from .context import Context, Seen
from .family import VPN_CERTIFICATES, Closing, Finding
from .remedy import comment_out, word

__all__ = ["look"]

OPENVPN = ("/etc/openvpn", "/etc/openvpn/server")
LOOPBACK = ("127.", "::1", "localhost", "unix")


def look(ctx: Context) -> Iterator[Finding]:
    """OpenVPN, then WireGuard."""
    for folder in OPENVPN:
        for found in ctx.files(folder, ending=".conf"):
            yield from _openvpn(ctx, found)
    for found in ctx.files("/etc/wireguard", ending=".conf"):
        yield from _wireguard(ctx, found)


def _openvpn(ctx: Context, found: Seen) -> Iterator[Finding]:
    try:
        rows = list(directives(found.text))
        config = server_config(found.path, found.text)
    except ConfigDamaged as error:
        ctx.unread(found.path, str(error))
        return
    names = {name for name, _words in rows}
    if "client" in names or (
        "remote" in names and not names & {"server", "mode", "tls-server", "server-bridge"} and "secret" not in names
    ):
        return
    for name, words in rows:
        kind_and_why = _directive(name, words)
        if kind_and_why:
            kind, why = kind_and_why
            number = _line_of(found, name)
            close = (
                comment_out(found.path, number)
                if number
                else "sed -i '/^<%s>/,/^<.%s>/d' -- %s" % (name, name, word(found.path))
            )
            entry = name if words[:1] == ["[[INLINE]]"] else " ".join([name, *words[:2]])
            yield Finding(kind, found.path, why, Closing(close), None, entry, since=found.since)
    if config.clients:
        for client in ctx.files(config.clients):
            yield from _client_file(ctx, client, config.exclusive)


def _directive(name: str, words: list[str]) -> tuple[str, str] | None:
    if name == "secret":
        return "openvpn_static_key", "whoever has the static key is in: it names nobody and can't be revoked"
    if name == "client-cert-not-required" or (name == "verify-client-cert" and words[:1] != ["require"]):
        return "openvpn_no_certificate", "clients need no certificate: a password alone, or nothing, lets them in"
    if name == "management" and words and not words[0].startswith(LOOPBACK) and words[1:2] != ["unix"]:
        return "openvpn_management", "its management port takes commands from the network"
    if name == "auth-user-pass-optional":
        return "openvpn_no_certificate", "clients may leave out name and password"
    return None


def _line_of(found: Seen, name: str) -> int | None:
    return next((n for n, line in found.lines if re.match(r"(--)?%s(\s|\Z)" % re.escape(name), line)), None)


def _client_file(ctx: Context, client: Seen, exclusive: bool) -> Iterator[Finding]:
    name = os.path.basename(client.path)
    if name == "DEFAULT" or any(line.split()[0] == "disable" for _n, line in client.lines):
        return
    declared = ctx.people.declares_certificate(name)
    why = "a client of this name is let in" if exclusive else "gives a client of this name its own settings"
    yield Finding(
        "openvpn_client",
        client.path,
        why,
        Closing("echo disable > %s" % word(client.path), VPN_CERTIFICATES),
        None,
        name,
        *ctx.people.certificate(name),
        since=client.since,
        declared=declared,
    )


def _wireguard(ctx: Context, found: Seen) -> Iterator[Finding]:
    interface = os.path.splitext(os.path.basename(found.path))[0]
    try:
        config = parse_wireguard(found.data or b"")
    except WireGuardDamaged as error:
        ctx.unread(found.path, str(error))
        return
    for peer in config.active():
        # From the peer's key up to the section's start, and on to the next one.
        number = _peer_line(found, peer.key)
        live = "wg set %s peer %s remove 2>/dev/null; " % (word(interface), word(peer.key))
        close = live + _drop_peer(found, number)
        yield Finding(
            "wireguard_peer",
            found.path,
            "whoever has this peer's key reaches the network behind",
            Closing(close, VPN_CERTIFICATES),
            None,
            peer.key,
            *ctx.people.certificate(peer.key, peer.name),
            since=found.since,
            declared=ctx.people.declares_certificate(peer.key, peer.name),
        )


def _peer_line(found: Seen, key: str) -> int:
    return next((n for n, line in found.lines if line.endswith(key) and line.lower().startswith("publickey")), 1)


def _drop_peer(found: Seen, number: int) -> str:
    """Turn the whole section into comments: its lines alone, by their numbers."""
    rows = found.text.split("\n")
    first = max(n for n in range(1, number + 1) if rows[n - 1].strip().lower().startswith("[peer]"))
    after = [n for n in range(number + 1, len(rows) + 1) if rows[n - 1].strip().startswith("[")]
    last = (after[0] - 1) if after else len([r for r in rows if r or r is not rows[-1]])
    return "sed -i '%d,%ds/^/# /' -- %s" % (first, last, word(found.path))
