# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""firewalld under systemd: sets, zone sources, drift, and configurations that would not load."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from lab import Host

PACKAGES = ("firewalld", "iptables")
SINK = {"backend": "firewalld", "zone": "trusted"}
FIRST, SECOND, SIX = "198.51.100.7", "198.51.100.8", "2001:db8:12::/48"


@pytest.fixture(scope="module")
def fire(module_hosts: Callable[..., Host]) -> Host:
    host = module_hosts("fire", flavour="systemd", extra_packages=PACKAGES)
    # The kernel's conntrack helpers and IPv6 reverse path filter are not for a container to load.
    host.run("sed -i 's/^IPv6_rpfilter=.*/IPv6_rpfilter=no/' /etc/firewalld/firewalld.conf")
    host.run("systemctl enable --now firewalld")
    deadline = time.monotonic() + 30
    while host.run("firewall-cmd --state", check=False).returncode != 0:
        assert time.monotonic() < deadline, host.run("journalctl -u firewalld --no-pager | tail", check=False).stdout
        time.sleep(0.5)
    host.run("firewall-cmd --permanent --zone=public --add-source=203.0.113.60 && firewall-cmd --reload")
    return host


@pytest.fixture
def call(fire: Host, ips: Any) -> Any:
    ips.controller = fire.run("ip -4 route show default").stdout.split()[2]
    return ips


def on_disk(host: Host) -> set[str]:
    """The entries of the permanent files themselves."""
    text = host.run("cat /etc/firewalld/ipsets/perimeter-priv-*.xml").stdout
    return set(re.findall(r"<entry>([^<]+)</entry>", text))


def permanent(host: Host, wanted: set[str]) -> set[str]:
    """firewalld's own view of the permanent files: its file monitor brings it up to date a second or two later."""
    deadline = time.monotonic() + 20
    while (found := entries(host, "--permanent")) != wanted and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def entries(host: Host, *options: str) -> set[str]:
    found: set[str] = set()
    for name in ("perimeter-priv-ipv4", "perimeter-priv-ipv6"):
        done = host.run(["firewall-cmd", *options, f"--ipset={name}", "--get-entries"], check=False)
        found |= set(done.stdout.split())
    return found


def test_sets_become_sources_drift_is_mended_and_obsolete_entries_go(fire: Host, call: Any) -> None:
    done = call.ok(fire, [FIRST, SECOND, SIX], [SINK])
    wanted = {call.controller, FIRST, SECOND, SIX}
    assert entries(fire) == on_disk(fire) == permanent(fire, wanted) == wanted
    assert "ipset:perimeter-priv-ipv4" in fire.run("firewall-cmd --zone=trusted --list-sources").stdout
    assert "203.0.113.60" in [u["entry"] for u in done["unmanaged"]]
    assert not call.ok(fire, [FIRST, SECOND, SIX], [SINK])["changed"]

    fire.run(f"firewall-cmd --ipset=perimeter-priv-ipv4 --remove-entry={FIRST}")
    mended = call.ok(fire, [FIRST, SECOND, SIX], [SINK])
    assert {"sink": "firewalld", "entry": FIRST, "file": "privileged", "live": "absent"} in mended["drift"]
    assert FIRST in entries(fire)

    call.ok(fire, ["198.51.100.0/24", SIX], [SINK])
    assert entries(fire) == {call.controller, "198.51.100.0/24", SIX}
    call.ok(fire, [FIRST], [SINK], obsolete="remove")
    wanted = {call.controller, FIRST}
    assert entries(fire) == on_disk(fire) == permanent(fire, wanted) == wanted
    fire.run("firewall-cmd --reload")
    assert entries(fire) == {call.controller, FIRST}
    assert "203.0.113.60" in fire.run("firewall-cmd --zone=public --list-sources").stdout


@pytest.mark.parametrize("how", ["broken configuration", "broken reload"])
@pytest.mark.sample(1)
def test_what_firewalld_would_not_load_changes_nothing(fire: Host, call: Any, how: str) -> None:
    call.ok(fire, [FIRST], [SINK], obsolete="remove")
    files = fire.snapshot(["/etc/firewalld/ipsets", "/etc/firewalld/zones"])
    live = entries(fire)
    if how == "broken configuration":
        fire.write("/etc/firewalld/zones/broken.xml", "<zone><nonsense</zone>")
    else:
        text = (
            '#!/bin/sh\ncase " $* " in *" --add-entries-from-file="*) exit 3 ;; esac\nexec /usr/bin/firewall-cmd "$@"\n'
        )
        fire.write("/usr/local/bin/firewall-cmd", text, 0o755)
    try:
        assert "sink firewalld" in call.fails(fire, [FIRST, SECOND], [SINK])
    finally:
        fire.run("rm -f /etc/firewalld/zones/broken.xml /usr/local/bin/firewall-cmd")
    assert entries(fire) == live
    assert fire.snapshot(["/etc/firewalld/ipsets", "/etc/firewalld/zones"]) == files
    call.ok(fire, [FIRST, SECOND], [SINK])
    assert SECOND in entries(fire)
