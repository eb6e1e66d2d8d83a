# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""minifirewall as a systemd unit: never restarted, whatever state the unit is in, and a restart gives the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab import Host

FIRST, SECOND, SIX, OTHER_SIX = "198.51.100.7", "198.51.100.8", "2001:db8:12::/48", "2001:db8:34::/48"
THEIRS = "203.0.113.50"
SINK = {"backend": "minifirewall"}
UNIT = """
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/minifirewall start
ExecStop=/usr/local/sbin/minifirewall stop
"""


def rules(host: Host) -> list[str]:
    return sorted(host.run("iptables -S; ip6tables -S").stdout.splitlines())


def started(host: Host) -> str:
    return host.run("systemctl show -p ActiveState -p ActiveEnterTimestampMonotonic minifirewall").stdout


def test_a_unit_is_never_restarted_and_a_restart_gives_what_is_live(make_host: Callable[..., Host], ips: Any) -> None:
    host = make_host("mini", flavour="systemd", extra_packages=("iptables",))
    ips.controller = host.run("ip -4 route show default").stdout.split()[2]
    host.copy_in(Path(__file__).parent / "minifirewall_modern.sh", "/usr/local/sbin/minifirewall", 0o755)
    host.write("/etc/systemd/system/minifirewall.service", UNIT)
    text = f"INT='eth0'\nIPV6='on'\nTRUSTEDIPS='{THEIRS} {ips.controller}'\nPRIVILEGIEDIPS=''\nSERVICESTCP2='22'\n"
    host.write("/etc/default/minifirewall", text, 0o600)
    host.run("mkdir -p /etc/minifirewall.d; systemctl daemon-reload; systemctl start minifirewall")
    before = started(host)
    assert "ActiveState=active" in before

    done = ips.ok(host, [FIRST, SIX], [SINK], obsolete="remove")
    assert THEIRS in [u["entry"] for u in done["unmanaged"]]
    assert started(host) == before
    host.run("/usr/local/sbin/minifirewall check-active-config")
    live = rules(host)
    assert f"-A ONLYPRIVILEGIED -s {SIX} -j ACCEPT" in live
    # Ours on one list takes nothing from the other one, where it is somebody else's.
    assert f"TRUSTEDIPS='{THEIRS} {ips.controller}'" in host.read("/etc/default/minifirewall").decode()
    host.run("systemctl restart minifirewall")
    assert rules(host) == live
    assert not ips.ok(host, [FIRST, SIX], [SINK], obsolete="remove")["changed"]

    # A unit that systemd has given up: its start would meet the chains and fail, so nothing may depend on it.
    host.run("iptables-save > /root/4; ip6tables-save > /root/6")
    host.write("/etc/minifirewall.d/noise", "echo hello\n", 0o600)
    assert host.run("systemctl restart minifirewall", check=False).returncode != 0
    stopped = ips.ok(host, [FIRST, SIX], [SINK])
    assert stopped["sinks"][0]["live_entries"] is None
    assert any("is not started" in note for note in stopped["notes"])
    host.run("rm /etc/minifirewall.d/noise; iptables-restore < /root/4; ip6tables-restore < /root/6")
    assert "ActiveState=failed" in started(host)
    ips.ok(host, [FIRST, SECOND], [SINK], obsolete="remove")
    live = rules(host)
    assert f"-A ONLYPRIVILEGIED -s {SECOND}/32 -j ACCEPT" in live
    assert not [line for line in live if SIX in line]
    assert "-P INPUT DROP" in live
    assert host.ssh().returncode == 0


def test_who_goes_is_out_though_the_file_says_another_thing_of_ipv6_than_what_is_in_force(
    make_host: Callable[..., Host], ips: Any
) -> None:
    host = make_host("mini", extra_packages=("iptables",))
    ips.controller = host.run("ip -4 route show default").stdout.split()[2]
    host.copy_in(Path(__file__).parent / "minifirewall_modern.sh", "/usr/local/sbin/minifirewall", 0o755)
    text = f"INT='eth0'\nIPV6='on'\nTRUSTEDIPS=''\nPRIVILEGIEDIPS='{ips.controller}'\nSERVICESTCP2='22'\n"
    host.write("/etc/default/minifirewall", text, 0o600)
    host.run("mkdir -p /etc/minifirewall.d; /usr/local/sbin/minifirewall restart --ignore-systemd")
    ips.ok(host, [FIRST, SECOND, SIX, OTHER_SIX], [SINK])

    # Switched off, and its chains still stand: what leaves the list leaves them, too.
    host.run("sed -i \"s/^IPV6=.*/IPV6='off'/\" /etc/default/minifirewall")
    done = ips.ok(host, [FIRST, SECOND, OTHER_SIX], [SINK], obsolete="remove")
    live = rules(host)
    assert not [line for line in live if SIX in line]
    assert [line for line in live if OTHER_SIX in line]
    assert any("IPV6 in /etc/default/minifirewall is not what is in force" in note for note in done["notes"])

    # Switched on, and there are no chains of it yet: IPv4 is in force all the same.
    host.run("ip6tables -P INPUT ACCEPT; ip6tables -F; ip6tables -X")
    host.run("sed -i \"s/^IPV6=.*/IPV6='on'/\" /etc/default/minifirewall")
    ips.ok(host, [FIRST], [SINK], obsolete="remove")
    live = rules(host)
    assert [line for line in live if FIRST in line]
    assert not [line for line in live if SECOND in line]
    said = ips.fails(host, [FIRST, SIX], [SINK])
    assert "restart it first" in said
    assert rules(host) == live
