# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WireGuard peers with wireguard-go on two real hosts: the file, the live interface, and traffic through the tunnel."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from lab import Host
from tests.integration.vpn_certificates.vpn import MODULE, PACKAGES, TUN, Outcome

CONF = "/etc/wireguard/wg0.conf"


@dataclass
class Keys:
    private: str
    public: str


def _keys(host: Host) -> Keys:
    private = host.run("wg genkey").stdout.strip()
    return Keys(private, host.run("wg pubkey", input=private + "\n").stdout.strip())


class Net:
    """A hub and one host that plays each client in turn."""

    def __init__(self, make_host, ansible) -> None:
        self.ansible = ansible
        self.hub = make_host("hub", extra_packages=PACKAGES, devices=TUN)
        self.far = make_host("far", extra_packages=PACKAGES, devices=TUN)
        self.own = _keys(self.hub)
        self.keys = {name: _keys(self.hub) for name in ("alice", "bob", "carol")}
        self.ips = {name: f"10.9.0.{n}/32" for n, name in enumerate(self.keys, 2)}
        text = f"# the hub\n[Interface]\nAddress = 10.9.0.1/24\nListenPort = 51820\nPrivateKey = {self.own.private}\n\n"
        for name, keys in self.keys.items():
            text += f"# {name}, by hand\n[Peer]\nPublicKey = {keys.public}\nAllowedIPs = {self.ips[name]}\n\n"
        self.hub.write(CONF, text, 0o600)
        self.hub.run(
            "wireguard-go wg0 >/dev/null 2>&1; ip addr add 10.9.0.1/24 dev wg0; ip link set wg0 up; "
            "wg-quick strip wg0 > /tmp/s && wg setconf wg0 /tmp/s && rm /tmp/s"
        )

    def peer(self, name: str, **more) -> dict:
        return {"cn": name, "public_key": self.keys[name].public, "allowed_ips": [self.ips[name]], **more}

    def entry(self, name: str, known: bool = True) -> str:
        return f"{name if known else '?'}:{self.keys[name].public}"

    def run(self, declared: list, **more) -> Outcome:
        run = more.pop("run", {})
        args = {
            "certificates": [self.peer(row) if isinstance(row, str) else row for row in declared],
            "pki": {"backend": "wireguard", "interface": "wg0"},
            "manage": {"ca": True},
            "obsolete": "disable",
            "grace": 0,
            "max_obsolete": "100%",
            **more,
        }
        return Outcome(*self.ansible(self.hub, MODULE, args, **run))

    def live(self) -> set[str]:
        shown = self.hub.run("wg show wg0 peers").stdout.split()
        return {name for name, keys in self.keys.items() if keys.public in shown}

    def come_in(self, name: str) -> None:
        """The far host becomes this client."""
        self.far.run("pkill -x wireguard-go; sleep 0.3", check=False)
        self.far.run(
            "wireguard-go wg0 >/dev/null 2>&1; umask 077; "
            f"printf '[Interface]\\nPrivateKey = {self.keys[name].private}\\n[Peer]\\nPublicKey = {self.own.public}\\n"
            f"AllowedIPs = 10.9.0.0/24\\nEndpoint = {self.hub.address}:51820\\n' > /tmp/c && wg setconf wg0 /tmp/c; "
            f"ip addr add {self.ips[name].replace('/32', '/24')} dev wg0; ip link set wg0 up"
        )

    def reaches(self) -> bool:
        script = "import socket; s=socket.create_connection(('10.9.0.1',22),2); print(s.recv(4))"
        return self.far.run(["python3", "-c", script], check=False).returncode == 0

    def reaches_again(self, seconds: float = 40) -> bool:
        """A client that was cut holds on to its old session: it shakes hands anew after some 15 s without an answer."""
        deadline = time.monotonic() + seconds
        while not (through := self.reaches()) and time.monotonic() < deadline:
            time.sleep(0.5)
        return through


@pytest.fixture
def net(make_host, ansible) -> Net:
    return Net(make_host, ansible)


def test_a_disabled_peer_is_cut_at_once_and_comes_back(net):
    net.come_in("carol")
    assert net.reaches()
    before = net.hub.read(CONF)
    told = net.run(["alice", "bob"], obsolete="report").done()
    assert told.entries("obsolete") == [net.entry("carol", known=False)]
    assert net.hub.read(CONF) == before
    cut = net.run(["alice", "bob"]).done()
    assert cut.actions("applied") == [f"disable {net.entry('carol', known=False)}"]
    assert net.live() == {"alice", "bob"}
    assert not net.reaches()
    assert net.run(["alice", "bob"]).done().result["changed"] is False
    back = net.run(["alice", "bob", "carol"]).done()
    assert back.actions("applied") == [f"enable {net.entry('carol')}"]
    assert net.live() == {"alice", "bob", "carol"}
    assert net.reaches_again()
    assert net.hub.read(CONF).rstrip() == before.rstrip()
    assert net.hub.run(f"stat -c %a {CONF}").stdout.strip() == "600"


def test_other_sessions_are_not_disturbed(net):
    net.come_in("alice")
    assert net.reaches()
    shown = f"wg show wg0 latest-handshakes | grep '{net.keys['alice'].public}'"
    before = net.hub.run(shown).stdout
    net.run(["alice", "bob"], obsolete="remove").done()
    assert net.hub.run(shown).stdout == before
    assert net.reaches()
    assert net.keys["carol"].public not in net.hub.read(CONF).decode()
    assert (
        net.keys["carol"].public
        in net.hub.run("cat /var/lib/infogerance-perimeter/archive/vpn_certificates/*/peer.conf").stdout
    )


def test_a_declared_peer_is_created_and_its_addresses_are_kept_right(net):
    net.hub.run(f"wg set wg0 peer {net.keys['carol'].public} remove")
    text = net.hub.read(CONF).decode()
    net.hub.write(CONF, text[: text.index("# carol")], 0o600)
    made = net.run(["alice", "bob", "carol"], manage={}).done()
    assert made.actions("applied") == [f"create {net.entry('carol')}"]
    net.come_in("carol")
    assert net.reaches()
    moved = net.run(["alice", "bob", net.peer("carol", allowed_ips=["10.9.0.77/32"])], manage={}).done()
    assert moved.actions("applied") == [f"update {net.entry('carol')}"]
    assert "10.9.0.77/32" in net.hub.run("wg show wg0 allowed-ips").stdout
    assert not net.reaches()
    # Made here, so ours to take.
    gone = net.run(["alice", "bob"], manage={}).done()
    assert gone.actions("applied") == [f"disable {net.entry('carol')}"]


def test_an_interface_at_odds_with_its_file_is_brought_in_step(net):
    net.hub.run(f"wg set wg0 peer {net.keys['bob'].public} remove")
    told = net.run(["alice", "bob", "carol"], obsolete="report").done()
    assert told.actions("applied") == ["update wg0"]
    assert net.live() == {"alice", "bob", "carol"}


def test_a_peer_that_is_only_live_is_seen_and_left_unless_it_is_ours(net):
    ghost = _keys(net.hub)
    net.hub.run(f"wg set wg0 peer {ghost.public} allowed-ips 10.9.0.99/32")
    told = net.run(["alice", "bob"], manage={"names": ["carol", net.keys["carol"].public]}).done()
    assert told.entries("unmanaged") == [f"?:{ghost.public}"]
    assert ghost.public in net.hub.run("wg show wg0 peers").stdout
    assert net.live() == {"alice", "bob"}
    net.run(["alice", "bob"], obsolete="remove").done()
    assert ghost.public not in net.hub.run("wg show wg0 peers").stdout


@pytest.mark.parametrize("point", ["wireguard:file-written", "wireguard:synced"])
def test_a_killed_run_is_finished(net, point):
    net.come_in("carol")
    task = {"environment": {"INFOGERANCE_PERIMETER_FAULT": point}}
    assert net.run(["alice", "bob"], run={"task": task}).rc != 0
    net.run(["alice", "bob"]).done()
    assert net.live() == {"alice", "bob"}
    assert not net.reaches()


def test_an_emptied_file_and_bad_entries_put_nobody_out(net):
    text = net.hub.read(CONF)
    for damage in (b"", text[:40], text.replace(b"[Peer]", b"[Pear]", 1), text + text[text.index(b"# carol") :]):
        net.hub.write(CONF, damage, 0o600)
        assert net.run(["alice"]).rc != 0
        assert net.live() == {"alice", "bob", "carol"}
    net.hub.write(CONF, text, 0o600)
    net.run([net.peer("alice", public_key="short")]).refused("alice: public_key")
    net.run([net.peer("alice", allowed_ips=["10.9.0.300/32"])]).refused("alice: allowed_ips")
    net.run([net.peer("alice", allowed_ips=["0.0.0.0/0"])]).refused("everybody's traffic")
    net.run(["alice", net.peer("bob", allowed_ips=[net.ips["alice"]])]).refused("bob: allowed_ips", "alice's, too")
    net.run(["alice", "alice"]).refused("twice")
    net.run([]).refused("the declared list is empty")
    net.run(["alice"], max_obsolete="1").refused("max_obsolete")
    assert net.hub.read(CONF) == text
    assert net.live() == {"alice", "bob", "carol"}
