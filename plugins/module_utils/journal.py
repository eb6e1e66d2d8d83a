# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kind of entry point tells the roll-back: what it may change, and the moves that it makes.

Apart from ``rollback``, which only a change needs: all code is compiled on the server at every run.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Journal", "Touched"]


@dataclass
class Touched:
    """What applying a plan may change: ``files`` as (path, uid whose directories lead there), and ``commands`` that
    make a restored state live, run in order after the files are back:

    ``{"argv": [...], "input": "...", "check": bool, "boot": bool}``: ``check`` false ignores the exit code, ``boot``
    false leaves it out at boot (the service that it speaks to starts later and reads the restored files);
    ``{"hup": "sshd", "uid": 0, "argv": [...], "unit": "ssh"}`` sends SIGHUP, or starts it where it died.
    """

    files: list[tuple[str, int]] = field(default_factory=list)
    commands: list[dict[str, Any]] = field(default_factory=list)


class Journal:
    """Notes moves before they are made. Without a folder (nothing armed) it notes nothing."""

    def __init__(self, folder: str | None = None) -> None:
        self.folder = folder

    def moved(self, path: str, to: str) -> None:
        """``path`` is about to be renamed to ``to``."""
        self._note({"what": "moved", "path": path, "to": to})

    def made(self, path: str) -> None:
        """``path`` is about to come into being."""
        if not os.path.lexists(path):
            self._note({"what": "made", "path": path})

    def _note(self, row: dict[str, str]) -> None:
        if self.folder is None:
            return
        handle = os.open(
            os.path.join(self.folder, "journal"), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        try:
            os.write(handle, (json.dumps(row) + "\n").encode("utf-8"))
            os.fsync(handle)
        finally:
            os.close(handle)
