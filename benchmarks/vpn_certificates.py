# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VPN certificates on one host: large indexes with nothing to do, and 200 revocations beside easy-rsa's own.

easy-rsa's loop is timed inside the host, without Ansible; our run is timed as a user sees it, Ansible and SSH
included. That favours easy-rsa by more than a second.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peers
import record
from pairing import Contender, Goal, Timing, contest
from play import ROOT, Stage

if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from lab import Host, Lab
from lab.vpn import Authority, put_tree

CONVERGED_ROUNDS = 8
REVOKE_ROUNDS = 2
LINES = 20_000
REVOCATIONS = 200
EASY = "/usr/share/easy-rsa/easyrsa --pki-dir=/etc/easy/pki"


def play(arguments: dict[str, Any]) -> list[dict[str, Any]]:
    task = {"name": "Certificates", "infogerance.perimeter.vpn_certificates": arguments}
    return [{"hosts": "all", "gather_facts": False, "become": True, "tasks": [task]}]


@contextmanager
def fresh_host(name: str) -> Iterator[Host]:
    made = Lab().host(name, extra_packages=("easy-rsa", "openvpn"))
    try:
        yield made
    finally:
        made.destroy()


def grown(authority: Authority, live: int, revoked: int) -> list[dict[str, str]]:
    """Give the index 20,000 lines: some live, some revoked, the rest expired. Returns the live ones, declared."""
    lines = []
    for number in range(LINES):
        serial = f"{0x100000 + number:06X}"
        name = f"person{number:05d}"
        if number < live:
            lines.append(
                f"V\t491231235959Z\t\t{serial}\tunknown\t/C=FR/O=Example/CN={name}/emailAddress={name}@example.org"
            )
        elif number < live + revoked:
            lines.append(f"R\t491231235959Z\t250101000000Z\t{serial}\tunknown\t/C=FR/O=Example/CN={name}")
        else:
            lines.append(f"V\t200101000000Z\t\t{serial}\tunknown\t/C=FR/O=Example/CN={name}")
    (authority.folder / "index.txt").write_text("".join(line + "\n" for line in lines))
    authority.new_crl()
    return [{"cn": f"person{number:05d}"} for number in range(live)]


def converged(stage: Stage, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Indexes of 20,000 lines with nothing to do."""
    with tempfile.TemporaryDirectory() as scratch, fresh_host("bench-vpn") as host:
        ping_tasks = [{"name": "Ping", "ansible.builtin.ping": {}}]
        ping = stage.write("ping.json", [{"hosts": "all", "gather_facts": False, "become": True, "tasks": ping_tasks}])
        inventory = stage.write("vpn.json", {"all": {"hosts": {host.name: host.inventory_vars()}}})
        books = {}
        for label, live, revoked in (("aged", 300, 4700), ("all live", LINES, 0)):
            target = f"/etc/pki/{label.replace(' ', '-')}"
            made = Authority.make(Path(scratch) / label / "ca", [], target=target, crl_days=3000)
            declared = grown(made, live, revoked)
            made.install(host)
            pki = {"backend": "openssl_ca", "config": f"{target}/openssl.cnf"}
            books[label] = stage.write(
                f"vpn-{live}.json", play({"certificates": declared, "pki": pki, "manage": {"ca": True}})
            )
        outcome = contest(
            [
                Contender("ping", lambda: stage.playbook(ping, inventory, changed=False)),
                Contender(
                    "vpn_certificates, 20,000 lines, 300 live",
                    lambda: stage.playbook(books["aged"], inventory, changed=False),
                ),
                Contender(
                    "vpn_certificates, 20,000 live",
                    lambda: stage.playbook(books["all live"], inventory, changed=False),
                ),
            ],
            rounds,
            say,
        )
    goals = [Goal("vpn_certificates, 20,000 lines, 300 live", "ping", 2.0)]
    return record.entry("vpn_certificates", "nothing to do", outcome, goals, versions(stage))


def easy_tree(scratch: Path) -> tuple[Path, list[str]]:
    """An authority with 200 clients in easy-rsa's layout."""
    names = [f"person{number:03d}" for number in range(REVOCATIONS)]
    made = Authority.make(scratch / "ca", ["alice", *names], target="/etc/easy/pki")
    pki = scratch / "pki"
    for folder in ("issued", "private", "reqs", "certs_by_serial"):
        (pki / folder).mkdir(parents=True)
    for name in ("ca.crt", "index.txt", "serial", "crl.pem"):
        shutil.copy(made.folder / name, pki / name)
    (pki / "index.txt.attr").write_text("unique_subject = no\n")
    shutil.copy(made.folder / "ca.key", pki / "private" / "ca.key")
    for path in (made.folder / "newcerts").iterdir():
        shutil.copy(path, pki / "certs_by_serial" / path.name)
    for name in ["alice", *names]:
        shutil.copy(made.folder / "private" / f"{name}.crt", pki / "issued" / f"{name}.crt")
        shutil.copy(made.folder / "private" / f"{name}.key", pki / "private" / f"{name}.key")
        shutil.copy(made.folder / f"{name}.csr", pki / "reqs" / f"{name}.req")
    return pki, names


def revoking(stage: Stage, say: Callable[[str], None]) -> dict[str, Any]:
    """200 revocations, each round on the same authority put back as it was."""
    with tempfile.TemporaryDirectory() as scratch, fresh_host("bench-easy") as host:
        pki, names = easy_tree(Path(scratch))
        inventory = stage.write("easy.json", {"all": {"hosts": {host.name: host.inventory_vars()}}})
        options = {
            "certificates": [{"cn": "alice"}],
            "pki": {"backend": "easy_rsa", "directory": "/etc/easy/pki"},
            "manage": {"ca": True},
            "server_names": ["vpn.example.org"],
            "obsolete": "remove",
            "grace": 0,
            "max_obsolete": "100%",
        }
        ours = stage.write("revoke.json", play(options))

        def fresh() -> None:
            host.run("rm -rf /etc/easy /var/lib/infogerance-perimeter && mkdir -p /etc/easy")
            host.run(f"cd /etc/easy && EASYRSA_BATCH=1 {EASY} init-pki >/dev/null 2>&1")
            put_tree(host, pki, "/etc/easy/pki")

        def proved() -> None:
            shown = host.run("openssl crl -in /etc/easy/pki/crl.pem -noout -text").stdout.count("Serial Number:")
            if shown != REVOCATIONS:
                raise RuntimeError(f"{REVOCATIONS} revocations were wanted, the list has {shown}")

        def by_module() -> Timing:
            fresh()
            timing = stage.playbook(ours, inventory, changed=True)
            proved()
            return timing

        def by_easy_rsa() -> Timing:
            fresh()
            loop = f"cd /etc/easy && export EASYRSA_BATCH=1 && for n in {' '.join(names)}; do "
            started = time.monotonic()
            host.run(f"{loop} {EASY} revoke $n && {EASY} gen-crl || exit 1; done >/dev/null 2>&1", timeout=900)
            wall = time.monotonic() - started
            proved()
            # Its processor time is spent inside the host: only the wall clock is compared.
            return Timing(wall, wall)

        outcome = contest(
            [Contender("vpn_certificates, 200 revoked", by_module), Contender("easy-rsa, 200 revoked", by_easy_rsa)],
            REVOKE_ROUNDS,
            say,
            warm_up=False,
        )
    goals = [Goal("vpn_certificates, 200 revoked", "easy-rsa, 200 revoked", 0.1)]
    return record.entry("vpn_certificates", "revoking 200 certificates", outcome, goals, versions(stage))


def versions(stage: Stage) -> dict[str, str]:
    openssl = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True).stdout.split()[1]
    return {"ansible": peers.release(stage.binaries, "ansible"), "openssl": openssl}


def measure(rounds: int | None, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Yield one measurement after the other, so that a long one cannot cost a finished one."""
    Lab().sweep()
    with Stage(peers.environment("bench-peers")) as stage:
        yield converged(stage, rounds or CONVERGED_ROUNDS, say)
        yield revoking(stage, say)
