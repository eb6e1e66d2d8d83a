# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Node.js: versions that users installed, npm, and projects with their locks.

Sources: nvm, fnm, volta, asdf, mise and nodenv by where they put versions; ``include/node/node_version.h`` of any other
copy; package-lock.json's ``lockfileVersion``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from .json_files import field, loaded, text_of
from .runtime import Runtime
from .user_space import Marker, UserSpace
from .version_managers import installed

__all__ = ["MARKERS", "look"]

MANAGERS = (
    ("nvm", ".nvm/versions/node", ""),
    ("fnm", ".local/share/fnm/node-versions", ""),
    ("fnm", ".fnm/node-versions", ""),
    ("volta", ".volta/tools/image/node", ""),
    ("asdf", ".asdf/installs/nodejs", ""),
    ("mise", ".local/share/mise/installs/node", ""),
    ("nodenv", ".nodenv/versions", ""),
)
#: Lock file -> what wrote it.
LOCKS = {
    "package-lock.json": "npm", "npm-shrinkwrap.json": "npm", "yarn.lock": "yarn", "pnpm-lock.yaml": "pnpm",
    "bun.lock": "bun", "bun.lockb": "bun",
}  # fmt: skip
_WANTED = (".nvmrc", ".node-version")


def _lock(marker: Marker) -> Iterator[Runtime]:
    text = marker.text(most=4096)
    number = re.search(r'"?lockfileVersion"?\s*:\s*[\'"]?(\d[\d.]{0,9})', text)
    detail = LOCKS[marker.name] + (", lockfileVersion %s" % number.group(1) if number else "")
    yield _project(marker, detail, marker.path, marker.written)


def _unlocked(marker: Marker) -> Iterator[Runtime]:
    if not marker.has(*LOCKS):
        yield _project(marker, "", None, None)


def _project(marker: Marker, detail: str, lock: str | None, locked: float | None) -> Runtime:
    placed = marker.written_below("node_modules/.package-lock.json", "node_modules/.yarn-integrity", "node_modules")
    name = os.path.basename(marker.folder)
    return Runtime(
        "node_project", marker.folder, marker.account, name, _wanted(marker), None, lock, locked, placed, None, detail
    )


def _wanted(marker: Marker) -> str | None:
    """The version of Node.js that the project asks for."""
    for name in _WANTED:
        if marker.has(name):
            found = re.match(r"\s*v?(\d[\d.]{0,20}|lts/[\w*-]{1,20})\s*\Z", marker.text(name, 256))
            if found:
                return found.group(1)
    return None


def _header(marker: Marker) -> Iterator[Runtime]:
    if not marker.folder.endswith("/include/node"):
        return
    text = marker.text()
    parts = [re.search(r"#define NODE_%s_VERSION (\d{1,5})\b" % n, text) for n in ("MAJOR", "MINOR", "PATCH")]
    found = ".".join(part.group(1) for part in parts if part)
    if found.count(".") == 2:
        place = marker.folder[: -len("/include/node")]
        yield Runtime("node", place, marker.account, "node", found, "own", installed_at=marker.written)


MARKERS = {**dict.fromkeys(LOCKS, _lock), "package.json": _unlocked, "node_version.h": _header}


def look(space: UserSpace) -> Iterator[Runtime]:
    """What version managers have installed, with the npm of each version."""
    for found in installed(space, "node", MANAGERS):
        yield found
        account = space.database.accounts.get(found.account or "")
        path = os.path.join(found.path, "lib/node_modules/npm/package.json")
        manifest = space.look(path, account)
        version = text_of(field(loaded(manifest.text), "version")) if manifest else None
        if manifest and version:
            folder = os.path.dirname(path)
            yield Runtime("npm", folder, found.account, "npm", version, "own", installed_at=manifest.mtime)
    for account, home in space.users():
        manifest = space.look(os.path.join(home, ".nvm/package.json"), account)
        if manifest and manifest.data is not None:
            version = text_of(field(loaded(manifest.text), "version"))
            place = os.path.join(home, ".nvm")
            yield Runtime("version_manager", place, account.name, "nvm", version, "own", installed_at=manifest.mtime)
