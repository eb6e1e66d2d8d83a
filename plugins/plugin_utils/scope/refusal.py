# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator is told when the gate refuses: which rule, which clients, and the ways on. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.gate import (
    EMERGENCY_VARIABLE,
    Check,
    Decision,
    Verdict,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.resolution import Resolution

_HOSTS_NAMED = 5


def text(decision: Decision, resolved: Resolution | None, declared_in: str | None) -> str:
    """Several lines. declared_in: the file or directory of agreements, None when none is set."""
    if decision.trouble is not None or resolved is None:
        return f"the scope of this run cannot be judged. {decision.trouble or ''}".rstrip()
    category = resolved.category
    refused = [verdict for verdict in decision.verdicts if not verdict.passed]
    lines = [
        f"out-of-contract work without an agreement, for {', '.join(_name(verdict) for verdict in refused)}.",
        f"  Category {category.name} ({category.label['en']} / {category.label['fr']}), by {_rule(resolved)}.",
    ]
    for verdict in refused:
        failed = [check for check in verdict.checks if not check.passed]
        lines.append(f"  {_name(verdict)} ({_hosts(verdict)}): " + (_details(failed) or "no agreement is declared"))
    lines += ["  Three ways on:", *_ways(refused, category.name, category.agreement, declared_in)]
    return "\n".join(lines)


def _ways(refused: list[Verdict], category: str, ways: tuple[str, ...], declared_in: str | None) -> list[str]:
    where = declared_in or "the file that the callback's setting `agreements` names (none is set)"
    clients = ", ".join(verdict.client for verdict in refused if verdict.client) or "the client"
    spoken = {
        "quote": f"have {clients} accept a quote for {category}, and declare it in {where}",
        "time_count": f"declare a time-count contract of {clients} that has time left, in {where}",
        "emergency": f"""if it cannot wait: -e '{{"{EMERGENCY_VARIABLE}": "why it cannot wait"}}'; it is recorded""",
    }
    titles = {"quote": "accepted quote", "time_count": "time-count contract", "emergency": "emergency"}
    lines = [
        f"    {number}. {titles[key]}: {told if key in ways else 'is no way on for this category'}"
        for number, (key, told) in enumerate(spoken.items(), start=1)
    ]
    if any(verdict.client is None for verdict in refused):
        lines.append("    First say whose hosts these are: infogerance_client, or a group client_<name>.")
    return lines


def _rule(resolved: Resolution) -> str:
    passed = next((item for item in resolved.evaluations if item.passed), None)
    if passed is None or passed.source == "default":
        return "the catalogue's default"
    source = {
        "extra_var": "the extra variable",
        "play_var": "the play variable",
        "tag": "the tag",
        "alert": "the alert",
        "rule": "the rule",
    }
    return f"{source.get(passed.source, passed.source)} '{passed.rule}' ({passed.detail})"


def _name(verdict: Verdict) -> str:
    return f"client {verdict.client}" if verdict.client else "an unknown client"


def _hosts(verdict: Verdict) -> str:
    named = ", ".join(verdict.hosts[:_HOSTS_NAMED])
    more = len(verdict.hosts) - _HOSTS_NAMED
    return f"{named} and {more} more" if more > 0 else named


def _details(failed: Sequence[Check]) -> str:
    return "; ".join(f"{check.rule}: {check.detail}" for check in failed)
