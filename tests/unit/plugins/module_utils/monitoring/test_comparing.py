# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Undeclared, gone, changed, as declared: each item is in one of them, whatever is compared."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.baseline import SYSTEM
from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.comparing import compare
from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.declarations import declared, rules
from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.item import Item
from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.running import sockets_of, units_of
from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.vhosts import (
    apache_hosts,
    nginx_hosts,
    nginx_tokens,
)
from ansible_collections.infogerance.perimeter.plugins.module_utils.reconcile import InvalidEntry


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


def test_what_a_person_runs_is_not_the_systems_whatever_it_is_called() -> None:
    shell = port(4444, program="sshd", user="alice", person=True)
    unit = Item("unit", "cron.service", user="alice", state="active", manager="user", person=True)
    waiting = port(8080, program="systemd", user="root", unit="shop.socket")
    bus = Item("unit", "dbus.service", user="alice", program="dbus-daemon", state="active", person=True)
    ours = port(22, program="systemd", user="root", unit="ssh.socket")
    assert compare([], [shell, unit, waiting, bus, ours], SYSTEM).undeclared == [shell, unit, waiting]


def test_who_says_more_chooses_first() -> None:
    wanted = declared([{"kind": "port", "port": 80}, {"kind": "port", "port": 80, "address": "192.0.2.1"}])
    found = [port(80, "192.0.2.1", program="haproxy"), port(80, "192.0.2.2", program="nginx")]
    made = compare(wanted, found)
    assert [item.program for _want, item in made.matched] == ["haproxy", "nginx"]


def test_a_site_may_be_declared_on_nginx_and_on_apache_behind_it() -> None:
    wanted = declared(
        [
            {"kind": "vhost", "name": "a.example.org"},
            {"kind": "vhost", "name": "a.example.org", "server": "apache", "ports": [8080]},
        ]
    )
    found = [
        Item("vhost", "a.example.org", server="apache", ports=(8080,), state="active"),
        Item("vhost", "a.example.org", server="nginx", ports=(443,), state="active"),
    ]
    made = compare(wanted, found)
    assert [item.server for _want, item in made.matched] == ["apache", "nginx"]
    assert (made.undeclared, made.gone, made.changed) == ([], [], [])


def test_a_site_of_a_web_server_that_is_down_is_not_as_declared() -> None:
    wanted = declared([{"kind": "vhost", "name": "a.example.org"}])
    found = [Item("vhost", "a.example.org", server="nginx", ports=(80,), state="stopped")]
    assert compare(wanted, found).changed[0][2] == ["state: stopped, declared active"]
    assert compare([], found).undeclared == []


def test_apaches_ports_that_no_file_of_the_site_tells_differ_from_nothing() -> None:
    wanted = declared([{"kind": "vhost", "name": "a.example.org", "ports": [80]}])
    assert compare(wanted, [Item("vhost", "a.example.org", server="apache", state="active")]).matched


def test_what_is_quiet_is_found_where_it_is_declared_and_never_told_else() -> None:
    vpn = Item("port", "udp/51820", "udp", 51820, ("0.0.0.0",), quiet=True)
    text = (
        "Id=wall.service\nActiveState=active\nSubState=exited\nUser=\n\n"
        "Id=shop.socket\nActiveState=active\nSubState=listening\nListen=[::]:8080 (Stream)\nListen=/run/x (Stream)\n"
        "\nId=broken.timer\nActiveState=failed\nTriggers=broken.service\n\nId=off.target\nActiveState=inactive\n"
    )
    units = units_of(text)
    assert [(item.name, item.state, item.quiet) for item in units] == [
        ("wall.service", "active", True),
        ("shop.socket", "active", True),
        ("broken.timer", "failed", False),
    ]
    assert sockets_of(text) == {("tcp", 8080): "shop.socket"}
    made = compare([], [vpn, *units])
    assert ([item.name for item in made.undeclared], made.left_out) == (["broken.timer"], 0)
    wanted = declared(
        [
            {"kind": "port", "port": 51820, "protocol": "udp"},
            {"kind": "unit", "name": "wall.service"},
            {"kind": "unit", "name": "shop.socket"},
        ]
    )
    made = compare(wanted, [vpn, *units])
    assert (len(made.matched), made.gone, made.changed) == (3, [], [])
    # A question to a name server is no moved resolver.
    (resolver,) = declared([{"kind": "port", "port": 53, "protocol": "udp", "program": "dnsmasq"}])
    asking = Item("port", "udp/40000", "udp", 40000, ("0.0.0.0",), program="dnsmasq", quiet=True)
    assert compare([resolver], [asking]).gone == [resolver]


def test_what_could_not_be_looked_at_is_not_called_gone() -> None:
    wanted = declared([{"kind": "unit", "name": "a.service"}, {"kind": "port", "port": 80}])
    made = compare(wanted, [], blind={"unit"})
    assert ([item.name for item in made.unchecked], [item.name for item in made.gone]) == (["a.service"], ["tcp/80"])


@pytest.mark.parametrize(
    ("wanted", "image", "same"),
    [
        ("docker.io/library/opensearch:2", "opensearch:2", True),
        ("acme/shop", "docker.io/acme/shop:latest", True),
        ("registry.example.org:5000/shop:1", "shop:1", False),
        ("localhost/shop:1", "shop:1", False),
        ("shop:1", "shop:2", False),
    ],
)
def test_an_image_is_compared_by_its_whole_name(wanted: str, image: str, same: bool) -> None:
    entry = declared([{"kind": "container", "name": "shop", "image": wanted}])
    made = compare(entry, [Item("container", "shop", image=image, state="running")])
    assert bool(made.matched) is same


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"kind": "unit", "name": "a.service", "check": {"type": "tcp"}}, "check: type: tcp needs a port"),
        ({"kind": "vhost", "name": "a.example.org", "check": {"type": "udp"}}, "check: type: udp needs a port"),
        ({"kind": "container", "name": "a", "check": {"type": "https"}}, "check: host: is missing"),
        ({"kind": "port", "port": 80, "address": "fe80::1%eth0"}, "address"),
    ],
)
def test_a_check_that_can_not_be_made_is_named(entry: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidEntry, match=said):
        declared([entry])


def test_a_mapped_address_is_the_one_that_it_maps() -> None:
    (wanted,) = declared([{"kind": "port", "port": 80, "address": "::ffff:192.0.2.1"}])
    assert wanted.addresses == ("192.0.2.1",)


def test_nginxs_quoted_braces_open_and_close_nothing() -> None:
    text = """
    http {
      log_format json '{' '"t": "$time"' '}';
      server { server_name a.example.org; location / { return 200 "}"; } listen 8080; }
      server { server_name .b.example.org www.c.example.*; }
    }"""
    found = nginx_hosts((word, "f") for word in nginx_tokens(text))
    assert found == [
        (["a.example.org"], [8080], False, "f"),
        (["b.example.org", "*.b.example.org", "www.c.example.*"], [80], False, "f"),
    ]
    assert declared([{"kind": "vhost", "name": "www.c.example.*"}])


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
