# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A control node under test: its settings, its services, and what became of them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ALICE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGu2Q7oq5vTgCzVnbU0IZkY3w1lyRrpYyqLh0yD1bJ1x alice@laptop"
# git: for ansible-pull.
PACKAGES = ("ansible-core", "git")
CONFIG = """\
[defaults]
callbacks_enabled = infogerance.perimeter.intervention
host_key_checking = True

[callback_intervention]
ledger_error = block

[ssh_connection]
pipelining = True
"""


@dataclass(frozen=True)
class Applied:
    """One run of the role."""

    rc: int
    stdout: str
    stderr: str
    changed: int


@dataclass
class Control:
    """The control node, and the server it looks after."""

    host: Any
    server: Any

    def settings(self, **more: Any) -> dict[str, Any]:
        """What a team would declare."""
        said: dict[str, Any] = {
            "schedule_project": "/srv/fleet",
            "schedule_inventory": ["inventory.yml"],
            "schedule_credentials": {"ssh_key": "/etc/fleet/ssh_key", "vault_password": "/etc/fleet/vault_password"},
            "schedule_lock_wait": 1,
            "schedule_notice_command": ["/usr/bin/tee", "/tmp/notice"],
            "schedule_jobs": [
                {
                    "name": "acme",
                    "limit": "client_acme",
                    "reconcile_calendar": "Mon..Thu *-*-* 06:30:00",
                    "reconcile_cron": "30 6 * * 1-4",
                    "extra_vars": {"access_adopt": True},
                },
                {"name": "globex", "limit": "client_globex"},
            ],
        }
        return {name: value for name, value in {**said, **more}.items() if value is not None}

    def apply(self, check: bool = False, **more: Any) -> Applied:
        """Run the role on the control node, by its own Ansible: the way a single control node sets itself up."""
        play = {
            "hosts": "all",
            "gather_facts": False,
            "roles": ["infogerance.perimeter.schedule"],
            "vars": self.settings(**more),
        }
        self.host.write("/root/schedule.json", json.dumps([play]))
        argv = ["ansible-playbook", "-i", "localhost,", "-c", "local", "/root/schedule.json", *["--check"] * check]
        done = self.host.run(["env", "ANSIBLE_PIPELINING=1", *argv], check=False, timeout=900)
        recap = re.search(r"changed=(\d+)", done.stdout)
        return Applied(done.returncode, done.stdout, done.stderr, int(recap[1]) if recap else -1)

    def reconfigure(self, **more: Any) -> None:
        """Change some of what the role wrote, without running all of it again."""
        path = "/etc/infogerance-perimeter/schedule.json"
        self.host.write(path, json.dumps({**json.loads(self.host.read(path)), **more}))

    def start(self, unit: str) -> Any:
        """Start a service and wait for its end. Returns what it logged; the exit code is systemctl's."""
        cursor = self.host.run("journalctl -n 0 --show-cursor | sed -n 's/^-- cursor: //p'").stdout.strip()
        done = self.host.run(["systemctl", "start", f"infogerance-perimeter-{unit}.service"], check=False, timeout=300)
        after = ["--after-cursor", cursor] if cursor else []
        log = ["journalctl", "--no-pager", "-o", "cat", *after, "-u", f"infogerance-perimeter-{unit}.service"]
        return done.returncode, self.host.run(log).stdout

    def status(self, unit: str) -> dict[str, Any]:
        """What became of the last start."""
        found = self.host.read(f"/var/lib/infogerance-perimeter-schedule/status/{unit}.json")
        return dict(json.loads(found))


def install(host: Any, tarball: Path) -> None:
    """Install the collection there, without a network."""
    host.copy_in(tarball, "/tmp/collection.tar.gz")
    host.run(
        "ansible-galaxy collection install --offline -p /usr/share/ansible/collections /tmp/collection.tar.gz",
        timeout=600,
    )
