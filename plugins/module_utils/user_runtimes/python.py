# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python: virtual environments, interpreters that users installed, and what projects ask for.

Sources: pyvenv.cfg as venv, virtualenv and uv write it (PEP 405); pyenv, asdf, mise and uv by where they put versions.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from .runtime import Runtime
from .user_space import Marker, UserSpace
from .version_managers import installed

__all__ = ["MARKERS", "look", "requirements"]

MANAGERS = (
    ("pyenv", ".pyenv/versions", ""),
    ("asdf", ".asdf/installs/python", ""),
    ("mise", ".local/share/mise/installs/python", ""),
    ("uv", ".local/share/uv/python", "cpython-"),
)
LOCKS = {"poetry.lock": "Poetry", "Pipfile.lock": "Pipenv", "uv.lock": "uv", "pdm.lock": "PDM", "pylock.toml": "pip"}
_SYSTEM = ("/usr/bin", "/usr/lib", "/bin")


def _environment(marker: Marker) -> Iterator[Runtime]:
    text = marker.text(most=8192)
    version = re.search(r"^version(?:_info)?\s*=\s*(\d[\w.+]{0,30})", text, re.MULTILINE)
    home = re.search(r"^home\s*=\s*(/[^\n]{1,300}?)\s*$", text, re.MULTILINE)
    base = None if home is None else "system" if os.path.normpath(home.group(1)) in _SYSTEM else "own"
    number = version.group(1) if version else None
    short = ".".join(number.split(".")[:2]) if number else "3"
    placed = marker.written_below("lib/python%s/site-packages" % short)
    name = os.path.basename(marker.folder)
    yield Runtime("python_venv", marker.folder, marker.account, name, number, base, installed_at=placed)


def _lock(marker: Marker) -> Iterator[Runtime]:
    yield _project(marker, LOCKS[marker.name], marker.path)


def requirements(marker: Marker) -> Iterator[Runtime]:
    """A requirements file: it fixes versions where its lines say so. Only counted: a line may hold a password."""
    if not re.fullmatch(r"requirements[\w.-]{0,60}\.(txt|in)", marker.name, re.ASCII):
        return
    lines = [line.strip() for line in marker.text(most=262144).split("\n")]
    asked = [line for line in lines if line and not line.startswith(("#", "-"))]
    fixed = sum("==" in line or " @ " in line for line in asked)
    detail = "pip, ==: %d/%d" % (fixed, len(asked))
    yield _project(marker, detail, marker.path if fixed and fixed == len(asked) else None)


def _unlocked(marker: Marker) -> Iterator[Runtime]:
    if not marker.has(*LOCKS):
        yield _project(marker, "Pipenv", None)


def _project(marker: Marker, detail: str, lock: str | None) -> Runtime:
    wanted = re.match(r"\s*(\d[\d.]{0,20})\s*\Z", marker.text(".python-version", 256))
    name = os.path.basename(marker.folder)
    version = wanted.group(1) if wanted else None
    written = marker.written if lock else None
    return Runtime(
        "python_project", marker.folder, marker.account, name, version, None, lock, written, None, None, detail
    )


MARKERS = {**dict.fromkeys(LOCKS, _lock), "Pipfile": _unlocked, "pyvenv.cfg": _environment}


def look(space: UserSpace) -> Iterator[Runtime]:
    """What version managers have installed."""
    yield from installed(space, "python", MANAGERS)
