# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ruby: versions that users installed, and projects with their Gemfile.lock.

Sources: rbenv, rvm, asdf, mise and chruby by where they put versions; Bundler's lock (``RUBY VERSION``,
``BUNDLED WITH``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from .runtime import Runtime
from .user_space import Marker, UserSpace
from .version_managers import installed

__all__ = ["MARKERS", "look"]

MANAGERS = (
    ("rbenv", ".rbenv/versions", ""),
    ("rvm", ".rvm/rubies", "ruby-"),
    ("chruby", ".rubies", "ruby-"),
    ("asdf", ".asdf/installs/ruby", ""),
    ("mise", ".local/share/mise/installs/ruby", ""),
)
_LARGEST = 1024 * 1024


def _lock(marker: Marker) -> Iterator[Runtime]:
    text = marker.text(most=_LARGEST)
    ruby = re.search(r"^RUBY VERSION\n\s+ruby (\d[\w.]{0,20})", text, re.MULTILINE)
    bundler = re.search(r"^BUNDLED WITH\n\s+(\d[\w.]{0,20})", text, re.MULTILINE)
    detail = "Bundler %s" % bundler.group(1) if bundler else "Bundler"
    yield _project(marker, ruby.group(1) if ruby else None, detail, marker.path, marker.written)


def _unlocked(marker: Marker) -> Iterator[Runtime]:
    if not marker.has(marker.name + ".lock"):
        yield _project(marker, None, "Bundler", None, None)


def _project(marker: Marker, version: str | None, detail: str, lock: str | None, locked: float | None) -> Runtime:
    if version is None:
        wanted = re.match(r"\s*(?:ruby-)?(\d[\w.]{0,20})\s*\Z", marker.text(".ruby-version", 256))
        version = wanted.group(1) if wanted else None
    placed = marker.written_below("vendor/bundle", ".bundle")
    name = os.path.basename(marker.folder)
    return Runtime(
        "ruby_project", marker.folder, marker.account, name, version, None, lock, locked, placed, None, detail
    )


MARKERS = {"Gemfile.lock": _lock, "Gemfile": _unlocked}


def look(space: UserSpace) -> Iterator[Runtime]:
    """What version managers have installed."""
    yield from installed(space, "ruby", MANAGERS)
