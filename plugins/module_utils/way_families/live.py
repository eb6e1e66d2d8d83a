# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Persistence, what is in already: live sessions, multiplexing masters, tunnels, and processes that stayed.

The connection that carries this look is left out, and all that it came through.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator

from .context import Context, iso
from .family import Closing, Finding, manage_account
from .process_table import Process

__all__ = ["look"]

#: Uids that systemd gives to services for as long as they run (DynamicUser=).
DYNAMIC = range(61184, 65520)
_SSHD = ("sshd", "sshd-session")


def look(ctx: Context) -> Iterator[Finding]:
    """What runs now and lets somebody in."""
    table = ctx.processes
    ours = table.ancestors(os.getpid())
    sessions = [p for p in table.processes.values() if p.comm in _SSHD and _is_session(p) and p.pid not in ours]
    for process in sessions:
        yield _session(ctx, process)
    listening = {p.pid for p in sessions}
    for process in table.processes.values():
        if process.pid in ours:
            continue
        if (
            process.comm in ("ssh", "autossh")
            or os.path.basename(process.words[0] if process.words else "") == "autossh"
        ):
            yield from _client(ctx, process)
    yield from _forwarded(ctx, listening)
    yield from _left(ctx, ours)


def _is_session(process: Process) -> bool:
    """The process that serves one login; not its privileged parent, not the listener."""
    return (
        bool(re.match(r"sshd(-session)?: \S+(@\S+)?\Z", process.line))
        and "[" not in process.line
        and (process.uid != 0 or "@" in process.line)
    )


def _session(ctx: Context, process: Process) -> Finding:
    name = ctx.name_of(process.uid) or ("uid %d" % process.uid)
    address = next((c.remote for _n, c in ctx.processes.sockets_of(process.pid) if not c.listening), None)
    idle = not ctx.processes.below(process.pid)
    why = "a live login%s" % (" from %s" % address if address else "")
    if idle:
        why += "; it runs nothing: a multiplexing master opens new sessions over it without logging in anew"
    who = ctx.people.account(name)
    if who.person is None and address:
        who = ctx.people.address(address)
    return Finding(
        "live_session",
        "/proc/%d" % process.pid,
        why,
        Closing("kill %d" % process.pid),
        name,
        address or "",
        *who,
        since=iso(process.started),
        declared=ctx.people.declares_account(name),
    )


def _client(ctx: Context, process: Process) -> Iterator[Finding]:
    """An ssh of this server's that lets the other end in, or anybody who reaches its socket out."""
    name = ctx.name_of(process.uid)
    who, since = ctx.people.account(name), iso(process.started)
    closing = Closing("kill %d" % process.pid)
    if re.search(r"(\A|\s)-(\w*R|o\s*RemoteForward)", process.line):
        yield Finding(
            "reverse_tunnel",
            "/proc/%d" % process.pid,
            "lets the other end's users connect back to this server",
            closing,
            name,
            process.line[:200],
            *who,
            since=since,
        )
    if process.line.endswith("[mux]"):
        path = process.line[:-5].strip().partition(" ")[2]
        yield Finding(
            "ssh_master",
            path or "/proc/%d" % process.pid,
            "who reaches this socket uses the connection without a key of their own",
            closing,
            name,
            "",
            *who,
            since=since,
        )


def _forwarded(ctx: Context, sessions: set[int]) -> Iterator[Finding]:
    """Ports that a login opened on this server (ssh -R)."""
    for pid in sorted(sessions):
        process = ctx.processes.processes[pid]
        for _handle, found in ctx.processes.sockets_of(pid):
            # X11 forwarding listens there.
            if found.listening and found.protocol == "tcp" and not 6000 <= found.local_port < 6100:
                name = ctx.name_of(process.uid)
                yield Finding(
                    "ssh_forward",
                    "/proc/%d" % pid,
                    "a login listens on %s port %d and passes on what comes" % (found.local, found.local_port),
                    Closing("kill %d" % pid),
                    name,
                    "%s:%d" % (found.local, found.local_port),
                    *ctx.people.account(name),
                    since=iso(process.started),
                    declared=ctx.people.declares_account(name),
                )


def _left(ctx: Context, ours: set[int]) -> Iterator[Finding]:
    """Processes of accounts that nobody should be in: one finding an account."""
    found: dict[int, list[Process]] = defaultdict(list)
    children = _below(ctx, ours)
    for process in ctx.processes.processes.values():
        if process.pid in ours or process.pid in children or process.comm in ("systemd", "(sd-pam)", *_SSHD):
            continue
        account = ctx.by_uid.get(process.uid)
        if account is None:
            if 0 < process.uid < 65534 and process.uid not in DYNAMIC:
                found[process.uid].append(process)
        elif ctx.database.is_person(account) and (not ctx.people.declares_account(account.name) or ctx.closed(account)):
            found[process.uid].append(process)
    for uid, processes in found.items():
        name = ctx.name_of(uid)
        first = min(processes, key=lambda p: p.started)
        why = "runs %d process%s, such as %s" % (len(processes), "es" * (len(processes) > 1), first.comm)
        command = "pkill -KILL -u %d || true" % uid
        yield Finding(
            "process" if name else "orphan_process",
            "/proc/%d" % first.pid,
            why if name else "uid %d has no account and %s" % (uid, why),
            manage_account(name, command) if name else Closing(command),
            name or "uid %d" % uid,
            first.comm,
            *ctx.people.account(name),
            since=iso(first.started),
        )


def _below(ctx: Context, ours: set[int]) -> set[int]:
    """All that the connection's own login runs, beside our own ancestors."""
    mine = {uid for uid in ctx.connection.uids if uid != 0}
    roots = {
        pid for pid in ours if pid > 1 and pid in ctx.processes.processes and ctx.processes.processes[pid].uid in mine
    }
    found = set(roots)
    changed = True
    while changed:
        more = {p.pid for p in ctx.processes.processes.values() if p.parent in found} - found
        changed = bool(more)
        found |= more
    return found
