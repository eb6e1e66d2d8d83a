# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apache: a file of ``Require ip`` lines that the sites include."""

from __future__ import annotations

from .command import find, must
from .daemon import Daemon
from .line_file import LineFile, read_by
from .protocol import SinkError

__all__ = ["Apache"]


class Apache(LineFile):
    """``Require ip X``; the including site decides what it guards, in a ``RequireAny`` or a directory of its own."""

    backend = "apache"
    default_file = "/etc/apache2/infogerance-perimeter.conf"
    default_template = "Require ip {address}"
    daemon = Daemon(("apache2", "httpd"), workers=True)
    flow_ports = frozenset((80, 443))

    @property
    def control(self) -> str:
        """The control program: Debian's, or upstream's."""
        for program in ("apache2ctl", "apachectl"):
            if find(program) is not None:
                return program
        raise SinkError("apache is not installed")

    def notes(self) -> list[str]:
        if not read_by([self.control, "-t", "-D", "DUMP_INCLUDES"], " " + self.path):
            return ["no site includes %s: nobody reads it" % self.path]
        return []

    def test(self) -> None:
        must([self.control, "configtest"])

    def load_command(self) -> list[str]:
        # apache2ctl starts a server that is not running: that is not ours to decide.
        return [self.control, "graceful"] if self.daemon is not None and self.daemon.main() is not None else []

    def load(self) -> None:
        command = self.load_command()
        if self.daemon is not None and command:
            must(command)
            self.daemon.await_workers(self.path)
