# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where this checkout keeps its lab state, and the name space its containers live in."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Checkout:
    """One checkout of the collection. Two checkouts never share a container, a key or a state file."""

    root: Path = ROOT

    @property
    def digest(self) -> str:
        return hashlib.sha256(os.fsencode(self.root.resolve())).hexdigest()[:8]

    @property
    def prefix(self) -> str:
        """Start of each container name."""
        return f"iplab-{self.digest}"

    @property
    def state(self) -> Path:
        """The private, git-ignored state directory (0700). It is made when first asked for."""
        path = self.root / ".lab"
        path.mkdir(mode=0o700, exist_ok=True)
        path.chmod(0o700)
        return path

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Serialise what several processes of this checkout must not do at once."""
        with exclusive_lock(self.state / "lock"):
            yield


@contextlib.contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Hold ``path`` as an advisory lock; wait while another process holds it."""
    # O_NOFOLLOW: the lock of the image store lives in a directory that others can write.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
