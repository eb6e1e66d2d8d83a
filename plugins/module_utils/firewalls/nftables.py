# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nftables: named sets, changed by one transaction, and the file that loads them at boot.

With our own table the sets, and the gate chain if ``ports`` are given, are ours alone.
With a table of the user's, only elements of the named sets are touched.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.addresses import lenient

from .command import attempt, find, later, must
from .kept_file import Replaced, read_text
from .protocol import READY, TRUSTED, Change, Command, Outside, Sink, SinkError, SinkState, Undo

__all__ = ["Nftables", "elements_of", "outside_rules", "parse_file"]

OWN_TABLE = "infogerance_perimeter"
FILE = "/etc/nftables.d/infogerance-perimeter.nft"
MAIN = "/etc/nftables.conf"
WANTED = "/etc/systemd/system/sysinit.target.wants/nftables.service"
BEGIN, END = "# BEGIN infogerance.perimeter", "# END infogerance.perimeter"
GATE = "gate"
#: nft sorts an interval set anew for each element that is taken away, so that a thousand of ten thousand take it
#: seconds. From this many on, a set that is ours is emptied and filled anew, in the same transaction.
FEW = 16
FAMILIES = (("ipv4", "ipv4_addr", "ip"), ("ipv6", "ipv6_addr", "ip6"))
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,60}\Z", re.ASCII)
#: The elements of one set as nft lists them; a comment may hold braces.
ELEMENTS = re.compile(r"\belements[ \t]*=[ \t]*\{((?:\"[^\"]*\"|[^{}\"])*)\}")
SET = re.compile(r"^[ \t]*set[ \t]+(\S+)[ \t]*\{[^{}]*?elements[ \t]*=[ \t]*\{([^{}]*)\}", re.MULTILINE)


@functools.lru_cache(maxsize=1 << 17)
def canonical_element(text: str) -> str:
    """One element as the tool or file writes it; a range stays a range."""
    found = lenient(text)
    return str(found) if found is not None else text.strip()


def elements_of(values: Iterable[Any]) -> Iterator[str]:
    """Canonical texts of the ``elem`` list of ``nft -j``. Raises SinkError for what is no address: never dropped."""
    for element in values:
        try:
            value = element["elem"]["val"] if isinstance(element, dict) and "elem" in element else element
            if isinstance(value, str):
                yield canonical_element(value)
            elif "prefix" in value:
                yield canonical_element("%s/%s" % (value["prefix"]["addr"], value["prefix"]["len"]))
            else:
                low, high = value["range"]
                yield "%s-%s" % (canonical_element(str(low)), canonical_element(str(high)))
        except (KeyError, TypeError, ValueError):
            raise SinkError("nft printed an element that is no address: %s" % json.dumps(element)[:80]) from None


def parse_file(text: str) -> dict[str, frozenset[str]]:
    """The sets of a file that this module wrote or a person edited, by name."""
    plain = re.sub(r"#[^\n]*", "", text)
    found: dict[str, frozenset[str]] = {}
    for match in SET.finditer(plain):
        words = [word.strip() for word in match.group(2).split(",")]
        found[match.group(1)] = found.get(match.group(1), frozenset()) | frozenset(
            canonical_element(w) for w in words if w
        )
    return found


def outside_rules(ruleset: Mapping[str, Any], own: tuple[str, str]) -> Iterator[Outside]:
    """Addresses that rules of other tables accept by name. ``own`` is (family, table)."""
    for item in ruleset.get("nftables", []):
        rule = item.get("rule")
        if not rule or (rule.get("family"), rule.get("table")) == own:
            continue
        expressions = rule.get("expr", [])
        if not any(isinstance(e, dict) and "accept" in e for e in expressions):
            continue
        for expression in expressions:
            for text in _sources(expression):
                where = (rule.get("handle"), rule.get("family"), rule.get("table"), rule.get("chain"))
                yield Outside(text, "rule %s of chain %s %s %s" % where)


def _sources(expression: Any) -> list[str]:
    """The source addresses that an expression of a rule names; none where it is about something else."""
    try:
        match = expression["match"]
        payload = match["left"]["payload"]
        if match["op"] != "==" or payload["field"] != "saddr" or payload["protocol"] not in ("ip", "ip6"):
            return []
        right = match["right"]
        texts = list(elements_of(right["set"] if isinstance(right, dict) and "set" in right else [right]))
    except (KeyError, TypeError, SinkError):
        return []
    return [text for text in texts if not text.startswith("@")]


class Nftables(Sink):
    """Sets ``<list>_ipv4`` and ``<list>_ipv6`` of one table."""

    backend = "nftables"
    flat = False
    gates = True
    overlaps = False

    def __init__(self, settings: Mapping[str, Any], memory: Mapping[str, Any]) -> None:
        super().__init__(settings, memory)
        self.family = str(settings.get("family") or "inet")
        self.table = str(settings.get("table") or OWN_TABLE)
        self.pattern = str(settings.get("set") or "{list}_{family}")
        self.path = str(settings.get("file") or FILE)
        main = settings.get("include_in")
        self.main = MAIN if main is None else str(main)
        self.ports = sorted(set(settings.get("ports") or ()))
        self.trusted_ports = sorted(set(settings.get("trusted_ports") or ()))
        self.own = self.table == OWN_TABLE
        if not self.own and (self.ports or self.trusted_ports):
            raise SinkError("ports need our own table: in %s the rules are yours" % self.table)
        for word in [self.table] + [self.set_name(s, f) for s in self.slots for f in ("ipv4", "ipv6")]:
            if not IDENTIFIER.match(word):
                raise SinkError("%r is no name for a table or set" % word)
        if len({self.set_name(s, f) for s in self.slots for f in ("ipv4", "ipv6")}) != 2 * len(self.slots):
            raise SinkError("set: %r gives two lists or families one name" % self.pattern)
        if self.ports or self.trusted_ports:
            self.flow_ports = frozenset(self.ports) | frozenset(self.trusted_ports)

    @property
    def exclusive(self) -> bool:
        return self.own or super().exclusive

    def set_name(self, slot: str, family: str) -> str:
        """Name of the set for one list and family."""
        return self.pattern.replace("{list}", slot).replace("{family}", family)

    # -- reading ----------------------------------------------------------------------------

    def observe(self) -> SinkState:
        """One call for our table with its elements, one for everybody's rules without elements."""
        if find("nft") is None:
            raise SinkError("nft is not installed")
        live, live_shape = self._observe_live()
        text = read_text(self.path)
        file = self._slots_of(parse_file(text)) if text is not None else self._slots_of({})
        outside, notes = self._observe_outside()
        shape = {"file": self._file_shape(text, file), "live": live_shape}
        return SinkState(file=file, live=live, shape=shape, outside=outside, notes=notes)

    def _observe_live(self) -> tuple[dict[str, frozenset[str]], str]:
        done = attempt(["nft", "-j", "list", "table", self.family, self.table])
        self._sets: dict[str, frozenset[str]] = {}
        #: Sets with an element that has a comment, a counter or a timeout.
        self._dressed: set[str] = set()
        if done.code != 0:
            if "No such file or directory" not in done.stderr:
                raise SinkError(done.complaint)
            return self._slots_of({}), "missing"
        comments: list[str | None] = []
        chains = []
        names = [self.set_name(s, f) for s in self.slots for f in ("ipv4", "ipv6")]
        for item in _load(done.stdout):
            # A table of yours may have sets of ports beside ours.
            if "set" in item and item["set"]["name"] in names:
                elements = item["set"].get("elem", [])
                self._sets[item["set"]["name"]] = frozenset(elements_of(elements))
                if any(isinstance(e, dict) and "elem" in e for e in elements):
                    self._dressed.add(item["set"]["name"])
            elif "chain" in item:
                chains.append(item["chain"]["name"])
            elif "rule" in item and item["rule"]["chain"] == GATE:
                comments.append(item["rule"].get("comment"))
        shape = READY
        gone = [name for name in names if name not in self._sets]
        if gone:
            shape = "no set %s" % ", ".join(gone)
        elif self.own:
            wanted = [comment for comment, _rule in self._gate_rules()]
            if (GATE in chains) != bool(wanted) or comments != wanted:
                shape = "gate differs"
        return self._slots_of(self._sets), shape

    def _observe_outside(self) -> tuple[list[Outside], list[str]]:
        done = attempt(["nft", "-j", "-t", "list", "ruleset"])
        if done.code != 0:
            return [], ["rules of other tables could not be read: %s" % done.complaint]
        ruleset = {"nftables": _load(done.stdout)}
        notes = []
        if self.main == MAIN and os.path.isdir("/run/systemd/system") and not os.path.exists(WANTED):
            notes.append("nftables.service is not enabled: nothing loads %s at boot" % self.main)
        if not self.own or not (self.ports or self.trusted_ports):
            used = done.stdout
            unused = [n for n in (self.set_name(s, "ipv4") for s in self.slots) if '"@%s"' % n not in used]
            if unused:
                notes.append(
                    "no rule refers to %s: the set alone lets nobody in or out" % ", ".join("@" + n for n in unused)
                )
        return list(outside_rules(ruleset, (self.family, self.table) if self.own else ("", ""))), notes

    def _slots_of(self, sets: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
        empty: frozenset[str] = frozenset()
        return {
            slot: sets.get(self.set_name(slot, "ipv4"), empty) | sets.get(self.set_name(slot, "ipv6"), empty)
            for slot in self.slots
        }

    def _file_shape(self, text: str | None, slots: Mapping[str, frozenset[str]]) -> str:
        if text is None:
            return "missing"
        if text != self.render(slots):
            return "differs"
        if self.main:
            main = read_text(self.main)
            if main is None or not _includes(main, self.path):
                return "not included by %s" % self.main
        return READY

    # -- writing ----------------------------------------------------------------------------

    def _gate_rules(self) -> list[tuple[str, str]]:
        """(comment, rule) of the gate chain; the comment carries a hash, so that an edited rule is found."""
        rules = []
        if self.ports or self.trusted_ports:
            rules.append('iif "lo" accept')
            for ports, slots in ((self.trusted_ports, (TRUSTED,)), (self.ports, self.slots)):
                if not ports:
                    continue
                match = "tcp dport { %s }" % ", ".join(str(p) for p in ports)
                for slot in slots:
                    for family, _type, word in FAMILIES:
                        if slot in self.slots:
                            rules.append("%s %s saddr @%s accept" % (match, word, self.set_name(slot, family)))
                rules.append("%s drop" % match)
        digest = hashlib.sha256("\n".join(rules).encode()).hexdigest()[:16]
        return [("perimeter %s %d" % (digest, n), rule) for n, rule in enumerate(rules)]

    def render(self, slots: Mapping[str, frozenset[str]]) -> str:
        """The file for what the slots hold. Loading it twice gives the same as loading it once."""
        name = "%s %s" % (self.family, self.table)
        lines = ["# Written by infogerance.perimeter. What is changed here by hand is reported as drift."]
        if self.own:
            lines += ["table %s" % name, "delete table %s" % name]
        lines.append("table %s {" % name)
        for slot in self.slots:
            for family, kind, _word in FAMILIES:
                lines += ["\tset %s {" % self.set_name(slot, family), "\t\ttype %s" % kind, "\t\tflags interval"]
                members = sorted(t for t in slots.get(slot, ()) if _family(t) == family)
                if members:
                    lines += ["\t\telements = {"] + ["\t\t\t%s," % m for m in members] + ["\t\t}"]
                lines.append("\t}")
        rules = self._gate_rules() if self.own else []
        if rules:
            lines += ["\tchain %s {" % GATE, "\t\ttype filter hook input priority -10; policy accept;"]
            lines += ['\t\t%s comment "%s"' % (rule, comment) for comment, rule in rules] + ["\t}"]
        return "\n".join(lines + ["}", ""])

    def script(self, state: SinkState, change: Change) -> str:
        """The live change as one transaction: takes come first, so that a wider network can replace what it covers."""
        name = "%s %s" % (self.family, self.table)
        lines: list[str] = []
        if state.live is None:
            raise AssertionError("only an observed set is changed")
        if self.own:
            lines.append("add table %s" % name)
        for slot in self.slots:
            for family, kind, _word in FAMILIES:
                if self.set_name(slot, family) not in self._sets:
                    lines.append(
                        "add set %s %s { type %s; flags interval; }" % (name, self.set_name(slot, family), kind)
                    )
        if self.own and change.mend:
            rules = self._gate_rules()
            lines += [
                "add chain %s %s" % (name, GATE),
                "flush chain %s %s" % (name, GATE),
                "delete chain %s %s" % (name, GATE),
            ]
            if rules:
                lines.append("add chain %s %s { type filter hook input priority -10; policy accept; }" % (name, GATE))
                lines += ['add rule %s %s %s comment "%s"' % (name, GATE, rule, comment) for comment, rule in rules]
        takes: list[str] = []
        adds: list[str] = []
        for slot in self.slots:
            for family, _kind, _word in FAMILIES:
                here = frozenset(t for t in state.live[slot] if _family(t) == family)
                gone = [t for t in change.take[slot] if t in here]
                new = [t for t in change.add[slot] if t not in here and _family(t) == family]
                where = "%s %s" % (name, self.set_name(slot, family))
                if len(gone) > FEW and self._replaceable(slot, family):
                    takes.append("flush set %s" % where)
                    new = sorted(here.difference(gone).union(new))
                elif gone:
                    takes.append("delete element %s { %s }" % (where, ", ".join(gone)))
                if new:
                    adds.append("add element %s { %s }" % (where, ", ".join(new)))
        return "\n".join(lines + takes + adds + [""])

    def _replaceable(self, slot: str, family: str) -> bool:
        """True where emptying the set and filling it anew loses nothing: all of it is ours, addresses and no more."""
        return self.exclusive and self.set_name(slot, family) not in self._dressed

    def check(self, state: SinkState, change: Change) -> None:
        """The kernel's own opinion on the transaction, without committing it."""
        if not self.own and state.shape["live"] == "missing":
            raise SinkError("there is no table %s %s: it is yours to make" % (self.family, self.table))
        script = self.script(state, change)
        if script.strip():
            must(["nft", "-c", "-f", "-"], script)

    def way_back(self, state: SinkState, change: Change) -> tuple[list[str], list[Command]]:
        script = self._snapshot(state, change)
        files = [self.path] + ([self.main] if self.main else [])
        return files, [later(["nft", "-f", "-"], script)] if script else []

    def apply(self, state: SinkState, change: Change) -> Undo:
        """Live first, file second: a reboot in between gives the old state, the next run finds the drift."""
        if state.live is None or state.file is None:
            raise AssertionError("only an observed set is changed")
        script = self.script(state, change)
        before = self._snapshot(state, change)
        if "flush set" in script:
            # It states the whole set: what somebody else has put in since we looked must not go unseen.
            now, _shape = self._observe_live()
            if now != state.live:
                raise SinkError("the sets changed while this run was at work: run it again")
        if script.strip():
            must(["nft", "-f", "-"], script)
        files = Replaced()

        def undo() -> None:
            problems = []
            try:
                files.back()
            except SinkError as error:
                problems.append(str(error))
            if script.strip():
                done = attempt(["nft", "-f", "-"], before)
                if done.code != 0:
                    problems.append(done.complaint)
            if problems:
                raise SinkError("; ".join(problems))

        try:
            files.write(self.path, self.render(change.applied_to(state.file)), 0o600)
            if self.main:
                files.write(self.main, _with_include(read_text(self.main), self.path), 0o755)
                must(["nft", "-c", "-f", self.main])
            else:
                must(["nft", "-c", "-f", self.path])
        except SinkError:
            undo()
            raise
        return undo

    def _snapshot(self, state: SinkState, change: Change) -> str:
        """A transaction that leads back to what is live now."""
        name = "%s %s" % (self.family, self.table)
        if self.own:
            lines = "add table %s\ndelete table %s\n" % (name, name)
            if state.shape["live"] == "missing":
                return lines
            return lines + must(["nft", "list", "table", self.family, self.table]).stdout
        # The set's whole content: right from wherever it is run.
        lines = ""
        if state.live is None:
            raise AssertionError("only an observed set is changed")
        for slot in self.slots:
            for family, _kind, _word in FAMILIES:
                set_name = self.set_name(slot, family)
                if set_name not in self._sets:
                    continue
                lines += "flush set %s %s\n" % (name, set_name)
                members = ", ".join(sorted(t for t in state.live[slot] if _family(t) == family))
                if set_name in self._dressed:
                    # By its address alone, what somebody let in for two hours would be let in for ever.
                    found = ELEMENTS.search(must(["nft", "list", "set", self.family, self.table, set_name]).stdout)
                    if found is None:
                        raise SinkError("set %s changed while this run was at work: run it again" % set_name)
                    members = found.group(1).strip()
                if members:
                    lines += "add element %s %s { %s }\n" % (name, set_name, members)
        return lines


def _load(text: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(text)["nftables"]
    except (ValueError, KeyError, TypeError):
        raise SinkError("nft printed no JSON that this module understands") from None
    return [item for item in found if isinstance(item, dict)]


def _family(text: str) -> str:
    return "ipv6" if ":" in text else "ipv4"


def _includes(main: str, path: str) -> bool:
    """True where an include statement of the main file names the path, or a pattern that matches it."""
    folder, name = path.rsplit("/", 1)
    for match in re.finditer(r'^[ \t]*include[ \t]+"([^"]+)"', main, re.MULTILINE):
        named = match.group(1)
        if named == path:
            return True
        if "*" in named and named.rsplit("/", 1)[0] == folder:
            glob = re.escape(named.rsplit("/", 1)[1]).replace(r"\*", ".*")
            if re.match(glob + r"\Z", name):
                return True
    return False


def _with_include(main: str | None, path: str) -> str:
    # A file of ours must not flush what other programs have loaded.
    text = main if main is not None else "#!/usr/sbin/nft -f\n"
    if _includes(text, path):
        return text
    if text and not text.endswith("\n"):
        text += "\n"
    return '%s%s\ninclude "%s"\n%s\n' % (text, BEGIN, path, END)
