# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists as a reviewer reads them, on a terminal. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.access_review.lists import Lists, overall
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.wording import WORDING


def lines(clients: Mapping[str, Mapping[str, Lists]], language: str) -> list[str]:
    """For each client: what is on which server's list, and the digest to sign."""
    words = WORDING[language]
    made: list[str] = []
    for client, hosts in sorted(clients.items()):
        made.append(f"{client}: {words['review_digest']} {overall(hosts)}")
        for host, found in sorted(hosts.items()):
            for kind, its in sorted(found.items()):
                entries = its.get("entries")
                names = ", ".join(sorted(entries)) if entries is not None else words["review_too_long"]
                made.append(f"  {host}: {words[f'list_{kind}']} ({its['count']}): {names or '–'}")
    return made
