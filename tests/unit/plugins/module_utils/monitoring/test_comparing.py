# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Undeclared, gone, changed, as declared: each item is in one of them, whatever is compared."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.baseline import SYSTEM
from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.comparing import compare
from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.declarations import declared, rules
from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.item import Item
from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.running import units_of
from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.vhosts import (
    apache_hosts,
    nginx_hosts,
    nginx_tokens,
)


def port(number: int, *addresses: str, **more: Any) -> Item:
    return Item("port", f"tcp/{number}", "tcp", number, addresses or ("0.0.0.0",), **more)


ITEMS = st.lists(
    st.builds(
        port,
        st.integers(1, 5),
        st.sampled_from(["0.0.0.0", "::", "192.0.2.1", "127.0.0.1"]),
        program=st.sampled_from(["a", "b", None]),
        user=st.sampled_from(["u", None]),
    ),
    max_size=6,
)


@given(ITEMS, ITEMS, st.booleans())
def test_nothing_is_lost_and_nothing_told_twice(wanted: list[Item], found: list[Item], loopback: bool) -> None:
    made = compare(wanted, found, loopback=loopback)
    assert len(wanted) == len(made.gone) + len(made.changed) + len(made.matched)
    assert len(found) == len(made.undeclared) + len(made.changed) + len(made.matched) + made.left_out


@given(ITEMS)
def test_what_is_declared_as_it_is_has_no_difference(found: list[Item]) -> None:
    made = compare(found, found, loopback=True)
    assert (made.undeclared, made.gone) == ([], [])


def test_an_ipv6_wildcard_takes_ipv4_and_an_address_alone_is_not_every_one() -> None:
    (wanted,) = declared([{"kind": "port", "port": 80, "address": "0.0.0.0"}])
    assert compare([wanted], [port(80, "::")]).matched
    (wanted,) = declared([{"kind": "port", "port": 80, "address": "192.0.2.1"}])
    assert compare([wanted], [port(80, "192.0.2.1")]).matched
    assert compare([wanted], [port(80, "::")]).changed[0][2] == ["address: every one, declared 192.0.2.1 alone"]
    assert compare([wanted], [port(80, "192.0.2.2")]).changed[0][2] == ["address: 192.0.2.2, declared 192.0.2.1"]


def test_the_same_program_on_another_port_has_moved() -> None:
    (wanted,) = declared([{"kind": "port", "port": 5432, "program": "postgres"}])
    ((_declared, found, words),) = compare([wanted], [port(5433, program="postgres")]).changed
    assert (found.port, words) == (5433, ["port: 5433, declared 5432"])
    assert compare([wanted], [port(5433, program="postgres"), port(5434, program="postgres")]).gone == [wanted]


def test_the_systems_own_and_rules_of_the_user_are_left_out() -> None:
    found = [
        port(22, program="sshd"),
        port(2222, program="dropbear"),
        Item("unit", "getty@tty1.service", state="active"),
    ]
    assert compare([], found, SYSTEM).undeclared == [found[1]]
    assert (
        compare([], found, [*SYSTEM, *rules([{"kind": "port", "program": "drop*", "reason": "ours"}])]).undeclared == []
    )


def test_nginxs_blocks_are_read_with_quotes_comments_and_nesting() -> None:
    text = """
    http { # server { server_name no.example.org; }
      upstream u { server 192.0.2.1:80; }
      server { listen 80; listen [::]:8080 ssl; server_name "a.example.org" *.b.example.org _;
        location / { return 200 "} {"; } }
      server { server_name c.example.org; }
      server { listen unix:/run/x.sock; }
    }"""
    found = nginx_hosts((word, "f") for word in nginx_tokens(text))
    assert found == [
        (["a.example.org", "*.b.example.org"], [80, 8080], True, "f"),
        (["c.example.org"], [80], False, "f"),
    ]


def test_apaches_blocks_are_read() -> None:
    text = (
        "<VirtualHost *:443 [::]:443>\n ServerName https://A.example.org:443\n ServerAlias b.example.org\n"
        " SSLEngine on\n</VirtualHost>\n"
    )
    assert apache_hosts(text, "f") == [(["A.example.org", "b.example.org"], [443, 443], True, "f")]


@given(st.text(alphabet="{};#\\\"' \nabserver_name listen80<VirtualHost>/:*"))
def test_no_text_breaks_the_readers(text: str) -> None:
    nginx_hosts((word, "f") for word in nginx_tokens(text))
    apache_hosts(text, "f")
    units_of(text)
