# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A man in the middle that cuts, or that accepts and says nothing."""

from __future__ import annotations

import contextlib
import select
import socket
import threading


class Proxy:
    """Listens on 127.0.0.1. cuts: after how many bytes from the client each connection is cut; None lets it be.

    Without a target it accepts connections, reads, and never answers.
    """

    def __init__(self, target: int | None, cuts: list[int | None] | None = None) -> None:
        self._target = target
        self._cuts = list(cuts or [])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.connections = 0
        self.cut = 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_unused: object) -> None:
        for one in [self._listener, *self._open]:
            # A thread may be waiting in it: closing alone would not wake that.
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            self._open.append(client)
            self.connections += 1
            limit = self._cuts.pop(0) if self._cuts else None
            if self._target is not None:
                threading.Thread(target=self._carry, args=(client, limit), daemon=True).start()

    def _carry(self, client: socket.socket, limit: int | None) -> None:
        server = socket.create_connection(("127.0.0.1", self._target or 0))
        self._open.append(server)
        sent = 0
        with contextlib.suppress(OSError):
            while True:
                for one in select.select([client, server], [], [])[0]:
                    data = one.recv(2048)
                    if not data:
                        return self._end(client, server)
                    if one is client:
                        sent += len(data)
                        if limit is not None and sent > limit:
                            server.sendall(data[: max(0, len(data) - (sent - limit))])
                            self.cut += 1
                            return self._end(client, server)
                    (server if one is client else client).sendall(data)
        return self._end(client, server)

    def _end(self, *both: socket.socket) -> None:
        for one in both:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
