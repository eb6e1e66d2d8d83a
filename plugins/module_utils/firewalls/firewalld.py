# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""firewalld: an ipset of its own for each list and family, and, if ``zone`` is given, these as sources of the zone."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.addresses import Network, lenient

from .command import attempt, find, later, must
from .kept_file import Replaced, read_text
from .protocol import READY, Change, Command, Outside, Sink, SinkError, SinkState, Undo

__all__ = ["Firewalld", "outside_zones", "read_ipset", "sources_of"]

FOLDER = "/etc/firewalld/ipsets"
PATTERN = "perimeter-{list}-{family}"
BUS = "org.fedoraproject.FirewallD1"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,30}\Z", re.ASCII)
FAMILIES = (("ipv4", "inet"), ("ipv6", "inet6"))
ENTRY = re.compile(r"<entry>\s*([^<\s]+)\s*</entry>")


def read_ipset(text: str) -> frozenset[str]:
    """The entries of an ipset file."""
    return frozenset(_canonical(word) for word in ENTRY.findall(re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)))


def outside_zones(text: str, own: frozenset[str]) -> list[Outside]:
    """Addresses in the output of ``--list-all-zones``: sources, and rich rules that accept."""
    found, zone = [], ""
    for line in text.splitlines():
        if line and not line[0].isspace():
            zone = line.split()[0]
        elif line.strip().startswith("sources:"):
            for word in line.split()[1:]:
                if lenient(word) is not None:
                    found.append(Outside(_canonical(word), "source of zone %s" % zone))
        elif "rule " in line and line.rstrip().endswith("accept"):
            for word in re.findall(r'source address="([^"]+)"', line):
                found.append(Outside(_canonical(word), "rich rule of zone %s" % zone))
    return [o for o in found if o.address not in own]


class Firewalld(Sink):
    """Entries change without a reload. Only a new set or zone source needs one, after a test of the configuration."""

    backend = "firewalld"
    flat = False
    gates = True
    overlaps = False

    def __init__(self, settings: Mapping[str, Any], memory: Mapping[str, Any]) -> None:
        super().__init__(settings, memory)
        self.pattern = str(settings.get("set") or PATTERN)
        self.zone = str(settings.get("zone") or "")
        for name in self._names() + [self.zone or "zone"]:
            if not NAME.match(name):
                raise SinkError("%r is no name for a set or zone" % name)
        if len(set(self._names())) != 2 * len(self.slots):
            raise SinkError("set: %r gives two lists or families one name" % self.pattern)

    @property
    def exclusive(self) -> bool:
        return self.pattern == PATTERN or super().exclusive

    def set_name(self, slot: str, family: str) -> str:
        """Name of the ipset for one list and family; a set's name has 31 characters at most."""
        short = {"privileged": "priv", "trusted": "trust"}[slot]
        return self.pattern.replace("{list}", short).replace("{family}", family)

    def _names(self) -> list[str]:
        return [self.set_name(s, f) for s in self.slots for f, _word in FAMILIES]

    @staticmethod
    def _path(name: str) -> str:
        return "%s/%s.xml" % (FOLDER, name)

    def refuses(self, network: Network) -> str | None:
        return "ipset takes no prefix length of 0" if network.prefix == 0 else None

    # -- reading ----------------------------------------------------------------------------

    def observe(self) -> SinkState:
        if find("firewall-cmd") is None:
            raise SinkError("firewalld is not installed")
        known = _sets()
        running = known is not None
        texts = {name: read_text(self._path(name)) for name in self._names()}
        file = {name: read_ipset(text or "") for name, text in texts.items()}
        gone = [name for name, text in texts.items() if text is None]
        sources = self._permanent_sources()
        shape = {"file": READY, "live": READY}
        if gone:
            shape["file"] = "no ipset %s" % ", ".join(gone)
        elif self.zone and not set(self._sources()) <= sources:
            shape["file"] = "not a source of zone %s" % self.zone
        notes = []
        if not self.zone:
            notes.append("no zone is given: the sets alone let nobody in or out")
        if not running:
            notes.append("firewalld is not running: the files alone were looked at")
            return SinkState(file=self._slots(file), live=None, shape=shape, notes=notes)
        live = {name: self._live(name) for name in self._names() if name in (known or ())}
        gone = [name for name in self._names() if name not in live]
        zones = must(["firewall-cmd", "--list-all-zones"]).stdout
        if gone:
            shape["live"] = "no ipset %s" % ", ".join(gone)
        elif self.zone and not set(self._sources()) <= sources_of(zones, self.zone):
            shape["live"] = "not a source of zone %s" % self.zone
        return SinkState(
            file=self._slots(file),
            live=self._slots(live),
            shape=shape,
            outside=outside_zones(zones, frozenset()),
            notes=notes,
        )

    def _live(self, name: str) -> frozenset[str]:
        asked = _ask("getEntries", name)
        if asked is not None:
            return frozenset(_canonical(word) for word in asked)
        done = must(["firewall-cmd", "--ipset=%s" % name, "--get-entries"])
        return frozenset(_canonical(word) for word in done.stdout.split())

    def _sources(self) -> list[str]:
        return ["ipset:%s" % name for name in self._names()]

    def _permanent_sources(self) -> set[str]:
        for folder in ("/etc/firewalld/zones", "/usr/lib/firewalld/zones"):
            text = read_text("%s/%s.xml" % (folder, self.zone)) if self.zone else None
            if text is not None:
                return {"ipset:" + name for name in re.findall(r'<source\s[^>]*\bipset="([^"]+)"', text)}
        return set()

    def _slots(self, sets: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
        empty: frozenset[str] = frozenset()
        return {
            s: sets.get(self.set_name(s, "ipv4"), empty) | sets.get(self.set_name(s, "ipv6"), empty) for s in self.slots
        }

    # -- writing ----------------------------------------------------------------------------

    def _render(self, word: str, addresses: list[str]) -> str:
        lines = ['<?xml version="1.0" encoding="utf-8"?>', '<ipset type="hash:net">']
        lines += ["  <short>infogerance.perimeter</short>", '  <option name="family" value="%s"/>' % word]
        lines += ["  <entry>%s</entry>" % address for address in addresses]
        return "\n".join(lines + ["</ipset>", ""])

    def _check_config(self) -> None:
        # The same test, and it needs no daemon.
        must(["firewall-offline-cmd", "--check-config"])

    def check(self, state: SinkState, change: Change) -> None:
        self._check_config()

    def way_back(self, state: SinkState, change: Change) -> tuple[list[str], list[Command]]:
        files = [self._path(name) for name in self._names()]
        if self.zone:
            # firewalld keeps the version before its own writing under .old.
            files += ["/etc/firewalld/zones/%s.xml%s" % (self.zone, end) for end in ("", ".old")]
        return files, [later(["firewall-cmd", "--reload"])] if state.live is not None else []

    def apply(self, state: SinkState, change: Change) -> Undo:
        """Files, then live. A reload happens only on a configuration that firewalld itself finds good."""
        files = Replaced()
        zoned: list[str] = []
        running = state.live is not None
        before = state.live or {}

        def undo() -> None:
            problems = []
            for source in zoned:
                done = attempt([*self._permanent(running), "--zone=%s" % self.zone, "--remove-source=%s" % source])
                if done.code != 0:
                    problems.append(done.complaint)
            try:
                files.back()
                if running:
                    self._set_live(before, reload=bool(zoned) or state.shape["live"] != READY)
            except SinkError as error:
                problems.append(str(error))
            if problems:
                raise SinkError("; ".join(problems))

        try:
            after = change.applied_to(state.file or {})
            for slot in self.slots:
                for family, word in FAMILIES:
                    members = sorted(t for t in after[slot] if (":" in t) == (family == "ipv6"))
                    files.write(self._path(self.set_name(slot, family)), self._render(word, members))
            if self.zone:
                here = self._permanent_sources()
                for source in self._sources():
                    if source not in here:
                        must([*self._permanent(running), "--zone=%s" % self.zone, "--add-source=%s" % source])
                        zoned.append(source)
            self._check_config()
            if running:
                self._set_live(change.applied_to(before), reload=state.shape["live"] != READY)
        except SinkError as error:
            try:
                undo()
            except SinkError as second:
                raise SinkError("%s; and going back failed: %s" % (error, second)) from None
            raise
        return undo

    @staticmethod
    def _permanent(running: bool) -> list[str]:
        return ["firewall-cmd", "--permanent"] if running else ["firewall-offline-cmd"]

    def _set_live(self, slots: Mapping[str, frozenset[str]], reload: bool) -> None:
        """Bring the runtime to these entries: takes first, since firewalld refuses overlaps."""
        if reload:
            must(["firewall-cmd", "--reload"])
        known = _sets() or []
        for slot in self.slots:
            for family, _word in FAMILIES:
                name = self.set_name(slot, family)
                if name not in known:
                    continue
                here = self._live(name)
                wanted = frozenset(t for t in slots.get(slot, ()) if (":" in t) == (family == "ipv6"))
                self._entries(name, "remove", here - wanted)
                self._entries(name, "add", wanted - here)

    @staticmethod
    def _entries(name: str, verb: str, texts: frozenset[str]) -> None:
        if not texts:
            return
        # firewall-cmd takes a list from a file only; thousands don't fit on a command line.
        handle, path = tempfile.mkstemp(prefix="perimeter-")
        try:
            with os.fdopen(handle, "w", encoding="ascii") as stream:
                stream.write("\n".join(sorted(texts)) + "\n")
            must(["firewall-cmd", "--ipset=%s" % name, "--%s-entries-from-file=%s" % (verb, path)])
        finally:
            os.unlink(path)


def _ask(method: str, *words: str) -> list[str] | None:
    """A question to firewalld over the bus, since its own program starts slowly. None where that cannot be asked."""
    if find("busctl") is None:
        return None
    call = ["busctl", "--json=short", "call", BUS, "/" + BUS.replace(".", "/"), BUS + ".ipset", method]
    done = attempt([*call, "s", *words] if words else call)
    if done.code != 0:
        return None
    try:
        return [str(word) for word in json.loads(done.stdout)["data"][0]]
    except (ValueError, KeyError, IndexError, TypeError):
        return None


def _sets() -> list[str] | None:
    """Names of the live ipsets; None where firewalld doesn't run."""
    asked = _ask("getIPSets")
    if asked is not None:
        return asked
    done = attempt(["firewall-cmd", "--get-ipsets"])
    return done.stdout.split() if done.code == 0 else None


def sources_of(zones: str, wanted: str) -> set[str]:
    """The sources of one zone in the output of ``--list-all-zones``."""
    zone = ""
    for line in zones.splitlines():
        if line and not line[0].isspace():
            zone = line.split()[0]
        elif zone == wanted and line.strip().startswith("sources:"):
            return set(line.split()[1:])
    return set()


def _canonical(word: str) -> str:
    network = lenient(word)
    return str(network) if network is not None else word
