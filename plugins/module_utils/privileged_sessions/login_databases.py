# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""wtmpdb and lastlog2, the SQLite files that follow wtmp and lastlog on Debian 13. Opened for reading alone.

Sources: wtmpdb(8) - table ``wtmp`` with Type, User, Login, Logout (microseconds), TTY, RemoteHost; lastlog2(8) - table
``Lastlog2`` with Name, Time, TTY, RemoteHost.
"""

from __future__ import annotations

from urllib.parse import quote

from .session import Login

__all__ = ["lastlog2_logins", "wtmpdb_logins"]

WTMPDB = "/var/lib/wtmpdb/wtmp.db"
LASTLOG2 = "/var/lib/lastlog/lastlog2.db"
_MOST = 20000
#: wtmpdb's types: 1 is a boot, 3 a login of a user.
_USER = 3


class Unreadable(Exception):
    """The file is there and can't be read; the text says why."""


def wtmpdb_logins(path: str, since: float) -> list[Login]:
    """Logins that had not ended at ``since``. Raises Unreadable."""
    rows = _query(
        path,
        "SELECT User, TTY, RemoteHost, Login, Logout FROM wtmp WHERE Type = ? AND coalesce(Logout, Login) >= ? "
        "ORDER BY Login DESC LIMIT ?",
        (_USER, int(since * 1e6), _MOST),
    )
    found = [
        Login(
            str(user), str(tty or ""), str(host or ""), began / 1e6,
            ended / 1e6 if isinstance(ended, int) else None, "wtmpdb",
        )
        for user, tty, host, began, ended in rows if isinstance(began, int)
    ]  # fmt: skip
    return sorted(found, key=lambda login: login.began)


def lastlog2_logins(path: str, since: float) -> list[Login]:
    """The last login of each account. Raises Unreadable."""
    rows = _query(path, "SELECT Name, TTY, RemoteHost, Time FROM Lastlog2 WHERE Time >= ? LIMIT ?", (int(since), _MOST))
    return [
        Login(str(user), str(tty or ""), str(host or ""), float(at), None, "lastlog2")
        for user, tty, host, at in rows
        if isinstance(at, int)
    ]


def _query(path: str, sql: str, parameters: tuple[int, ...]) -> list[tuple[object, ...]]:
    try:
        # Debian's python3-minimal comes without it.
        import sqlite3
    except ImportError:
        raise Unreadable("this server's Python has no sqlite3") from None
    try:
        connection = sqlite3.connect("file:%s?mode=ro" % quote(path), uri=True, timeout=5)
        try:
            return list(connection.execute(sql, parameters))
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise Unreadable(str(error)) from None
