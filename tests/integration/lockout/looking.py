# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lock-out tests look at on a host."""

from __future__ import annotations

import time

from lab import Host

WATCHED = ("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/sudoers.d", "/etc/ssh", "/home", "/root")
PENDING = "/var/lib/infogerance-perimeter/pending"


def login_key(host: Host) -> str:
    """The public key that the tests log in with."""
    return host.key.with_name(host.key.name + ".pub").read_text().strip()


def state(host: Host, *more: str) -> dict[str, object]:
    """What must be as before. Homes that a taken-back change had made are kept aside, in a directory of root."""
    return {p: row for p, row in host.snapshot([*WATCHED, *more]).items() if "/.infogerance-perimeter" not in p}


def settled(host: Host, seconds: float = 60) -> None:
    """Wait until nothing is armed any more."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not host.run(f"ls {PENDING}/*/armed {PENDING}/*/rolling-back 2>/dev/null", check=False).stdout:
            return
        time.sleep(0.5)
    raise AssertionError("a change is still armed: " + host.run(f"ls -R {PENDING}").stdout)
