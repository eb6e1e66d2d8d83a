# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounded reads of a server's files that nobody can lead astray.

Reading never follows a user's link, never blocks on a FIFO or a device, and never reads past a limit. What could not
be read is told in ``unread``, once; what was cut short in ``limits``.
"""

from __future__ import annotations

import datetime
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Callable

from ansible_collections.infogerance.perimeter.plugins.module_utils.account_database import Account, AccountDatabase
from ansible_collections.infogerance.perimeter.plugins.module_utils.homes import UnsafePath, open_directory

from .family import shown
from .mounts import Mounts
from .packages import Packages
from .process_table import ProcessTable

__all__ = ["Bounds", "Reader", "Seen", "iso"]

#: A file that decides who gets in is small. Of a larger one only this much is read, and that is told.
LARGEST = 1024 * 1024
MOST_LINKS = 8
#: A user may make a hundred thousand places that can't be read; nobody reads more than these.
MOST_NOTES = 1000


@dataclass(frozen=True)
class Bounds:
    """How far a survey goes. ``ends`` is a moment of time.monotonic()."""

    ends: float
    max_depth: int = 24
    max_files: int = 3_000_000


@dataclass(frozen=True)
class Seen:
    """One file. ``data`` is None where it could not be read; ``owner`` is who owns its directory (None: root)."""

    path: str
    data: bytes | None
    mode: int
    uid: int
    gid: int
    mtime: float
    owner: str | None = None
    link: str | None = None

    @property
    def text(self) -> str:
        """The content; odd bytes are kept as surrogates."""
        return (self.data or b"").decode("utf-8", "surrogateescape")

    @property
    def lines(self) -> list[tuple[int, str]]:
        """(number, line) of all that is neither blank nor a comment."""
        rows = enumerate(self.text.split("\n"), 1)
        return [(n, line.strip()) for n, line in rows if line.strip() and not line.strip().startswith("#")]

    @property
    def since(self) -> str | None:
        """When it was last written."""
        return iso(self.mtime)

    @property
    def for_others(self) -> bool:
        """True where group (other than root) or everybody may write."""
        return bool(self.mode & 0o002 or (self.mode & 0o020 and self.gid != 0))


def iso(moment: float) -> str | None:
    """A time as ISO 8601 in UTC; None for one that no calendar holds."""
    try:
        return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return None


class Reader:
    """One server's files, accounts and processes, read within bounds."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.database = AccountDatabase()
        self.by_uid: dict[int, Account] = {}
        for account in self.database.accounts.values():
            self.by_uid.setdefault(account.uid, account)
        self.mounts = Mounts()
        self.packages = Packages()
        #: What takes the notes on the way: set by the child process.
        self.tell: Callable[[dict[str, Any]], None] = lambda _row: None
        self._told: set[str] = set()
        self._limits: set[str] = set()
        self._processes: ProcessTable | None = None
        self._homes: list[tuple[Account, str]] | None = None

    # -- accounts ---------------------------------------------------------------------------------------------

    def name_of(self, uid: int) -> str | None:
        """The account with this uid; None where there is none."""
        account = self.by_uid.get(uid)
        return account.name if account else None

    def homes(self) -> Iterator[tuple[Account, str]]:
        """Each account with the home that may be looked into, each home once."""
        seen: set[str] = set()
        for account in self.database.accounts.values():
            home = os.path.normpath(account.home) if account.home.startswith("/") else ""
            if home in ("", "/", "/nonexistent", "/dev", "/proc") or home in seen:
                continue
            seen.add(home)
            if self.reachable(home, account.name):
                yield account, home

    @property
    def homes_list(self) -> list[tuple[Account, str]]:
        """The same as a list, the longest path first: for telling whose a file is."""
        if self._homes is None:
            self._homes = sorted(self.homes(), key=lambda row: -len(row[1]))
        return self._homes

    @property
    def processes(self) -> ProcessTable:
        """What runs, looked at once."""
        if self._processes is None:
            self._processes = ProcessTable()
        return self._processes

    # -- notes ------------------------------------------------------------------------------------------------

    def unread(self, path: str, why: str, account: str | None = None) -> None:
        """Tell, once, that something may be a way in and could not be looked at."""
        if path in self._told:
            return
        if len(self._told) >= MOST_NOTES:
            self.limit("more than %d places could not be looked at: the rest is not told" % MOST_NOTES)
        else:
            self._told.add(path)
            self.tell({"unread": {"path": shown(path), "account": account, "why": shown(why)}})

    def limit(self, text: str) -> None:
        """Tell that a bound was reached."""
        if text not in self._limits:
            self._limits.add(text)
            self.tell({"limit": text})

    @property
    def over(self) -> bool:
        """True where the time is used up."""
        return time.monotonic() > self.bounds.ends

    # -- reading ----------------------------------------------------------------------------------------------

    def reachable(self, path: str, account: str | None = None) -> bool:
        """False, and told, where the path is on a mount that may never answer."""
        trouble = self.mounts.trouble(path)
        if trouble:
            self.unread(path, trouble, account)
        return trouble is None

    def look(self, path: str, account: Account | None = None, content: bool = True) -> Seen | None:
        """One file of root's, or of an account's; None where there is none. Root's own links are followed."""
        for _step in range(MOST_LINKS):
            found = self._look(path, account, content)
            if found is None or found.link is None or found.uid != 0 or found.owner is not None:
                return found
            path = os.path.normpath(os.path.join(os.path.dirname(path), found.link))
        self.unread(path, "too many links", account.name if account else None)
        return None

    def _look(self, path: str, account: Account | None, content: bool) -> Seen | None:
        name = account.name if account else None
        if not self.reachable(path, name):
            return None
        folder, last = os.path.split(path)
        try:
            handle = open_directory(folder, account.uid if account else 0)
        except FileNotFoundError:
            return None
        except OSError as error:
            if not isinstance(error, UnsafePath) or os.path.lexists(path):
                self.unread(path, str(error) if isinstance(error, UnsafePath) else str(error.strerror), name)
            return None
        try:
            return self.look_in(handle, last, path, name, LARGEST if content else 0)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.unread(path, str(error.strerror), name)
            return None
        finally:
            os.close(handle)

    def look_in(self, handle: int, last: str, path: str, name: str | None, most: int = LARGEST) -> Seen:
        """One file of a directory that is open. Raises OSError. ``most``: how much of it is read; 0 reads nothing."""
        found = os.stat(last, dir_fd=handle, follow_symlinks=False)
        above = os.fstat(handle)
        owner = None if above.st_uid == 0 else self.name_of(above.st_uid)
        facts = (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, found.st_mtime, owner)
        if stat.S_ISLNK(found.st_mode):
            if found.st_uid != 0 or above.st_uid != 0:
                self.unread(path, "is a symbolic link, and a user made it", name)
            return Seen(path, None, *facts, link=os.readlink(last, dir_fd=handle))
        if not stat.S_ISREG(found.st_mode):
            if not stat.S_ISDIR(found.st_mode):
                # No program reads a directory as a file.
                self.unread(path, "is not a regular file", name)
            return Seen(path, None, *facts)
        return Seen(path, self._content(handle, last, path, name, most) if most else None, *facts)

    def _content(self, handle: int, last: str, path: str, name: str | None, most: int) -> bytes | None:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        try:
            inner = os.open(last, flags | os.O_NOATIME, dir_fd=handle)
        except PermissionError:
            inner = os.open(last, flags, dir_fd=handle)
        with os.fdopen(inner, "rb") as stream:
            if not stat.S_ISREG(os.fstat(inner).st_mode):
                return None
            data = stream.read(most + 1)
        if len(data) > most == LARGEST:
            # Who asks for less wants no more than the beginning.
            self.unread(path, "is larger than %d MiB: only its beginning was read" % (LARGEST >> 20), name)
        return data[:most]

    def names(self, folder: str, account: Account | None = None, most: int = 5000) -> list[str]:
        """The names in a directory, sorted; none where it is missing or can't be trusted."""
        if not self.reachable(folder, account.name if account else None):
            return []
        try:
            handle = open_directory(folder, account.uid if account else 0)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            self.unread(folder, str(error.strerror or error), account.name if account else None)
            return []
        found: list[str] = []
        try:
            with os.scandir(handle) as rows:
                for row in rows:
                    if len(found) >= most:
                        self.limit("%s: only %d of its names were looked at" % (shown(folder), most))
                        break
                    found.append(row.name)
        finally:
            os.close(handle)
        return sorted(found)

    def files(
        self, folder: str, account: Account | None = None, ending: str = "", content: bool = True
    ) -> Iterator[Seen]:
        """The files of a directory whose names end so, one after the other."""
        for name in self.names(folder, account):
            if name.endswith(ending):
                found = self.look(os.path.join(folder, name), account, content)
                if found is not None:
                    yield found
