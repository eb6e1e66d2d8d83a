# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an ecosystem is given to look with: the users, their homes, and the files in them that tell of runtimes.

Who is a user: an account in the distribution's range for people, or with a home where applications live. What the
distribution's own accounts run is the provider's and is not looked at.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.infogerance.perimeter.plugins.module_utils.account_database import Account
from ansible_collections.infogerance.perimeter.plugins.module_utils.homes import open_directory
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.reading import Bounds, Reader, Seen
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.walking import Batch, Walk

__all__ = ["Marker", "UserSpace"]

#: Where applications have their homes, whatever the account's number.
PLACES = ("/home/", "/srv/", "/opt/", "/var/www/")
#: What no runtime's own file lies in, or only copies: others' packages, caches, histories, version managers.
LEFT_OUT = frozenset((
    ".asdf", ".bundle", ".cache", ".cargo", ".fnm", ".git", ".hg", ".nodenv", ".npm", ".nvm", ".pyenv", ".rbenv",
    ".rustup", ".rvm", ".svn", ".volta", ".yarn", "__pycache__", "bower_components", "dist-packages", "node_modules",
    "site-packages", "vendor",
))  # fmt: skip
LEFT_OUT_PATHS = tuple("/.local/share/" + n for n in ("containers", "docker", "fnm", "mise", "pnpm", "uv/python"))


class Marker:
    """One file that tells of a runtime, in its directory. Only regular files are ever opened."""

    def __init__(self, space: UserSpace, account: str | None, batch: Batch, name: str, facts: os.stat_result) -> None:
        self.space = space
        self.account = account
        self.folder = batch.path
        self.name = name
        self.written = facts.st_mtime
        self._handle = batch.handle

    @property
    def path(self) -> str:
        """The file's whole path."""
        return os.path.join(self.folder, self.name)

    def has(self, *names: str) -> bool:
        """Whether one of these lies beside it."""
        for name in names:
            try:
                os.stat(name, dir_fd=self._handle, follow_symlinks=False)
            except OSError:
                continue
            return True
        return False

    def text(self, name: str | None = None, most: int = 65536) -> str:
        """The beginning of this file, or of one beside it; empty where there is none that may be read."""
        seen = self._seen(name or self.name, most)
        return seen.text if seen else ""

    def written_below(self, *names: str) -> float | None:
        """When the first of these, below this directory, was last written."""
        account = self.space.database.accounts.get(self.account or "")
        for name in names:
            folder, last = os.path.split(os.path.join(self.folder, name))
            try:
                handle = open_directory(folder, account.uid if account else 0)
            except OSError:
                continue
            try:
                return os.stat(last, dir_fd=handle, follow_symlinks=False).st_mtime
            except OSError:
                continue
            finally:
                os.close(handle)
        return None

    def _seen(self, name: str, most: int) -> Seen | None:
        try:
            found = os.stat(name, dir_fd=self._handle, follow_symlinks=False)
            above = os.fstat(self._handle)
            if found.st_nlink > 1 and found.st_uid != above.st_uid:
                # A hard link may lead to a file that its maker can't read.
                self.space.unread(os.path.join(self.folder, name), "is a second name of another's file", self.account)
                return None
            return self.space.look_in(self._handle, name, os.path.join(self.folder, name), self.account, most)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.space.unread(os.path.join(self.folder, name), str(error.strerror), self.account)
            return None


class UserSpace(Reader):
    """One server's users and what is theirs."""

    def __init__(self, bounds: Bounds, paths: Sequence[str] = (), exclude: Iterable[str] = ()) -> None:
        super().__init__(bounds)
        self.paths = list(paths)
        self.exclude = frozenset(exclude)
        self.files_seen = 0

    def is_user(self, account: Account | None) -> bool:
        """Whether an account's doings are a user's."""
        if account is None or account.uid <= 0 or account.name in self.exclude or account.name == "nobody":
            return False
        return self.database.is_person(account) or account.home.startswith(PLACES)

    def users(self) -> list[tuple[Account, str]]:
        """Users with the homes that may be looked into; a home inside another one comes first."""
        return [(account, home) for account, home in self.homes_list if self.is_user(account) and home.count("/") > 1]

    def user_named(self, name: str) -> Account | None:
        """The user with this name; None for others."""
        account = self.database.accounts.get(name)
        return account if self.is_user(account) else None

    def roots(self) -> Iterator[tuple[str, int]]:
        """(path, uid that may own it) of each place to search."""
        for account, home in self.users():
            yield home, account.uid
        served = self.database.accounts.get("www-data")
        yield "/var/www", served.uid if served else 0
        for path in self.paths:
            yield path, 0

    def markers(self, wanted: Sequence[str]) -> Iterator[Marker]:
        """Each file with one of these names (or beginning with ``requirements``) below the places to search."""
        names = frozenset(wanted)
        walk = _Walk(self, "user space")
        roots = list(self.roots())
        # Half of the files is shared out alike: who has very many hides nobody else's.
        share = self.bounds.max_files // 2 // len(roots)
        for place, (root, uid) in enumerate(roots, 1):
            if self.over:
                self.limit("user space: max_seconds was reached: not all files were looked at")
                break
            if not self.reachable(root):
                continue
            try:
                handle = open_directory(root, uid)
            except FileNotFoundError as error:
                if root in self.paths:
                    # Somebody named it: it may be misspelt.
                    self.unread(root, str(error.strerror), None)
                continue
            except OSError as error:
                self.unread(root, str(error.strerror or error), self.name_of(uid))
                continue
            kept = share * (len(roots) - place)
            walk.left -= kept
            walk.stopped = False
            for batch in walk.below_handle(handle, root, self.bounds.max_depth):
                for entry in batch.files:
                    if entry.name in names or entry.name.startswith("requirements"):
                        found = self._marker(batch, entry)
                        if found is not None:
                            yield found
            walk.left += kept
        self.files_seen = self.bounds.max_files - walk.left

    def _marker(self, batch: Batch, entry: os.DirEntry[str]) -> Marker | None:
        path = os.path.join(batch.path, entry.name)
        try:
            facts = entry.stat(follow_symlinks=False)
            if not entry.is_file(follow_symlinks=False):
                kind = "a symbolic link" if entry.is_symlink() else "not a regular file"
                self.unread(path, "is %s" % kind, self.name_of(facts.st_uid))
                return None
        except OSError:
            return None
        owner = (self.name_of(facts.st_uid) if facts.st_uid else None) or self._home_of(path)
        return None if owner in self.exclude else Marker(self, owner, batch, entry.name, facts)

    def _home_of(self, path: str) -> str | None:
        return next((a.name for a, home in self.homes_list if path.startswith(home + "/")), None)


class _Walk(Walk):
    def enters(self, path: str, name: str) -> bool:
        """Not where only others' copies lie."""
        return name not in LEFT_OUT and not ("%s/%s" % (path, name)).endswith(LEFT_OUT_PATHS)
