# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NRPE: the hosts that its daemon answers, one value that other tools write in, too."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.addresses import addresses_in, lenient

from .command import find
from .daemon import Daemon
from .kept_file import Replaced, read_text
from .protocol import LISTED, READY, TRUSTED, Change, Command, Sink, SinkError, SinkState, Undo

__all__ = ["Nrpe", "read_hosts", "write_hosts"]

FILE = "/etc/nagios/nrpe.cfg"
UNIT = "nagios-nrpe-server"
#: Seconds that a trial start must live.
TRIAL = 0.7
LINE = re.compile(r"^(?P<head>[ \t]*allowed_hosts[ \t]*=[ \t]*)(?P<value>[^\n#]*?)(?P<tail>[ \t]*)$", re.MULTILINE)


def read_hosts(text: str) -> list[str] | None:
    """The words of the last ``allowed_hosts`` line, or None if there is none."""
    found = list(LINE.finditer(text))
    return list(addresses_in(found[-1].group("value"))) if found else None


def write_hosts(text: str, words: list[str]) -> str:
    """The text with this value in the last such line, or with a line of its own at the end."""
    found = list(LINE.finditer(text))
    if not found:
        return text + ("" if not text or text.endswith("\n") else "\n") + "allowed_hosts=%s\n" % ",".join(words)
    last = found[-1]
    return text[: last.start()] + last.group("head") + ",".join(words) + last.group("tail") + text[last.end() :]


class Nrpe(Sink):
    """``allowed_hosts`` of one file. Words that are not ours stay."""

    backend = "nrpe"
    default_lists = (TRUSTED,)
    daemon = Daemon(("nrpe",))
    flow_ports = frozenset((5666,))

    def __init__(self, settings: Mapping[str, Any], memory: Mapping[str, Any]) -> None:
        super().__init__(settings, memory)
        self.path = str(settings.get("file") or FILE)

    def observe(self) -> SinkState:
        if find("nrpe") is None:
            raise SinkError("nrpe is not installed")
        text = read_text(self.path)
        if text is None:
            raise SinkError("%s does not exist" % self.path)
        words = read_hosts(text)
        shape = {"file": READY if words is not None else "no allowed_hosts: it answers everybody", "live": READY}
        read = self.daemon.has_read(self.path, self.memory)
        notes = [] if read is not None else ["nrpe is not running: the file alone was looked at"]
        if read is False:
            shape["live"] = "not reloaded since the file changed"
        inside = frozenset(_canonical(w) for w in words or ())
        return SinkState(file={LISTED: inside}, live=None, shape=shape, notes=notes)

    def _after(self, text: str, change: Change) -> str:
        words = read_hosts(text) or []
        taken = set(change.take[LISTED])
        kept = [w for w in words if _canonical(w) not in taken]
        known = {_canonical(w) for w in kept}
        kept += [a for a in sorted(change.add[LISTED]) if a not in known]
        if not kept:
            # Without a value NRPE asks nobody who they are.
            raise SinkError("allowed_hosts would be empty: NRPE would answer everybody")
        return write_hosts(text, kept)

    def check(self, state: SinkState, change: Change) -> None:
        text = self._after(read_text(self.path) or "", change)
        if self.daemon.main() is not None:
            _trial(text)

    def way_back(self, state: SinkState, change: Change) -> tuple[list[str], list[Command]]:
        return [self.path], self.daemon.way_back()

    def apply(self, state: SinkState, change: Change) -> Undo:
        """Should NRPE die of the new file all the same, the old one comes back and it is started again."""
        files = Replaced()
        main = self.daemon.main()
        command = self.daemon.command_of(main) if main is not None else []

        def undo() -> None:
            files.back()
            self._load()

        files.write(self.path, self._after(read_text(self.path) or "", change))
        try:
            self._load()
        except SinkError as error:
            files.back()
            told = self.daemon.revive(command, UNIT) or "and nrpe runs on it"
            raise SinkError("%s; the old file is back %s" % (error, told)) from None
        return undo

    def _load(self) -> None:
        if self.daemon.main() is not None:
            main = self.daemon.hang_up()
            self.memory["loaded"] = self.daemon.mark(self.path, main)


def _trial(text: str) -> None:
    """NRPE has no test of its configuration, and dies of SIGHUP with a bad one: start a second one, on another port.

    Raises SinkError where it doesn't stay up.
    """
    folder = tempfile.mkdtemp(prefix="perimeter-")
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        own = {"server_port": str(port), "server_address": "127.0.0.1", "pid_file": folder + "/pid"}
        for name, value in own.items():
            text = re.sub(r"^[ \t]*%s[ \t]*=.*$" % name, "", text, flags=re.MULTILINE) + "\n%s=%s" % (name, value)
        path = folder + "/nrpe.cfg"
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(text + "\n")
        child = subprocess.Popen(
            [find("nrpe") or "nrpe", "-c", path, "-f"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            code = child.wait(TRIAL)
        except subprocess.TimeoutExpired:
            return
        finally:
            child.kill()
            child.wait()
        raise SinkError("nrpe does not start with this configuration (exit %d); the running one was left alone" % code)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _canonical(word: str) -> str:
    network = lenient(word)
    return str(network) if network is not None else word
