# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to lock oneself out, each with what must stop it. The table of docs/lockout.md is made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

VALIDATION, GUARD, ROLL_BACK = "validation", "guard", "roll-back"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3qVUXVeq8sQ7l3Mx1Q5v6c0dFf0r3kq1Jm2c0c7n1B other@laptop"
OUR_SUDO = "/etc/sudoers.d/infogerance-perimeter-deploy"
#: The lab's own rule gives way to one of ours, so that a change of ours decides.
OWN_RULE = (
    "grep -rlw deploy /etc/sudoers.d | xargs rm -f;"
    f" printf 'deploy ALL=(ALL) NOPASSWD: ALL\\n' > {OUR_SUDO}; chmod 440 {OUR_SUDO}; visudo -cq"
)
TAKE_ALL = {"manage": {"local_people": True}, "obsolete": "remove", "grace": 0, "max_obsolete": "100%"}
FRIEND = "198.51.100.7"


@dataclass(frozen=True)
class Place:
    """What a way needs to know of its host."""

    key: str
    """The public key that we come in with."""
    us: str
    """Our address as the host sees it."""

    def me(self, options: str = "", **more: Any) -> dict[str, Any]:
        """Our own entry, as a careful list would have it; ``options`` narrow the key."""
        return {"name": "deploy", "keys": [f"{options} {self.key}".strip()], **more}


@dataclass(frozen=True)
class Way:
    """One way. ``arguments`` are the module's; ``said`` must be in its answer."""

    name: str
    text: str
    by: str
    said: str
    arguments: Callable[[Place], dict[str, Any]]
    module: str = "ssh_accounts"
    setup: str = ""
    reads_sshd: bool = False
    host: str = "plain"
    """``plain``, ``firewall`` (every firewall of Debian installed), ``firewalld`` (under systemd) or ``jump`` (reached
    through another host)."""
    keeps_rest: bool = False
    """The run goes on without the dangerous part: what else the list asks for is done."""
    reach: str = field(default="direct")


def accounts(*rows: Any, **policy: Any) -> Callable[[Place], dict[str, Any]]:
    """Arguments of ssh_accounts; a row may be a function of the place."""
    return lambda place: {"accounts": [row(place) if callable(row) else row for row in rows], **policy}


def addresses(sink: dict[str, Any], *rows: str, **policy: Any) -> Callable[[Place], dict[str, Any]]:
    """Arguments of privileged_ips."""
    return lambda _place: {"addresses": list(rows), "sinks": [sink], **policy}


def me(options: str = "", **more: Any) -> Callable[[Place], dict[str, Any]]:
    """Our entry, once the place is known."""
    return lambda place: place.me(options, **more)


ALICE = {"name": "alice"}
#: A tool with a mind of its own, whenever an account is made.
OPENER = (
    "mv /usr/sbin/useradd /usr/sbin/useradd.real; { echo '#!/bin/sh'; echo '/usr/sbin/useradd.real \"$@\" || exit';"
    " echo 'chmod 777 /home/deploy /home/deploy/.ssh'; } > /usr/sbin/useradd; chmod 755 /usr/sbin/useradd"
)
SIX = "for n in ann ben cat dan eve fay; do useradd -m $n; done"
NFT = {"backend": "nftables", "ports": [22]}
UFW = {"backend": "ufw", "ports": [22]}
IPSET = {"backend": "ipset"}
IPSET_RULES = (
    "ipset create perimeter-priv-ipv4 hash:net family inet; ipset add perimeter-priv-ipv4 %(us)s;"
    " ipset create perimeter-trust-ipv4 hash:net family inet;"
    " iptables -A INPUT -i lo -j ACCEPT; iptables -A INPUT -p tcp --dport 22 -m set --match-set perimeter-priv-ipv4 src"
    " -j ACCEPT; iptables -A INPUT -p tcp --dport 22 -j DROP"
)
UFW_ON = "ufw allow from %(us)s to any port 22 proto tcp comment infogerance.perimeter && ufw --force enable"
MINIFIREWALL = (
    "mkdir -p /etc/minifirewall.d; printf \"INT='eth0'\\n"
    "IPV6='on'\\nTRUSTEDIPS='192.0.2.1'\\nPRIVILEGIEDIPS='%(us)s'\\n"
    "SERVICESTCP1='8080'\\nSERVICESTCP2='22'\\nSERVICESTCP3='5666'\\n\" > /etc/default/minifirewall;"
    " chmod 600 /etc/default/minifirewall; /usr/local/sbin/minifirewall restart --ignore-systemd"
)
#: firewalld as its own tools set it up: the source set opens everything, and nobody else gets to sshd.
FIREWALLD = {"backend": "firewalld", "zone": "trusted"}
FIREWALLD_ON = (
    "sed -i 's/^IPv6_rpfilter=.*/IPv6_rpfilter=no/' /etc/firewalld/firewalld.conf; systemctl enable --now firewalld;"
    " for i in $(seq 60); do firewall-cmd --state && break; sleep 0.5; done; c='firewall-cmd --permanent';"
    " $c --new-ipset=perimeter-priv-ipv4 --type=hash:net && $c --ipset=perimeter-priv-ipv4 --add-entry=%(us)s"
    " && $c --zone=trusted --add-source=ipset:perimeter-priv-ipv4 && $c --zone=public --remove-service=ssh"
    " && firewall-cmd --reload"
)
SSHD = {"backend": "sshd"}
IGNORED = {"controller": "ignore", "obsolete": "remove", "max_obsolete": "100%"}
REQUIRED = {"obsolete": "remove", "max_obsolete": "100%"}

WAYS = [
    # -- the list itself is wrong ---------------------------------------------------------------------------------
    Way("key-cut-short", "Own key cut short in the list", VALIDATION, "keys",
        lambda p: {"accounts": [{"name": "deploy", "keys": [p.key[:60]]}]}),
    Way("name-twice", "Own account declared twice, with different keys", VALIDATION, "deploy",
        accounts(me(), {"name": "deploy", "keys": [OTHER_KEY]})),
    Way("shell-nologin", "Own shell set to nologin", VALIDATION,
        "close the account that carries this connection",
        accounts(me(shell="/usr/sbin/nologin"), adopt=True)),
    Way("shell-false", "Own shell set to /bin/false", VALIDATION,
        "close the account that carries this connection",
        accounts(me(shell="/bin/false"), adopt=True)),
    Way("shell-missing", "Own shell set to a program that the server lacks", VALIDATION, "can't be run on this server",
        accounts(me(shell="/usr/bin/git-shell"), adopt=True)),
    Way("home-moved", "Own home declared elsewhere", VALIDATION, "homes are not moved",
        accounts(me(home="/srv/deploy"), adopt=True)),
    Way("uid-changed", "Own account declared with another uid", VALIDATION, "a uid is never changed",
        accounts(me(uid=4242), adopt=True)),
    Way("sshd-bad-directive", "sshd drop-in with a directive that sshd does not know", ROLL_BACK, "rolled back",
        addresses({**SSHD, "directives": ["PermitEverything maybe"]}, "%(us)s"), "privileged_ips"),
    # -- guards ----------------------------------------------------------------------------------------------------
    Way("key-missing", "Own key missing from the list, undeclared keys removed", GUARD, "carry this connection",
        accounts({"name": "deploy", "keys": [OTHER_KEY]}, adopt=True, obsolete="remove", max_obsolete="100%"),
        keeps_rest=True),
    Way("account-missing", "Own account missing from the list, undeclared accounts removed", GUARD,
        "carries this connection", accounts(ALICE, **TAKE_ALL), keeps_rest=True),
    Way("account-missing-disable", "Own account missing from the list, undeclared accounts disabled", GUARD,
        "carries this connection", accounts(ALICE, **{**TAKE_ALL, "obsolete": "disable"}), keeps_rest=True),
    Way("account-expired", "Own account declared with an expiry in the past", GUARD, "carries this connection",
        accounts(me(expires="2020-01-01"), **TAKE_ALL)),
    Way("departed", "The person behind the own account has left", GUARD, "carries this connection",
        accounts(me(person="eve"), departed=[{"person": "eve", "since": "2020-01-01"}], **TAKE_ALL)),
    Way("group-dropped", "Own account dropped from the group that AllowGroups asks for", GUARD,
        "carries this connection",
        accounts(me(groups=[]), adopt=True, **{**TAKE_ALL, "obsolete": "remove"}), reads_sshd=True,
        setup="groupadd ssh-in && usermod -aG ssh-in deploy &&"
        " echo 'AllowGroups ssh-in' > /etc/ssh/sshd_config.d/a.conf",
        ),
    Way("sudo-removed", "Own sudo rule left out of the list", GUARD, "carries this connection",
        accounts(me(), adopt=True, **{**TAKE_ALL, "obsolete": "remove"}), setup=OWN_RULE, keeps_rest=True),
    Way("manage-me", "manage names the own account", GUARD, "carries this connection",
        accounts(ALICE, manage={"names": ["deploy"]}, obsolete="remove", grace=0, max_obsolete="100%"),
        keeps_rest=True),
    Way("manage-me-and-root", "manage names the own account and root", VALIDATION, "it can't be named for removal",
        accounts(ALICE, manage={"names": ["deploy", "root"]}, obsolete="remove", grace=0, max_obsolete="100%"),
        keeps_rest=True),
    Way("manage-uid-range", "manage covers every uid from 1 on", GUARD, "carries this connection",
        accounts(ALICE, manage={"uids": ["1-60000"]}, obsolete="remove", grace=0, max_obsolete="100%"),
        keeps_rest=True),
    Way("empty-list", "An empty list", GUARD, "refused, nothing was changed", accounts(**TAKE_ALL)),
    Way("empty-list-allowed", "An empty list with allow_empty", GUARD, "carries this connection",
        accounts(**TAKE_ALL, allow_empty=True), setup="useradd -m ann", keeps_rest=True),
    Way("most-of-them", "A list that lost most of its entries", GUARD, "max_obsolete",
        accounts(me(), **{**TAKE_ALL, "max_obsolete": "20%"}), setup=SIX),
    Way("nft-own-address", "Own address missing, nftables", GUARD, "the controller's address as this server sees it",
        addresses(NFT, FRIEND, **REQUIRED), "privileged_ips", host="firewall"),
    Way("ipset-own-address", "Own address missing, ipset with iptables", GUARD, "carries this connection",
        addresses(IPSET, FRIEND, **REQUIRED), "privileged_ips", host="firewall", keeps_rest=True, setup=IPSET_RULES),
    Way("ufw-own-address", "Own address missing, ufw", GUARD, "carries this connection",
        addresses(UFW, FRIEND, **REQUIRED), "privileged_ips", host="firewall", keeps_rest=True, setup=UFW_ON),
    Way("firewalld-own-address", "Own address missing, firewalld", GUARD, "carries this connection",
        addresses(FIREWALLD, FRIEND, **REQUIRED), "privileged_ips", host="firewalld", keeps_rest=True,
        setup=FIREWALLD_ON),
    Way("minifirewall-own-address", "Own address missing, minifirewall", GUARD, "carries this connection",
        addresses({"backend": "minifirewall", "manage": "all"}, FRIEND, **REQUIRED), "privileged_ips", host="firewall",
        keeps_rest=True, setup=MINIFIREWALL),
    Way("ipv6-only-guard", "Reached by IPv6 only, a list of IPv4 addresses", GUARD, "the controller's address",
        addresses(NFT, FRIEND, **REQUIRED), "privileged_ips", host="jump", reach="ipv6"),
    # -- roll-back -------------------------------------------------------------------------------------------------
    Way("key-from", "Own key narrowed by from=", ROLL_BACK, "Permission denied",
        accounts(me('from="192.0.2.1"'), adopt=True)),
    Way("key-command", "Own key narrowed by command=", ROLL_BACK, "",
        accounts(me('command="/bin/false"'), adopt=True)),
    Way("key-expiry-time", "Own key narrowed by an expiry-time= in the past", ROLL_BACK, "Permission denied",
        accounts(me('expiry-time="20200101"'), adopt=True)),
    Way("key-exact", "Own key's options made exact, with a command=", ROLL_BACK, "",
        accounts(me('restrict,command="/bin/false"'), adopt=True, key_options="exact")),
    Way("deny-group", "Own account joins a group of DenyGroups", ROLL_BACK, "Permission denied",
        accounts(me(groups=["banned"]), adopt=True), reads_sshd=True,
        setup="groupadd banned && echo 'DenyGroups banned' > /etc/ssh/sshd_config.d/a.conf"),
    Way("sudo-password", "Own sudo rule replaced by one that asks for a password", ROLL_BACK, "password",
        accounts(me(sudo={"commands": ["ALL"]}), adopt=True)),
    Way("sudo-nobody", "Own sudo rule replaced by one that runs as nobody", VALIDATION,
        "would take root from the account that carries this connection",
        accounts(me(sudo={"runas": "nobody", "nopasswd": True}), adopt=True), setup=OWN_RULE),
    Way("sudo-one-command", "Own sudo rule replaced by one for a single command", GUARD,
        "no account would be left that can log in and become root",
        accounts(me(sudo={"commands": ["/usr/bin/id"], "nopasswd": True}), adopt=True), setup=OWN_RULE),
    Way("shell-true", "Own shell set to /usr/bin/true", VALIDATION,
        "close the account that carries this connection",
        accounts(me(shell="/usr/bin/true"), adopt=True)),
    Way("home-unreadable", "Something else opens the own home and .ssh to all while our change is made", ROLL_BACK,
        "Permission denied", accounts(me(), {"name": "zoe"}, adopt=True), setup=OPENER),
    Way("sudo-deny-group", "Own account joins a group that sudo denies everything", ROLL_BACK, "",
        accounts(me(groups=["nosudo"]), adopt=True),
        setup="groupadd nosudo; echo '%nosudo ALL=(ALL) !ALL' > /etc/sudoers.d/zz-nosudo;"
        " chmod 440 /etc/sudoers.d/zz-nosudo; visudo -cq"),
    Way("sshd-deny-us", "sshd Match Address block that denies the own account", ROLL_BACK, "",
        addresses({**SSHD, "directives": ["DenyUsers deploy"]}, "%(us)s"), "privileged_ips"),
    Way("sshd-no-keys", "sshd Match Address block that switches keys off", ROLL_BACK, "",
        addresses({**SSHD, "directives": ["PubkeyAuthentication no"]}, "%(us)s"), "privileged_ips"),
    Way("sshd-force-command", "sshd Match Address block with a ForceCommand", ROLL_BACK, "",
        addresses({**SSHD, "directives": ["ForceCommand /bin/false"]}, "%(us)s"), "privileged_ips"),
    Way("nft-ignored", "Own address missing, nftables, guard switched off", ROLL_BACK, "",
        addresses(NFT, FRIEND, **IGNORED), "privileged_ips", host="firewall"),
    Way("ipset-ignored", "Own address removed, ipset with iptables, guard switched off", ROLL_BACK, "",
        addresses(IPSET, FRIEND, **IGNORED), "privileged_ips", host="firewall", setup=IPSET_RULES),
    Way("ufw-ignored", "Own address removed, ufw, guard switched off", ROLL_BACK, "",
        addresses(UFW, FRIEND, **IGNORED), "privileged_ips", host="firewall", setup=UFW_ON),
    Way("firewalld-ignored", "Own address removed, firewalld, guard switched off", ROLL_BACK, "",
        addresses(FIREWALLD, FRIEND, **IGNORED), "privileged_ips", host="firewalld", setup=FIREWALLD_ON),
    Way("minifirewall-ignored", "Own address removed, minifirewall, guard switched off", ROLL_BACK, "",
        addresses({"backend": "minifirewall", "manage": "all"}, FRIEND, **IGNORED), "privileged_ips", host="firewall",
        setup=MINIFIREWALL),
    Way("jump-address", "Address of the jump host missing, nftables, guard switched off", ROLL_BACK, "",
        addresses(NFT, FRIEND, **IGNORED), "privileged_ips", host="jump", reach="ipv4"),
    Way("ipv6-only-ignored", "Reached by IPv6 only, a list of IPv4 addresses, guard switched off", ROLL_BACK, "",
        addresses(NFT, FRIEND, **IGNORED), "privileged_ips", host="jump", reach="ipv6"),
]  # fmt: skip
