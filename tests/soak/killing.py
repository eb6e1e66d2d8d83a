# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepare a host whose module can be killed at each of its writes, over real SSH, many times."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lab import Host

HERE = Path(__file__).parent
HOME = "/root/soak"


def login_key(host: Host) -> str:
    """The public key that the tests log in with."""
    return host.key.with_name(host.key.name + ".pub").read_text().strip()


def mess(host: Host, old: str) -> None:
    """People as they come: one to be changed, one to go with all that is theirs, one to come."""
    host.run(
        "useradd -m -s /bin/sh -p '*' bob; useradd -m -s /bin/bash -p '*' -G sudo carol;"
        " for n in bob carol; do install -d -m 700 -o $n -g $n /home/$n/.ssh; done"
    )
    for name in ("bob", "carol"):
        host.write(f"/home/{name}/.ssh/authorized_keys", old + "\n", 0o600, f"{name}:{name}")
    host.write("/etc/sudoers.d/carol", "carol ALL=(ALL) NOPASSWD: ALL\n", 0o440)
    host.write("/var/spool/cron/crontabs/carol", "0 4 * * * /bin/true\n", 0o600, "carol:crontab")
    host.write("/home/carol/work.txt", "her work\n", 0o640, "carol:carol")


def accounts(host: Host, old: str, new: str) -> dict[str, Any]:
    """A list that creates, changes, and removes at once."""
    rows = [
        {"name": "deploy", "keys": [login_key(host)]},
        {"name": "bob", "keys": [old, new], "groups": ["adm"], "shell": "/bin/bash"},
        {"name": "alice", "keys": [new], "groups": ["adm"], "sudo": {"nopasswd": True}},
    ]
    return {
        "accounts": rows, "manage": {"local_people": True}, "obsolete": "remove", "grace": 0, "max_obsolete": "100%",
    }  # fmt: skip


def addresses(us: str, *more: str) -> dict[str, Any]:
    """A list of addresses for a gate in nftables that is ours alone."""
    return {
        "addresses": [us, *more], "sinks": [{"backend": "nftables", "ports": [22]}],
        "obsolete": "remove", "max_obsolete": "100%",
    }  # fmt: skip


def send(runner: Any, host: Host, module: str, arguments: dict[str, Any]) -> None:
    """Have Ansible send the module once, and keep what it sent."""
    runner.module(
        host, f"infogerance.perimeter.{module}", arguments, check=True,
        extra_env={"ANSIBLE_KEEP_REMOTE_FILES": "1"}, inventory_vars={"ansible_pipelining": False},
    )  # fmt: skip
    host.copy_in(HERE / "on_host.py", f"{HOME}/on_host.py", 0o755)
    found = "find / -xdev -name 'AnsiballZ_%s.py' -newer /etc/hostname" % module
    host.run(f"cp $({found} | head -1) {HOME}/ && cd {HOME} && python3 AnsiballZ_{module}.py explode")
    # What was sent would have looked only.
    host.run(f'sed -i \'s/"_ansible_check_mode": true/"_ansible_check_mode": false/\' {HOME}/debug_dir/args')
    over_ssh(host, "save")
    over_ssh(host, "reference")


def over_ssh(host: Host, *words: str) -> dict[str, Any]:
    """One call over a fresh connection, as root by sudo."""
    done = host.ssh("deploy", ["sudo", "-n", "python3", f"{HOME}/on_host.py", *words], timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout)) if done.stdout.strip() else {}


def killed_at(host: Host, number: int, mode: str) -> dict[str, Any]:
    """One kill and all that must be true after it. ``killed`` is false where the module has fewer writes."""
    told = over_ssh(host, "kill", str(number), mode)
    assert not told.get("problems"), told
    # And a new way in, whatever happened.
    assert host.ssh("deploy", "sudo -n id -u").stdout.strip() == "0", told
    return told
