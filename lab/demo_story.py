# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo's story as plain data: two clients, three servers, who should get in, and who does.

What differs between the declared lists and the servers is what an audit has to find.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lab.demo_keys import key_pair


@dataclass(frozen=True)
class Person:
    """One account as it stands on a server. Keys are named by their comments."""

    account: str
    uid: int
    comment: str
    keys: tuple[str, ...]
    groups: tuple[str, ...] = ()
    old_keys_file: tuple[str, ...] = ()
    """Keys in authorized_keys2, which sshd still reads."""
    sudoers: str = ""
    crontab: str = ""
    at_job: str = ""
    process: str = ""
    password: bool = False


@dataclass(frozen=True)
class Server:
    name: str
    client: str
    people: tuple[Person, ...]
    root_keys: tuple[str, ...]
    sshd: str = ""
    vpn: tuple[str, ...] = ()
    """Common names of the live certificates of the OpenVPN server that runs there."""


@dataclass(frozen=True)
class Client:
    name: str
    label: str
    declared: tuple[dict[str, Any], ...] = field(default_factory=tuple)
    addresses: tuple[dict[str, Any], ...] = field(default_factory=tuple)
    """Privileged IPs, in the form of the role's ``access_privileged_ips``; the controller's own is added later."""
    certificates: tuple[dict[str, Any], ...] = field(default_factory=tuple)
    """VPN certificates, in the form of the role's ``access_vpn_certificates``."""


# -- the provider's staff ----------------------------------------------------------------------

CLAIRE = Person("cmoreau", 2001, "Claire Moreau", ("cmoreau@admin",), sudoers="cmoreau ALL=(ALL) ALL")
JULIEN = Person("jpetit", 2002, "Julien Petit", ("jpetit@admin",), sudoers="jpetit ALL=(ALL) ALL")
# Left the provider in spring. Nobody told the servers.
HUGO = Person("hgirard", 2003, "Hugo Girard", ("hgirard@admin",), sudoers="hgirard ALL=(ALL) NOPASSWD: ALL")

# -- people of the client acme -------------------------------------------------------------------

ALICE = Person("adurand", 3001, "Alice Durand", ("adurand@laptop",), ("www-data",), password=True)
ALICE_WITH_OLD_FILE = Person(
    "adurand", 3001, "Alice Durand", ("adurand@laptop",), ("www-data",), old_keys_file=("adurand@old-desktop",)
)
# Declared with one key; the second one nobody knows.
MARIE = Person("mlambert", 3002, "Marie Lambert", ("mlambert@laptop", "unknown@nowhere"))
MARIE_ON_DB = Person("mlambert", 3002, "Marie Lambert", ("mlambert@laptop",))
# Declared as an ordinary user, and yet in the sudo group.
THOMAS = Person("tleroy", 3003, "Thomas Leroy", ("tleroy@laptop",), ("sudo",))
# A contractor whose end date has passed.
KARIM = Person("kfaure", 3004, "Karim Faure (contractor)", ("kfaure@freelance",))
# Left the client, but his work goes on.
BRUNO = Person(
    "broux",
    3005,
    "Bruno Roux",
    ("broux@laptop", "broux@home"),
    ("www-data",),
    crontab="*/15 * * * * /home/broux/bin/export-orders\n",
    at_job="/home/broux/bin/export-orders",
    process="cd && exec python3 -m http.server 8099 --bind 127.0.0.1",
    password=True,
)
BRUNO_ON_DB = Person("broux", 3005, "Bruno Roux", ("broux@laptop",))

# -- people of the client zenith -----------------------------------------------------------------

NADIA = Person("nbenali", 4001, "Nadia Benali", ("nbenali@laptop",))

SERVERS: tuple[Server, ...] = (
    Server(
        "acme-web1",
        "acme",
        (CLAIRE, JULIEN, HUGO, ALICE, MARIE, THOMAS, KARIM, BRUNO),
        ("cmoreau@admin", "rescue@former-host"),
        # Bruno's certificate is good for years after he left.
        vpn=("adurand-laptop", "mlambert-laptop", "kfaure-freelance", "broux-laptop"),
    ),
    Server(
        "acme-db1",
        "acme",
        (CLAIRE, JULIEN, HUGO, ALICE_WITH_OLD_FILE, MARIE_ON_DB, KARIM, BRUNO_ON_DB),
        ("cmoreau@admin",),
    ),
    Server(
        "zenith-app1",
        "zenith",
        # The client's second person, sgarcia, is declared and still waits for an account.
        (CLAIRE, HUGO, NADIA),
        ("cmoreau@admin",),
        sshd="AllowUsers deploy root backup-pull cmoreau hgirard nbenali\n",
    ),
)

# The machine that fetches backups; its key can do nothing else. No person, and in nobody's list.
BACKUP_ACCOUNT = "backup-pull"
BACKUP_OPTIONS = 'from="198.51.100.20",command="/usr/local/bin/send-backup  --read-only /srv",restrict'
BACKUP_KEY = "backup-pull@vault"


def key_comments() -> list[str]:
    """All keys that open something on the servers, or are declared to."""
    on_servers = {key for server in SERVERS for key in server.root_keys}
    on_servers |= {key for server in SERVERS for person in server.people for key in person.keys + person.old_keys_file}
    declared = {entry["keys"][0].split()[2] for client in clients() for entry in client.declared}
    return sorted(on_servers | declared | {BACKUP_KEY})


def _declare(account: str, person: str, comment: str, key: str, **more: Any) -> dict[str, Any]:
    return {"name": account, "person": person, "comment": comment, "keys": [key_pair(key).line], **more}


def clients() -> tuple[Client, ...]:
    """The clients with their declared lists, in the form of the role's ``access_ssh_accounts``."""
    admin = {"commands": ["ALL"], "nopasswd": False}
    staff = (
        _declare("cmoreau", "claire.moreau", "Claire Moreau", "cmoreau@admin", groups=[], sudo=admin),
        _declare("jpetit", "julien.petit", "Julien Petit", "jpetit@admin", groups=[], sudo=admin),
    )
    root = {"name": "root", "person": "claire.moreau", "system": True, "keys": [key_pair("cmoreau@admin").line]}
    reload_web = {"commands": ["/usr/bin/systemctl reload nginx"], "nopasswd": True}
    acme = (
        root,
        *staff,
        _declare("adurand", "alice.durand", "Alice Durand", "adurand@laptop", groups=["www-data"], sudo=reload_web),
        _declare("mlambert", "marie.lambert", "Marie Lambert", "mlambert@laptop", groups=[]),
        _declare("tleroy", "thomas.leroy", "Thomas Leroy", "tleroy@laptop", groups=[]),
        _declare(
            "kfaure",
            "karim.faure",
            "Karim Faure (contractor)",
            "kfaure@freelance",
            groups=[],
            expires="2025-12-31",
        ),
    )
    zenith = (
        root,
        *staff,
        _declare("nbenali", "nadia.benali", "Nadia Benali", "nbenali@laptop", groups=[]),
        _declare("sgarcia", "samuel.garcia", "Samuel Garcia", "sgarcia@laptop", groups=[]),
    )
    acme_addresses = (
        {"address": "198.51.100.16/28", "owner": "alice.durand", "reason": "office of ACME", "ticket": "1042"},
        {"address": "2001:DB8:AC::/48", "owner": "alice.durand", "reason": "VPN of ACME"},
        {"address": "203.0.113.77", "owner": "karim.faure", "reason": "at home", "expires": "2025-12-31"},
    )
    zenith_addresses = ({"address": "198.51.100.64/28", "owner": "nadia.benali", "reason": "office of Zenith"},)
    acme_certificates = (
        {"cn": "adurand-laptop", "person": "alice.durand", "device": "laptop"},
        {"cn": "mlambert-laptop", "person": "marie.lambert", "device": "laptop"},
        {"cn": "kfaure-freelance", "person": "karim.faure", "expires": "2025-12-31"},
    )
    return (
        Client("acme", "ACME", acme, acme_addresses, acme_certificates),
        Client("zenith", "Zenith", zenith, zenith_addresses),
    )


#: What the firewall's set holds on the servers of a client: an office, a contractor whose time is over, and the home
#: of somebody who has left. No file says so: it would be gone after a reboot.
OLD_ADDRESSES = {"acme": ("198.51.100.16/28", "203.0.113.77", "203.0.113.140")}
