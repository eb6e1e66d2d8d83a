# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People, their real key pairs, and the module run over real SSH."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab import Host

MODULE = "infogerance.perimeter.ssh_accounts"
#: The login account of the tests keeps its way in by being declared, as a real inventory would have it.
PEOPLE_POLICY = {"manage": {"local_people": True}, "max_obsolete": "100%", "obsolete": "disable"}


@dataclass(frozen=True)
class KeyPair:
    private: Path
    public: str
    fingerprint: str


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], KeyPair]:
    """``keys("alice")``: the key pair of a person, made once."""
    folder = tmp_path_factory.mktemp("keys")
    made: dict[str, KeyPair] = {}

    def pair(name: str) -> KeyPair:
        if name not in made:
            path = folder / name.replace("/", "_")
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{name}@laptop", "-f", str(path)]
            subprocess.run(argv, check=True)
            public = path.with_name(path.name + ".pub").read_text().strip()
            told = subprocess.run(["ssh-keygen", "-lf", str(path)], check=True, capture_output=True, text=True)
            made[name] = KeyPair(path, public, told.stdout.split()[1])
        return made[name]

    return pair


@dataclass
class Outcome:
    rc: int
    result: dict[str, Any]
    output: str

    def actions(self, field: str = "plan") -> list[tuple[str, str]]:
        return [(row["action"], f"{row['kind']} {row['entry']}") for row in self.result[field]]

    def entries(self, field: str, kind: str = "ssh_account") -> list[str]:
        return [row["entry"] for row in self.result[field] if row["kind"] == kind]


@pytest.fixture
def deploy(host: Host) -> dict[str, Any]:
    """The declared entry of the account that the tests come in with."""
    public = host.key.with_name(host.key.name + ".pub").read_text().strip()
    return {"name": "deploy", "keys": [public]}


@pytest.fixture
def reconcile(ansible: Callable[..., Any]) -> Callable[..., Outcome]:
    """``reconcile(host, accounts, obsolete="disable")`` over SSH; ``check`` and ``diff`` go to Ansible."""

    def call(
        host: Host, accounts: list[dict[str, Any]], check: bool = False, diff: bool = False, **policy: Any
    ) -> Outcome:
        rc, result, output = ansible(host, MODULE, dict(policy, accounts=accounts), check=check, diff=diff)
        return Outcome(rc, result, output)

    return call


@pytest.fixture
def account(host: Host, keys: Callable[[str], KeyPair]) -> Callable[..., KeyPair]:
    """``account("bob")``: an account with a key, made on the host by hand, as a former colleague would have."""

    def make(name: str, key: str | None = None, groups: str = "", on: Host | None = None) -> KeyPair:
        where = on or host
        pair = keys(key or name)
        where.run(["useradd", "-m", "-s", "/bin/bash", "-p", "*", *(["-G", groups] if groups else []), name])
        where.run(["install", "-d", "-m", "700", "-o", name, "-g", name, f"/home/{name}/.ssh"])
        where.write(f"/home/{name}/.ssh/authorized_keys", pair.public + "\n", 0o600, f"{name}:{name}")
        return pair

    return make


@pytest.fixture
def worker_port(worker_id: str = "master") -> int:
    """A local port for a tunnel; workers of one run don't share it."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
