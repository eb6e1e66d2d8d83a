# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Version managers: each keeps its versions as directories of one place, with the version as their name."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator

from ansible_collections.infogerance.perimeter.plugins.module_utils.account_database import Account
from ansible_collections.infogerance.perimeter.plugins.module_utils.homes import open_directory

from .runtime import Runtime
from .user_space import UserSpace

__all__ = ["folders", "installed"]

_NUMBER = r"v?(\d+(?:\.\d+)*\S*)\Z"


def installed(space: UserSpace, kind: str, places: Iterable[tuple[str, str, str]]) -> Iterator[Runtime]:
    """A row for each version that a user has. places: (manager, directory below home, what precedes the number)."""
    for account, home in space.users():
        for manager, below, before in places:
            place = os.path.join(home, below)
            for name, written in folders(space, place, account):
                found = re.match(before + _NUMBER, name)
                if found:
                    path = os.path.join(place, name)
                    yield Runtime(kind, path, account.name, manager, found.group(1), "own", installed_at=written)


def folders(space: UserSpace, place: str, account: Account) -> list[tuple[str, float]]:
    """(name, when written) of the directories of a place; links are no versions of their own."""
    found: list[tuple[str, float]] = []
    names = space.names(place, account)
    if not names:
        return found
    try:
        handle = open_directory(place, account.uid)
    except OSError:
        return found
    try:
        for name in names:
            try:
                facts = os.stat(name, dir_fd=handle, follow_symlinks=False)
            except OSError:
                # It went meanwhile; the others are still there.
                continue
            if stat.S_ISDIR(facts.st_mode):
                found.append((name, facts.st_mtime))
    finally:
        os.close(handle)
    return found
