# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services with accounts of their own: databases, web areas, file servers, and what asks for no password.

Only configuration and user lists are read, where the server has them. Databases that run are asked for their accounts
over their local socket, as their own administrator; nothing is changed. Sources: each program's own manual.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from ansible_collections.infogerance.perimeter.plugins.module_utils.account_database import ToolFailed, command
from ansible_collections.infogerance.perimeter.plugins.module_utils.addresses import lenient
from ansible_collections.infogerance.perimeter.plugins.module_utils.firewalls.command import find

from .context import Context, Seen
from .family import Closing, Finding
from .remedy import comment_out, word

__all__ = ["look"]

LOOPBACK = ("127.", "::1", "localhost", "unix", "/")
WEB_CONFIGS = (
    "/etc/nginx",
    "/etc/nginx/conf.d",
    "/etc/nginx/sites-enabled",
    "/etc/nginx/snippets",
    "/etc/apache2",
    "/etc/apache2/conf-enabled",
    "/etc/apache2/sites-enabled",
    "/etc/lighttpd/conf-enabled",
)
HTPASSWD = (
    "/etc/nginx/.htpasswd",
    "/etc/nginx/htpasswd",
    "/etc/apache2/.htpasswd",
    "/etc/apache2/htpasswd",
    "/etc/htpasswd",
    "/etc/evolinux/htpasswd",
)
USER_FILES = {
    "/etc/proftpd/ftpd.passwd": "FTP (ProFTPD)",
    "/etc/pure-ftpd/pureftpd.passwd": "FTP (Pure-FTPd)",
    "/etc/vsftpd/ftpd.passwd": "FTP (vsftpd)",
    "/etc/samba/smbpasswd": "Samba",
    "/var/lib/samba/private/smbpasswd": "Samba",
    "/etc/dovecot/users": "mail (Dovecot)",
    "/etc/squid/passwd": "the proxy (Squid)",
}


def look(ctx: Context) -> Iterator[Finding]:
    """One service after the other."""
    yield from _postgres(ctx)
    yield from _databases(ctx)
    yield from _htpasswd(ctx)
    yield from _user_files(ctx)
    yield from _ftp(ctx)
    yield from _shares(ctx)
    yield from _without_password(ctx)


def _line(kind: str, found: Seen, number: int, why: str, entry: str, mark: str = "#", reload: str = "") -> Finding:
    close = comment_out(found.path, number, mark=mark)
    if reload:
        close += "; systemctl reload-or-restart %s 2>/dev/null || true" % reload
    return Finding(kind, found.path, why, Closing(close), None, entry, since=found.since)


def _open(kind: str, found: Seen, why: str, entry: str, close: str, unit: str) -> Finding:
    """For a server that is open by itself: a line that is only taken out would leave it so."""
    close += "; systemctl restart %s 2>/dev/null || true" % unit
    return Finding(kind, found.path, why, Closing(close), None, entry, since=found.since)


def _memcached(found: Seen) -> Iterator[Finding]:
    rows = [(number, line.split()) for number, line in found.lines]
    binds = [(number, words) for number, words in rows if words[0] in ("-l", "-s", "--listen", "--unix-socket")]
    for number, words in binds:
        if words[0] in ("-l", "--listen") and len(words) > 1 and not words[1].startswith(LOOPBACK):
            close = "sed -i '%ds/.*/-l 127.0.0.1/' %s" % (number, found.path)
            why = "answers on %s and asks for no password" % words[1]
            yield _open("memcached_open", found, why, words[1], close, "memcached")
    if not binds:
        close = "printf '\\n-l 127.0.0.1\\n' >> %s" % found.path
        why = "answers on every address, for no line says otherwise, and asks for no password"
        yield _open("memcached_open", found, why, "", close, "memcached")


def _postgres(ctx: Context) -> Iterator[Finding]:
    for version in ctx.names("/etc/postgresql"):
        for cluster in ctx.names("/etc/postgresql/" + version):
            found = ctx.look("/etc/postgresql/%s/%s/pg_hba.conf" % (version, cluster))
            for number, line in found.lines if found else []:
                words = line.replace('"', "").split()
                why = _hba(words)
                if why and found is not None:
                    entry = " ".join(words[:5])
                    yield _line(
                        "postgres_hba", found, number, why, entry, reload="postgresql@%s-%s" % (version, cluster)
                    )


def _hba(words: list[str]) -> str | None:
    if words[0] == "local" and len(words) > 3:
        return "every local account is any database user, without a password" if words[3] == "trust" else None
    if not words[0].startswith("host") or len(words) < 5:
        return None
    masked = len(words) > 5 and lenient("%s/%s" % (words[3], words[4])) is not None and "/" not in words[3]
    method = words[5] if masked else words[4]
    if method == "reject":
        return None
    near = words[3].startswith(LOOPBACK) or words[3] == "samehost"
    if method == "trust":
        return "asks for no password%s" % ("" if near else ", from outside")
    if near:
        return None
    return "lets %s in from %s (%s)" % (words[2], words[3], method)


def _databases(ctx: Context) -> Iterator[Finding]:
    """Accounts that take connections from other hosts, as the running servers tell."""
    running = {p.comm for p in ctx.processes.processes.values()}
    if {"mariadbd", "mysqld"} & running:
        yield from _mariadb(ctx)


def _mariadb(ctx: Context) -> Iterator[Finding]:
    program = next((p for p in ("mariadb", "mysql") if find(p)), None)
    if program is None:
        return
    try:
        accounts = _mariadb_accounts(program)
    except ToolFailed as error:
        ctx.limit("services: %s does not tell its accounts: %s" % (program, error))
        return
    for user, host in accounts:
        if user in ("mariadb.sys", "mysql.sys", "mysql.session", "mysql.infoschema", "PUBLIC"):
            continue
        quoted = "'%s'@'%s'" % tuple(text.replace("\\", "\\\\").replace("'", "\\'") for text in (user, host))
        who = ctx.people.account(user)
        if who.person is None:
            who = ctx.people.address(host)
        yield Finding(
            "mariadb_account",
            program,
            "takes connections from %s" % host,
            Closing("%s --no-defaults --protocol=socket -u root -e %s" % (program, word("DROP USER " + quoted))),
            user,
            "%s@%s" % (user, host),
            *who,
        )


def _mariadb_accounts(program: str) -> list[tuple[str, str]]:
    # In hexadecimal: names may hold what the client's own output escapes.
    query = (
        "SELECT HEX(User), HEX(Host) FROM mysql.user WHERE Host NOT IN ('localhost', '127.0.0.1', '::1')%s"
        " ORDER BY User, Host"
    )
    arguments = [program, "--no-defaults", "--protocol=socket", "-u", "root", "-N", "-B", "-e"]
    try:
        # MariaDB keeps roles among the accounts; nobody can log in as one.
        rows = command([*arguments, query % " AND is_role <> 'Y'"], seconds=5)
    except ToolFailed:
        rows = command([*arguments, query % ""], seconds=5)
    pairs = (row.partition("\t") for row in rows.splitlines())
    return [(_from_hex(user), _from_hex(host)) for user, _tab, host in pairs]


def _from_hex(text: str) -> str:
    return bytes.fromhex(text).decode("utf-8", "replace")


def _htpasswd(ctx: Context) -> Iterator[Finding]:
    paths = list(HTPASSWD)
    for folder in WEB_CONFIGS:
        for name in ctx.names(folder):
            config = ctx.look(os.path.join(folder, name)) if "." in name or "sites" in folder else None
            if config is not None and config.data is not None:
                paths += re.findall(r"(?:auth_basic_user_file|AuthUserFile)\s+\"?(/[^\s\";]+)", config.text)
    for path in dict.fromkeys(paths):
        found = ctx.look(path)
        if found is not None:
            yield from _users(ctx, found, "htpasswd_user", "a web area")


def _users(ctx: Context, found: Seen, kind: str, what: str) -> Iterator[Finding]:
    for number, line in found.lines:
        user, colon, _hash = line.partition(":")
        if colon and user:
            yield Finding(
                kind,
                found.path,
                "a user of %s, with a password of its own" % what,
                Closing(comment_out(found.path, number, found.owner)),
                user,
                "",
                *ctx.people.account(user),
                since=found.since,
            )


def _user_files(ctx: Context) -> Iterator[Finding]:
    for path, what in USER_FILES.items():
        found = ctx.look(path)
        if found is not None:
            yield from _users(ctx, found, "service_user", what)
    if find("pdbedit") and ctx.look("/var/lib/samba/private/passdb.tdb", content=False):
        try:
            rows = command(["pdbedit", "-L"], seconds=5)
        except ToolFailed:
            return
        for row in rows.splitlines():
            user = row.partition(":")[0]
            yield Finding(
                "service_user",
                "/var/lib/samba/private/passdb.tdb",
                "a user of Samba, with a password of its own",
                Closing("smbpasswd -x %s" % word(user)),
                user,
                "",
                *ctx.people.account(user),
            )


def _ftp(ctx: Context) -> Iterator[Finding]:
    found = ctx.look("/etc/vsftpd.conf")
    for number, line in found.lines if found else []:
        if found is not None and re.match(r"anonymous_enable\s*=\s*YES", line, re.IGNORECASE):
            close = "sed -i '%ds/.*/anonymous_enable=NO/' %s" % (number, found.path)
            yield _open("ftp_anonymous", found, "everybody gets in by FTP", line, close, "vsftpd")
        elif found is not None and re.match(r"local_enable\s*=\s*YES", line, re.IGNORECASE):
            yield _line(
                "ftp_accounts", found, number, "accounts get in by FTP with their passwords", line, reload="vsftpd"
            )

    if found is not None and not re.search(r"^anonymous_enable\s*=", found.text, re.MULTILINE | re.IGNORECASE):
        close = "printf '\\nanonymous_enable=NO\\n' >> %s" % found.path
        why = "everybody gets in by FTP: no line says otherwise, and vsftpd lets them by itself"
        yield _open("ftp_anonymous", found, why, "", close, "vsftpd")


def _shares(ctx: Context) -> Iterator[Finding]:
    found = ctx.look("/etc/samba/smb.conf")
    share = ""
    for number, line in found.lines if found else []:
        section = re.match(r"\[(.+)\]", line)
        if section:
            share = section.group(1)
        elif (
            found is not None
            and share not in ("", "global", "printers", "print$")
            and re.match(r"(guest ok|public)\s*=\s*(yes|true|1)", line, re.IGNORECASE)
        ):
            yield _line(
                "samba_guest", found, number, "everybody reads or writes share %s" % share, share, reload="smbd"
            )
    exports = ctx.look("/etc/exports")
    for number, line in exports.lines if exports else []:
        if exports is not None and "no_root_squash" in line:
            yield _line("nfs_root", exports, number, "root on a client is root on these files", line.split()[0])
    rsync = ctx.look("/etc/rsyncd.conf")
    if rsync is not None:
        yield from _rsync(rsync)


def _rsync(found: Seen) -> Iterator[Finding]:
    start, name, guarded = 0, "", False
    rows = [*found.lines, (0, "[]")]
    everywhere = False
    for number, line in rows:
        section = re.match(r"\[(.*)\]", line)
        if section:
            if name and not guarded:
                last = number - 1 if number else len(found.text.split("\n"))
                close = "sed -i '%d,%ds/^/# /' -- %s" % (start, last, word(found.path))
                yield Finding(
                    "rsync_module",
                    found.path,
                    "everybody reads or writes module %s" % name,
                    Closing(close),
                    None,
                    name,
                    since=found.since,
                )
            start, name, guarded = number, section.group(1), everywhere
        elif re.match(r"(auth users|hosts allow)\s*=\s*\S", line):
            guarded = True
            everywhere = everywhere or not name


def _without_password(ctx: Context) -> Iterator[Finding]:
    for path in ("/etc/redis/redis.conf", "/etc/valkey/valkey.conf", "/etc/redis.conf"):
        found = ctx.look(path)
        if found is not None:
            yield from _redis(found)
    memcached = ctx.look("/etc/memcached.conf")
    if memcached is not None:
        yield from _memcached(memcached)
    snmp = ctx.look("/etc/snmp/snmpd.conf")
    for number, line in snmp.lines if snmp else []:
        if snmp is not None and re.match(r"(rwcommunity6?|extend|exec|pass)\b", line):
            word_ = line.split()[0]
            why = (
                "who knows the community writes to the server" if word_.startswith("rw") else "a request runs a program"
            )
            yield _line("snmp_write", snmp, number, why, word_, reload="snmpd")


def _guards(words: list[str]) -> bool:
    """True for a line of Redis's that asks those who come for a password."""
    if words[0] == "user" and words[1:2] == ["default"]:
        return "nopass" not in words
    return words[0] == "aclfile" or (words[0] == "requirepass" and words[1:] not in ([], ['""'], ["''"]))


def _redis(found: Seen) -> Iterator[Finding]:
    rows = [(number, line.split()) for number, line in found.lines]
    if any(_guards(words) for _n, words in rows):
        return
    binds = [(n, w[1:]) for n, w in rows if w[0] == "bind"]
    unguarded = [n for n, w in rows if w[:2] == ["protected-mode", "no"]]
    outside = not binds or any(not a.lstrip("-").startswith(LOOPBACK) for _n, w in binds for a in w)
    if unguarded and outside:
        yield Finding(
            "redis_open",
            found.path,
            "takes commands from outside and asks for no password",
            Closing("%s; systemctl restart redis-server 2>/dev/null || true" % comment_out(found.path, unguarded[0])),
            None,
            since=found.since,
        )
