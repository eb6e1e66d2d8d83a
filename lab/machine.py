# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the machine that carries the lab must have; installed from Debian when missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from lab.errors import LabError

# Program -> Debian package. netavark and iptables are only recommended by podman, but its bridge needs them.
_PROGRAMS: dict[str, str] = {
    "podman": "podman",
    "runc": "runc",
    "mmdebstrap": "mmdebstrap",
    "newuidmap": "uidmap",
    "iptables": "iptables",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "openssl": "openssl",
    "nsenter": "util-linux",
}
_FILES: dict[str, str] = {
    "/usr/lib/podman/netavark": "netavark",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}


def say(message: str) -> None:
    """Progress goes to stderr: stdout belongs to the answer of a command."""
    print(f"lab: {message}", file=sys.stderr, flush=True)


def missing_packages() -> list[str]:
    """Debian packages that the lab needs and this machine lacks."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = {package for program, package in _PROGRAMS.items() if shutil.which(program, path=path) is None}
    missing |= {package for name, package in _FILES.items() if not Path(name).exists()}
    return sorted(missing)


def prepare_machine() -> None:
    """Check for root and install what is missing with apt-get. Costs nothing when all is there."""
    if os.geteuid() != 0:
        raise LabError("the lab needs root: its hosts have their own network and firewall. Run it with sudo.")
    packages = missing_packages()
    if not packages:
        return
    if shutil.which("apt-get") is None:
        raise LabError(f"missing on this machine: {', '.join(packages)}. Install them, then try again.")
    say(f"installing from Debian: {' '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for argv in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages],
    ):
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise LabError(f"{' '.join(argv)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    still = missing_packages()
    if still:
        raise LabError(f"still missing after apt-get install: {', '.join(still)}")


def prepare_device(path: str) -> None:
    """Load the kernel's module behind ``/dev/net/tun`` where a fresh machine has not done so yet."""
    if path == "/dev/net/tun" and not Path(path).exists() and shutil.which("modprobe", path="/usr/sbin:/sbin"):
        subprocess.run(["/sbin/modprobe", "tun"], capture_output=True, check=False)
    if not Path(path).exists():
        raise LabError(f"this machine has no {path}; a VPN server needs it (kernel module tun)")
