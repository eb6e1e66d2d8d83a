# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who could get in when a server was last looked at: the newest review of each host and kind that tells it."""

from __future__ import annotations

from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.last_looks import newest
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.stores import Connection


def last_looks(connection: Connection, until: str, client: str | None = None) -> list[dict[str, Any]]:
    """One row a host and kind: host, clients, entry_point_kind, at, run_id, ways_in, left_out; in order of names.

    until: a stored stamp, excluded. client: only its hosts, and nothing of other clients.
    """
    return [
        {
            **look.about,
            "entry_point_kind": look.name,
            "ways_in": look.body["ways_in"],
            "left_out": look.body.get("ways_in_left_out", 0),
        }
        for look in newest(connection, "review", "entry_point_kind", "ways_in", until, client)
    ]
