# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The survey: every family in a child process of its own, all at once, within one time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import (
    accounts,
    cron,
    firewall_rules,
    live,
    pam,
    privilege,
    remote_shells,
    services,
    setuid,
    ssh_files,
    ssh_keys,
    ssh_server,
    startup,
    units,
    vpn,
)
from .apart import Job, Tell, run_apart
from .context import Context
from .family import Look

__all__ = ["FAMILIES", "Survey", "survey"]

#: Family -> its parts. A new family is a file and a line here.
FAMILIES: dict[str, tuple[Look, ...]] = {
    "ssh": (ssh_keys.look, ssh_server.look, ssh_files.look),
    "accounts": (accounts.look,),
    "privilege": (privilege.look, pam.look, setuid.look),
    "persistence": (cron.look, units.look, startup.look, live.look),
    "network": (firewall_rules.look, vpn.look, remote_shells.look),
    "services": (services.look,),
}
#: A user may make a hundred thousand ways; nobody reads more than these of one kind and account.
MOST_OF_A_KIND = 100


@dataclass
class Survey:
    """What came of it: rows for the result."""

    findings: list[dict[str, Any]] = field(default_factory=list)
    unread: list[dict[str, Any]] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    walked: int = 0


def survey(ctx: Context, families: Sequence[str], accept: Sequence[Mapping[str, Any]] = ()) -> Survey:
    """Run the families and gather what they hand over. Never raises for what is found on the server."""
    made = Survey()

    def job(name: str) -> Job:
        return lambda tell: _work(ctx, name, tell)

    for row in run_apart({name: job(name) for name in families}, ctx.bounds.ends):
        _take(row, made)
    order = list(FAMILIES)
    made.findings.sort(key=lambda r: (order.index(r["family"]), r["kind"], r["path"], r["account"] or "", r["entry"]))
    made.unread.sort(key=lambda r: r["path"])
    made.limits = sorted(set(made.limits))
    made.findings = _without_twins(made.findings)
    _mark_accepted(made.findings, accept)
    return made


def _work(ctx: Context, name: str, tell: Tell) -> None:
    ctx.tell = tell
    many: Counter[tuple[str, str | None]] = Counter()
    for part in FAMILIES[name]:
        try:
            for found in part(ctx):
                many[found.kind, found.account] += 1
                if many[found.kind, found.account] <= MOST_OF_A_KIND:
                    tell({"finding": found.as_result(name)})
        except Exception as error:  # noqa: BLE001 - one part's fault must not hide what the others find
            where = part.__module__.rpartition(".")[2]
            tell({"limit": "%s: %s broke off: %s: %s" % (name, where, type(error).__name__, error)})
    for (kind, account), count in many.items():
        if count > MOST_OF_A_KIND:
            more = count - MOST_OF_A_KIND
            tell({"limit": "%s of %s: %d more than the %d told" % (kind, account, more, MOST_OF_A_KIND)})


def _take(row: dict[str, Any], made: Survey) -> None:
    if "finding" in row:
        made.findings.append(row["finding"])
    elif "unread" in row:
        if row["unread"] not in made.unread:
            made.unread.append(row["unread"])
    elif "walked" in row:
        made.walked += int(row["walked"])
    else:
        made.limits.append(str(row["limit"]))


def _without_twins(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a way. The same line twice is one way, closed by both commands."""
    kept: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows:
        name = (row["kind"], row["path"], row["account"] or "", row["entry"])
        if name not in kept:
            kept[name] = row
        elif row["closes_with"]["command"] != kept[name]["closes_with"]["command"]:
            kept[name]["closes_with"]["command"] += "; " + row["closes_with"]["command"]
    return list(kept.values())


def _mark_accepted(rows: list[dict[str, Any]], accept: Sequence[Mapping[str, Any]]) -> None:
    """What the user has looked at and lets stand counts as declared; the reason is told."""
    for row in rows:
        for rule in accept:
            fields = ("kind", "path", "account", "entry")
            if all(rule.get(name) in (None, row[name]) for name in fields):
                row["declared"], row["accepted"] = True, rule["reason"]
                break
