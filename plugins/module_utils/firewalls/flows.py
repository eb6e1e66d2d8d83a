# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TCP sessions and tracked flows of an address that has lost its privilege: seen, cut, and seen again.

Sessions are read from the kernel's own tables, so that the answer does not depend on a tool.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ansible_collections.infogerance.perimeter.plugins.module_utils.addresses import Coverage, Network

from .command import attempt, find
from .protocol import SinkError

__all__ = ["Session", "batches", "cut", "sessions"]

ESTABLISHED = "01"
#: The kernel needs a moment to take a destroyed socket out of its table.
PATIENCE = 1.0
#: Sessions that one call of ss names.
BATCH = 64
#: Seconds for all cutting. Whoever is shut out must not be able to hold a run up, by ten thousand sessions, until the
#: server rolls the change back.
BUDGET = 15.0


class Session(NamedTuple):
    """One established TCP session, seen from the server."""

    peer: Network
    peer_port: int
    local_port: int


def sessions(of: Coverage, ports: frozenset[int] | None = None) -> list[Session]:
    """Established sessions whose peer is covered by ``of``, to any of ``ports`` (None: all)."""
    found = []
    for path, version in (("/proc/net/tcp", 4), ("/proc/net/tcp6", 6)):
        try:
            with open(path, encoding="ascii") as stream:
                rows = stream.readlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if len(fields) < 4 or fields[3] != ESTABLISHED:
                continue
            port = int(fields[1].rpartition(":")[2], 16)
            peer_text, _colon, peer_port = fields[2].rpartition(":")
            peer = _peer(peer_text, version)
            if (ports is None or port in ports) and peer in of:
                found.append(Session(peer, int(peer_port, 16), port))
    return found


def _peer(text: str, version: int) -> Network:
    # Words of four bytes in the machine's own order.
    packed = b"".join(struct.pack("=I", int(text[i : i + 8], 16)) for i in range(0, len(text), 8))
    value = int.from_bytes(packed, "big")
    if version == 6 and value >> 32 == 0xFFFF:
        return Network(4, value & 0xFFFFFFFF, 32)
    return Network(version, value, 32 if version == 4 else 128)


def cut(
    removed: Iterable[Network], kept: Coverage, ports: frozenset[int] | None, keep: Coverage, really: bool = True
) -> list[dict[str, Any]]:
    """Cut the sessions of ``removed``, except those that ``kept`` still covers and those of ``keep``.

    ``keep`` is the controller and ``must_reach``: their sessions are never touched.
    Returns one row an address: sessions before, still alive, whether they were cut, and by what.
    """
    gone = Coverage(removed)
    before = [s for s in sessions(gone, ports) if s.peer not in kept and s.peer not in keep]
    if not before:
        return []
    means: list[str] = []
    if really:
        # Without the flow's entry an ESTABLISHED rule no longer lets its packets pass, even where the socket survives.
        cutters = [["ss", "-K", "-n", "-t", *expression] for expression in batches(before)]
        cutters += [["conntrack", "-D", "-s", source] for source in sorted({str(s.peer) for s in before})]
        end = time.monotonic() + BUDGET
        for argv in cutters:
            seconds = end - time.monotonic()
            if seconds <= 0 or find(argv[0]) is None:
                continue
            try:
                done = attempt(argv, timeout=seconds)
            except SinkError:
                continue
            if done.code == 0:
                means += [m for m in [" ".join(argv[:2])] if m not in means]
    alive = set(before)
    deadline = time.monotonic() + PATIENCE
    while True:
        alive &= set(sessions(gone, ports))
        if not alive or time.monotonic() >= deadline:
            break
        time.sleep(0.05)
    by_peer: dict[Network, list[Session]] = {}
    for session in before:
        by_peer.setdefault(session.peer, []).append(session)
    rows = []
    for peer, mine in sorted(by_peer.items()):
        left = [s for s in mine if s in alive]
        rows.append(
            {
                "address": str(peer),
                "ports": sorted({s.local_port for s in mine}),
                "sessions": len(mine),
                "alive": len(left),
                "cut": not left,
                "means": ", ".join(means) or ("none worked" if really else "not asked for"),
            }
        )
    return rows


def batches(found: Sequence[Session]) -> Iterator[list[str]]:
    """Filters of ss that name these sessions and no other, ``BATCH`` in each."""
    for start in range(0, len(found), BATCH):
        words: list[str] = []
        for session in found[start : start + BATCH]:
            words += ["or"] if words else []
            words += ["(", "dst", _bracketed(session), "and", "sport", "=", ":%d" % session.local_port, ")"]
        yield words


def _bracketed(session: Session) -> str:
    text = str(session.peer)
    return "[%s]:%d" % (text, session.peer_port) if session.peer.version == 6 else "%s:%d" % (text, session.peer_port)


def resolve(name: str) -> list[str]:
    """Addresses of a hostname, asked of the server's own resolver. Raises OSError."""
    return sorted({str(row[4][0]) for row in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)})
