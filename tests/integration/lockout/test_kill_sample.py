# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sample of the kills that ``make soak`` makes in full: see tests/soak/test_kills.py."""

from __future__ import annotations

from typing import Any

from tests.soak import killing

#: From the first write to the last: while arming, while adding, while taking away.
ACCOUNTS = [
    ("auto", 1),
    ("auto", 40),
    ("auto", 80),
    ("auto", 110),
    ("auto", 130),
    ("never", 3),
    ("never", 25),
    ("never", 55),
]
ADDRESSES = [("auto", 2), ("auto", 30), ("auto", 45), ("never", 7)]


def test_accounts_survive_kills(make_host: Any, runner: Any, keys: Any) -> None:
    host = make_host("kills")
    old, new = keys("old").public, keys("new").public
    killing.mess(host, old)
    killing.send(runner, host, "ssh_accounts", killing.accounts(host, old, new))
    for mode, number in ACCOUNTS:
        assert killing.killed_at(host, number, mode)["killed"]


def test_addresses_survive_kills(make_host: Any, runner: Any) -> None:
    host = make_host("kills")
    us = host.run("ip -4 route show default").stdout.split()[2]
    first = killing.addresses(us, "198.51.100.7", "2001:db8::/48")
    rc, _result, output = runner.module(host, "infogerance.perimeter.privileged_ips", first)
    assert rc == 0, output
    killing.send(runner, host, "privileged_ips", killing.addresses(us, "203.0.113.0/24", "2001:db8:1::/48"))
    for mode, number in ADDRESSES:
        assert killing.killed_at(host, number, mode)["killed"]
