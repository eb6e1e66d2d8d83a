# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network: addresses that firewalls let in by name, outside the sets that this collection manages.

The rules are those that the kernel has (``nft``, ``iptables-save``); iptables-nft's rules show in nft's list. Sources:
libnftables-json(5), iptables-save(8), hosts_access(5), hosts_options(5).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.account_database import ToolFailed, command
from ansible_collections.infogerance.perimeter.plugins.module_utils.addresses import lenient
from ansible_collections.infogerance.perimeter.plugins.module_utils.firewalls.command import find
from ansible_collections.infogerance.perimeter.plugins.module_utils.firewalls.iptables_rules import read_rules
from ansible_collections.infogerance.perimeter.plugins.module_utils.firewalls.nftables import OWN_TABLE, elements_of
from ansible_collections.infogerance.perimeter.plugins.module_utils.firewalls.protocol import SinkError

from .context import Context
from .family import PRIVILEGED_IPS, Closing, Finding
from .remedy import comment_out

__all__ = ["look"]

#: What everybody's firewall lets in: the machine itself, and what no stranger can send from.
LOCAL = ("127.0.0.0/8", "::1", "fe80::/10", "169.254.0.0/16", "ff00::/8", "224.0.0.0/4")


def look(ctx: Context) -> Iterator[Finding]:
    """Live rules, then tcp wrappers."""
    yield from _nftables(ctx)
    yield from _legacy(ctx)
    yield from _wrappers(ctx)


def _nftables(ctx: Context) -> Iterator[Finding]:
    if find("nft") is None:
        return
    try:
        ruleset = json.loads(command(["nft", "-j", "list", "ruleset"], seconds=20))["nftables"]
    except (ToolFailed, ValueError, KeyError, TypeError) as error:
        ctx.limit("network: nft can't tell its rules: %s" % error)
        return
    sets = {
        (s["family"], s["table"], s["name"]): list(_texts(s.get("elem", [])))
        for s in (item["set"] for item in ruleset if "set" in item)
    }
    rules = [item["rule"] for item in ruleset if "rule" in item]
    friendly = {_chain(rule, rule["chain"]) for rule in rules if _accepts(rule, frozenset())}
    for rule in rules:
        if rule.get("table") == OWN_TABLE or not _accepts(rule, friendly):
            continue
        for address in _sources(rule, sets):
            where = "%s %s %s" % (rule["family"], rule["table"], rule["chain"])
            yield from _finding(ctx, address, "nft " + where, "nft delete rule %s handle %d" % (where, rule["handle"]))


def _chain(rule: dict[str, Any], name: str) -> tuple[str, str, str]:
    return rule["family"], rule["table"], name


def _accepts(rule: dict[str, Any], friendly: AbstractSet[tuple[str, str, str]]) -> bool:
    """True for a rule that accepts, by itself, by a map, or by a chain with a rule that does."""
    return any(isinstance(e, dict) and _verdict_accepts(rule, e, friendly) for e in rule.get("expr", []))


def _verdict_accepts(
    rule: dict[str, Any], verdict: dict[str, Any], friendly: AbstractSet[tuple[str, str, str]]
) -> bool:
    if "accept" in verdict or "vmap" in verdict:
        return True
    steps = [verdict[name] for name in ("jump", "goto") if isinstance(verdict.get(name), dict)]
    return any(_chain(rule, str(step.get("target"))) in friendly for step in steps)


def _sources(rule: dict[str, Any], sets: dict[tuple[str, str, str], list[str]]) -> Iterator[str]:
    for expression in rule.get("expr", []):
        if isinstance(expression, dict) and isinstance(expression.get("vmap"), dict):
            yield from _mapped(rule, expression["vmap"])
        match = expression.get("match") if isinstance(expression, dict) else None
        left = match.get("left") if isinstance(match, dict) else None
        payload = left.get("payload", {}) if isinstance(left, dict) else {}
        if not match or match.get("op") not in ("==", "in") or payload.get("field") != "saddr":
            continue
        right = match.get("right")
        for text in _texts(right["set"] if isinstance(right, dict) and "set" in right else [right]):
            if text.startswith("@"):
                yield from sets.get((rule["family"], rule["table"], text[1:]), [])[:500]
            else:
                yield text


def _mapped(rule: dict[str, Any], vmap: dict[str, Any]) -> Iterator[str]:
    """The addresses that a map of verdicts accepts."""
    key, data = vmap.get("key"), vmap.get("data")
    if not isinstance(key, dict) or key.get("payload", {}).get("field") != "saddr" or not isinstance(data, dict):
        return
    for pair in data.get("set", []):
        whole = isinstance(pair, list) and len(pair) == 2 and isinstance(pair[1], dict)
        if whole and _verdict_accepts(rule, pair[1], frozenset()):
            yield from _texts([pair[0]])


def _texts(values: Iterable[Any]) -> Iterator[str]:
    """The addresses of a set. Most sets are of something else: of ports, of interfaces, of several things at once."""
    for value in values:
        try:
            yield from elements_of([value])
        except SinkError:
            continue


def _legacy(ctx: Context) -> Iterator[Finding]:
    """Rules of the old kernel interface, which nft doesn't list."""
    for program in ("iptables-legacy", "ip6tables-legacy"):
        if find(program + "-save") is None:
            continue
        try:
            text = command([program + "-save"], seconds=20)
        except ToolFailed:
            continue
        for rule in read_rules(text):
            if rule.source is not None and rule.target == "ACCEPT":
                yield from _finding(ctx, rule.source, program + " " + rule.chain, "%s -D %s" % (program, rule.text[3:]))


def _finding(ctx: Context, address: str, path: str, close: str) -> Iterator[Finding]:
    network = lenient(address)
    if network is None or network.prefix == 0:
        return
    if any(known is not None and known.covers(network) for known in map(lenient, LOCAL)):
        return
    declared = ctx.people.declares_address(address)
    yield Finding(
        "firewall_rule",
        path,
        "a rule outside the managed sets lets this address in; files may load it again at boot",
        Closing(close, PRIVILEGED_IPS if declared else None),
        None,
        address,
        *ctx.people.address(address),
        declared=declared,
    )


def _wrappers(ctx: Context) -> Iterator[Finding]:
    for path in ("/etc/hosts.allow", "/etc/hosts.deny"):
        found = ctx.look(path)
        for number, line in found.lines if found else []:
            if found is not None and re.search(r":\s*(spawn|twist)\b|\(\s*/", line):
                yield Finding(
                    "tcp_wrapper",
                    path,
                    "a connection runs a program",
                    Closing(comment_out(path, number)),
                    None,
                    line,
                    since=found.since,
                )
            elif found is not None and path.endswith("allow"):
                for text in re.findall(r"[0-9a-fA-F.:]+(?:/[0-9.]+)?", line.partition(":")[2]):
                    network = lenient(text)
                    if (
                        network is not None
                        and network.prefix
                        and not any(known is not None and known.covers(network) for known in map(lenient, LOCAL))
                    ):
                        yield Finding(
                            "tcp_wrapper",
                            path,
                            "lets this address in where tcp wrappers decide",
                            Closing(comment_out(path, number)),
                            None,
                            text,
                            *ctx.people.address(text),
                            since=found.since,
                            declared=ctx.people.declares_address(text),
                        )
