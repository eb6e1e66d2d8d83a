# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo hosts: started, filled with the story's mess, and described in an inventory."""

from __future__ import annotations

import hashlib
import shlex
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lab import demo_story as story
from lab.demo_keys import key_pair
from lab.demo_story import Person, Server
from lab.fleet import Lab
from lab.host import Host
from lab.image import ensure_image
from lab.inventory import write_yaml
from lab.machine import say
from lab.vpn import Authority, OpenVpn

PACKAGES = ("openvpn",)
_CRYPT_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def bring_up(lab: Lab) -> list[Host]:
    """Start the demo hosts that do not run, write the inventory, and return all of them. Twice changes nothing."""
    # Made before the threads start: they would only wait for each other.
    ensure_image(extra_packages=PACKAGES)
    _ = lab.key

    def start(server: Server) -> Host:
        found = lab.get(server.name)
        if found is not None:
            return found
        say(f"starting {server.name}")
        devices = ("/dev/net/tun",) if server.vpn else ()
        return lab.host(server.name, "systemd", kind="demo", extra_packages=PACKAGES, devices=devices)

    with ThreadPoolExecutor(len(story.SERVERS)) as pool:
        hosts = list(pool.map(start, story.SERVERS))
    write_inventory(lab, hosts)
    return hosts


def seed(lab: Lab) -> list[Host]:
    """Throw the demo hosts away and make them again with the same mess; return them."""
    lab.down("demo")
    hosts = bring_up(lab)
    with ThreadPoolExecutor(len(hosts)) as pool:
        list(pool.map(_make_mess, hosts, story.SERVERS))
    for comment in story.key_comments():
        key_pair(comment).save(lab.state / "people" / comment.replace("@", "_at_"))
    say(f"seeded {', '.join(host.name for host in hosts)}")
    return hosts


def write_inventory(lab: Lab, hosts: Sequence[Host]) -> Path:
    """Write ``.lab/inventory.yml`` and the declared lists beside it; return the inventory's path."""
    by_name = {host.name: host for host in hosts}
    clients = story.clients()
    # Where this machine's logins come from, as the servers see it.
    gateway = hosts[0].run("ip -4 route show default").stdout.split()[2]
    children: dict[str, Any] = {}
    for client in clients:
        names = [server.name for server in story.SERVERS if server.client == client.name]
        children[f"client_{client.name}"] = {"hosts": {name: by_name[name].inventory_vars() for name in names}}
        write_yaml(
            lab.state / "group_vars" / f"client_{client.name}.yml",
            {
                "infogerance_client": client.name,
                "infogerance_client_label": client.label,
                "access_manage": {"local_people": True},
                "access_ssh_accounts": list(client.declared),
                "access_privileged_ips": [
                    {"address": gateway, "list": "trusted", "reason": "the provider's bastion"},
                    *client.addresses,
                ],
                "access_privileged_ips_sinks": [{"backend": "nftables", "ports": [22]}],
            },
        )
    declared = {client.name: list(client.certificates) for client in clients}
    for server in story.SERVERS:
        if server.vpn:
            write_yaml(
                lab.state / "host_vars" / f"{server.name}.yml",
                {
                    "access_vpn_certificates": declared[server.client],
                    "access_vpn_pki": {"backend": "openssl_ca", "config": "/etc/pki/vpn/openssl.cnf"},
                    "access_vpn_servers": [{"config": "/etc/openvpn/server/server.conf"}],
                    "access_vpn_manage": {"ca": True},
                },
            )
    path = lab.state / "inventory.yml"
    write_yaml(path, {"all": {"children": children}})
    return path


def vpn_server(host: Host, folder: Path = Path("unused")) -> OpenVpn:
    """The OpenVPN server of a demo host. ``folder``: where its authority is made, needed for that only."""
    return OpenVpn(host, Authority(folder))


def _start_vpn(host: Host, names: Sequence[str]) -> None:
    """A real authority and a real server; the clients' keys stay on the host, so that their doors can be tried."""
    with tempfile.TemporaryDirectory(prefix="lab-pki-") as folder:
        authority = Authority.make(Path(folder) / "ca", names)
        authority.install(host)
        server = OpenVpn(host, authority)
        server.write()
        server.start()


def _lines(keys: Sequence[str]) -> str:
    return "".join(f"{key_pair(key).line}\n" for key in keys)


def _unknown_password(account: str) -> str:
    """A well-formed password hash that no known password gives."""
    digest = hashlib.shake_256(f"demo password {account}".encode()).digest(86)
    return "$6$labsalt$" + "".join(_CRYPT_ALPHABET[byte % 64] for byte in digest)


def _put(path: str, content: str, mode: str, owner: str) -> str:
    printed = f"printf %s {shlex.quote(content)}"
    return f"{printed} | install -D -m {mode} -o {owner} -g {owner} /dev/stdin {shlex.quote(path)}"


def _account_script(person: Person) -> list[str]:
    name = person.account
    home = f"/home/{name}"
    password = _unknown_password(name) if person.password else "*"
    lines = [
        f"groupadd --gid {person.uid} {name}",
        (
            f"useradd --create-home --shell /bin/bash --uid {person.uid} --gid {person.uid}"
            f" --comment {shlex.quote(person.comment)} --password {shlex.quote(password)} {name}"
        ),
        f"install -d -m 0700 -o {name} -g {name} {home}/.ssh",
        _put(f"{home}/.ssh/authorized_keys", _lines(person.keys), "0600", name),
        _put(f"{home}/notes.txt", f"Notes of {person.comment}\n", "0644", name),
    ]
    if person.groups:
        lines.append(f"usermod --append --groups {','.join(person.groups)} {name}")
    if person.old_keys_file:
        lines.append(_put(f"{home}/.ssh/authorized_keys2", _lines(person.old_keys_file), "0600", name))
    if person.sudoers:
        lines.append(_put(f"/etc/sudoers.d/{name}", f"{person.sudoers}\n", "0440", "root"))
    if person.crontab or person.at_job:
        lines.append(f"install -d -o {name} -g {name} {home}/bin")
        lines.append(_put(f"{home}/bin/export-orders", "#!/bin/sh\ndate >> ~/export.log\n", "0755", name))
    if person.crontab:
        lines.append(f"printf %s {shlex.quote(person.crontab)} | crontab -u {name} -")
    if person.at_job:
        lines.append(f"echo {shlex.quote(person.at_job)} | runuser -u {name} -- at -M now + 30 days 2>/dev/null")
    return lines


def _make_mess(host: Host, server: Server) -> None:
    script = ["set -eu"]
    for person in server.people:
        script += _account_script(person)
    backup = story.BACKUP_ACCOUNT
    script += [
        f"useradd --system --create-home --home-dir /var/backups/pull --shell /bin/sh {backup}",
        f"usermod --password '*' {backup}",
        f"install -d -m 0700 -o {backup} -g {backup} /var/backups/pull/.ssh",
        _put(
            "/var/backups/pull/.ssh/authorized_keys",
            f"{story.BACKUP_OPTIONS} {_lines([story.BACKUP_KEY])}",
            "0600",
            backup,
        ),
        "install -d -m 0700 /root/.ssh",
        _put("/root/.ssh/authorized_keys", _lines(server.root_keys), "0600", "root"),
    ]
    old = story.OLD_ADDRESSES.get(server.client)
    if old:
        name = "inet infogerance_perimeter"
        script += [
            f"nft add table {name}",
            f"nft 'add set {name} privileged_ipv4 {{ type ipv4_addr; flags interval; }}'",
            f"nft 'add element {name} privileged_ipv4 {{ {', '.join(old)} }}'",
        ]
    if server.sshd:
        script.append(_put("/etc/ssh/sshd_config.d/allow.conf", server.sshd, "0644", "root"))
    host.run(["/bin/sh", "-s"], input="\n".join(script) + "\n")
    if server.sshd:
        host.restart_sshd()
    if server.vpn:
        _start_vpn(host, server.vpn)
    for person in server.people:
        if person.process:
            host.spawn(person.process, user=person.account)
