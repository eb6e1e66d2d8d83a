# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a server keeps who was root and when: the journal or auth.log, wtmp or wtmpdb, lastlog or lastlog2.

A line of the journal counts unless another program than the real one wrote it. A line of auth.log can be forged by any
user of the server; what is read from there says so in its source.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import select
import subprocess
import time
from collections.abc import Iterable, Iterator
from typing import Callable

from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.reading import Reader

from . import login_databases
from .auth_messages import PROGRAMS, sessions_of, tells
from .log_tail import Tail, beginning, tail
from .login_records import last_logins, wtmp_logins
from .session import Event, Login, Session

__all__ = ["Gathered", "gather"]

LOGS = (("/var/log", "auth.log"), ("/var/log", "secure"))
#: The programs that may speak for themselves.
GENUINE = frozenset((
    "/usr/bin/sudo", "/bin/sudo", "/usr/bin/sudo-rs", "/usr/bin/su", "/bin/su", "/usr/sbin/sshd",
    "/usr/lib/openssh/sshd-session", "/usr/libexec/openssh/sshd-session", "/usr/bin/login", "/bin/login",
))  # fmt: skip
#: So much is read from the end of a log or of wtmp, at most.
TAIL = 32 * 1024 * 1024
#: The same for what journalctl says: a week of strangers at sshd's door, or a user who writes into the journal.
JOURNAL = 256 * 1024 * 1024
_NEAR = 15.0
_LINE = re.compile(r"(?:(\d{4}-\d\d-\d\dT\S+)|([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)) \S+ ([\w-]+)(?:\[(\d+)\])?: (.*)")


class Gathered:
    """sessions: with root's rights. sources: what was read. limits: what could not be, and what was cut short."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self.sources: list[str] = []
        self.limits: list[str] = []


def gather(reader: Reader, since: float, now: float, seconds: int = 60) -> Gathered:
    """The sessions with root's rights that had not ended at ``since`` (both are seconds since 1970)."""
    made = Gathered()
    roots = [account.name for account in reader.database.accounts.values() if account.uid == 0] or ["root"]
    events, first = _journal(made, since, now, seconds)
    # What the journal no longer has may still be in the log.
    logged = [event for event in _auth_logs(made, since, now) if event.at < first]
    found = sessions_of(logged, roots)
    for session in found:
        session.source = "auth.log"
    journalled = sessions_of(events, roots)
    for session in journalled:
        session.source = "journal"
    logins = _logins(made, since)
    made.sessions = _with_logins([*found, *journalled], logins, roots)
    known = {account.uid for account in reader.database.accounts.values() if account.uid == 0}
    _add_last(made, _lasts(made, since, known, roots), since)
    made.sessions = [one for one in made.sessions if (one.ended or one.began) >= since]
    made.sessions.sort(key=lambda one: one.began)
    return made


def _journal(made: Gathered, since: float, now: float, seconds: int) -> tuple[list[Event], float]:
    """What tells of sessions, and since when. The newest is read first: what is cut is the oldest."""
    first = now
    if not os.path.isdir("/run/systemd/journal"):
        return [], first
    command = ["journalctl", "--quiet", "--no-pager", "--output=json", "--reverse", "--since=@%d" % since]
    command += ["--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_COMM,_EXE,_PID"]
    for name in PROGRAMS:
        # By its own word, too: of a process that was over before the journal looked, the journal has no name.
        command += ["_COMM=%s" % name, "+", "SYSLOG_IDENTIFIER=%s" % name, "+"]
    try:
        done = subprocess.Popen(
            command[:-1], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        made.limits.append("the journal can't be read: %s" % error.strerror)
        return [], first
    found: list[Event] = []
    with done:
        for event in _journal_events(_lines(done, time.monotonic() + seconds, made.limits)):
            first = min(first, event.at)
            if tells(event.message):
                found.append(event)
    if done.returncode not in (0, -9):
        made.limits.append("journalctl ended with exit code %d" % done.returncode)
    made.sources.append("journal")
    return found[::-1], first


def _lines(process: subprocess.Popen[bytes], ends: float, limits: list[str], most: int = JOURNAL) -> Iterator[bytes]:
    """What a program says, until it ends, ``ends`` (of time.monotonic()) is there, or ``most`` bytes were read."""
    if process.stdout is None:
        return
    rest = b""
    while True:
        left = ends - time.monotonic()
        if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
            limits.append("the journal took too long: only its newest lines were read")
            break
        data = os.read(process.stdout.fileno(), 65536)
        *lines, rest = (rest + data).split(b"\n")
        yield from lines
        most -= len(data)
        if most <= 0:
            limits.append("the journal has more than %d MiB on this: only its newest lines were read" % (JOURNAL >> 20))
            break
        if not data:
            return
    process.kill()


def _journal_events(lines: Iterable[bytes]) -> Iterator[Event]:
    for line in lines:
        try:
            row = json.loads(line)
            at = int(row["__REALTIME_TIMESTAMP"]) / 1e6
            pid = int(row.get("_PID") or 0)
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        # A process that was gone before the journal looked has no path: a missed session is worse than one too many.
        genuine = row.get("_EXE") in GENUINE or row.get("_EXE") is None
        name = row.get("_COMM") or row.get("SYSLOG_IDENTIFIER")
        message = row.get("MESSAGE")
        if isinstance(message, list):
            try:
                message = bytes(message).decode("utf-8", "surrogateescape")
            except (ValueError, TypeError):
                continue
        if genuine and name in PROGRAMS and isinstance(message, str):
            yield Event(at, name, pid, message[:4096])


def _auth_logs(made: Gathered, since: float, now: float) -> list[Event]:
    found: list[Event] = []
    for folder, name in LOGS:
        for each in (name + ".1", name):
            data = _tail(made, folder, each)
            if data is not None:
                made.sources.append(folder + "/" + each)
                text = data.decode("utf-8", "surrogateescape")
                found += [event for event in _log_events(text.split("\n"), now) if event.at >= since]
    return found


def _log_events(lines: Iterable[str], now: float) -> Iterator[Event]:
    for line in lines:
        row = _LINE.match(line)
        if not row or row.group(3) not in PROGRAMS:
            continue
        at = _moment(row.group(1), row.group(2), now)
        if at is not None:
            yield Event(at, row.group(3), int(row.group(4) or 0), row.group(5)[:4096])


def _moment(iso: str | None, classic: str | None, now: float) -> float | None:
    """A time of a log's line. The classic form has no year and is the server's own time: the last such day counts."""
    try:
        if iso:
            return datetime.datetime.fromisoformat(iso.replace("Z", "+00:00")).timestamp()
        this_year = time.localtime(now).tm_year
        for year in (this_year, this_year - 1):
            moment = time.mktime(time.strptime("%d %s" % (year, classic), "%Y %b %d %H:%M:%S"))
            if moment <= now + 86400:
                return moment
    except (ValueError, OverflowError):
        pass
    return None


def _tail(made: Gathered, folder: str, name: str) -> bytes | None:
    """The end of a file of root's; None where there is none."""
    # A multiple of both records' sizes, so that wtmp is cut between two of them.
    return _part(made, folder, name, lambda: tail(folder, name, TAIL, 9600))


def _part(made: Gathered, folder: str, name: str, read: Callable[[], Tail | None]) -> bytes | None:
    try:
        found = read()
    except OSError as error:
        made.limits.append("%s/%s: %s" % (folder, name, error.strerror))
        return None
    if found is not None and found.cut:
        made.limits.append("%s/%s: only its last %d MiB were read" % (folder, name, TAIL >> 20))
    return None if found is None else found.data


def _logins(made: Gathered, since: float) -> list[Login]:
    found: list[Login] = []
    for name in ("wtmp.1", "wtmp"):
        data = _tail(made, "/var/log", name)
        if data:
            made.sources.append("/var/log/" + name)
            found += [login for login in wtmp_logins(data) if (login.ended or login.began) >= since]
    if os.path.isfile(login_databases.WTMPDB):
        try:
            kept = login_databases.wtmpdb_logins(login_databases.WTMPDB, since)
            found = [*_told_once(found, kept), *kept]
            made.sources.append(login_databases.WTMPDB)
        except login_databases.Unreadable as error:
            made.limits.append("%s: %s" % (login_databases.WTMPDB, error))
    return found


def _told_once(logins: Iterable[Login], others: Iterable[Login]) -> list[Login]:
    """The logins that the other source has not. A server that came from Debian 12 to 13 has wtmp and wtmpdb written."""
    left = list(others)
    alone = []
    for login in logins:
        near = [o for o in left if (o.user, o.tty) == (login.user, login.tty) and abs(o.began - login.began) <= _NEAR]
        if near:
            # One for one: a terminal may be opened twice in a few seconds.
            left.remove(min(near, key=lambda other: abs(other.began - login.began)))
        else:
            alone.append(login)
    return alone


def _lasts(made: Gathered, since: float, uids: Iterable[int], roots: Iterable[str]) -> list[Login]:
    found: list[Login] = []
    # It goes by uid, and is as long as the highest one makes it: root's record stands first.
    data = _part(made, "/var/log", "lastlog", lambda: beginning("/var/log", "lastlog", 4096))
    if data:
        made.sources.append("/var/log/lastlog")
        for uid in uids:
            found += [Login("root", tty, host, at, None, "lastlog") for at, tty, host in last_logins(data, uid)]
    if os.path.isfile(login_databases.LASTLOG2):
        try:
            last = login_databases.lastlog2_logins(login_databases.LASTLOG2, since)
            found += [login for login in last if login.user in set(roots)]
            made.sources.append(login_databases.LASTLOG2)
        except login_databases.Unreadable as error:
            made.limits.append("%s: %s" % (login_databases.LASTLOG2, error))
    return found


def _with_logins(sessions: list[Session], logins: Iterable[Login], roots: Iterable[str]) -> list[Session]:
    """Terminals and addresses from the logins; root's logins that no line of a log told are sessions, too."""
    names = set(roots)
    logins = list(logins)
    for login in logins:
        if login.user not in names:
            continue
        fits = [
            s for s in sessions if s.kind in ("ssh", "console") and abs(s.began - login.began) <= _NEAR and not s.tty
        ]
        if fits:
            one = min(fits, key=lambda s: abs(s.began - login.began))
            one.tty, one.interactive = login.tty, True
            one.ended = one.ended or login.ended
            one.address = one.address or login.address
        else:
            kind = "ssh" if login.address else "console"
            sessions.append(
                Session(
                    kind, login.user, login.began, login.ended, login.tty, login.address, "", True, "", login.source
                )
            )
    for session in sessions:
        if not session.address and session.tty:
            for login in logins:
                during = login.began - _NEAR <= session.began <= (login.ended or session.began)
                if login.tty == session.tty and login.user == session.account and during:
                    session.address = login.address
    return sessions


def _add_last(made: Gathered, lasts: Iterable[Login], since: float) -> None:
    for last in lasts:
        if last.began >= since and not any(abs(one.began - last.began) <= _NEAR for one in made.sessions):
            kind = "ssh" if last.address else "console"
            made.sessions.append(
                Session(kind, last.user, last.began, None, last.tty, last.address, "", True, "", last.source)
            )
