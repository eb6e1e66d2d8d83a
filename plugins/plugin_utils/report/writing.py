# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the report's files into a directory: each whole or not at all, and for their owner alone."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path


def base_name(client: str | None, period: str, language: str) -> str:
    """A file name that is safe whatever the client is called."""
    parts = ("report", client or "all", period, language)
    return "-".join(re.sub(r"[^A-Za-z0-9_-]+", "_", part).strip("_") or "_" for part in parts)


def write_changed(path: Path, text: str, *, pretend: bool = False) -> bool:
    """Write unless the file has this text already. Returns whether it differed. pretend: only compare."""
    content = text.encode("utf-8")
    try:
        if path.read_bytes() == content:
            return False
    except OSError:
        pass
    if pretend:
        return True
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp makes it 0600, in the same directory so that the rename is atomic.
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as target:
            target.write(content)
            target.flush()
            os.fsync(target.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return True
