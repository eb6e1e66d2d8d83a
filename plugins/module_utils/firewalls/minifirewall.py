# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""minifirewall: TRUSTEDIPS and PRIVILEGIEDIPS of its configuration, and the chains it makes of them.

It has no reload: a restart takes all rules away, fail2ban's too, with policy ACCEPT, and a start that fails leaves it
so. Under systemd a unit that failed, or was started by hand, can't even be restarted: its start meets the old chains.
Therefore it is not restarted: the rules that it would make of the lists are put into its chains, one transaction a
family, and the file says the same.

Only before 25.05, with DOCKER='on', do the lists reach further than that (rules for each port). There it is restarted:
the whole live state is saved, and put back at once if the restart fails or does not give the rules that it should.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.addresses import Network, is_hostname, lenient

from .command import attempt, find, later, must
from .iptables_rules import (
    PROGRAMS,
    Rule,
    list_chain,
    read_rules,
    restore_all,
    save_all,
    script_of,
    transaction,
    tried,
)
from .kept_file import Replaced, read_text
from .protocol import PRIVILEGED, READY, TRUSTED, Change, Command, Outside, Sink, SinkError, SinkState, Undo

__all__ = ["Minifirewall", "lost_jumps", "read_value", "write_value"]

FILE = "/etc/default/minifirewall"
INCLUDES = "/etc/minifirewall.d"
PROGRAM = "/usr/local/sbin/minifirewall"
INIT = "/etc/init.d/minifirewall"
VARIABLES = {PRIVILEGED: "PRIVILEGIEDIPS", TRUSTED: "TRUSTEDIPS"}
CHAINS = {PRIVILEGED: "ONLYPRIVILEGIED", TRUSTED: "ONLYTRUSTED"}
#: Its copy of the configuration that is in force, from 23.07 on; ``check-active-config`` compares it with the files.
ACTIVE = "/run/minifirewall_active_config"
#: The chain that has rules for each address and port, before 25.05 and with Docker.
EACH_PORT = "MINIFW-DOCKER-PRIVILEGED"
#: From here on systemd alone starts it.
UNITS_FROM = (25, 10)
OWN_CHAIN = re.compile(r"(?:ONLY(?:TRUSTED|PRIVILEGIED)|NEEDRESTRICT|LOG_(?:DROP|ACCEPT)|DOCKER-USER|MINIFW-\S+)\Z")
#: Lines of one transaction for each family.
Steps = list[tuple[str, list[str]]]
#: Rules by family and slot.
Chains = dict[str, dict[str, list[Rule]]]
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
        self._ipv6: bool | None = None

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

    def _families(self, text: str) -> tuple[str, ...]:
        if self.version() is None or (read_value(text, "IPV6") or ["on"])[0] == "off":
            return ("ipv4",)
        return ("ipv4", "ipv6")

    def refuses(self, network: Network) -> str | None:
        if network.family == "ipv4" or self._holds_ipv6():
            return None
        return "this minifirewall leaves IPv6 out of its lists"

    def _holds_ipv6(self) -> bool:
        """By its file, or by chains that still stand: whoever is declared and gets in by those is not shut out."""
        if self._ipv6 is None:
            families = self._families(read_text(self.path) or "")
            self._ipv6 = "ipv6" in families or "ipv6" in self._chains(families)
        return self._ipv6

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
        chains = self._chains(families)
        live = self._live(chains)
        if live is None:
            notes.append("minifirewall is not started: the file alone was looked at")
        else:
            if set(chains) != set(families):
                there = "stand all the same" if "ipv6" in chains else "are not there"
                notes.append("IPV6 in %s is not what is in force: its chains %s" % (self.path, there))
            for slot in self.slots:
                for text_only in sorted(live[slot] - file[slot]):
                    notes.append("%s is live in %s and in no file: a restart drops it" % (text_only, CHAINS[slot]))
                names = [w for w in words[slot] or () if is_hostname(w)]
                if names:
                    notes.append("hostnames in %s stay as they are: %s" % (VARIABLES[slot], ", ".join(names)))
                # The chains know addresses only: what a name became can't be told from the rest.
                live[slot] |= frozenset(names)
        outside = self._outside(text, notes) + (_limited(chains) if live is not None else [])
        return SinkState(file=file, live=live, shape=shape, outside=outside, notes=notes)

    def _chains(self, families: tuple[str, ...]) -> Chains:
        """The rules of its chains, of each family that has them: the file may say another thing than at its start."""
        found: Chains = {}
        for family in PROGRAMS:
            try:
                chains = {slot: list_chain(family, CHAINS[slot]) for slot in self.slots}
            except SinkError:
                if family in families:
                    raise
                # A kernel without IPv6 has none.
                continue
            there = {slot: rules for slot, rules in chains.items() if rules is not None}
            if len(there) == len(chains):
                found[family] = there
        return found

    def _live(self, chains: Chains) -> dict[str, frozenset[str]] | None:
        if "ipv4" not in chains:
            return None
        return {
            slot: frozenset(str(r.source) for by_slot in chains.values() for r in by_slot[slot] if _lets_in(r))
            for slot in self.slots
        }

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
            text = write_value(text, VARIABLES[slot], _changed(words, change, slot))
        return text

    def _steps(self, state: SinkState, change: Change) -> tuple[Steps, Steps]:
        """Lines for each family that put the change into the chains, and lines that make them what they are now."""
        steps: Steps = []
        back: Steps = []
        if state.live is None:
            return steps, back
        chains = self._chains(self._families(read_text(self.path) or ""))
        coming = [a for slot in self.slots for a in change.add[slot] if a not in state.live.get(slot, frozenset())]
        if "ipv6" not in chains and any(":" in a for a in coming):
            raise SinkError("it was started without IPv6, and %s says that it has it: restart it first" % self.path)
        for family, by_slot in chains.items():
            lines: list[str] = []
            old: list[str] = []
            for slot in self.slots:
                chain, here, taken = CHAINS[slot], state.live.get(slot, frozenset()), set(change.take[slot])
                rules = by_slot[slot]
                gone = ["-D" + r.text[2:] for r in rules if _lets_in(r) and r.source in taken]
                new = [a for a in change.add[slot] if a not in here and (":" in a) == (family == "ipv6")]
                if gone or new:
                    lines += gone + ["-I %s -s %s -j ACCEPT" % (chain, a) for a in new]
                    old += ["-F %s" % chain, *(r.text for r in rules)]
            if lines:
                steps.append((family, lines))
                back.append((family, old))
        return steps, back

    def _restarts(self, state: SinkState) -> bool:
        """True where the lists reach further than their two chains, so that only a restart does it all."""
        return state.live is not None and list_chain("ipv4", EACH_PORT) is not None

    def check(self, state: SinkState, change: Change) -> None:
        """One bad word in either value makes its next start open the host: refuse before."""
        text = read_text(self.path) or ""
        for variable in VARIABLES.values():
            for word in read_value(text, variable) or ():
                if lenient(word) is None and not is_hostname(word):
                    raise SinkError("%s holds %r, and a restart would open the host: mend it first" % (variable, word))
        for path in [self.path, *sorted(glob.glob(INCLUDES + "/*"))]:
            if os.path.isfile(path) and (path == self.path or "." not in os.path.basename(path)):
                must(["sh", "-n", path])
        if not self._restarts(state):
            for family, lines in self._steps(state, change)[0]:
                transaction(family, lines, test=True)
        elif (self.version() or (0, 0)) >= UNITS_FROM:
            raise SinkError(
                "the live rules are those of an older minifirewall than the one installed: "
                "restart it first (systemctl restart minifirewall)"
            )

    def way_back(self, state: SinkState, change: Change) -> tuple[list[str], list[Command]]:
        files = [self.path] + ([ACTIVE] if os.path.exists(ACTIVE) else [])
        if self._restarts(state):
            saved = [(family, text) for family, text in save_all().items() if text.strip()]
            return files, [later([PROGRAMS[family] + "-restore", "-w"], text) for family, text in saved]
        # At boot its own start makes the chains, from the file that is back by then.
        return files, [
            {**later([PROGRAMS[family] + "-restore", "--noflush", "-w"], script_of(lines)), "boot": False}
            for family, lines in self._steps(state, change)[1]
        ]

    def apply(self, state: SinkState, change: Change) -> Undo:
        """The file, then the chains: a reboot in between gives the new state."""
        if self._restarts(state):
            return self._apply_by_restart(change)
        steps, back = self._steps(state, change)
        files = Replaced()

        def undo() -> None:
            problems = []
            for family, lines in back:
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
            files.write(self.path, self._after(change), 0o600)
            if state.live is not None:
                self._tell_active(files, change)
            tried(steps, back)
        except SinkError:
            files.back()
            raise
        return undo

    def _tell_active(self, files: Replaced, change: Change) -> None:
        """The same change in its copy of what is in force, so that its own check doesn't take us for a mistake."""
        text = read_text(ACTIVE)
        if text is None:
            return
        try:
            for slot in self.slots:
                words = read_value(text, VARIABLES[slot])
                if words is not None:
                    text = write_value(text, VARIABLES[slot], _changed(words, change, slot))
        except SinkError:
            return
        files.write(ACTIVE, text, 0o600)

    def _apply_by_restart(self, change: Change) -> Undo:
        files = Replaced()
        saved = save_all()

        def undo() -> None:
            files.back()
            # Not a restart: that is what just failed, or may fail.
            restore_all(saved)

        files.write(self.path, self._after(change), 0o600)
        try:
            must([INIT if find(INIT) else PROGRAM, "restart"])
            self._look_at_restart()
            for family, lines in lost_jumps(saved, save_all()):
                transaction(family, lines)
        except SinkError as error:
            try:
                undo()
            except SinkError as second:
                raise SinkError("%s; and going back failed: %s" % (error, second)) from None
            raise SinkError("%s; the old rules are live and the old file is back" % error) from None
        return undo

    def _look_at_restart(self) -> None:
        """Exit codes lie: are the chains there, is the host closed, and is every address let in?"""
        text = read_text(self.path) or ""
        families = self._families(text)
        chains = self._chains(families)
        live = self._live(chains)
        if live is None or not set(families) <= set(chains):
            raise SinkError("minifirewall made no chains")
        for family in families:
            policy = attempt([PROGRAMS[family], "-w", "-S", "INPUT"]).stdout.splitlines()[:1]
            if policy != ["-P INPUT DROP"]:
                raise SinkError("minifirewall left the host open: %s %s" % (family, " ".join(policy)))
        for slot in self.slots:
            wanted = {w for w in map(_canonical, read_value(text, VARIABLES[slot]) or ()) if not is_hostname(w)}
            wanted = {w for w in wanted if ("ipv6" if ":" in w else "ipv4") in families}
            if not wanted <= live[slot]:
                raise SinkError("minifirewall did not take %s" % ", ".join(sorted(wanted - live[slot])[:5]))


def lost_jumps(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    """What a restart took of others: jumps to chains that are still there (fail2ban's), as lines that bring them back.

    A rule that accepts or drops by itself may have been made by an older configuration: it is not brought back.
    """
    for family, text in before.items():
        now = after.get(family, "")
        present = {rule.text for rule in read_rules(now)}
        chains = set(re.findall(r"^:(\S+)", now.partition("*filter")[2].partition("COMMIT")[0], re.MULTILINE))
        lines = [
            "-I" + rule.text[2:]
            for rule in read_rules(text.partition("*filter")[2].partition("COMMIT")[0])
            if rule.text not in present
            and rule.chain in ("INPUT", "OUTPUT")
            and rule.target in chains
            and not OWN_CHAIN.match(str(rule.target))
        ]
        if lines:
            # Each is put in front: the last one first keeps their order.
            yield family, lines[::-1]


def _limited(chains: Chains) -> list[Outside]:
    """Rules of somebody's own in the chains, which let an address in to some ports only."""
    rules = [rule for by_slot in chains.values() for listed in by_slot.values() for rule in listed]
    limited = [r for r in rules if r.source is not None and r.target == "ACCEPT" and not _lets_in(r)]
    return [Outside(str(r.source), "a rule of its own in %s" % r.chain) for r in limited]


def _lets_in(rule: Rule) -> bool:
    """True for a rule as minifirewall makes it: one address, all of its packets."""
    return (
        rule.source is not None
        and rule.target == "ACCEPT"
        and rule.plain
        and rule.protocol is None
        and rule.ports is None
    )


def _changed(words: list[str], change: Change, slot: str) -> list[str]:
    taken = set(change.take[slot])
    kept = [w for w in words if _canonical(w) not in taken]
    known = {_canonical(w) for w in kept}
    return kept + [a for a in sorted(change.add[slot]) if a not in known]


def _canonical(word: str) -> str:
    network = lenient(word)
    return str(network) if network is not None else word
