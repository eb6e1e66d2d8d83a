# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person at a terminal: types into an SSH session with a pty, waits for what it says, hangs up."""

from __future__ import annotations

import os
import pty
import select
import signal
import time
from collections.abc import Sequence
from types import TracebackType

from lab import Host


class Terminal:
    """A session on a host; use it as a context manager."""

    def __init__(self, host: Host, command: Sequence[str], user: str = "deploy") -> None:
        argv = host.ssh_argv(user, command, options=["-tt"])
        self.pid, self._handle = pty.fork()
        if self.pid == 0:
            os.execvp(argv[0], argv)
        self.said = ""
        self._ended: int | None = None

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._ended is None:
            self.hang_up()
        os.close(self._handle)

    def expect(self, text: str, seconds: float = 30) -> None:
        """Wait until this was said; what came before it is forgotten."""
        deadline = time.monotonic() + seconds
        while text not in self.said:
            if time.monotonic() > deadline:
                raise AssertionError(f"{text!r} was not said in {seconds} s, but {self.said!r}")
            if select.select([self._handle], [], [], 0.2)[0]:
                try:
                    data = os.read(self._handle, 4096)
                except OSError:
                    data = b""
                if not data:
                    raise AssertionError(f"the session ended before {text!r} was said: {self.said!r}")
                self.said += data.decode("utf-8", "replace")
        self.said = self.said.partition(text)[2]

    def type(self, text: str) -> None:
        """Send keystrokes."""
        os.write(self._handle, text.encode())

    def hang_up(self) -> None:
        """The network goes: no byte is sent any more."""
        os.kill(self.pid, signal.SIGKILL)
        self._ended = os.waitpid(self.pid, 0)[1]

    def ended(self, seconds: float = 30) -> int:
        """Wait for the session's end; its exit status."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if select.select([self._handle], [], [], 0.1)[0]:
                try:
                    self.said += os.read(self._handle, 4096).decode("utf-8", "replace")
                except OSError:
                    pass
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self._ended = status
                return os.waitstatus_to_exitcode(status)
        raise AssertionError(f"the session did not end in {seconds} s: {self.said!r}")
