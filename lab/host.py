# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One host of the lab: commands as root, logins over its real sshd, and what its files look like."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import inside
from lab.errors import CommandError, LabError
from lab.podman import environment, inspect_container, podman, remove_containers, text

LOGIN_USER = "deploy"
Command = str | Sequence[str]
Completed = subprocess.CompletedProcess[str]
# (mode, uid, gid, digest): the digest is "sha256 hex" of a file, "dir", or "link:<target>".
FileState = tuple[int, int, int, str]
# (inode, mtime in ns, ctime in ns): equal stamps mean that nobody wrote.
FileStamp = tuple[int, int, int]

# Runs on the host. Bad bytes in a name travel as surrogates.
_OBSERVE = r"""
import hashlib, json, os, stat, sys
found = {}
def visit(path):
    try:
        st = os.lstat(path)
    except FileNotFoundError:
        return
    if stat.S_ISLNK(st.st_mode):
        digest = "link:" + os.readlink(path)
    elif stat.S_ISDIR(st.st_mode):
        digest = "dir"
        for name in sorted(os.listdir(path)):
            visit(os.path.join(path, name))
    elif stat.S_ISREG(st.st_mode):
        with open(path, "rb") as stream:
            digest = hashlib.sha256(stream.read()).hexdigest()
    else:
        digest = "special"
    found[path] = [stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid, digest, st.st_ino, st.st_mtime_ns, st.st_ctime_ns]
for path in sys.argv[1:]:
    visit(path)
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Host:
    """A running container with its own sshd. Made by ``Lab.host``; the object holds no open resource."""

    name: str
    """Short name, also the host name inside."""
    container: str
    """Name of the container."""
    port: int
    """Port of its sshd on 127.0.0.1."""
    address: str
    """Its address on the bridge; reachable from this machine and from the other hosts of the lab."""
    flavour: str
    """``plain`` (sshd and nothing else) or ``systemd``."""
    key: Path
    """Private key of the login user ``deploy``."""
    known_hosts: Path
    """File that holds this host's key and no other."""
    labels: dict[str, str] = field(default_factory=dict, compare=False)

    # -- as root, without SSH ---------------------------------------------------------------

    def run(
        self,
        command: Command,
        input: str | bytes | None = None,  # noqa: A002
        check: bool = True,
        user: str = "root",
        timeout: float = 60,
    ) -> Completed:
        """Run a command inside. A string goes through ``sh -c``. Raises CommandError when ``check`` and rc is not 0."""
        argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        data = input.encode() if isinstance(input, str) else input
        done = self._raw(argv, data, user, timeout)
        result = subprocess.CompletedProcess(
            argv, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        )
        if check and result.returncode != 0:
            raise CommandError([self.name, *argv], result.returncode, result.stdout, result.stderr)
        return result

    def _raw(
        self, argv: list[str], data: bytes | None = None, user: str = "root", timeout: float = 120
    ) -> subprocess.CompletedProcess[bytes]:
        way = inside.inside(self.container) if user == "root" else None
        if way is not None:
            return inside.run(way, argv, data, timeout)
        interactive = [] if data is None else ["--interactive"]
        options = (*interactive, "--user", user, self.container)
        return podman("exec", *options, *argv, data=data, check=False, timeout=timeout)

    def spawn(self, command: Command, user: str = "root") -> None:
        """Start a command that goes on after this call, with no terminal and no parent but PID 1."""
        argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        podman("exec", "--detach", "--user", user, self.container, "setsid", *argv)

    def read(self, path: str) -> bytes:
        """Content of a file. Raises CommandError when it is not there."""
        argv = ["cat", "--", path]
        done = self._raw(argv)
        if done.returncode != 0:
            raise CommandError([self.name, *argv], done.returncode, "", done.stderr.decode(errors="replace"))
        return done.stdout

    def exists(self, path: str) -> bool:
        """True for anything that has this name, a dangling link too."""
        return self.run(["/bin/sh", "-c", '[ -e "$1" ] || [ -L "$1" ]', "sh", path], check=False).returncode == 0

    def write(self, path: str, data: str | bytes, mode: int = 0o644, owner: str = "root:root") -> None:
        """Put a file there, with its missing parents (root, 0755). ``owner`` is ``user`` or ``user:group``."""
        user, _, group = owner.partition(":")
        # install(1) makes a new inode: a link at the path is replaced, never followed.
        script = 'rm -f -- "$5" && install -D -m "$1" -o "$2" -g "${3:-$(id -gn "$2")}" /dev/stdin "$5"'
        self.run(["/bin/sh", "-c", script, "sh", f"{mode:04o}", user, group, "", path], input=data)

    def copy_in(self, source: Path, target: str, mode: int = 0o644, owner: str = "root:root") -> None:
        """Copy one file of this machine into the host."""
        self.write(target, source.read_bytes(), mode, owner)

    def _observe(self, paths: Iterable[str]) -> dict[str, list[Any]]:
        out = self.run(["python3", "-", *paths], input=_OBSERVE).stdout
        found: dict[str, list[Any]] = json.loads(out)
        return found

    def snapshot(self, paths: Iterable[str]) -> dict[str, FileState]:
        """State of each path, and of all below it. A missing path has no entry. Two equal snapshots: same content."""
        return {path: (row[0], row[1], row[2], row[3]) for path, row in self._observe(paths).items()}

    def stamps(self, paths: Iterable[str]) -> dict[str, FileStamp]:
        """Inode and times of each path, and of all below it. Two equal results: nothing was even rewritten."""
        return {path: (row[4], row[5], row[6]) for path, row in self._observe(paths).items()}

    # -- over SSH -------------------------------------------------------------------------------

    def ssh_options(self) -> list[str]:
        """Options that keep the caller's own SSH files out, and check the host's key."""
        return [
            *(
                "-F",
                "/dev/null",
                "-o",
                f"UserKnownHostsFile={self.known_hosts}",
                "-o",
                "GlobalKnownHostsFile=/dev/null",
            ),
            *("-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"),
            *("-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "-o", "LogLevel=ERROR"),
        ]

    def ssh_argv(
        self,
        user: str = LOGIN_USER,
        command: Command | None = None,
        key: Path | None = None,
        options: Sequence[str] = (),
    ) -> list[str]:
        """The command line of a login; give it to Popen for a session that stays open."""
        argv = ["ssh", *options, *self.ssh_options(), "-i", str(key or self.key), "-p", str(self.port)]
        argv += ["-l", user, "127.0.0.1"]
        if command is not None:
            # The words after the host are joined by a blank and go to the user's shell.
            argv += ["--", command if isinstance(command, str) else shlex.join(command)]
        return argv

    def ssh(
        self,
        user: str = LOGIN_USER,
        command: Command = "true",
        key: Path | None = None,
        options: Sequence[str] = (),
        input: str | None = None,  # noqa: A002
        check: bool = False,
        timeout: float = 30,
    ) -> Completed:
        """Log in over a fresh connection and run a command. rc 255 means that the login was refused."""
        argv = self.ssh_argv(user, command, key, options)
        stdin: dict[str, Any] = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False, **stdin)
        if check and done.returncode != 0:
            raise CommandError(argv, done.returncode, done.stdout, done.stderr)
        return done

    def can_log_in(self, user: str, key: Path | None = None, options: Sequence[str] = ()) -> bool:
        """True when a fresh login runs a command. An error that is not a refusal raises LabError."""
        done = self.ssh(user, "true", key, options)
        if done.returncode == 0:
            return True
        if done.returncode == 255 and "Permission denied" not in done.stderr and "closed by" not in done.stderr:
            raise LabError(f"{self.name}: no answer from sshd: {done.stderr.strip()}")
        return False

    def restart_sshd(self) -> None:
        """Make sshd read its configuration again. Live sessions go on. Raises CommandError on a bad file."""
        self.run(["/usr/sbin/sshd", "-t"])
        if self.flavour == "systemd":
            self.run(["systemctl", "restart", "ssh.service"])
        else:
            # The old one first: while it goes, it may still answer, and holds the port.
            gone = 'i=0; while kill -0 "$p" 2>/dev/null; do i=$((i+1)); [ $i -gt 250 ] && exit 1; sleep 0.02; done'
            self.run(
                f'p=$(cat /run/sshd.pid) && kill "$p" && {{ {gone}; }} && rm -f /run/sshd.pid'
                " && /usr/sbin/sshd -E /run/sshd.log"
            )
        self._await_sshd()

    def reboot(self) -> None:
        """Stop everything at once and start again: files stay, processes and /run don't."""
        podman("kill", "--signal", "KILL", self.container)
        podman("wait", self.container)
        podman("start", self.container)
        self.await_ready()

    def sshd_log(self) -> str:
        """What sshd logged since the host started."""
        if self.flavour == "systemd":
            return self.run(["journalctl", "--no-pager", "-o", "cat", "-u", "ssh.service"]).stdout
        return self.read("/run/sshd.log").decode(errors="replace")

    # -- mounts -----------------------------------------------------------------------------------

    def _nsenter(self, script: str, *arguments: str) -> None:
        # The host itself may not mount; this machine's root may, inside the host's mount namespace.
        state = inspect_container(self.container)
        if state is None:
            raise LabError(f"{self.name}: gone")
        target = str(state["State"]["Pid"])
        # The pid namespace too: umount(8) reads /proc/self.
        argv = ["nsenter", "--target", target, "--mount", "--pid", "--", "/bin/sh", "-ec", script, "sh"]
        done = subprocess.run([*argv, *arguments], capture_output=True, text=True, env=environment(), check=False)
        if done.returncode != 0:
            raise CommandError(argv, done.returncode, done.stdout, done.stderr)

    def make_readonly(self, path: str) -> None:
        """Mount a directory or file over itself, read-only: every write below fails with EROFS, root's too."""
        script = '[ "$1" = / ] || mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"'
        self._nsenter(script, path)

    def mount_tmpfs(self, path: str, size: str) -> None:
        """Mount an empty file system of ``size`` (``64k``, ``1m``) at a directory, with its mode and owner kept."""
        script = (
            'set -- "$1" "$2" $(stat -c "%a %u %g" "$1"); mount -t tmpfs -o "size=$2,mode=$3,uid=$4,gid=$5" lab "$1"'
        )
        self._nsenter(script, path, size)

    def unmount(self, path: str) -> None:
        """Undo one ``make_readonly`` or ``mount_tmpfs``."""
        self._nsenter('umount "$1"', path)

    # -- for Ansible --------------------------------------------------------------------------------

    def inventory_vars(self) -> dict[str, Any]:
        """The variables that Ansible needs to reach the host as ``deploy``, with become."""
        ssh_args = [
            *("-o", f"UserKnownHostsFile={self.known_hosts}", "-o", "GlobalKnownHostsFile=/dev/null"),
            *("-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"),
        ]
        return {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": LOGIN_USER,
            "ansible_become": True,
            "ansible_pipelining": True,
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": shlex.join(ssh_args),
        }

    @property
    def inventory_line(self) -> str:
        """The same as one line of an INI inventory."""
        return " ".join([self.name, *(f"{key}={_ini(value)}" for key, value in self.inventory_vars().items())])

    # -- life ---------------------------------------------------------------------------------------

    def _await_sshd(self, timeout: float = 120) -> str:
        """Wait until sshd listens; return the host's public key."""
        script = (
            "i=0; until [ -e /run/lab-prepared ] && [ -s /run/sshd.pid ] && kill -0 $(cat /run/sshd.pid);"
            " do i=$((i+1)); [ $i -gt 250 ] && exit 1; sleep 0.02; done 2>/dev/null;"
            " cat /etc/ssh/ssh_host_ed25519_key.pub"
        )
        deadline = time.monotonic() + timeout
        # Anew every few seconds: whoever entered too early sees nothing of what comes after.
        while (done := self.run(script, check=False, timeout=timeout)).returncode != 0:
            if time.monotonic() < deadline:
                continue
            logs = text("logs", "--tail", "20", self.container, check=False)
            raise LabError(f"{self.name}: sshd did not start within {timeout:.0f} s\n{logs}")
        return done.stdout

    def await_ready(self, timeout: float = 120) -> None:
        """Wait until logins work, and write the host's key to ``known_hosts``."""
        public = self._await_sshd(timeout).split()
        if self.flavour == "systemd":
            # Logins of ordinary users are refused until the boot is over; "degraded" is a boot that is over.
            deadline = time.monotonic() + timeout
            while True:
                state = self.run(["systemctl", "is-system-running"], check=False).stdout.strip()
                if state in ("running", "degraded"):
                    break
                if time.monotonic() > deadline:
                    raise LabError(f"{self.name}: systemd is still {state!r} after {timeout:.0f} s")
                time.sleep(0.05)
        self.known_hosts.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public[0]} {public[1]}\n")

    def answers(self, timeout: float = 5) -> bool:
        """Whether an sshd greets whoever connects to the published port, within ``timeout`` seconds."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout) as connection:
                connection.settimeout(timeout)
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def destroy(self) -> None:
        """Remove the host, its processes and its files. Twice is no error."""
        remove_containers([self.container])
        self.known_hosts.unlink(missing_ok=True)
        if self.known_hosts.parent.is_dir() and not any(self.known_hosts.parent.iterdir()):
            self.known_hosts.parent.rmdir()


def _ini(value: object) -> str:
    return shlex.quote(str(value))
