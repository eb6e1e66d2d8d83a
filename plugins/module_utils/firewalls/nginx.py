# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx: a snippet of ``allow`` lines that the sites include."""

from __future__ import annotations

from .command import find, must
from .daemon import Daemon
from .line_file import LineFile, read_by
from .protocol import SinkError

__all__ = ["Nginx"]


class Nginx(LineFile):
    """``allow X;`` in a block at the top of the file, so that a ``deny all;`` behind it stays behind it."""

    backend = "nginx"
    default_file = "/etc/nginx/snippets/infogerance-perimeter.conf"
    default_template = "allow {address};"
    daemon = Daemon(("nginx",), workers=True)
    flow_ports = frozenset((80, 443))

    def notes(self) -> list[str]:
        if find("nginx") is None:
            raise SinkError("nginx is not installed")
        if not read_by(["nginx", "-T"], "# configuration file %s:" % self.path):
            return ["no site includes %s: nobody reads it" % self.path]
        return []

    def test(self) -> None:
        must(["nginx", "-t", "-q"])

    def load_command(self) -> list[str]:
        return ["nginx", "-s", "reload"] if self.daemon is not None and self.daemon.main() is not None else []

    def load(self) -> None:
        command = self.load_command()
        if self.daemon is not None and command:
            must(command)
            # The signal always succeeds. Only a new worker proves that the master took the file.
            self.daemon.await_workers(self.path)
