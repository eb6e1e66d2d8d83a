# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The provider's name and logo. The logo becomes part of the page: nothing is loaded when it is read."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

LOGO_LIMIT = 256 * 1024
_TYPES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
}


class BrandError(ValueError):
    """A logo that cannot be used. Says why."""


@dataclass(frozen=True)
class Brand:
    """provider: the name. logo: a data: address. contact: one line at the end of the page."""

    provider: str = ""
    logo: str = ""
    contact: str = ""


def brand(provider: str | None = None, logo: str | None = None, contact: str | None = None) -> Brand:
    """logo: the path of a PNG, JPEG, GIF, WebP or SVG file of at most 256 KiB. Raises BrandError."""
    return Brand((provider or "").strip(), _embedded(Path(logo).expanduser()) if logo else "", (contact or "").strip())


def _embedded(path: Path) -> str:
    try:
        with path.open("rb") as source:
            content = source.read(LOGO_LIMIT + 1)
    except OSError as error:
        raise BrandError(f"logo {path} cannot be read: {error.strerror}") from None
    if len(content) > LOGO_LIMIT:
        raise BrandError(f"logo {path} is larger than {LOGO_LIMIT // 1024} KiB: it would be in every report")
    kind = next((kind for start, kind in _TYPES.items() if content.startswith(start)), None)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        kind = "image/webp"
    # In an <img> an SVG runs no script and loads nothing.
    if kind is None and b"<svg" in content[:4096]:
        kind = "image/svg+xml"
    if kind is None:
        raise BrandError(f"logo {path} is no PNG, JPEG, GIF, WebP or SVG image")
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
