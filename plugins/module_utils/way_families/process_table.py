# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at /proc: what runs, for whom, since when, and over which sockets it speaks."""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Connection", "Process", "ProcessTable"]


@dataclass(frozen=True)
class Process:
    """One process. ``words`` is its command line, ``started`` seconds since 1970."""

    pid: int
    parent: int
    comm: str
    uid: int
    words: tuple[str, ...]
    started: float

    @property
    def line(self) -> str:
        """The command line as one text."""
        return " ".join(self.words)


class Connection(NamedTuple):
    """One TCP socket or bound UDP socket, by its inode."""

    protocol: str
    local: str
    local_port: int
    remote: str
    remote_port: int
    listening: bool


class ProcessTable:
    """What runs in our own pid name space; containers' insides are theirs."""

    def __init__(self, proc: str = "/proc") -> None:
        self.proc = proc
        self.processes: dict[int, Process] = {}
        self._sockets: dict[int, Connection] | None = None
        self._paths: frozenset[str] | None = None
        boot = self._boot_time()
        tick = os.sysconf("SC_CLK_TCK") or 100
        ours = self._name_space("self")
        for name in os.listdir(proc):
            if name.isdecimal():
                found = self._read(int(name), boot, tick)
                if found is not None and self._name_space(name) in (ours, None):
                    self.processes[found.pid] = found

    def _boot_time(self) -> float:
        try:
            with open(self.proc + "/stat", encoding="ascii", errors="replace") as stream:
                for line in stream:
                    if line.startswith("btime "):
                        return float(line.split()[1])
        except (OSError, ValueError):
            pass
        return 0.0

    def _name_space(self, name: str) -> str | None:
        try:
            return os.readlink("%s/%s/ns/pid" % (self.proc, name))
        except OSError:
            return None

    def _read(self, pid: int, boot: float, tick: int) -> Process | None:
        folder = "%s/%d" % (self.proc, pid)
        try:
            with open(folder + "/stat", encoding="utf-8", errors="surrogateescape") as stream:
                text = stream.read()
            with open(folder + "/cmdline", "rb") as raw:
                words = raw.read(65536).split(b"\0")
            with open(folder + "/status", encoding="utf-8", errors="replace") as stream:
                uid = next(int(line.split()[1]) for line in stream if line.startswith("Uid:"))
        except (OSError, StopIteration, ValueError):
            return None
        comm = text[text.index("(") + 1 : text.rindex(")")]
        fields = text[text.rindex(")") + 2 :].split()
        if fields[0] == "Z" and int(fields[17]) <= 1:
            return None
        decoded = tuple(w.decode("utf-8", "surrogateescape") for w in words if w)
        return Process(pid, int(fields[1]), comm, uid, decoded, boot + int(fields[19]) / tick)

    def ancestors(self, pid: int) -> set[int]:
        """A process and all above it."""
        found: set[int] = set()
        while pid > 0 and pid not in found:
            found.add(pid)
            known = self.processes.get(pid)
            pid = known.parent if known else 0
        return found

    def below(self, pid: int) -> list[Process]:
        """The children of a process."""
        return [p for p in self.processes.values() if p.parent == pid]

    def program(self, pid: int) -> str:
        """The program file of a process; empty for a kernel thread."""
        try:
            return os.readlink("%s/%d/exe" % (self.proc, pid))
        except OSError:
            return ""

    def sockets_of(self, pid: int, handles: Iterable[int] | None = None) -> list[tuple[int, Connection]]:
        """(descriptor, connection) of a process's TCP and UDP sockets; of all descriptors, or only of these."""
        tables = self._connections()
        rows = self._socket_inodes(pid, handles)
        return [(handle, tables[inode]) for handle, inode in rows if inode in tables]

    def _connections(self) -> dict[int, Connection]:
        if self._sockets is None:
            self._sockets = {}
            for name in ("tcp", "tcp6", "udp", "udp6"):
                self._sockets.update(_table("%s/self/net/%s" % (self.proc, name), name[:3]))
        return self._sockets

    def listeners(self) -> list[tuple[Connection, int | None]]:
        """Every listening TCP and bound UDP socket, with the oldest process that holds it; None for the kernel's.

        Of a socket that systemd made and gave to a service, that is the service's.

        A socket of a process that we may not look into, or of another pid name space, has none either.
        """
        tables = self._connections()
        holders: dict[int, int] = {}
        for pid in sorted(self.processes, key=lambda pid: (pid == 1, pid)):
            for _handle, inode in self._socket_inodes(pid, None):
                if inode in tables:
                    holders.setdefault(inode, pid)
        return [(found, holders.get(inode)) for inode, found in tables.items() if found.listening]

    def unit_of(self, pid: int) -> str:
        """The unit that systemd runs a process in; empty where there is none."""
        try:
            with open("%s/%d/cgroup" % (self.proc, pid), encoding="utf-8", errors="surrogateescape") as stream:
                rows = [line.rstrip("\n").split(":", 2) for line in stream]
        except OSError:
            return ""
        for row in rows:
            if len(row) == 3 and (row[1] in ("", "name=systemd")):
                parts = [part for part in row[2].split("/") if part.endswith((".service", ".scope"))]
                if parts:
                    return parts[-1]
        return ""

    def unix_sockets(self) -> frozenset[str]:
        """The paths that somebody listens at or is connected to, of our own network name space."""
        if self._paths is None:
            try:
                with open(self.proc + "/self/net/unix", encoding="utf-8", errors="surrogateescape") as stream:
                    rows = [line.rstrip("\n").split(None, 7) for line in stream]
            except OSError:
                rows = []
            self._paths = frozenset(row[7] for row in rows if len(row) == 8)
        return self._paths

    def _socket_inodes(self, pid: int, handles: Iterable[int] | None) -> list[tuple[int, int]]:
        folder = "%s/%d/fd" % (self.proc, pid)
        try:
            names: Sequence[str] = os.listdir(folder) if handles is None else [str(n) for n in handles]
        except OSError:
            return []
        rows = []
        for name in names[:4096]:
            try:
                target = re.match(r"socket:\[(\d+)\]", os.readlink(folder + "/" + name))
            except OSError:
                continue
            if target:
                rows.append((int(name), int(target.group(1))))
        return rows


def _table(path: str, protocol: str) -> dict[int, Connection]:
    rows: dict[int, Connection] = {}
    try:
        with open(path, encoding="ascii", errors="replace") as stream:
            next(stream, None)
            for line in stream:
                words = line.split()
                local, remote = _end(words[1]), _end(words[2])
                listening = words[3] == "0A" if protocol == "tcp" else remote[1] == 0
                if listening or words[3] == "01":
                    rows[int(words[9])] = Connection(protocol, *local, *remote, listening)
    except (OSError, IndexError, ValueError):
        pass
    return rows


def _end(text: str) -> tuple[str, int]:
    """An address and port as /proc/net writes them: groups of four bytes in the machine's own order."""
    address, _colon, port = text.partition(":")
    raw = bytes.fromhex(address)
    raw = b"".join(struct.pack(">I", *struct.unpack("=I", raw[i : i + 4])) for i in range(0, len(raw), 4))
    if len(raw) == 16 and raw[:12] == b"\0" * 10 + b"\xff\xff":
        raw = raw[12:]
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw), int(port, 16)
