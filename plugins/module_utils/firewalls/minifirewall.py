# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""minifirewall: TRUSTEDIPS and PRIVILEGIEDIPS of its configuration, and the chains it makes of them.

It has no reload: a restart takes all rules away, with policy ACCEPT, and a start that fails leaves it so.
Therefore every word of both values is looked at before, the whole live state is saved, and put back at once
if the restart fails or does not give the rules that it should.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.addresses import Network, is_hostname, lenient

from .command import attempt, find, later, must
from .iptables_rules import PROGRAMS, list_chain, restore_all, save_all
from .kept_file import Replaced, read_text
from .protocol import PRIVILEGED, READY, TRUSTED, Change, Command, Outside, Sink, SinkError, SinkState, Undo

__all__ = ["Minifirewall", "read_value", "write_value"]

FILE = "/etc/default/minifirewall"
INCLUDES = "/etc/minifirewall.d"
PROGRAM = "/usr/local/sbin/minifirewall"
INIT = "/etc/init.d/minifirewall"
VARIABLES = {PRIVILEGED: "PRIVILEGIEDIPS", TRUSTED: "TRUSTEDIPS"}
CHAINS = {PRIVILEGED: "ONLYPRIVILEGIED", TRUSTED: "ONLYTRUSTED"}
VERSION = re.compile(r"""^VERSION=['"]?([0-9]+)\.([0-9]+)""", re.MULTILINE)


def _assignment(variable: str) -> re.Pattern[str]:
    return re.compile(r"^(?P<head>[ \t]*%s=)(?P<rest>[^\n]*)$" % variable, re.MULTILINE)


QUOTED = re.compile(r"""(?P<quote>['"])(?P<value>[^'"$`\\]*)(?P=quote)(?P<tail>[ \t]*(?:#.*)?)\Z""")
BARE = re.compile(r"""(?P<value>[^\s'"$`\\;&|#]*)(?P<tail>[ \t]*(?:#.*)?)\Z""")


def read_value(text: str, variable: str) -> list[str] | None:
    """The words of the last assignment, or None if there is none.

    Raises SinkError where the shell would make something else of it than a reader: several lines, or substitution.
    """
    found = list(_assignment(variable).finditer(text))
    if not found:
        return None
    rest = found[-1].group("rest").strip()
    match = QUOTED.match(rest) or BARE.match(rest)
    if match is None:
        raise SinkError("%s is not a plain value on one line: it can't be changed safely" % variable)
    return match.group("value").split()


def write_value(text: str, variable: str, words: list[str]) -> str:
    """The text with this value in the last assignment, single quotes, single blanks, one line."""
    found = list(_assignment(variable).finditer(text))
    value = "'%s'" % " ".join(words)
    if not found:
        return text + ("" if not text or text.endswith("\n") else "\n") + "%s=%s\n" % (variable, value)
    last = found[-1]
    rest = last.group("rest").strip()
    match = QUOTED.match(rest) or BARE.match(rest)
    tail = match.group("tail") if match else ""
    return text[: last.start()] + last.group("head") + value + tail.rstrip() + text[last.end() :]


class Minifirewall(Sink):
    """Both generations: the init script (IPv4 only for these lists), and the program with a version."""

    backend = "minifirewall"
    flat = False
    gates = True

    def __init__(self, settings: Mapping[str, Any], memory: Mapping[str, Any]) -> None:
        super().__init__(settings, memory)
        self.path = str(settings.get("file") or FILE)
        ports = settings.get("ports")
        self.flow_ports = frozenset(ports) if ports else None

    # -- which one --------------------------------------------------------------------------

    def version(self) -> tuple[int, int] | None:
        """Version of the program, or None for the legacy script. Raises SinkError if there is neither."""
        for path in (PROGRAM, INIT):
            text = read_text(os.path.realpath(path))
            if text is None:
                continue
            match = VERSION.search(text)
            return (int(match.group(1)), int(match.group(2))) if match else None
        raise SinkError("minifirewall is not installed")

    def restart_command(self) -> list[str]:
        """How this generation wants to be restarted."""
        version = self.version()
        systemd = os.path.isdir("/run/systemd/system")
        if version is not None and version >= (25, 10):
            return ["systemctl", "restart", "minifirewall"] if systemd else [PROGRAM, "restart", "--ignore-systemd"]
        return [INIT if find(INIT) else PROGRAM, "restart"]

    def _families(self, text: str) -> tuple[str, ...]:
        if self.version() is None or (read_value(text, "IPV6") or ["on"])[0] == "off":
            return ("ipv4",)
        return ("ipv4", "ipv6")

    def refuses(self, network: Network) -> str | None:
        if network.family not in self._families(read_text(self.path) or ""):
            return "this minifirewall leaves IPv6 out of its lists"
        return None

    # -- reading ----------------------------------------------------------------------------

    def observe(self) -> SinkState:
        text = read_text(self.path)
        if text is None:
            raise SinkError("%s does not exist" % self.path)
        families = self._families(text)
        try:
            words = {slot: read_value(text, VARIABLES[slot]) for slot in self.slots}
        except SinkError as error:
            raise SinkError("%s: %s" % (self.path, error)) from None
        file = {slot: frozenset(_canonical(w) for w in words[slot] or ()) for slot in self.slots}
        gone = [VARIABLES[slot] for slot in self.slots if words[slot] is None]
        shape = {"file": READY if not gone else "no line %s" % ", ".join(gone), "live": READY}
        notes = []
        live = self._live(families)
        if live is None:
            notes.append("minifirewall is not started: the file alone was looked at")
        else:
            for slot in self.slots:
                for text_only in sorted(live[slot] - file[slot]):
                    notes.append("%s is live in %s and in no file: a restart drops it" % (text_only, CHAINS[slot]))
                names = [w for w in words[slot] or () if is_hostname(w)]
                if names:
                    notes.append("hostnames in %s stay as they are: %s" % (VARIABLES[slot], ", ".join(names)))
                # The chains know addresses only: what a name became can't be told from the rest.
                live[slot] |= frozenset(names)
        return SinkState(file=file, live=live, shape=shape, outside=self._outside(text, notes), notes=notes)

    def _live(self, families: tuple[str, ...]) -> dict[str, frozenset[str]] | None:
        found: dict[str, frozenset[str]] = {}
        for slot in self.slots:
            texts: set[str] = set()
            for family in families:
                rules = list_chain(family, CHAINS[slot])
                if rules is None:
                    return None
                texts |= {r.source for r in rules if r.source is not None and r.target == "ACCEPT"}
            found[slot] = frozenset(texts)
        return found

    def _outside(self, text: str, notes: list[str]) -> list[Outside]:
        """Addresses that lines of shell let in by themselves: never ours, easily forgotten."""
        found = []
        texts = [(self.path, text)]
        for path in sorted(glob.glob(INCLUDES + "/*")):
            if "." not in os.path.basename(path) and os.path.isfile(path):
                texts.append((path, read_text(path) or ""))
        for path, content in texts:
            for line in content.splitlines():
                match = re.search(r"^\s*(?:/\S*/)?ip6?tables\s.*\s-s\s+(\S+).*-j\s+ACCEPT", line)
                if match and lenient(match.group(1)) is not None:
                    found.append(Outside(_canonical(match.group(1)), "a rule in %s" % path))
            if path != self.path:
                for slot in self.slots:
                    if _assignment(VARIABLES[slot]).search(content):
                        notes.append(
                            "%s sets %s again: what is in %s may not count" % (path, VARIABLES[slot], self.path)
                        )
        return found

    # -- writing ----------------------------------------------------------------------------

    def _after(self, change: Change) -> str:
        text = read_text(self.path) or ""
        for slot in self.slots:
            words = read_value(text, VARIABLES[slot]) or []
            taken = set(change.take[slot])
            kept = [w for w in words if _canonical(w) not in taken]
            known = {_canonical(w) for w in kept}
            kept += [a for a in sorted(change.add[slot]) if a not in known]
            text = write_value(text, VARIABLES[slot], kept)
        return text

    def check(self, state: SinkState, change: Change) -> None:
        """One bad word in either value makes a restart open the host: refuse before."""
        text = read_text(self.path) or ""
        for variable in VARIABLES.values():
            for word in read_value(text, variable) or ():
                if lenient(word) is None and not is_hostname(word):
                    raise SinkError("%s holds %r, and a restart would open the host: mend it first" % (variable, word))
        for path in [self.path, *sorted(glob.glob(INCLUDES + "/*"))]:
            if os.path.isfile(path) and (path == self.path or "." not in os.path.basename(path)):
                must(["sh", "-n", path])

    def way_back(self, state: SinkState, change: Change) -> tuple[list[str], list[Command]]:
        saved = save_all() if state.live is not None else {}
        return [self.path], [later([PROGRAMS[f] + "-restore", "-w"], text) for f, text in saved.items() if text.strip()]

    def apply(self, state: SinkState, change: Change) -> Undo:
        files = Replaced()
        saved = save_all()
        running = state.live is not None

        def undo() -> None:
            files.back()
            if not running:
                return
            # Not a restart: that is what just failed, or may fail.
            restore_all(saved)

        files.write(self.path, self._after(change), 0o600)
        if running:
            try:
                self._restart()
            except SinkError as error:
                try:
                    undo()
                except SinkError as second:
                    raise SinkError("%s; and going back failed: %s" % (error, second)) from None
                raise SinkError("%s; the old rules are live and the old file is back" % error) from None
        return undo

    def _restart(self) -> None:
        must(self.restart_command())
        text = read_text(self.path) or ""
        live = self._live(self._families(text))
        if live is None:
            raise SinkError("minifirewall made no chains")
        policy = attempt(["iptables", "-w", "-S", "INPUT"]).stdout.splitlines()[:1]
        if policy != ["-P INPUT DROP"]:
            raise SinkError("minifirewall left the host open: %s" % " ".join(policy))
        for slot in self.slots:
            wanted = {w for w in map(_canonical, read_value(text, VARIABLES[slot]) or ()) if not is_hostname(w)}
            families = self._families(text)
            wanted = {w for w in wanted if ("ipv6" if ":" in w else "ipv4") in families}
            if not wanted <= live[slot]:
                raise SinkError("minifirewall did not take %s" % ", ".join(sorted(wanted - live[slot])[:5]))


def _canonical(word: str) -> str:
    network = lenient(word)
    return str(network) if network is not None else word
