# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever a firewall lets in is found, whatever else its tables hold."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families import firewall_rules

WHERE = {"family": "inet", "table": "t", "chain": "input", "handle": 1}
ACCEPT = {"accept": None}


def saddr(right: Any) -> dict[str, Any]:
    left = {"payload": {"protocol": "ip", "field": "saddr"}}
    return {"rule": {**WHERE, "expr": [{"match": {"op": "==", "left": left, "right": right}}, ACCEPT]}}


@pytest.mark.parametrize("elements", [[22, 443], [{"range": [1024, 2048]}], [{"concat": ["192.0.2.1", 22]}], ["eth0"]])
def test_a_set_of_something_else_hides_no_address(monkeypatch: pytest.MonkeyPatch, elements: list[Any]) -> None:
    others = {"set": {"family": "inet", "table": "t", "name": "others", "elem": elements}}
    friends = {"set": {"family": "inet", "table": "t", "name": "friends", "elem": ["203.0.113.5"]}}
    ruleset = {"nftables": [others, friends, saddr("@friends"), saddr({"set": ["198.51.100.9"]})]}
    monkeypatch.setattr(firewall_rules, "find", lambda _name: "/usr/sbin/nft")
    monkeypatch.setattr(firewall_rules, "command", lambda *_argv, **_more: json.dumps(ruleset))
    monkeypatch.setattr(firewall_rules, "_finding", lambda _ctx, address, *_more: [address])
    limits: list[str] = []
    found = list(firewall_rules._nftables(SimpleNamespace(limit=limits.append)))
    assert (found, limits) == (["203.0.113.5", "198.51.100.9"], [])
