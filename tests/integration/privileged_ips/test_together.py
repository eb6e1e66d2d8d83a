# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All sinks together: found by auto, put back when one fails, rolled back without a confirmation, and read."""

from __future__ import annotations

import time
from typing import Any

from lab import Host

FIRST, SECOND = "198.51.100.7", "198.51.100.8"
NFT = {"backend": "nftables"}
LINE = {
    "backend": "line_file",
    "name": "ftp",
    "file": "/etc/ftp.allow",
    "template": "Allow from {address}",
    "reload": "/usr/local/bin/ftp-reload",
}


def ruleset(host: Host) -> str:
    return host.run("nft list ruleset").stdout


def test_when_the_last_sink_fails_the_ones_before_it_are_put_back(server: Host, ips: Any) -> None:
    host = server
    host.write("/usr/local/bin/ftp-reload", "#!/bin/sh\nexit 0\n", 0o755)
    ips.ok(host, [FIRST], [NFT, LINE])
    before, files = ruleset(host), host.snapshot(["/etc/nftables.d", "/etc/ftp.allow"])
    host.write("/usr/local/bin/ftp-reload", "#!/bin/sh\nexit 1\n", 0o755)
    message = ips.fails(host, [FIRST, SECOND], [NFT, LINE])
    assert "sink ftp" in message
    assert "nftables was put back" in message
    assert ruleset(host) == before
    assert host.snapshot(["/etc/nftables.d", "/etc/ftp.allow"]) == files


def test_without_a_confirmation_the_server_puts_live_rules_and_files_back(server: Host, ips: Any) -> None:
    host = server
    ips.ok(host, [FIRST], [NFT])
    before, files = ruleset(host), host.snapshot(["/etc/nftables.d", "/etc/nftables.conf"])
    # A gate that the controller is listed for, and another rule that keeps new logins out all the same.
    # It comes once the change is armed: after the module's own login, before the one that is to confirm.
    armed = "/var/lib/infogerance-perimeter/pending/*/armed"
    wait = f"until ls {armed} >/dev/null 2>&1; do sleep 0.02; done"
    host.spawn(f"{wait}; iptables -I INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -j DROP")
    sinks = [{**NFT, "ports": [22]}]
    done = ips(host, [FIRST, SECOND], sinks, confirm_timeout=10, task={"vars": {"ansible_ssh_timeout": 3}})
    host.run("iptables -F INPUT")
    if done["rc"] == 0:
        # The run was quicker than the trap: nothing was tried.
        raise AssertionError("the trap came too late: %s" % done["confirmation"])
    deadline = time.monotonic() + 40
    while ruleset(host).count("198.51.100.8") and time.monotonic() < deadline:
        time.sleep(0.5)
    assert SECOND not in ruleset(host)
    assert [x for x in before.splitlines() if "198.51" in x] == [x for x in ruleset(host).splitlines() if "198.51" in x]
    assert "gate" not in ruleset(host)
    assert host.snapshot(["/etc/nftables.d", "/etc/nftables.conf"]) == files


def test_auto_finds_the_firewall_and_the_services_that_keep_a_list(server: Host, ips: Any, ansible: Any) -> None:
    host = server
    host.write("/etc/nginx/snippets/infogerance-perimeter.conf", "")
    host.write("/var/log/auth.log", "")
    done = ips.ok(host, [FIRST, {"address": SECOND, "list": "trusted"}], [{"backend": "auto"}])
    assert [s["name"] for s in done["sinks"]] == ["nftables", "fail2ban", "nrpe", "nginx"]
    # NRPE answers trusted addresses only.
    assert SECOND in host.read("/etc/nagios/nrpe.cfg").decode()
    assert FIRST not in host.read("/etc/nagios/nrpe.cfg").decode()
    assert f"allow {FIRST};" in host.read("/etc/nginx/snippets/infogerance-perimeter.conf").decode()
    assert not ips.ok(host, [FIRST, {"address": SECOND, "list": "trusted"}], [{"backend": "auto"}])["changed"]

    state = host.stamps(["/etc", "/var/lib/infogerance-perimeter"])
    rc, read, _output = ansible(host, "infogerance.perimeter.privileged_ips_info", {})
    assert rc == 0
    assert not read["changed"]
    by_name = {s["name"]: s for s in read["sinks"]}
    assert by_name["nftables"]["live"] == {"privileged": sorted([ips.controller, FIRST]), "trusted": [SECOND]}
    assert by_name["nginx"]["file"] == {"listed": sorted([ips.controller, FIRST, SECOND])}
    assert read["controller_address"] == ips.controller
    assert read["drift"] == []
    assert host.stamps(["/etc", "/var/lib/infogerance-perimeter"]) == state

    # A demotion takes the address out of what only trusted ones reach, when taking is asked for.
    report = ips.ok(host, [FIRST, SECOND], [{"backend": "auto"}])
    assert SECOND in host.read("/etc/nagios/nrpe.cfg").decode()
    assert not report["changed"] or "nrpe" not in str(report["applied"])
    ips.ok(host, [FIRST, SECOND], [{"backend": "auto"}], obsolete="disable")
    assert SECOND not in host.read("/etc/nagios/nrpe.cfg").decode()
    assert "127.0.0.1" in host.read("/etc/nagios/nrpe.cfg").decode()


def test_a_value_that_others_share_is_never_emptied_and_theirs_stay(server: Host, ips: Any) -> None:
    host = server
    host.run("sed -i 's/^allowed_hosts=.*/allowed_hosts=203.0.113.30/' /etc/nagios/nrpe.cfg")
    sinks = [{"backend": "nrpe", "manage": "all"}]
    message = ips.fails(host, [FIRST], sinks, obsolete="remove")
    assert "allowed_hosts would be empty" in message
    adopted = ips.ok(host, [{"address": "203.0.113.30", "list": "trusted"}], [{"backend": "nrpe"}], adopt=True)
    assert [a["action"] for a in adopted["applied"]] == ["adopt"]
    assert not ips.ok(host, [{"address": "203.0.113.30", "list": "trusted"}], [{"backend": "nrpe"}], adopt=True)[
        "changed"
    ]


def test_an_nrpe_that_would_die_of_its_reload_is_left_alone(server: Host, ips: Any) -> None:
    host = server
    host.run("mkdir -p /run/nagios; chown nagios /run/nagios; nrpe -c /etc/nagios/nrpe.cfg -d")
    sinks = [{"backend": "nrpe", "lists": ["privileged"]}]
    ips.ok(host, [FIRST], sinks)
    pid = host.run("pgrep -x nrpe").stdout
    host.run("echo 'not a setting' >> /etc/nagios/nrpe.cfg")
    files = host.snapshot(["/etc/nagios"])
    assert "nrpe does not start with this configuration" in ips.fails(host, [FIRST, SECOND], sinks)
    assert host.run("pgrep -x nrpe").stdout == pid
    assert host.snapshot(["/etc/nagios"]) == files
