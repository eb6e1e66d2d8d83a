# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab of one checkout: makes its hosts, finds them again, takes them away."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.checkout import ROOT, Checkout
from lab.errors import CommandError, LabError
from lab.host import Host
from lab.image import DEFAULT_RELEASE, ensure_image
from lab.machine import prepare_device, say
from lab.podman import LIMITS, containers, inspect_container, podman, remove_containers

FLAVOURS: dict[str, tuple[str, ...]] = {"plain": ("/usr/local/sbin/lab-init",), "systemd": ("/sbin/init",)}
# NET_ADMIN: a firewall of its own. SYS_PTRACE: root sees other users' processes.
# AUDIT_*: login uids, as on a server.
CAPABILITIES: tuple[str, ...] = ("NET_ADMIN", "SYS_PTRACE", "AUDIT_WRITE", "AUDIT_CONTROL")
_LABEL = "infogerance-perimeter-lab"
_NAME = re.compile(r"^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$")
_START_ATTEMPTS = 5


def _owner_token(pid: int) -> str:
    """A process, told apart from a later one with the same number by its start time. Empty when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return f"{pid}-{stat.rpartition(')')[2].split()[19]}"


class Lab:
    """All hosts of one checkout."""

    def __init__(self, root: Path = ROOT) -> None:
        self.checkout = Checkout(root)

    @property
    def state(self) -> Path:
        """Directory of keys, inventory and known hosts; private and git-ignored."""
        return self.checkout.state

    @property
    def key(self) -> Path:
        """Private key of ``deploy`` on each host of this checkout; made when first asked for."""
        path = self.state / "keys" / "deploy_ed25519"
        if not path.exists():
            with self.checkout.lock():
                if not path.exists():
                    path.parent.mkdir(mode=0o700, exist_ok=True)
                    fresh = path.with_name(f"{path.name}.{os.getpid()}")
                    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(fresh)]
                    subprocess.run(command, check=True, capture_output=True)
                    fresh.with_name(f"{fresh.name}.pub").rename(f"{path}.pub")
                    fresh.rename(path)
        return path

    def host(
        self,
        name: str,
        flavour: str = "plain",
        release: str = DEFAULT_RELEASE,
        extra_packages: Sequence[str] = (),
        tmpfs: Mapping[str, str] | None = None,
        readonly: bool | Iterable[str] = False,
        kind: str = "test",
        capabilities: Sequence[str] = (),
        devices: Sequence[str] = (),
        labels: Mapping[str, str] | None = None,
    ) -> Host:
        """Start a fresh host and wait until it takes logins.

        :param name: short name, unique in this checkout.
        :param flavour: ``plain`` (PID 1 is a small script) or ``systemd``.
        :param release: ``bookworm``, ``bullseye`` or ``trixie``.
        :param extra_packages: Debian packages on top of the base ones; the image is kept for the next time.
        :param tmpfs: directory -> size (``{"/var/lib/small": "64k"}``), for a disk that fills up.
        :param readonly: paths that nobody can write; ``True`` means the whole root file system.
        :param kind: ``test`` hosts go when the process that made them is gone; ``demo`` hosts stay.
        :param capabilities: capabilities to add (``LINUX_IMMUTABLE``).
        :param devices: devices to pass on (``/dev/net/tun``).
        :raises LabError: bad argument, name taken, or the host did not start.
        """
        if not _NAME.match(name):
            raise LabError(f"name: {name!r} is not a host name of lower-case letters, digits and dashes")
        if flavour not in FLAVOURS:
            raise LabError(f"flavour: {flavour!r} is not one of {', '.join(FLAVOURS)}")
        tag = ensure_image(release, extra_packages)
        container = f"{self.checkout.prefix}-{name}"
        if inspect_container(container) is not None:
            raise LabError(f"name: {name!r} is taken; destroy that host first")
        public = Path(f"{self.key}.pub").read_text().strip()
        all_labels = {
            _LABEL: self.checkout.digest,
            f"{_LABEL}.name": name,
            f"{_LABEL}.flavour": flavour,
            f"{_LABEL}.kind": kind,
            f"{_LABEL}.owner": _owner_token(os.getpid()),
            **(labels or {}),
        }
        arguments = ["run", "--detach", "--name", container, "--hostname", name, "--pull", "never", *LIMITS]
        arguments += ["--cap-add", ",".join((*CAPABILITIES, *capabilities)), "--env", f"LAB_AUTHORIZED_KEY={public}"]
        # No host part in the port: podman picks a free one, and keeps it when the host is started again.
        arguments += ["--publish", "127.0.0.1::22"]
        for key, value in all_labels.items():
            arguments += ["--label", f"{key}={value}"]
        for device in devices:
            prepare_device(device)
            arguments += ["--device", device]
        for path, size in (tmpfs or {}).items():
            arguments += ["--tmpfs", f"{path}:size={size},mode=0755"]
        if flavour == "systemd":
            arguments += ["--systemd", "always"]
        else:
            # As on a server; and sshd's log, kept open, would keep the root file system from turning read-only.
            arguments += ["--tmpfs", "/run:size=16m,mode=0755"]
        try:
            host = self._reachable(container, [*arguments, tag, *FLAVOURS[flavour]])
            for path in ("/",) if readonly is True else tuple(readonly or ()):
                host.make_readonly(path)
        except BaseException:
            remove_containers([container])
            raise
        return host

    @staticmethod
    def _start(container: str, arguments: list[str]) -> None:
        """Another process may take the port between podman's choice and its use: choose again."""
        for attempt in range(1, _START_ATTEMPTS + 1):
            try:
                podman(*arguments)
            except CommandError as error:
                remove_containers([container])
                if attempt == _START_ATTEMPTS or "address already in use" not in error.stderr.lower():
                    raise
            else:
                return

    def _reachable(self, container: str, arguments: list[str]) -> Host:
        """Start a host until its published port leads to its sshd.

        Netavark takes all its rules away when it removes the last host; rules that it adds for another one at
        that moment may go with them.
        """
        for _ in range(_START_ATTEMPTS):
            self._start(container, arguments)
            host = self._describe(container)
            host.await_ready()
            if host.answers():
                return host
            say(f"{host.name}: port {host.port} does not lead to its sshd; starting it again")
            remove_containers([container])
        raise LabError(f"{container}: none of {_START_ATTEMPTS} starts gave a port that leads to its sshd")

    def _describe(self, container: str) -> Host:
        state = inspect_container(container)
        if state is None:
            raise LabError(f"{container}: no such host")
        return self._from_state(state)

    def _from_state(self, found: dict[str, Any]) -> Host:
        labels: dict[str, str] = found["Config"]["Labels"]
        name = labels[f"{_LABEL}.name"]
        bindings: list[dict[str, Any]] = found["NetworkSettings"]["Ports"].get("22/tcp") or []
        if not bindings:
            raise LabError(f"{name}: its sshd is not published")
        return Host(
            name=name,
            container=found["Name"],
            port=int(bindings[0]["HostPort"]),
            address=found["NetworkSettings"]["Networks"]["podman"]["IPAddress"],
            flavour=labels[f"{_LABEL}.flavour"],
            key=self.key,
            known_hosts=self.state / "hosts" / name / "known_hosts",
            labels=dict(labels),
        )

    def get(self, name: str) -> Host | None:
        """The host of that name, started again when it had stopped; None when there is none."""
        container = f"{self.checkout.prefix}-{name}"
        found = inspect_container(container)
        if found is None:
            return None
        if found["State"]["Running"]:
            return self._from_state(found)
        podman("start", container)
        host = self._describe(container)
        host.await_ready()
        return host

    def _rows(self, kind: str | None = None) -> list[dict[str, Any]]:
        labels = {_LABEL: self.checkout.digest}
        if kind is not None:
            labels[f"{_LABEL}.kind"] = kind
        return sorted(containers(labels), key=lambda row: str(row["Names"][0]))

    def hosts(self, kind: str | None = None) -> list[Host]:
        """The running hosts of this checkout, by name."""
        found: list[Host] = []
        for row in self._rows(kind):
            # Another process may remove its host between the listing and this look.
            state = inspect_container(row["Names"][0])
            if state is not None and state["State"]["Running"]:
                found.append(self._from_state(state))
        return found

    def names(self, kind: str | None = None) -> list[str]:
        """Names of all hosts of this checkout, running or not."""
        return [row["Labels"][f"{_LABEL}.name"] for row in self._rows(kind)]

    def sweep(self) -> list[str]:
        """Remove test hosts whose maker is gone (killed test runs). Return their names."""
        rows = [row for row in self._rows("test") if _is_orphan(row["Labels"].get(f"{_LABEL}.owner", ""))]
        return self._remove(rows)

    def down(self, kind: str | None = None) -> list[str]:
        """Remove each host of this checkout, and no other container. Return their names. Images and keys stay."""
        return self._remove(self._rows(kind))

    def _remove(self, rows: list[dict[str, Any]]) -> list[str]:
        remove_containers([row["Names"][0] for row in rows])
        names = [row["Labels"][f"{_LABEL}.name"] for row in rows]
        for name in names:
            directory = self.state / "hosts" / name
            (directory / "known_hosts").unlink(missing_ok=True)
            if directory.is_dir() and not any(directory.iterdir()):
                directory.rmdir()
        return names


def _is_orphan(owner: str) -> bool:
    pid = owner.partition("-")[0]
    return not pid.isdigit() or _owner_token(int(pid)) != owner
