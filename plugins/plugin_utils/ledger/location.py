# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the ledger lives, and how its file comes to be."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

FILE_NAME = "ledger.sqlite3"
DIRECTORY_NAME = "infogerance-perimeter"


def default_path(uid: int, environ: Mapping[str, str], home: Path) -> Path:
    """/var/lib for root, else the user's own state directory (XDG_STATE_HOME, or ~/.local/state)."""
    if uid == 0:
        return Path("/var/lib") / DIRECTORY_NAME / FILE_NAME
    state = environ.get("XDG_STATE_HOME", "")
    base = Path(state) if os.path.isabs(state) else home / ".local" / "state"
    return base / DIRECTORY_NAME / FILE_NAME


def chosen_path(setting: str | None) -> Path:
    """The path set by the user, or the default one."""
    if setting:
        return Path(setting).expanduser()
    return default_path(os.geteuid(), os.environ, Path.home())


def prepare(path: Path) -> None:
    """Make the directory (0700) and the file (0600) where they are not there yet. What exists keeps its mode."""
    missing = [parent for parent in path.parents if not parent.exists()]
    for parent in reversed(missing):
        try:
            os.mkdir(parent, 0o700)
        except FileExistsError:
            continue
    # Before SQLite, which would create it as the umask says; its journals take over this mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
