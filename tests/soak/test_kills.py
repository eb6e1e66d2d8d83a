# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill each module at every one of its writes, with and without an armed roll-back. At least 200 kills.

After each: a new login with sudo works; pwck, grpck, visudo and sshd find nothing wrong; every key file and firewall
rule is old or new; an armed change is taken back byte for byte; the next run converges and the one after does nothing.
For certificates: the list is in force and no worse than before, index and keys are whole, who stays gets in.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.host import Host
from tests.integration.vpn_certificates.vpn import PACKAGES, TUN
from tests.soak import killing, vpn_killing

#: Far beyond the writes of any of these runs: it ends at the first number that kills nobody.
MOST = 600
#: Each run is shared out to two hosts, so that both cores have work: (first write, step).
HALVES = [(1, 2), (2, 2)]
#: Arming writes a copy of each account file in the same way: every second of its writes is enough.
ACCOUNTS = [("auto", 1, 4), ("auto", 3, 4), *(("never", *half) for half in HALVES)]
ADDRESSES = [*(("auto", *half) for half in HALVES), ("never", 1, 1)]
#: What each kill led to, one line each.
LOG = Path(__file__).resolve().parents[2] / ".cache" / "kills"


def kill_everywhere(host: Host, mode: str, first: int, step: int) -> int:
    kills = 0
    for number in range(first, MOST, step):
        told = killing.killed_at(host, number, mode)
        if not told["killed"]:
            break
        kills += 1
        with (LOG.parent / f"{LOG.name}-{host.name}").open("a", encoding="utf-8") as stream:
            stream.write(f"{json.dumps(told)}\n")
    return kills


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "first", "step"), ACCOUNTS)
def test_accounts_survive_a_kill_at_every_write(
    mode: str, first: int, step: int, make_host: Any, runner: Any, keys: Any
) -> None:
    host = make_host("accounts")
    old, new = keys("old").public, keys("new").public
    killing.mess(host, old)
    killing.send(runner, host, "ssh_accounts", killing.accounts(host, old, new))
    assert kill_everywhere(host, mode, first, step) >= 32


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "first", "step"), ADDRESSES)
def test_addresses_survive_a_kill_at_every_write(mode: str, first: int, step: int, make_host: Any, runner: Any) -> None:
    host = make_host("addresses")
    us = host.run("ip -4 route show default").stdout.split()[2]
    before = killing.addresses(us, "198.51.100.7", "2001:db8::/48")
    rc, _result, output = runner.module(host, "infogerance.perimeter.privileged_ips", before)
    assert rc == 0, output
    killing.send(runner, host, "privileged_ips", killing.addresses(us, "203.0.113.0/24", "2001:db8:1::/48"))
    assert kill_everywhere(host, mode, first, step) >= (22 if mode == "auto" else 10)


@pytest.mark.slow
@pytest.mark.parametrize(("first", "step"), HALVES)
def test_certificates_survive_a_kill_at_every_write(
    first: int, step: int, make_host: Any, runner: Any, tmp_path: Path
) -> None:
    host = make_host("certificates", extra_packages=PACKAGES, devices=TUN)
    arguments = vpn_killing.prepare(host, tmp_path / "ca", runner)
    killing.send(runner, host, "vpn_certificates", arguments)
    assert kill_everywhere(host, "never", first, step) >= 40
