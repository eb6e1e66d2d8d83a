# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sshd: what addresses of the list may do beside the others, in a ``Match Address`` block of a file of our own."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.addresses import lenient

from .command import attempt, find, must
from .daemon import Daemon
from .kept_file import Replaced, read_text
from .protocol import LISTED, READY, Change, Command, Outside, Sink, SinkError, SinkState, Undo

__all__ = ["Sshd"]

FILE = "/etc/ssh/sshd_config.d/zz-infogerance-perimeter.conf"
MAIN = "/etc/ssh/sshd_config"
MATCH = re.compile(r"^[ \t]*Match[ \t]+Address[ \t]+(\S+)[ \t]*$", re.MULTILINE | re.IGNORECASE)
DIRECTIVE = re.compile(r"[A-Za-z]+[ \t]+[^\n#]+\Z")


class Sshd(Sink):
    """One ``Match Address`` line with ``directives`` below it."""

    backend = "sshd"
    daemon = Daemon(("sshd",))
    flow_ports = frozenset((22,))

    def __init__(self, settings: Mapping[str, Any], memory: Mapping[str, Any]) -> None:
        super().__init__(settings, memory)
        self.path = str(settings.get("file") or FILE)
        main = settings.get("include_in")
        self.main_file = MAIN if main is None else str(main)
        self.directives = [str(line).strip() for line in settings.get("directives") or ()]
        if not self.directives:
            raise SinkError("%s: directives are needed: what the listed addresses may do" % self.name)
        for line in self.directives:
            if not DIRECTIVE.match(line) or line.lower().startswith(("match ", "include ")):
                raise SinkError("%s: %r is no directive for a Match block" % (self.name, line))

    @property
    def exclusive(self) -> bool:
        return True

    def observe(self) -> SinkState:
        """Our file is the sink; Match Address lines of other files are reported."""
        if find("sshd") is None:
            raise SinkError("sshd is not installed")
        text = read_text(self.path)
        ours = frozenset(a for a in _addresses(text or ""))
        shape = READY
        if text is None:
            shape = "missing"
        elif text != self._render(ours):
            shape = "differs"
        elif not self._included():
            shape = "not included by %s" % self.main_file
        read = self.daemon.has_read(self.path, self.memory)
        notes = [] if read is not None else ["sshd is not running: the file alone was looked at"]
        live = READY if read is not False else "not reloaded since the file changed"
        return SinkState(
            file={LISTED: ours}, live=None, shape={"file": shape, "live": live}, outside=self._outside(), notes=notes
        )

    def _included(self) -> bool:
        main = read_text(self.main_file) or ""
        for line in main.splitlines():
            words = line.split()
            if words and words[0].lower() == "match":
                return False
            if words and words[0].lower() == "include":
                for word in words[1:]:
                    pattern = word.strip('"')
                    if fnmatch.fnmatch(self.path, pattern if pattern.startswith("/") else "/etc/ssh/" + pattern):
                        return True
        return False

    def _outside(self) -> list[Outside]:
        import glob

        found = []
        for path in [self.main_file] + sorted(glob.glob("/etc/ssh/sshd_config.d/*.conf")):
            if path != self.path:
                found += [Outside(a, "Match Address in %s" % path) for a in _addresses(read_text(path) or "")]
        return found

    def _render(self, addresses: frozenset[str]) -> str:
        lines = ["# Written by infogerance.perimeter. What is changed here by hand is reported as drift."]
        if addresses:
            lines.append("Match Address %s" % ",".join(sorted(addresses)))
            lines += ["\t" + line for line in self.directives]
        return "\n".join(lines + [""])

    def check(self, state: SinkState, change: Change) -> None:
        must(["sshd", "-t", "-f", self.main_file])
        if not self._included():
            raise SinkError("%s does not include %s before its first Match" % (self.main_file, self.path))

    def way_back(self, state: SinkState, change: Change) -> tuple[list[str], list[Command]]:
        return [self.path], self.daemon.way_back()

    def apply(self, state: SinkState, change: Change) -> Undo:
        """sshd dies of a SIGHUP with a bad file: it is tested first, and brought back if it dies all the same."""
        files = Replaced()
        main = self.daemon.main()
        command = self.daemon.command_of(main) if main is not None else []

        def undo() -> None:
            files.back()
            self._load()

        try:
            files.write(self.path, self._render(change.applied_to(state.file or {})[LISTED]), 0o600)
            must(["sshd", "-t", "-f", self.main_file])
        except SinkError:
            files.back()
            raise
        try:
            self._load()
        except SinkError as error:
            files.back()
            told = self.daemon.revive(command, "ssh") or "and sshd runs on it"
            raise SinkError("%s; the old file is back %s" % (error, told)) from None
        return undo

    def _load(self) -> None:
        if self.daemon.main() is None:
            return
        must(["sshd", "-t", "-f", self.main_file])
        main = self.daemon.hang_up()
        self.memory["loaded"] = self.daemon.mark(self.path, main)


def _addresses(text: str) -> list[str]:
    found = []
    for match in MATCH.finditer(text):
        for word in match.group(1).split(","):
            network = lenient(word)
            found.append(str(network) if network is not None else word)
    return found


def ports_of_sshd() -> frozenset[int]:
    """The ports that sshd is configured to listen on."""
    done = attempt(["sshd", "-T"])
    return frozenset(int(p) for p in re.findall(r"^port (\d+)$", done.stdout, re.MULTILINE)) or frozenset((22,))
