# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many servers with three kinds of way in each, nothing to do: time and memory of the controller, by forks.

The servers are simulated: a few real lab hosts stand behind all names. Ansible's connection is `local`, and the
Python that it starts enters a lab host's name spaces. So what is measured is the controller's work and the modules',
without a network. Beside it, round by round, a playbook of as many names that only says `ping`, three times a host.

By default 150 servers and two numbers of forks, which takes some ten minutes. SCALE_HOSTS and SCALE_FORKS
(comma-separated) make it larger: SCALE_HOSTS=1000 SCALE_FORKS=5,20,50 takes more than an hour on two cores.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import record
from pairing import Contender, Goal, Timing, contest
from play import ROOT, Stage

if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from lab import Host, Lab
from lab.podman import inspect_container
from lab.vpn import Authority

HOSTS = int(os.environ.get("SCALE_HOSTS", "150"))
FORKS = tuple(int(word) for word in os.environ.get("SCALE_FORKS", "5,20").split(","))
BEHIND = 4
ROUNDS = 1
ACCOUNTS, ADDRESSES, CERTIFICATES = 10, 20, 10


def key(number: int) -> str:
    """A public key that nobody has the other half of."""
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + number.to_bytes(32, "big")
    return f"ssh-ed25519 {base64.b64encode(blob).decode()} person{number}"


def lists() -> dict[str, Any]:
    """What each server's client declares: a small list of each kind."""
    return {
        "access_ssh_accounts": [{"name": f"person{n}", "keys": [key(n)], "groups": ["adm"]} for n in range(ACCOUNTS)],
        "access_privileged_ips": [f"198.51.100.{n + 1}" for n in range(ADDRESSES)],
        "access_privileged_ips_sinks": [{"backend": "nftables", "lists": ["privileged"]}],
        # No SSH connection whose source could be looked at.
        "access_privileged_ips_controller": "ignore",
        "access_vpn_certificates": [{"cn": f"person{n}"} for n in range(CERTIFICATES)],
        "access_vpn_pki": {"backend": "openssl_ca", "config": "/etc/pki/vpn/openssl.cnf"},
        "access_vpn_manage": {"ca": True},
        "access_manage": {"local_people": True},
    }


def entrance(stage: Stage, host: Host, number: int) -> Path:
    """A program that is the lab host's Python to whoever starts it."""
    found = inspect_container(host.container)
    if found is None:
        raise RuntimeError(f"{host.name} is gone")
    path = stage.work / f"python-{number}"
    enter = f"nsenter -t {found['State']['Pid']} -m -u -i -n -p -r -w"
    path.write_text(f'#!/bin/sh\nexec {enter} /usr/bin/python3 "$@"\n', encoding="ascii")
    path.chmod(0o755)
    return path


class Memory:
    """The most memory that a process and all below it had at once; shared pages are counted once (PSS)."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.most = 0
        self._seconds = seconds
        self._over = threading.Event()

    def watch(self, work: Path) -> threading.Thread:
        """Follow whatever runs in the stage's directory as ansible-playbook, until `end`."""
        thread = threading.Thread(target=self._follow, args=(str(work),), daemon=True)
        thread.start()
        return thread

    def end(self) -> None:
        self._over.set()

    def _follow(self, work: str) -> None:
        while not self._over.wait(self._seconds):
            self.most = max(self.most, sum(self._sizes(work)))

    @staticmethod
    def _sizes(work: str) -> Iterator[int]:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(folder / "cwd") != work or b"ansible-playbook" not in (folder / "cmdline").read_bytes():
                    continue
                text = (folder / "smaps_rollup").read_text(encoding="ascii")
            except OSError:
                continue
            yield sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


def measure(rounds: int | None, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Yield one contest, and the memory."""
    with ExitStack() as stack:
        stage = stack.enter_context(Stage(Path(sys.executable).parent))
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        names = [f"person{n}" for n in range(CERTIFICATES)]
        authority = Authority.make(scratch / "ca", names, target="/etc/pki/vpn", crl_days=3000)
        behind = []
        for number in range(min(BEHIND, HOSTS)):
            host = Lab().host(f"bench-scale-{number}")
            stack.callback(host.destroy)
            authority.install(host)
            # Declared in no list, and nobody logs in here.
            host.run("rm /etc/sudoers.d/deploy && userdel --remove deploy")
            behind.append(entrance(stage, host, number))
        shared = {"ansible_connection": "local", "ansible_become": False, **lists()}
        every = {f"server{n:04d}": {"ansible_python_interpreter": str(behind[n % len(behind)])} for n in range(HOSTS)}
        inventory = stage.write("servers.json", {"all": {"hosts": every, "vars": shared}})
        some = stage.write(
            "behind.json",
            {"all": {"hosts": {name: every[name] for name in list(every)[: len(behind)]}, "vars": shared}},
        )
        pings = [{"name": f"Ping {n}", "ansible.builtin.ping": {}} for n in range(3)]
        ping = stage.write("ping.json", [{"hosts": "all", "gather_facts": False, "tasks": pings}])
        role = {"name": "Access", "ansible.builtin.import_role": {"name": "infogerance.perimeter.access"}}
        book = stage.write("access.json", [{"hosts": "all", "gather_facts": False, "tasks": [role]}])
        environment = {"ANSIBLE_PIPELINING": "1"}
        say(f"making {len(behind)} lab hosts agree with the lists")
        stage.playbook(book, some, changed=True, environment=environment)
        stage.playbook(book, some, changed=False, environment=environment)
        if (said := f"as declared: {len(behind)},") not in stage.output():
            raise RuntimeError(f"the servers have something to tell, which costs more: {said} not in {stage.output()}")
        most: dict[str, list[float]] = {}

        def run(name: str, playbook: Path, forks: int) -> Timing:
            memory = Memory()
            memory.watch(stage.work)
            try:
                return stage.playbook(
                    playbook, inventory, changed=False, environment=environment, arguments=[f"--forks={forks}"]
                )
            finally:
                memory.end()
                most.setdefault(name, []).append(memory.most / 1024)

        contenders, goals = [], []
        for forks in FORKS:
            for label, playbook in (("ping", ping), ("access", book)):
                name = f"{label}, {forks} forks"
                contenders.append(Contender(name, lambda n=name, p=playbook, f=forks: run(n, p, f)))  # type: ignore[misc]
            goals.append(Goal(f"access, {forks} forks", f"ping, {forks} forks", 1.3))
        outcome = contest(contenders, rounds or ROUNDS, say, warm_up=False)
        yield record.entry("scale", f"{HOSTS} servers, three kinds each, nothing to do", outcome, goals, {})
        found = [
            {"name": f"{name}: memory of the controller", "values": values, "unit": "MiB", "goal": "", "met": True}
            for name, values in most.items()
        ]
        found += [
            {
                "name": f"{name}: a server",
                "values": [1000 * timing.wall / HOSTS for timing in timings],
                "unit": "ms",
                "goal": "",
                "met": True,
            }
            for name, timings in outcome.timings.items()
        ]
        yield record.figures("scale", f"{HOSTS} servers: memory, and time a server", json.loads(json.dumps(found)))


if __name__ == "__main__":
    began = time.monotonic()
    for measured in measure(None, print):
        print(record.table([measured]))
    print(f"{time.monotonic() - began:.0f} s")
