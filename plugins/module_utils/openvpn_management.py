# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenVPN's management interface: who is connected, and cutting a session."""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass

from .atomic_files import read_bytes

__all__ = ["Management", "ManagementFailed", "Session"]

#: The interface serves one at a time: a monitor that holds it must not hold us for ever.
TIMEOUT = 5.0


class ManagementFailed(Exception):
    """The interface did not answer as it should."""


@dataclass(frozen=True)
class Session:
    """One connected client. ``address`` is where it comes from, ``tunnel`` its address inside."""

    common_name: str
    address: str
    tunnel: tuple[str, ...]
    since: str
    client_id: str


class Management:
    """One conversation. Use it as a context manager: it leaves politely, so that the next one may enter."""

    def __init__(self, address: tuple[str, str], password_file: str | None = None) -> None:
        self.address = address
        self.password_file = password_file
        self._socket: socket.socket | None = None
        self._buffer = b""

    def __enter__(self) -> Management:
        host, port = self.address
        try:
            if host == "unix":
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self._socket.settimeout(TIMEOUT)
                self._socket.connect(port)
            else:
                self._socket = socket.create_connection((host, int(port)), TIMEOUT)
            self._log_in()
        except OSError as error:
            self.__exit__()
            raise ManagementFailed("management interface %s: %s" % (self._name(), error)) from None
        except ManagementFailed:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._socket is not None:
            try:
                self._socket.sendall(b"quit\n")
            except OSError:
                pass
            self._socket.close()
            self._socket = None

    def _name(self) -> str:
        return self.address[1] if self.address[0] == "unix" else "%s:%s" % self.address

    def _log_in(self) -> None:
        greeting = self._until((b"ENTER PASSWORD:", b">INFO:"))
        if b"ENTER PASSWORD:" in greeting:
            if self.password_file is None:
                raise ManagementFailed("management interface %s asks for a password, none is configured" % self._name())
            secret = read_bytes(self.password_file).splitlines()[:1] or [b""]
            self._send(secret[0])
            if b"SUCCESS" not in self._until((b"SUCCESS:", b"ERROR:")):
                raise ManagementFailed("management interface %s refused its password" % self._name())

    def _send(self, line: bytes) -> None:
        self._connected().sendall(line + b"\n")

    def _connected(self) -> socket.socket:
        if self._socket is None:
            raise ManagementFailed("management interface %s: not connected" % self._name())
        return self._socket

    def _until(self, marks: tuple[bytes, ...]) -> bytes:
        """Read up to the line that holds one of the marks."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            spots = [self._buffer.find(mark) for mark in marks if mark in self._buffer]
            if spots:
                end = self._buffer.find(b"\n", min(spots))
                cut = len(self._buffer) if end < 0 else end + 1
                head, self._buffer = self._buffer[:cut], self._buffer[cut:]
                return head
            if time.monotonic() > deadline:
                raise ManagementFailed(
                    "management interface %s says nothing: does another client hold it?" % self._name()
                )
            try:
                more = self._connected().recv(65536)
            except socket.timeout:
                continue
            if not more:
                raise ManagementFailed("management interface %s closed the connection" % self._name())
            self._buffer += more

    def sessions(self) -> list[Session]:
        """Everybody who is connected."""
        try:
            self._send(b"status 2")
            text = self._until((b"\nEND", b"ERROR:")).decode("utf-8", "replace")
        except OSError as error:
            raise ManagementFailed("management interface %s: %s" % (self._name(), error)) from None
        found = []
        columns: list[str] = []
        for line in text.splitlines():
            words = line.split(",")
            if words[:2] == ["HEADER", "CLIENT_LIST"]:
                columns = words[2:]
            elif words[0] == "CLIENT_LIST":
                row = dict(zip(columns, words[1:]))
                tunnel = tuple(row[c] for c in ("Virtual Address", "Virtual IPv6 Address") if row.get(c))
                name = row.get("Common Name", "")
                if name == "UNDEF":
                    continue
                found.append(
                    Session(
                        name,
                        row.get("Real Address", ""),
                        tunnel,
                        row.get("Connected Since (time_t)", ""),
                        row.get("Client ID", ""),
                    )
                )
        return found

    def kill(self, common_name: str) -> int:
        """Cut every session of a common name; how many there were."""
        if re.search(r"[\s\"'\\]", common_name) or not common_name:
            raise ManagementFailed("the name %r can't be told to the management interface" % common_name)
        try:
            self._send(b"kill " + common_name.encode("utf-8"))
            answer = self._until((b"SUCCESS:", b"ERROR:")).decode("utf-8", "replace")
        except OSError as error:
            raise ManagementFailed("management interface %s: %s" % (self._name(), error)) from None
        found = re.search(r"SUCCESS:.*?(\d+) client", answer)
        if found:
            return int(found.group(1))
        if "not found" in answer:
            return 0
        raise ManagementFailed("management interface %s: %s" % (self._name(), answer.strip()))
