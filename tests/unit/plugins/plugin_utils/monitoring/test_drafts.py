# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A draft checks what can be checked, as it was declared, and nothing that would cry while all is well."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.filter.monitoring_drafts import monitoring_drafts
from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.item import Item

SITE = Item("vhost", "a.example.org", server="nginx", ports=(80, 443), tls=True, state="active").as_result()
UNIT = Item("unit", "app.service", user="alice", state="active", manager="system").as_result()
OWN = Item("unit", "own.service", user="alice", state="active", manager="user").as_result()


def result(*undeclared: Any, differing: Any = (), matched: Any = ()) -> dict[str, Any]:
    return {
        "observation_kind": "monitoring",
        "undeclared": list(undeclared),
        "differing": list(differing),
        "matched": list(matched),
    }


def draft(target: str, *undeclared: Any, **more: Any) -> str:
    return monitoring_drafts(result(*undeclared, **more), target, "web1", "192.0.2.7")


def port(number: int, *addresses: str) -> dict[str, Any]:
    return Item("port", f"tcp/{number}", "tcp", number, addresses).as_result()


def test_what_differs_is_checked_as_it_was_declared() -> None:
    row = {"observed": SITE, "declared": {**SITE, "check": {"path": "/up", "status": 204}}, "changed": ["x"]}
    text = draft("icinga2", differing=[row])
    assert 'vars.http_uri = "/up"' in text
    assert 'vars.http_expect = "204"' in text
    unasked = {**row, "declared": {**SITE, "check": {"type": "none"}}}
    assert "object Service" not in draft("icinga2", differing=[unasked])


def test_a_unit_of_the_systems_manager_is_checked_whoever_it_runs_as_and_a_persons_own_is_not() -> None:
    assert 'nrpe_arguments = [ "app.service" ]' in draft("icinga2", UNIT)
    assert "app.service" in draft("prometheus_rules", UNIT)
    assert "own.service" not in draft("icinga2", OWN) + draft("prometheus_rules", OWN)


def test_what_is_declared_to_be_down_has_no_check() -> None:
    down = {**UNIT, "user": None, "state": "inactive"}
    row = {"observed": {**UNIT, "user": "root"}, "declared": down, "changed": ["state: active, declared inactive"]}
    for target in ("icinga2", "prometheus_rules"):
        assert "app.service" not in draft(target, matched=[down], differing=[row])


def test_what_cannot_be_reached_or_asked_from_elsewhere_has_no_check() -> None:
    star = {**SITE, "name": "*.example.org"}
    for target in ("icinga2", "prometheus"):
        text = draft(target, port(6379, "127.0.0.1", "::1"), star, port(25, "127.0.0.1", "192.0.2.7"))
        assert "6379" not in text
        assert "*.example.org" not in text
        assert "25" in text
    asked = {**star, "check": {"host": "any.example.org"}}
    assert "https://any.example.org/" in draft("prometheus", asked)
    assert "6379" in draft("icinga2", {**port(6379, "127.0.0.1"), "check": {"type": "tcp"}})


def test_a_rule_of_one_server_does_not_speak_of_the_others() -> None:
    text = draft("prometheus_rules", UNIT)
    (pattern,) = re.findall(r'instance=~\\"(.*?)\\"', text)
    instance = re.compile(pattern.replace("\\\\\\\\", "\\"))
    for name in ("192.0.2.7:9100", "192.0.2.7", "web1:9100"):
        assert instance.fullmatch(name), name
    for name in ("192.0.2.70:9100", "192x0x2x7:9100", "web10:9100"):
        assert not instance.fullmatch(name), name
