# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""fail2ban: addresses that are never banned.

``ignoreip`` of one file replaces that of another, so ours carries over what the others say: the first line of
the value is theirs, the lines below it are ours. When theirs changes, ours is rewritten.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.addresses import addresses_in, lenient

from .command import attempt, find, later, must
from .kept_file import Replaced, read_text
from .protocol import LISTED, READY, Change, Command, Outside, Sink, SinkError, SinkState, Undo

__all__ = ["Fail2ban", "read_ignoreip"]

FOLDER = "/etc/fail2ban"
#: Read last: .local files of jail.d come after everything else, by name.
FILE = FOLDER + "/jail.d/zz-infogerance-perimeter.local"
SECTION = re.compile(r"^\[([^\]]+)\]")
OPTION = re.compile(r"^ignoreip[ \t]*[=:][ \t]*(.*)$", re.IGNORECASE)


def read_ignoreip(text: str) -> dict[str, list[str]]:
    """The lines of ``ignoreip`` by section: the first one, and its continuations."""
    found: dict[str, list[str]] = {}
    section, lines = "", None
    for line in text.splitlines():
        if re.match(r"\s*[#;]", line):
            continue
        head = SECTION.match(line)
        option = OPTION.match(line)
        if head:
            section, lines = head.group(1).strip(), None
        elif option:
            lines = [option.group(1).strip()]
            found[section] = lines
        elif lines is not None and line[:1] in (" ", "\t") and line.strip():
            lines.append(line.strip())
        elif line.strip():
            lines = None
    return found


class Fail2ban(Sink):
    """``ignoreip`` of all jails, in a file of our own."""

    backend = "fail2ban"

    def __init__(self, settings: Mapping[str, Any], memory: Mapping[str, Any]) -> None:
        super().__init__(settings, memory)
        self.path = str(settings.get("file") or FILE)

    @property
    def exclusive(self) -> bool:
        return True

    def observe(self) -> SinkState:
        if find("fail2ban-client") is None:
            raise SinkError("fail2ban is not installed")
        text = read_text(self.path)
        lines = read_ignoreip(text or "").get("DEFAULT", [""])
        ours = frozenset(_canonical(w) for line in lines[1:] for w in addresses_in(line))
        theirs, overriding = self._others()
        outside = [Outside(_canonical(w), "ignoreip of other files of fail2ban") for w in addresses_in(theirs)]
        notes = ["jail %s has an ignoreip of its own: the list does not reach it" % jail for jail in overriding]
        shape = {"file": READY, "live": READY}
        if text is None:
            shape["file"] = "missing"
        elif text != self._render(theirs, ours):
            shape["file"] = "differs, or other files changed"
        live = self._live(overriding)
        if live is None:
            notes.append("fail2ban is not running: the file alone was looked at")
            return SinkState(file={LISTED: ours}, live=None, shape=shape, outside=outside, notes=notes)
        carried = {_canonical(w) for w in addresses_in(theirs)}
        # What a jail ignores beside the files was put there by hand.
        outside += [Outside(a, "live ignoreip of a jail") for a in sorted(live - ours - carried) if lenient(a)]
        outside = [o for o in outside if not _loopback(o.address)]
        return SinkState(file={LISTED: ours}, live={LISTED: live & ours}, shape=shape, outside=outside, notes=notes)

    def _others(self) -> tuple[str, list[str]]:
        """The last ignoreip of [DEFAULT] in other files, and the jails that have one of their own."""
        paths = [FOLDER + "/jail.conf"] + sorted(glob.glob(FOLDER + "/jail.d/*.conf"))
        paths += [FOLDER + "/jail.local"] + sorted(glob.glob(FOLDER + "/jail.d/*.local"))
        value, jails = "", set()
        for path in paths:
            if path == self.path:
                continue
            for section, lines in read_ignoreip(read_text(path) or "").items():
                if section == "DEFAULT":
                    value = " ".join(lines)
                else:
                    jails.add(section)
        return " ".join(value.split()), sorted(jails)

    def _live(self, overriding: list[str]) -> frozenset[str] | None:
        done = attempt(["fail2ban-client", "status"])
        if done.code != 0:
            return None
        match = re.search(r"Jail list:[ \t]*(.*)", done.stdout)
        jails = [j for j in re.split(r"[,\s]+", match.group(1)) if j] if match else []
        jails = [j for j in jails if j not in overriding]
        found: frozenset[str] | None = None
        for jail in jails:
            listing = attempt(["fail2ban-client", "get", jail, "ignoreip"])
            rows = [line.split("-", 1)[1].strip() for line in listing.stdout.splitlines() if re.match(r"[|`]-", line)]
            mine = frozenset(_canonical(w) for w in rows)
            found = mine if found is None else found & mine
        # Without a jail nobody is banned: nothing is live that could differ.
        return found

    def _render(self, theirs: str, addresses: frozenset[str]) -> str:
        lines = [
            "# Written by infogerance.perimeter. What is changed here by hand is reported as drift.",
            "# The first line of ignoreip is carried over from other files, since this one replaces it.",
            "[DEFAULT]",
            ("ignoreip = %s" % theirs).rstrip(),
        ]
        return "\n".join(lines + ["    %s" % a for a in sorted(addresses)] + [""])

    def check(self, state: SinkState, change: Change) -> None:
        must(["fail2ban-client", "-t"])

    def way_back(self, state: SinkState, change: Change) -> tuple[list[str], list[Command]]:
        return [self.path], [later(["fail2ban-client", "reload"])] if state.live is not None else []

    def apply(self, state: SinkState, change: Change) -> Undo:
        files = Replaced()

        def undo() -> None:
            files.back()
            self._load()

        try:
            files.write(self.path, self._render(self._others()[0], change.applied_to(state.file or {})[LISTED]))
            must(["fail2ban-client", "-t"])
        except SinkError:
            files.back()
            raise
        try:
            self._load()
        except SinkError as error:
            undo()
            raise SinkError("%s; the old file is back and was read" % error) from None
        return undo

    @staticmethod
    def _load() -> None:
        if attempt(["fail2ban-client", "ping"]).code == 0:
            must(["fail2ban-client", "reload"])


def _canonical(word: str) -> str:
    network = lenient(word)
    return str(network) if network is not None else word


def _loopback(text: str) -> bool:
    return text == "::1" or text.startswith("127.")
