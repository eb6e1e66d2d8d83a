# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A control node: Debian 13 under systemd with Debian's own ansible-core, this collection, and a server to reach."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.schedule.control_node import ALICE, CONFIG, PACKAGES, Control, install

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection as users get it."""
    sys.path.insert(0, str(ROOT / "tools"))
    import build

    return Path(build.build(tmp_path_factory.mktemp("build"), untracked=True))


@pytest.fixture(scope="module")
def control(module_hosts: Callable[..., Any], tarball: Path) -> Control:
    """Both hosts, with the project in place and nothing scheduled yet."""
    server = module_hosts("server")
    # SYS_ADMIN: without it systemd leaves out the fence, and the fence is what is to be tried.
    host = module_hosts(
        "control", release="trixie", flavour="systemd", extra_packages=PACKAGES, capabilities=["SYS_ADMIN"]
    )
    # As on a machine of its own; else what systemd mounts for a service's credentials is seen by nobody.
    host.run("mount --make-rshared /")
    install(host, tarball)
    host.copy_in(server.key, "/etc/fleet/ssh_key", 0o600)
    host.write("/etc/fleet/vault_password", "only root reads this\n", 0o600)
    public = server.run(["cat", "/etc/ssh/ssh_host_ed25519_key.pub"]).stdout.split()
    host.write("/etc/ssh/ssh_known_hosts", f"{server.address} {public[0]} {public[1]}\n")
    host.write("/srv/fleet/ansible.cfg", CONFIG)
    secret = host.run(
        "cd /srv/fleet && ansible-vault encrypt_string --vault-password-file /etc/fleet/vault_password deploy",
        timeout=300,
    ).stdout
    body = "\n".join(line.strip() for line in secret.strip().split("\n")[1:])
    hosts = {
        "web1": {
            "ansible_host": server.address,
            "ansible_python_interpreter": "/usr/bin/python3",
            "access_ssh_accounts": [{"name": "alice", "person": "alice.martin", "keys": [ALICE]}],
        }
    }
    inventory = {"all": {"children": {"client_acme": {"hosts": hosts}, "client_globex": {"hosts": {}}}}}
    host.write("/srv/fleet/inventory.yml", json.dumps(inventory))
    # The login's name comes out of the vault: the run fails unless the password was handed over.
    indented = body.replace("\n", "\n  ")
    host.write("/srv/fleet/group_vars/all.yml", f"ansible_user: !vault |\n  {indented}\n")
    return Control(host, server)
