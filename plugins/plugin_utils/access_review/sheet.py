# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists as a reviewer reads them, on a terminal. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.access_review.lists import Lists, overall
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.speaking import Speaker


def lines(clients: Mapping[str, Mapping[str, Lists]], language: str) -> list[str]:
    """For each client: what is on which server's list, and the digest to sign."""
    speaker = Speaker(language, UTC)
    made: list[str] = []
    for client, hosts in sorted(clients.items()):
        made.append(f"{_name(client)}{speaker.colon} {speaker.word('review_digest')} {overall(hosts)}")
        for host, found in sorted(hosts.items()):
            for kind, its in sorted(found.items()):
                entries = its.get("entries")
                if entries is None:
                    names = speaker.word("review_too_long")
                else:
                    names = ", ".join(_name(name) for name in sorted(entries)) or "–"
                of_kind = f"{speaker.word(f'list_{kind}')} ({its['count']})"
                made.append(f"  {_name(host)}{speaker.colon} {of_kind}{speaker.colon} {names}")
    return made


def _name(text: str) -> str:
    """Quoted where it could be read as something else: as two names, or as a line of its own."""
    if text.isprintable() and text.strip() == text and not set(text) & set(',:"()\\'):
        return text
    # Signs that turn the writing's direction are not printable, and JSON leaves them.
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in quoted)
