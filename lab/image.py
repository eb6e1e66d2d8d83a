# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images of the lab's hosts: pulled where a registry answers, built from Debian's archive elsewhere.

Three layers, each tagged with a hash of what it was made from, so that a changed recipe makes a new image:

base     a minimal Debian with the packages below
host     base + login user, boot scripts, no host keys
derived  host + extra packages asked for by one test
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path

from lab.checkout import exclusive_lock
from lab.errors import LabError
from lab.machine import prepare_machine, say
from lab.podman import LIMITS, PODMAN, environment, image_exists, podman, remove_containers, text

RELEASES: dict[str, str] = {"bullseye": "11", "bookworm": "12", "trixie": "13"}
DEFAULT_RELEASE = "bookworm"
REPOSITORY = "localhost/infogerance-perimeter-lab"
PACKAGES: tuple[str, ...] = (
    "acl",
    "at",
    "ca-certificates",
    "cron",
    "dbus",
    "iproute2",
    "libpam-modules",
    "libpam-systemd",
    "login",
    "netcat-openbsd",
    "nftables",
    "openssh-client",
    "openssh-server",
    "openssl",
    "passwd",
    "procps",
    "python3",
    "sudo",
    "systemd",
    "systemd-sysv",
)
_SLIM: tuple[str, ...] = (
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
)
_PULL_SECONDS = 60
_BUILD_SECONDS = 900
_PACKAGE_NAME = re.compile(r"^[a-z0-9][a-z0-9+.-]+$")

# Run once in the base image. `*` as password: no password login, and key login works with and without PAM.
_PROVISION = r"""
set -eu
useradd --create-home --shell /bin/bash --comment 'Lab login' deploy
usermod --password '*' deploy
printf 'deploy ALL=(ALL:ALL) NOPASSWD: ALL\n' > /etc/sudoers.d/deploy
chmod 0440 /etc/sudoers.d/deploy
rm -f /etc/ssh/ssh_host_*
cat > /usr/local/sbin/lab-prepare <<'END'
#!/bin/sh
# Makes a fresh container a host of its own: its host key, the login key, the accounting files.
set -eu
umask 022
mkdir -p /run/sshd
for file in /run/utmp /var/log/wtmp /var/log/btmp /var/log/lastlog; do [ -e "$file" ] || : > "$file"; done
[ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -C "$(hostname)" -f /etc/ssh/ssh_host_ed25519_key
if [ -n "${LAB_AUTHORIZED_KEY:-}" ] && [ ! -e /home/deploy/.ssh/authorized_keys ]; then
    install -d -m 0700 -o deploy -g deploy /home/deploy/.ssh
    printf '%s\n' "$LAB_AUTHORIZED_KEY" > /home/deploy/.ssh/authorized_keys
    chown deploy:deploy /home/deploy/.ssh/authorized_keys
    chmod 0600 /home/deploy/.ssh/authorized_keys
fi
: > /run/lab-prepared
END
cat > /usr/local/sbin/lab-init <<'END'
#!/bin/sh
# PID 1 of the plain flavour: starts sshd, then waits, which also reaps orphans.
/usr/local/sbin/lab-prepare || exit 1
trap 'exit 0' TERM INT
/usr/sbin/sshd -E /run/sshd.log
while :; do sleep 86400 & wait $!; done
END
chmod 0755 /usr/local/sbin/lab-prepare /usr/local/sbin/lab-init
cat > /etc/systemd/system/lab-prepare.service <<'END'
[Unit]
Description=Host key and login key of a lab host
Before=ssh.service

[Service]
Type=oneshot
RemainAfterExit=yes
PassEnvironment=LAB_AUTHORIZED_KEY
ExecStart=/usr/local/sbin/lab-prepare

[Install]
WantedBy=multi-user.target
END
ln -s /etc/systemd/system/lab-prepare.service /etc/systemd/system/multi-user.target.wants/lab-prepare.service
# Inside a container systemd may miss the end of a user's manager, and then keeps the next login waiting for a minute.
mkdir -p /etc/systemd/logind.conf.d
printf '[Login]\nUserStopDelaySec=infinity\n' > /etc/systemd/logind.conf.d/lab.conf
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer; do
    ln -sf /dev/null /etc/systemd/system/$unit
done
"""

_INSTALL = r"""
set -eu
export DEBIAN_FRONTEND=noninteractive
# Services of the new packages start with the host, never while the image is made.
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 0755 /usr/sbin/policy-rc.d
apt-get update -q
apt-get install -q -y --no-install-recommends "$@"
rm -f /usr/sbin/policy-rc.d
apt-get clean
rm -rf /var/lib/apt/lists/*
"""


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _check_release(release: str) -> None:
    if release not in RELEASES:
        raise LabError(f"release: {release!r} is not one of {', '.join(RELEASES)}")


def base_tag(release: str) -> str:
    return f"{REPOSITORY}-base:{release}-{_hash(release, *PACKAGES, *_SLIM, _INSTALL)}"


def host_tag(release: str, extra_packages: Sequence[str] = ()) -> str:
    """Name of the image that a host with these packages runs."""
    _check_release(release)
    recipe = _hash(base_tag(release), _PROVISION)
    if not extra_packages:
        return f"{REPOSITORY}:{release}-{recipe}"
    for package in extra_packages:
        if not _PACKAGE_NAME.match(package):
            raise LabError(f"extra_packages: {package!r} is not a Debian package name")
    return f"{REPOSITORY}:{release}-{recipe}-{_hash(*sorted(set(extra_packages)), _INSTALL)}"


def ensure_image(release: str = DEFAULT_RELEASE, extra_packages: Sequence[str] = ()) -> str:
    """Return the tag of a ready image; make it first when it is not there.

    Raises LabError when neither a registry nor Debian's archive can be reached.
    """
    tag = host_tag(release, extra_packages)
    prepare_machine()
    if image_exists(tag):
        return tag
    lock_directory = Path("/run/lock")
    if not lock_directory.is_dir():
        lock_directory = Path(tempfile.gettempdir())
    # The image store is shared by all checkouts: only one builds, the others find the result.
    with exclusive_lock(lock_directory / "infogerance-perimeter-lab.lock"):
        base = base_tag(release)
        plain = host_tag(release)
        if not image_exists(base):
            _make_base(release, base)
        if not image_exists(plain):
            say(f"preparing {plain}")
            _layer(base, plain, _PROVISION, [])
        if not image_exists(tag):
            packages = sorted(set(extra_packages))
            say(f"preparing {tag} with {' '.join(packages)}")
            _layer(plain, tag, _INSTALL, packages)
    return tag


def lab_images() -> list[tuple[str, str]]:
    """(tag, size) of each image that the lab made."""
    rows = text("images", "--format", "{{.Repository}}:{{.Tag}}\t{{.Size}}").splitlines()
    pairs = [row.split("\t") for row in rows if row.startswith(REPOSITORY)]
    return sorted((tag, size) for tag, size in pairs)


def prune_images() -> list[str]:
    """Remove images of former recipes that no container uses; return the tags that went."""
    current = {base_tag(release) for release in RELEASES} | {host_tag(release) for release in RELEASES}
    gone: list[str] = []
    for tag, _size in lab_images():
        derived_from_current = any(tag.startswith(f"{name}-") for name in current)
        if tag in current or derived_from_current:
            continue
        if podman("rmi", tag, check=False).returncode == 0:
            gone.append(tag)
    return gone


def _make_base(release: str, tag: str) -> None:
    reference = f"debian:{RELEASES[release]}"
    say(f"trying to pull {reference}")
    try:
        pulled = podman("pull", "--quiet", reference, check=False, timeout=_PULL_SECONDS).returncode == 0
    except LabError:
        pulled = False
    if pulled:
        say(f"pulled; installing {len(PACKAGES)} packages into {tag}")
        slim = "\n".join(_SLIM)
        script = f"cat > /etc/dpkg/dpkg.cfg.d/lab-slim <<'END'\n{slim}\nEND\n{_INSTALL}"
        _layer(reference, tag, script, PACKAGES)
        return
    say(f"no registry answered; building {tag} with mmdebstrap (about 40 s)")
    argv = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    argv += ["--aptopt=Apt::Install-Recommends false", *(f"--dpkgopt={option}" for option in _SLIM), release, "-"]
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=errors, env=environment()) as build:
            imported = subprocess.run(
                [*PODMAN, "import", "--quiet", "-", f"{tag}-part"],
                stdin=build.stdout,
                capture_output=True,
                env=environment(),
                timeout=_BUILD_SECONDS,
                check=False,
            )
            build.wait(timeout=_BUILD_SECONDS)
        errors.seek(0)
        complaint = errors.read().decode(errors="replace")[-3000:]
    if build.returncode != 0 or imported.returncode != 0:
        podman("rmi", "--ignore", f"{tag}-part", check=False)
        raise LabError(f"could not build Debian {release}:\n{complaint}{imported.stderr.decode(errors='replace')}")
    # The final name is given last: an interrupted build never leaves half an image under it.
    podman("tag", f"{tag}-part", tag)
    podman("untag", f"{tag}-part", f"{tag}-part")


def _layer(base: str, tag: str, script: str, arguments: Sequence[str]) -> None:
    """Run ``script`` in a container of ``base`` and keep the outcome as ``tag``."""
    name = f"infogerance-perimeter-lab-build-{uuid.uuid4().hex[:8]}"
    try:
        podman(
            *("run", "--name", name, "--network", "host", *LIMITS, "--interactive", base),
            *("/bin/sh", "-s", "--", *arguments),
            data=script.encode(),
            timeout=_BUILD_SECONDS,
        )
        podman("commit", "--quiet", "--change", "CMD=/usr/local/sbin/lab-init", name, tag, timeout=_BUILD_SECONDS)
    finally:
        remove_containers([name])
