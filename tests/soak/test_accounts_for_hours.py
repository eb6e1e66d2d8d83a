# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reconcile one server again and again while people come, go and meddle; nothing may ever slip.

    make soak                       # five minutes
    SOAK_MINUTES=120 make soak      # as long as you like
    SOAK_SEED=7 make soak           # another life; a failure names its seed and round

After each round, whatever happened before: the controller still gets in, a
second run changes nothing, each declared key opens its account, and no other
key does. root's keys and what nobody gave us to manage stay as they were.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab import Host, Lab
from lab.ansible_run import AnsibleRunner

MODULE = "infogerance.perimeter.ssh_accounts"
MINUTES = float(os.environ.get("SOAK_MINUTES", "5"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
PEOPLE = [f"person{number}" for number in range(12)]


@dataclass
class Life:
    """The declared list, and the keys of everybody who ever came by."""

    chance: random.Random
    keys: dict[str, Path]
    declared: dict[str, dict[str, Any]] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    def public(self, person: str) -> str:
        return Path(f"{self.keys[person]}.pub").read_text(encoding="ascii").strip()

    def entry(self, person: str) -> dict[str, Any]:
        entry: dict[str, Any] = {"name": person, "keys": [self.public(person)], "groups": []}
        if self.chance.random() < 0.3:
            entry["groups"] = ["adm"]
        if self.chance.random() < 0.2:
            entry["sudo"] = {"commands": ["/usr/bin/id"], "nopasswd": True}
        return entry

    # What a client does.

    def somebody_comes(self, _host: Host) -> None:
        person = self.chance.choice(PEOPLE)
        self.declared[person] = self.entry(person)

    def somebody_leaves(self, _host: Host) -> None:
        if len(self.declared) > 3:
            self.declared.pop(self.chance.choice(sorted(self.declared)))

    # What happens on a server behind our back. Who has no account there is passed over.

    def a_key_slips_in(self, host: Host) -> None:
        victim, other = self.chance.choice(PEOPLE), self.chance.choice(PEOPLE)
        file = self.chance.choice(["authorized_keys", "authorized_keys2"])
        script = f'test -d /home/{victim}/.ssh && echo "{self.public(other)}" >> /home/{victim}/.ssh/{file}'
        host.run(f"{script} && chown {victim}: /home/{victim}/.ssh/{file} || true")

    def a_key_file_is_emptied(self, host: Host) -> None:
        victim = self.chance.choice(PEOPLE)
        host.run(f"test -f /home/{victim}/.ssh/authorized_keys && : > /home/{victim}/.ssh/authorized_keys || true")

    def somebody_joins_sudo(self, host: Host) -> None:
        host.run(f"usermod -aG sudo {self.chance.choice(PEOPLE)} 2>/dev/null || true")

    def a_stray_account_appears(self, host: Host) -> None:
        name = f"stray{self.chance.randrange(4)}"
        key = self.public(self.chance.choice(PEOPLE))
        host.run(
            f"id {name} >/dev/null 2>&1 || {{ useradd -m {name} && install -d -m 700 -o {name} /home/{name}/.ssh && "
            f'echo "{key}" > /home/{name}/.ssh/authorized_keys && chown {name}: /home/{name}/.ssh/authorized_keys; }}'
        )

    def a_bad_line_is_written(self, host: Host) -> None:
        victim = self.chance.choice(PEOPLE)
        line = self.chance.choice(["# a note", "ssh-rsa not-a-key", "\\377\\376"])
        host.run(f"test -d /home/{victim}/.ssh && printf '{line}\\n' >> /home/{victim}/.ssh/authorized_keys || true")

    def something_happens(self, host: Host) -> None:
        events = [
            *[self.somebody_comes, self.somebody_leaves, self.a_key_slips_in, self.a_key_file_is_emptied],
            *[self.somebody_joins_sudo, self.a_stray_account_appears, self.a_bad_line_is_written],
        ]
        for event in self.chance.sample(events, self.chance.randint(1, 4)):
            event(host)
            self.told.append(event.__name__)


@pytest.fixture
def life(tmp_path: Path) -> Life:
    keys = {}
    for person in PEOPLE:
        keys[person] = tmp_path / person
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", person, "-f", keys[person]], check=True)
    return Life(random.Random(SEED), keys)


@pytest.fixture
def host() -> Iterator[Host]:
    lab = Lab()
    lab.sweep()
    made = lab.host(f"soak-{os.getpid()}")
    yield made
    made.destroy()


def openings(host: Host, life: Life) -> set[tuple[str, str]]:
    """(person, account) for each key that opens an account. Only plausible pairs: one's own, and the strays'."""
    accounts = host.run("cut -d: -f1 /etc/passwd").stdout.split()
    pairs = [(person, account) for account in accounts for person in PEOPLE if account == person]
    slipped = [(life.chance.choice(PEOPLE), account) for account in accounts if account in PEOPLE]
    strays = [(life.chance.choice(PEOPLE), account) for account in accounts if account.startswith("stray")]
    return {pair for pair in {*pairs, *slipped, *strays} if host.can_log_in(pair[1], life.keys[pair[0]])}


def test_nothing_slips_however_long_it_runs(host: Host, life: Life) -> None:
    rogue = f"{life.public(PEOPLE[0])}-of-root\n"
    host.write("/root/.ssh/authorized_keys", rogue, mode=0o600)
    for person in PEOPLE[:6]:
        life.declared[person] = life.entry(person)
    end = time.monotonic() + MINUTES * 60
    number = 0
    with AnsibleRunner() as runner:
        while time.monotonic() < end or number < 2:
            number += 1
            life.told.clear()
            life.something_happens(host)
            where = f"seed {SEED}, round {number}: {', '.join(life.told)}"
            arguments = {
                "accounts": list(life.declared.values()),
                "obsolete": "disable",
                "manage": {"local_people": True},
                "adopt": True,
                "max_obsolete": "100%",
                # Who left and is declared again comes back.
                "restore": sorted(closed(host) & set(life.declared)),
            }
            rc, result, output = runner.module(host, MODULE, arguments)
            assert rc == 0, f"{where}\n{output}"
            arguments["restore"] = []
            rc, again, output = runner.module(host, MODULE, arguments)
            assert rc == 0, f"{where}\n{output}"
            assert not again["changed"], (
                f"{where}: a second run changed {again['applied']}\nthe first {result['applied']}"
            )

            found = openings(host, life)
            declared = {(person, person) for person in life.declared}
            assert found == declared, f"{where}: open {sorted(found - declared)}, closed {sorted(declared - found)}"
            sudoers = host.run("getent group sudo").stdout.strip().rpartition(":")[2]
            assert not set(sudoers.split(",")) & set(life.declared), f"{where}: in group sudo: {sudoers}"
            assert host.read("/root/.ssh/authorized_keys").decode() == rogue, f"{where}: root's keys changed"
            assert host.can_log_in("deploy"), f"{where}: the controller is locked out"
    print(f"{number} rounds")


def closed(host: Host) -> set[str]:
    """Accounts that are expired: disabled in a former round."""
    lines = host.run("cat /etc/shadow").stdout.splitlines()
    return {line.split(":")[0] for line in lines if line.split(":")[7] == "1"}
