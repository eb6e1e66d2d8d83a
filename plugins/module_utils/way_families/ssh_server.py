# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSH, the server: what its configuration opens beside keys, and servers beside it.

Sources: sshd_config(5), dropbear(8).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from ansible_collections.infogerance.perimeter.plugins.module_utils.sshd import SshdProblem, config_lines

from .context import Context, iso
from .family import Closing, Finding
from .process_table import Process
from .remedy import comment_out

__all__ = ["look"]

#: Directive -> (kind, why) where it has any value but ``none``.
PROGRAMS = {
    "trustedusercakeys": ("ssh_trusted_ca", "every certificate that its keys sign opens accounts here"),
    "authorizedkeyscommand": ("ssh_keys_command", "a program tells sshd further keys, which no file shows"),
    "authorizedprincipalscommand": ("ssh_principals_command", "a program tells which certificates open an account"),
}
#: Directive -> (value, kind, why).
SWITCHES = {
    "hostbasedauthentication": ("yes", "ssh_host_based", "other hosts vouch for their users: no key, no password"),
    "gssapiauthentication": ("yes", "ssh_gssapi", "a Kerberos realm decides who gets in"),
    "kerberosauthentication": ("yes", "ssh_kerberos", "a Kerberos realm decides who gets in"),
    "permitemptypasswords": ("yes", "ssh_empty_passwords", "an account with an empty password opens to everybody"),
    "strictmodes": ("no", "ssh_lax_modes", "key files that others may write are believed"),
}
SFTP_SERVERS = ("internal-sftp", "/usr/lib/openssh/sftp-server", "/usr/lib/sftp-server", "/usr/lib/ssh/sftp-server",
                "/usr/libexec/openssh/sftp-server", "/usr/libexec/sftp-server")  # fmt: skip
_SESSION = re.compile(r"sshd(-session)?: \S+(@\S+)?\Z")
SERVERS = ("sshd", "dropbear", "tinysshd", "dropbearmulti", "sshesame", "lshd")
OWN_PROGRAMS = ("/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/lib/openssh/sshd-session", "/usr/lib/openssh/sshd-auth")


def look(ctx: Context) -> Iterator[Finding]:
    """The configuration, then what runs."""
    yield from _configuration(ctx)
    yield from _servers(ctx)


def _configuration(ctx: Context) -> Iterator[Finding]:
    rows = list(config_lines(ctx.sshd.config))
    try:
        told = ctx.sshd.effective()
    except SshdProblem as error:
        ctx.limit("ssh: %s: only the text of its configuration was read" % error)
        told = None
    criteria = "all"
    for path, number, line in rows:
        name, _blank, value = line.partition(" ")
        value = value.strip()
        if name == "match":
            criteria = value
            continue
        if criteria == "all" and told is not None and name in SWITCHES and told.one(name) != SWITCHES[name][0]:
            # An earlier line says otherwise. Where none does every such line counts: one alone would do it, too.
            continue
        found = _directive(name, value)
        if found is not None:
            kind, why = found
            where = "" if criteria == "all" else " (Match %s)" % criteria
            since = ctx.look(path, content=False)
            command = '%s && sshd -t && { systemctl reload ssh 2>/dev/null || kill -HUP "$(cat /run/sshd.pid)"; }' % (
                comment_out(path, number)
            )
            yield Finding(
                kind, path, why + where, Closing(command), None, "%s %s" % (name, value),
                since=since.since if since else None,
            )  # fmt: skip


def _directive(name: str, value: str) -> tuple[str, str] | None:
    if name in PROGRAMS and value.lower() != "none":
        return PROGRAMS[name]
    if name in SWITCHES and value.lower() == SWITCHES[name][0]:
        return SWITCHES[name][1:]
    if name == "permituserenvironment" and value.lower() != "no":
        return "ssh_user_environment", "a user's ~/.ssh/environment reaches the login, LD_PRELOAD too"
    if name == "subsystem":
        words = value.split()
        if len(words) > 1 and words[1] not in SFTP_SERVERS:
            return "ssh_subsystem", "clients may ask for a program that is no SFTP server"
    return None


def _servers(ctx: Context) -> Iterator[Finding]:
    main = _main_server(ctx)
    for process in ctx.processes.processes.values():
        if process.comm not in SERVERS and os.path.basename(ctx.processes.program(process.pid)) not in SERVERS:
            continue
        listening = [c for _n, c in ctx.processes.sockets_of(process.pid) if c.listening and c.protocol == "tcp"]
        if not listening or (process.uid != 0 and _SESSION.match(process.line)):
            # A login that forwards a port is told as that.
            continue
        program = ctx.processes.program(process.pid).replace(" (deleted)", "")
        config = _config_of(process)
        own = program in OWN_PROGRAMS and config in (None, ctx.sshd.config) and process.uid == 0
        if own and (main is None or process.pid == main or not _extra_ports(process)):
            continue
        account = (ctx.name_of(process.uid) or "uid %d" % process.uid) if process.uid else None
        ports = ", ".join(sorted({"%s port %d" % (c.local, c.local_port) for c in listening}))
        yield Finding(
            "ssh_second_server",
            program or process.comm,
            "an SSH server beside the main one listens on %s: with keys and rules of its own%s"
            % (ports, " (%s)" % config if config else ""),
            Closing("kill %d" % process.pid),
            account,
            config or "",
            *ctx.people.account(account),
            since=iso(process.started),
        )


def _main_server(ctx: Context) -> int | None:
    """The server of the service: named by its pid file, else the oldest."""
    found = ctx.look("/run/sshd.pid")
    if found is not None and found.text.strip().isdecimal():
        return int(found.text)
    rows = [p for p in ctx.processes.processes.values() if p.comm == "sshd" and p.parent <= 1]
    return min(rows, key=lambda p: p.started).pid if rows else None


def _extra_ports(process: Process) -> bool:
    return bool(re.search(r"(\A| )-(p ?\d|o ?Port|o ?ListenAddress)", process.line, re.IGNORECASE))


def _config_of(process: Process) -> str | None:
    # sshd writes its command line into its title as one text.
    found = re.search(r"(?:\A| )-f ?(\S+)", process.line)
    return found.group(1) if found else None
