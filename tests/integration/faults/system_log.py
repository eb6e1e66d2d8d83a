# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A system log of one's own: /dev/log in a mount namespace, with a real socket behind it."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

from tests.integration.recording.conftest import Playground

_NODES = ("null", "zero", "full", "random", "urandom", "tty")


class SystemLog:
    """Use it as a context manager. It writes what it gets as syslog daemons do: priority gone, one line a message."""

    def __init__(self, path: Path) -> None:
        self._path = path / "log.sock"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def __enter__(self) -> SystemLog:
        self._socket.bind(str(self._path))
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._path.unlink()

    def start(self, ground: Playground, *arguments: str) -> subprocess.Popen[str]:
        """ansible-playbook with a /dev of its own. The log's socket is the one there."""
        real = ground.path / "real-dev"
        real.mkdir()
        old = shlex.quote(str(real))
        lines = [
            f"mount --rbind /dev {old}",
            "mount -t tmpfs tmpfs /dev",
            *(f"touch /dev/{name} && mount --bind {old}/{name} /dev/{name}" for name in _NODES),
            *(f"mkdir /dev/{name} && mount --rbind {old}/{name} /dev/{name}" for name in ("shm", "pts")),
            "ln -s /proc/self/fd /dev/fd",
            f"ln -s {shlex.quote(str(self._path))} /dev/log",
            'exec "$@"',
        ]
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        return subprocess.Popen(
            ["unshare", "--mount", "sh", "-ec", "\n".join(lines), "sh", program, "-i", "hosts.yml", *arguments],
            cwd=ground.path,
            env=ground.environ,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def text(self) -> str:
        """All messages so far."""
        self._socket.setblocking(False)
        messages: list[str] = []
        while True:
            try:
                messages.append(self._socket.recv(65536).decode("utf-8"))
            except BlockingIOError:
                return "".join(re.sub(r"^<\d+>", "", message).rstrip("\0\n") + "\n" for message in messages)
