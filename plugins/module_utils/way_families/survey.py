# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The survey: every family in a child process of its own, all at once, within one time.

A family that breaks, hangs in the kernel or is led into a swamp costs what it had not found yet, and nothing else:
each finding is handed over as soon as it is made, and the parent goes on without those that don't end.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import time
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
from .context import Context
from .family import Finding, Look

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
#: What is given beyond the time that the families know of, to hand over what they have.
PATIENCE = 2.0


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
    children = {}
    with selectors.DefaultSelector() as selector:
        for name in families:
            reader, pid = _start(ctx, name)
            children[name] = pid
            selector.register(reader, selectors.EVENT_READ, [name, b"", False])
        try:
            _gather(selector, made, ctx.bounds.ends + PATIENCE)
        finally:
            for key in list(selector.get_map().values()):
                made.limits.append("%s: did not end in time: told is what it had found so far" % key.data[0])
                os.close(int(key.fd))
            for pid in children.values():
                # One that hangs in the kernel can't be waited for.
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                with contextlib.suppress(OSError):
                    os.waitpid(pid, os.WNOHANG)
    order = list(FAMILIES)
    made.findings.sort(key=lambda r: (order.index(r["family"]), r["kind"], r["path"], r["account"] or "", r["entry"]))
    made.unread.sort(key=lambda r: r["path"])
    made.limits = sorted(set(made.limits))
    made.findings = _without_twins(made.findings)
    _mark_accepted(made.findings, accept)
    return made


def _start(ctx: Context, name: str) -> tuple[int, int]:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return reader, pid
    try:
        os.close(reader)
        null = os.open(os.devnull, os.O_RDWR)
        for handle in (0, 1, 2):
            # A child that hangs for ever must not hold the connection open.
            os.dup2(null, handle)
        os.dup2(writer, 3)
        os.closerange(4, 256)
        with os.fdopen(3, "w", encoding="utf-8", errors="replace") as stream:
            _work(ctx, name, stream)
            stream.write(json.dumps({"done": True}) + "\n")
    finally:
        os._exit(0)


def _work(ctx: Context, name: str, stream: Any) -> None:
    def tell(row: dict[str, Any]) -> None:
        stream.write(json.dumps(row) + "\n")
        stream.flush()

    ctx.tell = tell
    many: Counter[tuple[str, str | None]] = Counter()
    for part in FAMILIES[name]:
        try:
            for found in part(ctx):
                many[found.kind, found.account] += 1
                if many[found.kind, found.account] <= MOST_OF_A_KIND:
                    tell({"finding": _row(found, name)})
        except Exception as error:  # noqa: BLE001 - one part's fault must not hide what the others find
            where = part.__module__.rpartition(".")[2]
            tell({"limit": "%s: %s broke off: %s: %s" % (name, where, type(error).__name__, error)})
    for (kind, account), count in many.items():
        if count > MOST_OF_A_KIND:
            tell(
                {
                    "limit": "%s of %s: %d more than the %d told"
                    % (kind, account, count - MOST_OF_A_KIND, MOST_OF_A_KIND)
                }
            )


def _row(found: Finding, name: str) -> dict[str, Any]:
    return found.as_result(name)


def _gather(selector: selectors.BaseSelector, made: Survey, ends: float) -> None:
    while selector.get_map():
        ready = selector.select(max(0.0, ends - time.monotonic()))
        if not ready and time.monotonic() >= ends:
            return
        for key, _events in ready:
            data = os.read(int(key.fd), 1 << 16)
            *lines, rest = (key.data[1] + data).split(b"\n")
            key.data[1] = rest
            for line in lines:
                row = json.loads(line)
                key.data[2] = key.data[2] or "done" in row
                if "done" not in row:
                    _take(row, made)
            if not data:
                if not key.data[2]:
                    made.limits.append("%s: was killed: told is what it had found so far" % key.data[0])
                selector.unregister(key.fd)
                os.close(int(key.fd))


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
