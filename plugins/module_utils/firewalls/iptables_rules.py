# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several backends need of iptables: rules as the kernel lists them, and one transaction a family."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ansible_collections.infogerance.perimeter.plugins.module_utils.addresses import lenient

from .command import attempt, find, must
from .protocol import Outside, SinkError

__all__ = [
    "Rule",
    "accepted",
    "list_chain",
    "read_rules",
    "restore_all",
    "save_all",
    "script_of",
    "transaction",
    "tried",
]

PROGRAMS = {"ipv4": "iptables", "ipv6": "ip6tables"}


class Rule(NamedTuple):
    """One rule. ``plain`` tells that it has no match beside source, protocol and destination ports."""

    chain: str
    source: str | None
    protocol: str | None
    ports: str | None
    target: str | None
    plain: bool
    text: str


def read_rules(text: str) -> Iterator[Rule]:
    """The ``-A`` lines of ``iptables -S``, of ``iptables-save``, or of a rules file."""
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or words[0] != "-A":
            continue
        source = protocol = ports = target = None
        plain = True
        rest = iter(words[2:])
        for word in rest:
            if word == "-s":
                network = lenient(next(rest, ""))
                source = str(network) if network is not None else None
                plain = plain and network is not None
            elif word == "-p":
                protocol = next(rest, None)
            elif word in ("--dport", "--dports"):
                ports = next(rest, None)
            elif word in ("-j", "-g"):
                target = next(rest, None)
            elif word == "-m":
                plain = next(rest, "") in ("tcp", "udp", "multiport") and plain
            else:
                plain = False
        yield Rule(words[1], source, protocol, ports, target, plain, line.strip())


def list_chain(family: str, chain: str) -> list[Rule] | None:
    """The rules of one chain, or None if there is no such chain."""
    program = PROGRAMS[family]
    if find(program) is None:
        return None
    done = attempt([program, "-w", "-S", chain])
    if done.code != 0:
        if "No chain" in done.stderr or "does not exist" in done.stderr or "incompatible" in done.stderr:
            return None
        raise SinkError(done.complaint)
    return list(read_rules(done.stdout))


def accepted(families: Iterable[str], own: Iterable[str]) -> list[Outside]:
    """Addresses that rules of chains that are not ours accept by name."""
    mine = set(own)
    found = []
    for family in families:
        program = PROGRAMS[family]
        if find(program) is None:
            continue
        done = attempt([program, "-w", "-S"])
        for rule in read_rules(done.stdout) if done.code == 0 else ():
            if rule.chain not in mine and rule.source is not None and rule.target == "ACCEPT":
                found.append(Outside(rule.source, "%s chain %s" % (program, rule.chain)))
    return found


def transaction(family: str, lines: list[str], test: bool = False) -> None:
    """Lines of the filter table, all or none. Raises SinkError."""
    if not lines:
        return
    options = ["--noflush", "-w"] + (["--test"] if test else [])
    must([PROGRAMS[family] + "-restore"] + options, script_of(lines))


def script_of(lines: list[str]) -> str:
    """What ``iptables-restore --noflush`` reads."""
    return "*filter\n%s\nCOMMIT\n" % "\n".join(lines)


def tried(steps: list[tuple[str, list[str]]], back: list[tuple[str, list[str]]]) -> None:
    """One transaction after the other; if one fails, those before it are taken back. Raises SinkError."""
    done: list[tuple[str, list[str]]] = []
    for (family, lines), undo in zip(steps, back):
        try:
            transaction(family, lines)
        except SinkError:
            for other, reverse in reversed(done):
                transaction(other, reverse)
            raise
        done.append(undo)


def save_all() -> dict[str, str]:
    """Everything that is live, by family, to be put back by ``restore_all``."""
    return {f: must([p + "-save"]).stdout for f, p in PROGRAMS.items() if find(p + "-save") is not None}


def restore_all(saved: dict[str, str]) -> None:
    """Put everything back as it was. Raises SinkError, after having tried each family."""
    failed = []
    for family, text in saved.items():
        # An empty dump would restore nothing: then nothing was live.
        script = text if text.strip() else "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\nCOMMIT\n"
        done = attempt([PROGRAMS[family] + "-restore", "-w"], script)
        if done.code != 0:
            failed.append(done.complaint)
    if failed:
        raise SinkError("; ".join(failed))
