# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ufw: rules that carry our comment in ufw's own files, and the same rules live, changed by one transaction.

``ufw reload`` flushes and loads; a mistake in any of its files leaves the host half open. It is not used:
the chain that ufw made for its user's rules is changed the way ufw itself adds a rule.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.infogerance.perimeter.plugins.module_utils.addresses import Network, lenient

from .command import find, later
from .iptables_rules import PROGRAMS, list_chain, transaction, tried
from .kept_file import Replaced, read_text
from .protocol import LISTED, READY, Change, Command, Outside, Sink, SinkError, SinkState, Undo

__all__ = ["Tuple4", "Ufw", "read_tuples"]

COMMENT = "infogerance.perimeter"
FILES = {"ipv4": "/etc/ufw/user.rules", "ipv6": "/etc/ufw/user6.rules"}
CHAINS = {"ipv4": "ufw-user-input", "ipv6": "ufw6-user-input"}
ANYWHERE = {"ipv4": "0.0.0.0/0", "ipv6": "::/0"}
START, END = "### RULES ###", "### END RULES ###"
TUPLE = "### tuple ###"


class Tuple4(NamedTuple):
    """One rule of a ufw file: what it does, and the lines it is made of."""

    verb: str
    protocol: str
    ports: str
    source: str | None
    comment: str
    rules: tuple[str, ...]


def read_tuples(text: str) -> list[Tuple4]:
    """The rules of a ufw file, in order. Raises SinkError for a file that is not ufw's."""
    if START not in text or END not in text:
        raise SinkError("is no rules file of ufw: %r is missing" % START)
    found: list[Tuple4] = []
    inner = text[text.index(START) + len(START) : text.index(END)]
    for part in inner.split(TUPLE)[1:]:
        head, _newline, rest = part.partition("\n")
        words = head.split()
        comment = ""
        if words and words[-1].startswith("comment="):
            try:
                comment = bytes.fromhex(words.pop()[len("comment=") :]).decode("utf-8", "replace")
            except ValueError:
                comment = ""
        rules = tuple(line.strip() for line in rest.splitlines() if line.startswith("-"))
        # action protocol dport dst sport src direction; application rules have two more.
        if len(words) < 7:
            continue
        network = lenient(words[5])
        source = str(network) if network is not None and network.prefix > 0 else None
        found.append(Tuple4(words[0], words[1], words[2], source, comment, rules))
    return found


class Ufw(Sink):
    """``allow`` from each address, to all ports or to ``ports`` (TCP)."""

    backend = "ufw"
    gates = True

    def __init__(self, settings: Mapping[str, Any], memory: Mapping[str, Any]) -> None:
        super().__init__(settings, memory)
        self.ports = sorted(set(settings.get("ports") or ()))
        if len(self.ports) > 15:
            raise SinkError("%s: ufw takes 15 ports at most in a rule" % self.name)
        if self.ports:
            self.flow_ports = frozenset(self.ports)

    @property
    def exclusive(self) -> bool:
        # Rules with our comment are ours; the others are never inside.
        return True

    def refuses(self, network: Network) -> str | None:
        if network.version == 6 and not self._speaks_ipv6():
            return "ufw has IPV6=no"
        return None

    @staticmethod
    def _speaks_ipv6() -> bool:
        text = read_text("/etc/default/ufw") or ""
        return not re.search(r"^\s*IPV6=['\"]?no", text, re.MULTILINE | re.IGNORECASE)

    @staticmethod
    def enabled() -> bool:
        """True where ufw is switched on."""
        text = read_text("/etc/ufw/ufw.conf") or ""
        return bool(re.search(r"^\s*ENABLED=['\"]?yes", text, re.MULTILINE | re.IGNORECASE))

    # -- reading ----------------------------------------------------------------------------

    def observe(self) -> SinkState:
        if find("ufw") is None:
            raise SinkError("ufw is not installed")
        outside: list[Outside] = []
        notes: list[str] = []
        ours: set[str] = set()
        differs = []
        for family, path in FILES.items():
            text = read_text(path)
            if text is None:
                raise SinkError("%s does not exist" % path)
            for row in self._tuples(path, text):
                if row.source is None or row.verb != "allow":
                    continue
                if row.comment != COMMENT:
                    outside.append(Outside(row.source, "ufw rule in %s" % path))
                    continue
                ours.add(row.source)
                if row.rules != (self._rule(family, row.source),):
                    differs.append(row.source)
        state = {"file": READY if not differs else "%d rules have other ports" % len(differs), "live": READY}
        live = None
        if not self.enabled():
            notes.append("ufw is not enabled: the file alone was looked at")
        else:
            known = ours | set(self.memory.get("mine", ()))
            found, strangers = self._live(known)
            if found is None:
                state["live"] = "ufw is enabled and its chain is not there"
                found = set()
            live = {LISTED: frozenset(found)}
            outside += strangers
        return SinkState(file={LISTED: frozenset(ours)}, live=live, shape=state, outside=outside, notes=notes)

    @staticmethod
    def _tuples(path: str, text: str) -> list[Tuple4]:
        try:
            return read_tuples(text)
        except SinkError as error:
            raise SinkError("%s %s" % (path, error)) from None

    def _live(self, known: set[str]) -> tuple[set[str] | None, list[Outside]]:
        found: set[str] = set()
        strangers = []
        wanted = ",".join(str(p) for p in self.ports) or None
        for family, chain in CHAINS.items():
            if family == "ipv6" and not self._speaks_ipv6():
                continue
            rules = list_chain(family, chain)
            if rules is None:
                return None, []
            for rule in rules:
                if rule.source is None or rule.target != "ACCEPT" or not rule.plain:
                    continue
                if rule.ports == wanted and rule.source in known:
                    found.add(rule.source)
                elif rule.source in known or rule.ports is None:
                    strangers.append(Outside(rule.source, "live rule in %s" % chain))
        return found, strangers

    # -- writing ----------------------------------------------------------------------------

    def _match(self) -> str:
        if not self.ports:
            return ""
        if len(self.ports) == 1:
            return "-p tcp --dport %d " % self.ports[0]
        return "-p tcp -m multiport --dports %s " % ",".join(str(p) for p in self.ports)

    def _rule(self, family: str, address: str) -> str:
        return "-A %s %s-s %s -j ACCEPT" % (CHAINS[family], self._match(), address)

    def _render(self, family: str, text: str, addresses: frozenset[str]) -> str:
        """The file with our rules first and everybody else's as they stand."""
        head, tail = text.index(START) + len(START), text.index(END)
        parts = text[head:tail].split(TUPLE)
        mark = "comment=" + COMMENT.encode().hex()
        kept = [part for part in parts[1:] if mark not in part.partition("\n")[0].split()]
        fresh = []
        for address in sorted(a for a in addresses if (":" in a) == (family == "ipv6")):
            ports = ",".join(str(p) for p in self.ports) or "any"
            protocol = "tcp" if self.ports else "any"
            line = " allow %s %s %s any %s in %s\n" % (protocol, ports, ANYWHERE[family], address, mark)
            fresh.append(line + self._rule(family, address) + "\n\n")
        return text[:head] + "\n\n" + "".join(TUPLE + part for part in fresh + kept) + text[tail:]

    def _steps(
        self, state: SinkState, change: Change
    ) -> tuple[list[tuple[str, list[str]]], list[tuple[str, list[str]]]]:
        """Live lines by family, and the lines that lead back."""
        steps, back = [], []
        if state.live is None:
            return [], []
        here, after = state.live[LISTED], change.after(LISTED, state.live[LISTED])
        for family in FILES:
            chain = CHAINS[family]
            mine = [a for a in sorted(here ^ after) if (":" in a) == (family == "ipv6")]
            lines, reverse = [], []
            for address in mine:
                rule = self._rule(family, address)[len("-A %s " % chain) :]
                put, take = "-I %s 1 %s" % (chain, rule), "-D %s %s" % (chain, rule)
                lines.append(take if address in here else put)
                reverse.append(put if address in here else take)
            if change.mend:
                more, less = self._mended(family)
                lines += more
                reverse += less
            steps.append((family, lines))
            back.append((family, list(reversed(reverse))))
        return steps, back

    def _mended(self, family: str) -> tuple[list[str], list[str]]:
        """Replace live rules of ours that have other ports than now."""
        chain, lines, back = CHAINS[family], [], []
        live = {rule.text for rule in list_chain(family, chain) or ()}
        for row in self._tuples(FILES[family], read_text(FILES[family]) or ""):
            if row.comment != COMMENT or row.source is None or row.rules == (self._rule(family, row.source),):
                continue
            for rule in row.rules:
                body = rule[len("-A %s " % chain) :]
                if _listed(rule, live):
                    lines.append("-D %s %s" % (chain, body))
                    back.append("-I %s 1 %s" % (chain, body))
        return lines, back

    def check(self, state: SinkState, change: Change) -> None:
        for family, lines in self._steps(state, change)[0]:
            transaction(family, lines, test=True)

    def way_back(self, state: SinkState, change: Change) -> tuple[list[str], list[Command]]:
        commands = []
        for family, chain in CHAINS.items():
            rules = list_chain(family, chain) if state.live is not None else None
            if rules is not None:
                # Naming a chain empties it: the same whatever is in it by then.
                lines = ["*filter", ":%s - [0:0]" % chain, *[rule.text for rule in rules], "COMMIT", ""]
                commands.append(later([PROGRAMS[family] + "-restore", "--noflush", "-w"], "\n".join(lines)))
        return list(FILES.values()), commands

    def apply(self, state: SinkState, change: Change) -> Undo:
        steps, back = self._steps(state, change)
        files = Replaced()
        tried(steps, back)

        def undo() -> None:
            problems = []
            for family, lines in reversed(back):
                try:
                    transaction(family, lines)
                except SinkError as error:
                    problems.append(str(error))
            try:
                files.back()
            except SinkError as error:
                problems.append(str(error))
            if problems:
                raise SinkError("; ".join(problems))

        try:
            after = change.after(LISTED, (state.file or {})[LISTED])
            for family, path in FILES.items():
                files.write(path, self._render(family, read_text(path) or "", after), 0o640)
        except SinkError:
            undo()
            raise
        self.memory["mine"] = sorted(after)
        return undo


def _listed(rule: str, live: set[str]) -> bool:
    """True where the kernel lists this rule, which it prints in another order."""
    from .iptables_rules import read_rules

    def key(text: str) -> object:
        found = next(iter(read_rules(text)), None)
        return found and found._replace(text="", plain=True)

    wanted = key(rule)
    return any(key(text) == wanted for text in live)
