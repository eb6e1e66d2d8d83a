# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nftables on a real host: what packets meet, what a reboot loads, and what fails must leave as it was."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from lab import Host

NFT = {"backend": "nftables"}
TABLE = "inet infogerance_perimeter"
FOREIGN = """
table ip docker {
  chain input {
    type filter hook input priority 5; policy accept;
    ip saddr 203.0.113.99 accept
  }
}
table inet f2b {
  set banned {
    type ipv4_addr
    elements = { 192.0.2.66 }
  }
}
"""
MINE = """
table inet mine {
  set privileged_ipv4 {
    type ipv4_addr
    flags interval
    elements = { 203.0.113.1, 203.0.113.2 }
  }
  set ports {
    type inet_service
    elements = { 22, 443 }
  }
}
"""


def elements(host: Host, name: str) -> set[str]:
    done = host.run("nft -j list set %s %s" % (TABLE, name), check=False)
    if done.returncode != 0:
        return set()
    found = set()
    for item in json.loads(done.stdout)["nftables"]:
        for value in item.get("set", {}).get("elem", []):
            found.add(value if isinstance(value, str) else "%s/%d" % (value["prefix"]["addr"], value["prefix"]["len"]))
    return found


def foreign(host: Host) -> str:
    return host.run("nft list table ip docker; nft list table inet f2b").stdout


def test_a_list_becomes_sets_and_a_second_run_writes_nothing(server: Host, ips: Any) -> None:
    host = server
    host.run(["nft", "-f", "-"], input=FOREIGN)
    before = foreign(host)
    rows = [
        {"address": "198.51.100.7", "owner": "alice"},
        "2001:DB8:12::/48",
        {"address": "192.0.2.0/24", "list": "trusted"},
        "192.0.2.9",
    ]
    preview = ips.ok(host, rows, [NFT], check=True)
    assert preview["changed"]
    assert not elements(host, "privileged_ipv4")
    assert not host.exists("/etc/nftables.d")
    assert not host.exists("/var/lib/infogerance-perimeter")

    done = ips.ok(host, rows, [NFT], expect_plan=preview["plan_id"])
    assert done["changed"]
    assert [a["action"] for a in done["applied"]] == [a["action"] for a in preview["plan"]]
    assert elements(host, "privileged_ipv4") == {ips.controller, "198.51.100.7"}
    assert elements(host, "privileged_ipv6") == {"2001:db8:12::/48"}
    assert elements(host, "trusted_ipv4") == {"192.0.2.0/24"}
    assert "2001:DB8:12::/48 is written 2001:db8:12::/48" in done["normalised"]
    assert "192.0.2.9 is covered by 192.0.2.0/24 in nftables" in done["normalised"]
    assert {
        "sink": "nftables",
        "entry": "203.0.113.99",
        "where": "rule 2 of chain ip docker input",
        "declared": False,
    } in (done["elsewhere"])
    assert "203.0.113.99" in [u["entry"] for u in done["unmanaged"]]

    # What waited for the confirmation is cleared away by the run after it: not a change, but not ours to count.
    state = "/var/lib/infogerance-perimeter/privileged_ips.json"
    stamps = host.stamps(["/etc/nftables.d", "/etc/nftables.conf", state])
    again = ips.ok(host, rows, [NFT])
    assert not again["changed"]
    assert again["plan"] == []
    assert again["drift"] == []
    assert host.stamps(["/etc/nftables.d", "/etc/nftables.conf", state]) == stamps
    assert foreign(host) == before

    host.run("nft -f /etc/nftables.conf")
    assert elements(host, "privileged_ipv4") == {ips.controller, "198.51.100.7"}
    assert elements(host, "trusted_ipv4") == {"192.0.2.0/24"}


def test_what_is_not_declared_is_reported_then_taken_and_comes_back(server: Host, ips: Any) -> None:
    host = server
    ips.ok(host, ["198.51.100.7", "198.51.100.8"], [NFT])
    report = ips.ok(host, ["198.51.100.7"], [NFT])
    assert not report["changed"]
    assert [o["entry"] for o in report["obsolete"]] == ["198.51.100.8"]
    assert "198.51.100.8" in elements(host, "privileged_ipv4")

    gone = ips.ok(host, ["198.51.100.7"], [NFT], obsolete="remove")
    assert [a["action"] for a in gone["applied"]] == ["remove"]
    assert elements(host, "privileged_ipv4") == {ips.controller, "198.51.100.7"}
    assert "198.51.100.8" not in host.read("/etc/nftables.d/infogerance-perimeter.nft").decode()

    back = ips.ok(host, ["198.51.100.7"], [NFT], restore=["198.51.100.8/32"])
    assert [a["action"] for a in back["applied"]] == ["restore"]
    assert "198.51.100.8" in elements(host, "privileged_ipv4")
    assert "neither declared nor in the archive" in ips.fails(host, [], [NFT], restore=["192.0.2.200"])


def test_what_expires_today_goes_today_and_a_departure_takes_its_address(server: Host, ips: Any) -> None:
    host = server
    rows = [{"address": "198.51.100.7", "owner": "bob"}, {"address": "198.51.100.8"}]
    ips.ok(host, rows, [NFT])
    today = time.strftime("%Y-%m-%d", time.gmtime())
    rows[1]["expires"] = today
    done = ips.ok(host, rows, [NFT], obsolete="disable", departed=[{"person": "bob", "since": today}])
    reasons = {a["entry"]: a["reason"] for a in done["applied"]}
    assert reasons == {"198.51.100.7": "bob left on %s" % today, "198.51.100.8": "expired on %s" % today}
    assert elements(host, "privileged_ipv4") == {ips.controller}


def test_drift_of_live_state_and_of_the_file_is_told_and_mended(server: Host, ips: Any) -> None:
    host = server
    sinks = [{**NFT, "ports": [22]}]
    ips.ok(host, ["198.51.100.7", "198.51.100.8"], sinks)
    host.run("nft delete element %s privileged_ipv4 { 198.51.100.7 }" % TABLE)
    host.run("nft flush chain %s gate" % TABLE)
    host.run("sed -i /198.51.100.8/d /etc/nftables.d/infogerance-perimeter.nft")
    done = ips.ok(host, ["198.51.100.7", "198.51.100.8"], sinks)
    drift = {(d["entry"], d.get("file"), d.get("live")) for d in done["drift"]}
    assert ("198.51.100.7", "privileged", "absent") in drift
    assert ("198.51.100.8", "absent", "privileged") in drift
    assert ("live", None, "gate differs") in drift
    assert elements(host, "privileged_ipv4") >= {"198.51.100.7", "198.51.100.8"}
    assert "198.51.100.8" in host.read("/etc/nftables.d/infogerance-perimeter.nft").decode()
    assert "dport 22" in host.run("nft list chain %s gate" % TABLE).stdout
    assert not ips.ok(host, ["198.51.100.7", "198.51.100.8"], sinks)["changed"]


def test_an_entry_put_in_by_hand_is_drift_first_and_goes_only_when_asked(server: Host, ips: Any) -> None:
    host = server
    ips.ok(host, ["198.51.100.7"], [NFT])
    host.run("nft add element %s privileged_ipv4 { 203.0.113.50 }" % TABLE)
    told = ips.ok(host, ["198.51.100.7"], [NFT])
    assert {"sink": "nftables", "entry": "203.0.113.50", "file": "absent", "live": "privileged"} in told["drift"]
    assert [o["entry"] for o in told["obsolete"]] == ["203.0.113.50"]
    assert "203.0.113.50" in elements(host, "privileged_ipv4")
    ips.ok(host, ["198.51.100.7"], [NFT], obsolete="remove")
    assert "203.0.113.50" not in elements(host, "privileged_ipv4")


def test_a_network_takes_the_place_of_addresses_in_it_and_gives_it_back(server: Host, ips: Any) -> None:
    host = server
    ips.ok(host, ["198.51.100.7", "198.51.100.8"], [NFT])
    wide = ips.ok(host, ["198.51.100.0/24"], [NFT])
    assert elements(host, "privileged_ipv4") == {ips.controller, "198.51.100.0/24"}
    assert any("absorbed" in note for note in wide["normalised"])
    # With report the network stays, and covers what is declared.
    report = ips.ok(host, ["198.51.100.7"], [NFT])
    assert not report["changed"]
    narrow = ips.ok(host, ["198.51.100.7"], [NFT], obsolete="remove")
    assert elements(host, "privileged_ipv4") == {ips.controller, "198.51.100.7"}
    assert narrow["changed"]


@pytest.mark.parametrize("where", ["boot file", "folder"])
def test_a_failed_write_leaves_the_old_rules_live_and_the_old_file(server: Host, ips: Any, where: str) -> None:
    host = server
    sinks = [{**NFT, "ports": [22]}]
    ips.ok(host, ["198.51.100.7"], sinks)
    if where == "boot file":
        host.run("echo 'table inet broken { nonsense' >> /etc/nftables.conf")
    else:
        host.make_readonly("/etc/nftables.d")
    ruleset = host.run("nft list ruleset").stdout
    files = host.snapshot(["/etc/nftables.d", "/etc/nftables.conf"])
    message = ips.fails(host, ["198.51.100.7", "198.51.100.8"], sinks)
    assert "sink nftables" in message
    assert host.run("nft list ruleset").stdout == ruleset
    assert host.snapshot(["/etc/nftables.d", "/etc/nftables.conf"]) == files


def test_however_many_addresses_change_nft_is_called_as_often_and_no_element_is_deleted_alone(
    server: Host, ips: Any
) -> None:
    host = server
    sinks = [{**NFT, "ports": [22]}]
    many = ["203.0.113.%d" % n for n in range(1, 61)]
    ips.ok(host, ["198.51.100.7", *many], sinks)
    # Before the real one: writes down its words and what it reads.
    spy = """#!/bin/sh
echo "nft $*" >> /tmp/spy
case "$*" in *"-f -"*) tee -a /tmp/spy | /usr/sbin/nft "$@"; exit ;; esac
exec /usr/sbin/nft "$@"
"""
    host.write("/usr/local/sbin/nft", spy, 0o755)
    calls = []
    for listed in ([*many[1:], "192.0.2.1"], ["192.0.2.%d" % n for n in range(1, 61)]):
        host.run("rm -f /tmp/spy")
        ips.ok(host, ["198.51.100.7", *listed], sinks, obsolete="remove", max_obsolete="100%")
        assert elements(host, "privileged_ipv4") == {ips.controller, "198.51.100.7", *listed}
        calls.append([line for line in host.read("/tmp/spy").decode().splitlines() if line.startswith("nft ")])
    # The second one looks once more before it empties the set: it states all of it.
    look = "nft -j list table %s" % TABLE
    assert len(calls[1]) - calls[1].count(look) == len(calls[0]) - calls[0].count(look)
    assert calls[1].count(look) == calls[0].count(look) + 1
    assert "delete element" not in host.read("/tmp/spy").decode()
    assert "dport 22" in host.run("nft list chain %s gate" % TABLE).stdout
    assert "table inet infogerance_perimeter" in host.read("/etc/nftables.d/infogerance-perimeter.nft").decode()

    # What somebody wrote on an element of his own stays on it.
    host.run("nft add element %s privileged_ipv4 '{ 203.0.113.200 comment \"ask bob\" }'" % TABLE)
    ips.ok(host, ["198.51.100.7", "203.0.113.200"], sinks, obsolete="remove", max_obsolete="100%")
    assert elements_with_comment(host) == [("203.0.113.200", "ask bob")]


def elements_with_comment(host: Host) -> list[tuple[str, str]]:
    found = []
    for item in json.loads(host.run("nft -j list set %s privileged_ipv4" % TABLE).stdout)["nftables"]:
        for value in item.get("set", {}).get("elem", []):
            if isinstance(value, dict) and "comment" in value.get("elem", {}):
                found.append((value["elem"]["val"], value["elem"]["comment"]))
    return found


def test_a_set_that_was_filled_anew_and_is_taken_back_is_as_it_was(server: Host, ips: Any) -> None:
    host = server
    many = ["203.0.113.%d" % n for n in range(1, 46)]
    ips.ok(host, many, [NFT])
    host.run("echo 'table inet broken { nonsense' >> /etc/nftables.conf")
    before, files = host.run("nft list ruleset").stdout, host.snapshot(["/etc/nftables.d", "/etc/nftables.conf"])
    message = ips.fails(host, [*many[40:], "192.0.2.1"], [NFT], obsolete="remove", max_obsolete="100%")
    assert "sink nftables" in message
    assert host.run("nft list ruleset").stdout == before
    assert host.snapshot(["/etc/nftables.d", "/etc/nftables.conf"]) == files


def test_a_transaction_that_the_kernel_refuses_changes_nothing(server: Host, ips: Any) -> None:
    host = server
    host.run(["nft", "-f", "-"], input="table inet mine {\n set privileged_ipv4 { type ipv4_addr; }\n}\n")
    sinks = [{**NFT, "table": "mine", "lists": ["privileged"], "include_in": ""}]
    ruleset = host.run("nft list ruleset").stdout
    # A set without the interval flag takes no network.
    assert "can't be changed, nothing was" in ips.fails(host, ["198.51.100.0/24"], sinks)
    assert host.run("nft list ruleset").stdout == ruleset
    assert not host.exists("/etc/nftables.d")


def test_in_a_table_of_the_user_s_only_what_was_added_is_taken(server: Host, ips: Any) -> None:
    host = server
    host.run(["nft", "-f", "-"], input=MINE)
    sinks = [{**NFT, "table": "mine", "lists": ["privileged"], "include_in": ""}]
    ips.ok(host, ["198.51.100.7"], sinks)
    done = ips.ok(host, [], sinks, obsolete="remove")
    assert [a["entry"] for a in done["applied"]] == ["198.51.100.7"]
    assert {u["entry"] for u in done["unmanaged"]} >= {"203.0.113.1", "203.0.113.2"}
    listing = host.run("nft list set inet mine privileged_ipv4").stdout
    assert "203.0.113.1" in listing
    assert "198.51.100.7" not in listing
    done = ips.ok(host, [], [{**sinks[0], "manage": "all"}], obsolete="remove")
    assert "203.0.113.1" not in host.run("nft list set inet mine privileged_ipv4").stdout


def test_what_somebody_let_in_for_two_hours_is_not_let_in_for_ever_by_a_way_back(server: Host, ips: Any) -> None:
    host = server
    timed = MINE.replace("flags interval", "flags interval,timeout").replace(
        "203.0.113.2 }", '203.0.113.2 timeout 2h comment "bob {till  noon}" }'
    )
    host.run(["nft", "-f", "-"], input=timed)
    host.run("echo 'table inet broken { nonsense' >> /etc/nftables.conf")
    message = ips.fails(host, ["198.51.100.7"], [{**NFT, "table": "mine", "lists": ["privileged"]}])
    assert "sink nftables" in message
    listing = host.run("nft list set inet mine privileged_ipv4").stdout
    assert "198.51.100.7" not in listing
    assert "203.0.113.1," in listing
    assert re.search(r'203\.0\.113\.2 timeout 2h expires 1h\S+ comment "bob {till  noon}"', listing), listing


def test_nobody_who_must_get_in_is_locked_out(server: Host, ips: Any) -> None:
    host = server
    sinks = [{**NFT, "ports": [22]}]
    message = ips.fails(host, ["198.51.100.7"], sinks, bare=True)
    assert "%s, the controller's address as this server sees it" % ips.controller in message
    message = ips.fails(host, ["198.51.100.7"], sinks, must_reach=["203.0.113.10", "2001:db8::10"])
    assert "203.0.113.10, an address of must_reach" in message
    assert "2001:db8::10, an address of must_reach" in message
    assert not elements(host, "privileged_ipv4")
    wide = ips.controller.rsplit(".", 2)[0] + ".0.0/16"
    ips.ok(host, ["203.0.113.10", "2001:db8::/32", wide], sinks, bare=True, must_reach=["203.0.113.10", "2001:db8::10"])
    # Undeclared now, and still what this connection comes through: it stays, the rest goes.
    done = ips.ok(host, ["203.0.113.10"], sinks, bare=True, obsolete="remove", must_reach=["2001:db8::10"])
    assert {p["entry"]: p["reason"] for p in done["protected"]} == {
        wide: "carries this connection (%s)" % ips.controller,
        "2001:db8::/32": "2001:db8::10 must be reached",
    }
    assert host.ssh().returncode == 0


@pytest.fixture(scope="module")
def untouched(module_hosts: Callable[..., Host]) -> Host:
    """A host on which every run fails, and that therefore stays as it was made."""
    return module_hosts("untouched")


@pytest.mark.parametrize(
    ("rows", "options", "why"),
    [
        ([], {"bare": True}, "the declared list is empty"),
        (["198.51.100.999"], {}, "addresses[1] (198.51.100.999): address: is not an IPv4 address: 999 is above 255"),
        (["10.0.0.1/33"], {}, "IPv4 has 0 to 32"),
        (["192.0.2.1/24"], {}, "has host bits set"),
        (["192.0.2.1; reboot"], {}, "has characters that no address has"),
        (["0.0.0.0/0"], {}, "is the whole internet; name it in allow"),
        (["::/0"], {}, "is the whole internet"),
        (["ff02::1"], {}, "is multicast"),
        (["127.0.0.1"], {}, "is loopback"),
        (["bastion.example.org"], {}, "is a hostname"),
        (["10.0.0.0/8"], {}, "is broader than /16"),
        (["192.0.2.1"] * 100_000, {}, "100001 entries, at most 20000"),
    ],
)
@pytest.mark.sample(5)
def test_bad_input_is_named_before_any_change(
    untouched: Host, ips: Any, rows: list[str], options: dict[str, Any], why: str
) -> None:
    host = untouched
    before = host.run("nft list ruleset").stdout
    assert why in ips.fails(host, rows, [NFT], **options)
    assert host.run("nft list ruleset").stdout == before
    assert not host.exists("/var/lib/infogerance-perimeter")


def test_too_many_losses_at_once_are_refused(server: Host, ips: Any) -> None:
    host = server
    ips.ok(host, ["198.51.100.%d" % n for n in range(1, 11)], [NFT])
    message = ips.fails(host, ["198.51.100.1"], [NFT], obsolete="remove")
    assert "would lose access" in message
    assert len(elements(host, "privileged_ipv4")) == 11


def test_a_killed_run_is_completed_by_the_next_one(server: Host, ips: Any) -> None:
    host = server
    for point in ("write:opened", "write:renamed", "sink:applied"):
        fault = {"environment": {"INFOGERANCE_PERIMETER_FAULT": point}}
        assert ips(host, ["198.51.100.7"], [NFT], task=fault, confirm="never")["rc"] != 0
    done = ips.ok(host, ["198.51.100.7"], [NFT])
    assert elements(host, "privileged_ipv4") == {ips.controller, "198.51.100.7"}
    assert not ips.ok(host, ["198.51.100.7"], [NFT])["changed"]
    assert done["rc"] == 0


def _client(peer: Host, server: Host, port: int) -> subprocess.Popen[bytes]:
    argv = ["podman", "exec", "-i", peer.container, "nc", server.address, str(port)]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def _await_sessions(host: Host, number: int) -> None:
    deadline = time.monotonic() + 30
    while len(host.run("/usr/bin/ss -Htn state established sport = :7000").stdout.splitlines()) < number:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _echoes(client: subprocess.Popen[bytes], server: Host, word: str) -> bool:
    assert client.stdin is not None
    try:
        client.stdin.write(word.encode() + b"\n")
        client.stdin.flush()
    except OSError:
        return False
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        if word in server.run("cat /tmp/heard 2>/dev/null", check=False).stdout:
            return True
        time.sleep(0.1)
    return False


def test_the_gate_lets_in_who_is_listed_and_cuts_who_no_longer_is(
    server: Host, ips: Any, make_host: Callable[..., Host]
) -> None:
    host, peer = server, make_host("peer")
    sinks = [{**NFT, "ports": [22, 7000]}]
    host.spawn("nc -lk 7000 > /tmp/heard")
    ips.ok(host, ["198.51.100.7"], sinks)
    refused = peer.run("nc -w 2 -z %s 7000" % host.address, check=False)
    assert refused.returncode != 0
    ips.ok(host, ["198.51.100.7", peer.address], sinks)
    client = _client(peer, host, 7000)
    waiting: list[subprocess.Popen[bytes]] = []
    spy = '#!/bin/sh\necho "$*" >> /tmp/ss\nexec /usr/bin/ss "$@"\n'
    host.write("/usr/local/sbin/ss", spy, 0o755)
    try:
        assert _echoes(client, host, "first")
        # The first one is served, the other one waits in the kernel: a session all the same.
        waiting.append(_client(peer, host, 7000))
        _await_sessions(host, 2)
        done = ips.ok(host, ["198.51.100.7"], sinks, obsolete="remove")
        assert [(f["address"], f["sessions"], f["cut"]) for f in done["flows"]] in (
            [(peer.address, 2, True)],
            [(peer.address, 2, False)],
        )
        # Whether or not the sockets are gone: the gate looks at each packet.
        assert not _echoes(client, host, "second")
        listed = host.run("/usr/bin/ss -Htn state established sport = :7000").stdout
        assert done["flows"][0]["cut"] is (peer.address not in listed)
        assert host.read("/tmp/ss").decode().count("-K") == 1
    finally:
        for each in (client, *waiting):
            each.kill()
            each.communicate()
    assert host.ssh().returncode == 0
