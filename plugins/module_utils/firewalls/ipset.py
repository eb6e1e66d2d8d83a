# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ipset: a set for each list and family, filled beside and swapped in, and the file that loads them at boot."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.addresses import Network, lenient

from .command import attempt, find, later, must
from .iptables_rules import accepted
from .kept_file import Replaced, read_text
from .protocol import READY, Change, Command, Sink, SinkError, SinkState, Undo

__all__ = ["Ipset", "read_saved"]

#: What Debian's ipset-persistent loads at boot, with everybody's sets in it.
FILE = "/etc/iptables/ipsets"
PATTERN = "perimeter-{list}-{family}"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,26}\Z", re.ASCII)
FAMILIES = (("ipv4", "inet"), ("ipv6", "inet6"))


def read_saved(text: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Sets in the format of ``ipset save``: name -> (type and options, members)."""
    kinds: dict[str, str] = {}
    members: dict[str, set[str]] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 3 and words[0] == "create":
            kinds[words[1]] = " ".join(words[2:])
            members.setdefault(words[1], set())
        elif len(words) >= 3 and words[0] == "add":
            network = lenient(words[2])
            members.setdefault(words[1], set()).add(str(network) if network is not None else words[2])
    return {name: (kinds.get(name, ""), frozenset(texts)) for name, texts in members.items()}


class Ipset(Sink):
    """Sets of type hash:net. The rules that use them are the user's."""

    backend = "ipset"
    flat = False
    gates = True

    def __init__(self, settings: Mapping[str, Any], memory: Mapping[str, Any]) -> None:
        super().__init__(settings, memory)
        self.path = str(settings.get("file") or FILE)
        self.pattern = str(settings.get("set") or PATTERN)
        names = [self.set_name(s, f) for s in self.slots for f in ("ipv4", "ipv6")]
        for name in names:
            if not NAME.match(name):
                raise SinkError("%r is no name for a set: 27 characters at most" % name)
        if len(set(names)) != len(names):
            raise SinkError("set: %r gives two lists or families one name" % self.pattern)

    @property
    def exclusive(self) -> bool:
        return self.pattern == PATTERN or super().exclusive

    def set_name(self, slot: str, family: str) -> str:
        """Name of the set for one list and family; a set's name has 31 characters at most."""
        short = {"privileged": "priv", "trusted": "trust"}[slot]
        return self.pattern.replace("{list}", short).replace("{family}", family)

    def refuses(self, network: Network) -> str | None:
        return "ipset takes no prefix length of 0" if network.prefix == 0 else None

    # -- reading ----------------------------------------------------------------------------

    def observe(self) -> SinkState:
        if find("ipset") is None:
            raise SinkError("ipset is not installed")
        live = self._live()
        text = read_text(self.path)
        saved = read_saved(text or "")
        gone = [n for n in self._names() if n not in live]
        shape = {"live": READY if not gone else "no set %s" % ", ".join(gone)}
        missing = [n for n in self._names() if n not in saved]
        shape["file"] = READY if not missing else "%s has no set %s" % (self.path, ", ".join(missing))
        notes = []
        rules = "".join(attempt([p, "-w", "-S"]).stdout for p in ("iptables", "ip6tables") if find(p) is not None)
        unused = [n for n in self._names() if n.endswith("ipv4") and "--match-set %s " % n not in rules]
        if unused:
            notes.append("no rule refers to %s: the set alone lets nobody in or out" % ", ".join(unused))
        if self.path == FILE and not os.path.isdir("/usr/share/netfilter-persistent"):
            notes.append("ipset-persistent is not installed: nothing loads %s at boot" % self.path)
        return SinkState(
            file=self._slots(saved),
            live=self._slots(live),
            shape=shape,
            outside=accepted(("ipv4", "ipv6"), ()),
            notes=notes,
        )

    def _names(self) -> list[str]:
        return [self.set_name(s, f) for s in self.slots for f, _word in FAMILIES]

    def _live(self) -> dict[str, tuple[str, frozenset[str]]]:
        found: dict[str, tuple[str, frozenset[str]]] = {}
        for name in self._names():
            done = attempt(["ipset", "save", name])
            if done.code == 0:
                found.update(read_saved(done.stdout))
            elif "does not exist" not in done.stderr:
                raise SinkError(done.complaint)
        return found

    def _slots(self, sets: Mapping[str, tuple[str, frozenset[str]]]) -> dict[str, frozenset[str]]:
        slots = {}
        for slot in self.slots:
            texts: frozenset[str] = frozenset()
            for family, _word in FAMILIES:
                texts |= sets.get(self.set_name(slot, family), ("", frozenset()))[1]
            slots[slot] = texts
        return slots

    # -- writing ----------------------------------------------------------------------------

    def check(self, state: SinkState, change: Change) -> None:
        for name, (kind, _members) in self._live().items():
            if not kind.startswith("hash:net "):
                raise SinkError("the set %s is of type %s, not hash:net" % (name, kind.split(" ")[0] or "unknown"))

    def _script(self, slots: Mapping[str, frozenset[str]]) -> str:
        """Fill a set beside each one, then swap: packets see the old set or the new one."""
        lines = []
        for slot in self.slots:
            for family, word in FAMILIES:
                name = self.set_name(slot, family)
                spare = name + ".new"
                members = sorted(t for t in slots.get(slot, ()) if (":" in t) == (family == "ipv6"))
                options = "hash:net family %s maxelem %d" % (word, max(65536, 2 * len(members)))
                lines += ["create %s %s -exist" % (name, options)]
                # Only a killed run leaves a spare set behind.
                lines += ["create %s %s -exist" % (spare, options), "flush %s" % spare]
                lines += ["add %s %s" % (spare, member) for member in members]
                lines += ["swap %s %s" % (spare, name), "destroy %s" % spare]
        return "\n".join(lines + [""])

    def _run(self, slots: Mapping[str, frozenset[str]]) -> None:
        must(["ipset", "restore"], self._script(slots))

    def way_back(self, state: SinkState, change: Change) -> tuple[list[str], list[Command]]:
        return [self.path], [later(["ipset", "restore"], self._script(state.live or {}))]

    def apply(self, state: SinkState, change: Change) -> Undo:
        """Live first; the file follows. A failure on the way leaves the old sets in the rules."""
        before = state.live or {}
        had = self._live()
        files = Replaced()

        def undo() -> None:
            files.back()
            self._run(before)
            for name in self._names():
                if name not in had:
                    attempt(["ipset", "destroy", name])

        try:
            self._run(change.applied_to(before))
            files.write(self.path, self._render(read_text(self.path) or "", change.applied_to(state.file or {})), 0o600)
        except SinkError as error:
            for name in self._names():
                attempt(["ipset", "destroy", name + ".new"])
            try:
                undo()
            except SinkError as second:
                raise SinkError("%s; and going back failed: %s" % (error, second)) from None
            raise
        return undo

    def _render(self, text: str, slots: Mapping[str, frozenset[str]]) -> str:
        """The file with our sets replaced and everybody else's lines as they are."""
        names = set(self._names())
        kept = [line for line in text.splitlines() if len(line.split()) < 2 or line.split()[1] not in names]
        for slot in self.slots:
            for family, word in FAMILIES:
                name = self.set_name(slot, family)
                members = sorted(t for t in slots.get(slot, ()) if (":" in t) == (family == "ipv6"))
                size = max(65536, 2 * len(members))
                kept.append("create %s hash:net family %s hashsize 1024 maxelem %d" % (name, word, size))
                kept += ["add %s %s" % (name, member) for member in members]
        return "\n".join(kept + [""])
