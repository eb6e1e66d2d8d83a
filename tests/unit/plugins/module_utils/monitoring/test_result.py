# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user who listens at every port hides nothing of what was declared."""

from __future__ import annotations

from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.comparing import compare
from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.declarations import declared
from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.item import Item
from ansible_collections.infogerance.perimeter.plugins.modules.monitoring_declared_info import result_of
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import observations


def test_what_was_declared_is_told_first_and_kept_whatever_a_user_opens() -> None:
    flood = [
        Item("port", f"tcp/{number}", "tcp", number, ("0.0.0.0",), user="eve", program="\x1b[2J\udcff")
        for number in range(1, 60001)
        if number not in (80, 443)
    ]
    web = [
        Item("port", "tcp/443", "tcp", 443, ("0.0.0.0",), user="root", program="nginx"),
        Item("unit", "shop.service", user="shop", state="failed", manager="system"),
    ]
    wanted = declared([{"kind": "port", "port": 80}, {"kind": "port", "port": 443, "program": "apache2"}])
    result = result_of(compare(wanted, flood + web), [])
    assert [row["name"] for row in result["differences"][:2]] == ["tcp/80", "tcp/443"]
    assert ("unit", "shop.service") in {(row["kind"], row["name"]) for row in result["undeclared"]}
    assert result["limits"] == ["undeclared of kind port: 57998 more than the 2000 told"]
    assert result["counts"]["undeclared"] == 59999
    kept = observations.extract(result)
    assert [row["state"] for row in kept["rows"][:2]] == ["gone", "changed"]
    assert kept["left_out"] == len(result["differences"]) - len(kept["rows"])
    assert "\x1b" not in str(result)
