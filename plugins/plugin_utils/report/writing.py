# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the report's files into a directory: each whole or not at all, and for their owner alone."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path


def base_name(client: str | None, period: str, language: str, *, kind: str = "report") -> str:
    """A file name that is safe whatever the client is called, and that no two clients share."""
    # A file system takes 255 bytes; the digest tells apart what is cut.
    name = _safe(client or "all")[:80]
    if client and (name != client or client == "all"):
        name += "-" + hashlib.sha256(client.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return "-".join([kind, name, _safe(period), language])


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_") or "_"


def file_mode(text: str) -> int:
    """A mode as an option gives it, octal. Raises ValueError."""
    if not re.fullmatch(r"0o?[0-7]{3}", text):
        # YAML reads 0644 without quotes as 420, which would be another mode.
        raise ValueError(f'mode: {text!r} is no octal number in quotes such as "0644"')
    return int(text, 8)


def write_changed(path: Path, text: str | bytes, *, pretend: bool = False, mode: int = 0o600) -> bool:
    """Write unless the file has this text already. Returns whether it differed. pretend: only compare.

    mode: what a file that is written gets; its owner alone reads it unless the caller says otherwise.
    """
    content = text.encode("utf-8") if isinstance(text, str) else text
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
            os.fchmod(target.fileno(), mode)
            target.write(content)
            target.flush()
            os.fsync(target.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return True
