# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network: programs that let somebody at a shell from outside.

A listener that is a shell or hands one out, a shell that is wired to a socket, inetd's lines, and the programs that
keep a way in open through other people's relays. Sources: inetd.conf(5), nc(1), socat(1), dockerd(8).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from .context import Context, iso
from .family import Closing, Finding
from .process_table import Process
from .remedy import comment_out, remove

__all__ = ["look"]

SHELLS = ("sh", "bash", "dash", "zsh", "ksh", "fish", "busybox", "ash", "python3", "perl", "ruby", "php", "lua")
#: They carry what another program says.
CARRIERS = ("nc", "nc.openbsd", "nc.traditional", "ncat", "netcat", "socat")
LISTENERS = (*CARRIERS, "sh", "bash", "dash", "zsh", "ksh", "busybox")
SHELL_SERVERS = (
    "telnetd",
    "in.telnetd",
    "rlogind",
    "in.rlogind",
    "rshd",
    "in.rshd",
    "rexecd",
    "in.rexecd",
    "ttyd",
    "gotty",
    "shellinaboxd",
    "wetty",
    "gdbserver",
    "sliver",
    "butterfly",
    "utelnetd",
)
RELAYED = (
    "tmate",
    "ngrok",
    "frpc",
    "chisel",
    "gs-netcat",
    "teleconsole",
    "cloudflared",
    "anydesk",
    "teamviewerd",
    "rustdesk",
    "zerotier-one",
    "tailscaled",
    "bore",
    "localtonet",
    "pagekite",
    "sish",
    "upterm",
)


def look(ctx: Context) -> Iterator[Finding]:
    """Processes, then inetd and docker."""
    ours = ctx.processes.ancestors(os.getpid())
    for process in ctx.processes.processes.values():
        if process.pid not in ours:
            yield from _process(ctx, process)
    yield from _inetd(ctx)
    yield from _docker(ctx)


def _name_of(ctx: Context, process: Process) -> str:
    program = os.path.basename(ctx.processes.program(process.pid).replace(" (deleted)", ""))
    return program or process.comm


def _process(ctx: Context, process: Process) -> Iterator[Finding]:
    program = _name_of(ctx, process)
    names = {program, process.comm, re.sub(r"[\d.]+\Z", "", program)}
    account = ctx.name_of(process.uid)
    path = ctx.processes.program(process.pid) or "/proc/%d" % process.pid
    since = iso(process.started)
    closing = Closing("kill -KILL %d" % process.pid)
    who = ctx.people.account(account)
    if names & set(RELAYED):
        why = "keeps a way in open through a relay, whatever the firewall says"
        yield Finding("relayed_access", path, why, closing, account, program, *who, since=since)
        return
    if names & set(SHELL_SERVERS) or names & set(LISTENERS):
        for _handle, found in ctx.processes.sockets_of(process.pid):
            if found.listening and found.protocol == "tcp":
                why = "listens on %s port %d, and is a shell or may hand one out" % (found.local, found.local_port)
                yield Finding("listening_shell", path, why, closing, account, str(found.local_port), *who, since=since)
    if names & set(CARRIERS):
        for _handle, found in ctx.processes.sockets_of(process.pid):
            if not found.listening and found.protocol == "tcp":
                why = "holds a connection to %s port %d; a shell may hang on its pipes" % (
                    found.remote,
                    found.remote_port,
                )
                person = ctx.people.address(found.remote) if who.person is None else who
                yield Finding("reverse_shell", path, why, closing, account, found.remote, *person, since=since)
    if names & set(SHELLS) or any(n.startswith("python") for n in names):
        for handle, found in ctx.processes.sockets_of(process.pid, (0, 1)):
            if handle == 0 and not found.listening and found.protocol == "tcp":
                why = "a shell whose input is a connection to %s port %d" % (found.remote, found.remote_port)
                person = ctx.people.address(found.remote) if who.person is None else who
                yield Finding("reverse_shell", path, why, closing, account, found.remote, *person, since=since)


def _inetd(ctx: Context) -> Iterator[Finding]:
    found = ctx.look("/etc/inetd.conf")
    for number, line in found.lines if found else []:
        words = line.split()
        if found is not None and len(words) > 5 and not line.startswith("#") and "internal" not in words[5:]:
            yield Finding(
                "inetd_service",
                found.path,
                "a connection to %s starts %s" % (words[0], words[5]),
                Closing(comment_out(found.path, number)),
                words[4].split(":")[0].split(".")[0],
                words[0],
                since=found.since,
            )
    for service in ctx.files("/etc/xinetd.d"):
        if not re.search(r"^\s*disable\s*=\s*yes", service.text, re.MULTILINE) and re.search(
            r"^\s*server\s*=", service.text, re.MULTILINE
        ):
            yield Finding(
                "inetd_service",
                service.path,
                "a connection starts a program",
                Closing(remove(service.path)),
                None,
                os.path.basename(service.path),
                since=service.since,
            )


def _docker(ctx: Context) -> Iterator[Finding]:
    found = ctx.look("/etc/docker/daemon.json")
    if found is not None:
        text = found.text
        open_host = re.search(r"tcp://(?!127\.|localhost|\[::1\])[^\"]*", text)
        if open_host and not re.search(r"\"tlsverify\"\s*:\s*true", text):
            yield Finding(
                "docker_port",
                found.path,
                "whoever reaches the port is root: no certificate is asked for",
                Closing('sed -i \'s#"tcp://[^"]*",\\? *##\' -- /etc/docker/daemon.json'),
                None,
                open_host.group(0)[:100],
                since=found.since,
            )
