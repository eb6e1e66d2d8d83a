# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Composer for PHP: projects with their lock, and copies of Composer itself.

Sources: composer.lock as Composer 2 writes it (``plugin-api-version`` at its end), the Phar's own ``Composer.php``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from .runtime import Runtime
from .user_space import Marker, UserSpace

__all__ = ["MARKERS", "look"]

_LARGEST = 8 * 1024 * 1024


def _lock(marker: Marker) -> Iterator[Runtime]:
    text = marker.text(most=_LARGEST)
    api = re.search(r'"plugin-api-version"\s*:\s*"([\d.]{1,20})"', text)
    php = re.search(r'"platform"\s*:\s*\{[^{}]*"php"\s*:\s*"([^"]{1,40})"', text)
    detail = ["plugin API %s" % api.group(1)] if api else []
    detail += ["PHP %s" % php.group(1)] if php else []
    yield Runtime(
        "composer_project", marker.folder, marker.account, os.path.basename(marker.folder), None, None, marker.path,
        marker.written, marker.written_below("vendor/composer/installed.json"), None, ", ".join(detail),
    )  # fmt: skip


def _unlocked(marker: Marker) -> Iterator[Runtime]:
    if not marker.has("composer.lock"):
        installed = marker.written_below("vendor/composer/installed.json")
        yield Runtime(
            "composer_project", marker.folder, marker.account, os.path.basename(marker.folder), installed_at=installed
        )


def _program(marker: Marker) -> Iterator[Runtime]:
    text = marker.text(most=_LARGEST)
    if "__HALT_COMPILER" not in text:
        return
    version = re.search(r"const VERSION = '(\d[\w.-]{0,30})'", text)
    found = version.group(1) if version else None
    yield Runtime("composer", marker.path, marker.account, marker.name, found, "own", installed_at=marker.written)


MARKERS = {"composer.lock": _lock, "composer.json": _unlocked, "composer.phar": _program, "composer": _program}


def look(space: UserSpace) -> Iterator[Runtime]:
    """All lies where the walk finds it."""
    del space
    yield from ()
