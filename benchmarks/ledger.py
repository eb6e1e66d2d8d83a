# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What recording costs a run, beside no recorder and ARA, and what a million interventions cost the reader.

All of it takes an hour or more. LEDGER_PARTS (comma-separated) takes some: million, 100-debug, 200-debug, 100-command,
200-command, outages.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import callback
import million
import peers
import record
from pairing import Contender, Goal, Timing, contest
from play import Stage, surroundings

OURS = callback.OURS
# Hosts, kind of task, rounds. A command is a process on each host, so these take minutes.
CONTESTS = ((100, "debug", 8), (200, "debug", 5), (100, "command", 3), (200, "command", 3))
ARA_ROUNDS = 1
TASKS = 10
# At most this much, beside a run that nobody records.
OVERHEAD = 1.02
# Seconds, at most, that a run may wait for a shared ledger that is down.
OUTAGE = 3.0
_READER = Path(__file__).with_name("million_read.py")


def playbook(kind: str) -> list[dict[str, Any]]:
    """Ten tasks: the cheapest that Ansible has, or one process each."""
    if kind == "debug":
        return callback.playbook()
    tasks = [{"name": f"Run {number}", "ansible.builtin.command": "true"} for number in range(TASKS)]
    return [{"name": "Work", "hosts": "all", "gather_facts": False, "tasks": tasks}]


def measure(rounds: int | None, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Yield the measurements: the million first, because it needs no quiet machine for minutes."""
    known = ["million", *(f"{hosts}-{kind}" for hosts, kind, _rounds in CONTESTS), "outages"]
    wanted = [name.strip() for name in os.environ.get("LEDGER_PARTS", ",".join(known)).split(",")]
    if unknown := [name for name in wanted if name not in known]:
        raise SystemExit(f"LEDGER_PARTS: no such part: {', '.join(unknown)}; there are: {', '.join(known)}")
    if "million" in wanted:
        yield readers(rounds or 5, say)
    with Stage(peers.environment("bench-ara")) as stage:
        plugins = subprocess.run(
            [str(stage.binaries / "python"), "-m", "ara.setup.callback_plugins"],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout.strip()
        versions = {"ara": peers.release(stage.binaries, "ara")}
        for hosts, kind, own_rounds in CONTESTS:
            if f"{hosts}-{kind}" not in wanted:
                continue
            yield overhead(stage, plugins, versions, hosts, kind, rounds or own_rounds, say)
        if "outages" in wanted:
            yield outages(stage, rounds or 5, say)


def outages(stage: Stage, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """What a shared ledger that is down adds to a run: refused at once, never answered, or taken and left hanging."""
    inventory = stage.write("one.json", {"all": {"hosts": {"host001": {"ansible_connection": "local"}}}})
    work = stage.write("short.json", callback.playbook())
    ledger = stage.work / "outages.sqlite3"
    with (
        socket.socket() as refusing,
        socket.socket() as full,
        socket.socket() as hanging,
        contextlib.ExitStack() as kept,
    ):
        for number, server in enumerate((refusing, full, hanging)):
            server.bind(("127.0.0.1", 0))
            if number:
                # A queue of one that is full drops what knocks, as a firewall does; the other one lets it wait.
                server.listen(0 if server is full else 64)
        for _ in range(4):
            waiting = kept.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        ports = {
            "refuses": refusing.getsockname()[1],
            "never answers": full.getsockname()[1],
            "accepts and says nothing": hanging.getsockname()[1],
        }

        def run(port: int | None) -> Timing:
            before = callback.rows(ledger, "interventions")
            environment = {"ANSIBLE_CALLBACKS_ENABLED": OURS, "INFOGERANCE_PERIMETER_LEDGER": str(ledger)}
            if port:
                shared = f"postgresql+psycopg://ctl1@127.0.0.1:{port}/perimeter_ledger?sslmode=disable"
                environment["INFOGERANCE_PERIMETER_SHARED"] = shared
            timing = stage.playbook(work, inventory, changed=None, environment=environment)
            if callback.rows(ledger, "interventions") != before + 1:
                raise RuntimeError(f"port {port}: the run was not recorded")
            said = (stage.work / "output").read_text(encoding="utf-8", errors="replace")
            if bool(port) != ("wait for the shared ledger" in said):
                raise RuntimeError(f"port {port}: the run does not say what waits:\n{said[-2000:]}")
            return timing

        run(None)
        extra: dict[str, list[float]] = {name: [] for name in ports}
        for number in range(rounds):
            base = run(None).wall
            for name, port in ports.items():
                extra[name].append(run(port).wall - base)
            say(
                f"outages, round {number + 1}/{rounds}: "
                + ", ".join(f"{name} {extra[name][-1]:+.2f} s" for name in ports)
            )
    found = [_figure(f"added by a server that {name}", extra[name], "s", at_most=OUTAGE) for name in ports]
    for figure in found:
        # A promise for every run: the worst one decides, not the median.
        figure["met"] = max(figure["values"]) <= OUTAGE
    return record.figures("ledger", "a run while PostgreSQL is down", found)


def overhead(
    stage: Stage, plugins: str, versions: dict[str, str], hosts: int, kind: str, rounds: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """One contest: no recorder, ours, ARA."""
    names = {f"host{number:03d}": {"ansible_connection": "local"} for number in range(hosts)}
    inventory = stage.write(f"hosts{hosts}.json", {"all": {"hosts": names}})
    work = stage.write(f"{kind}.json", playbook(kind))
    folder = stage.work / f"{hosts}-{kind}"
    folder.mkdir()
    ledger, ara_store = folder / "ledger.sqlite3", folder / "ara" / "ansible.sqlite"
    ours = {"ANSIBLE_CALLBACKS_ENABLED": OURS, "INFOGERANCE_PERIMETER_LEDGER": str(ledger)}
    ara = {"ANSIBLE_CALLBACK_PLUGINS": plugins, "ARA_BASE_DIR": str(folder / "ara")}

    def recorded(environment: dict[str, str], store: Path, table: str) -> Timing:
        # A recorder that failed to load costs nothing, and Ansible only warns.
        before = callback.rows(store, table)
        timing = stage.playbook(work, inventory, changed=None, environment=environment)
        if callback.rows(store, table) != before + 1:
            raise RuntimeError(f"{store.name}: the run was not recorded")
        return timing

    outcome = contest(
        [
            Contender("no recorder", lambda: stage.playbook(work, inventory, changed=None)),
            Contender(OURS, lambda: recorded(ours, ledger, "interventions")),
            Contender("ARA", lambda: recorded(ara, ara_store, "playbooks"), ARA_ROUNDS),
        ],
        rounds,
        say,
    )
    goals = [Goal(OURS, "no recorder", OVERHEAD), Goal(OURS, "ARA", 0.5)]
    return record.entry("ledger", f"recording {hosts} hosts x {TASKS} {kind} tasks", outcome, goals, versions)


def readers(rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Read a ledger of a million interventions, each time in a new process."""
    path = million.made(say)
    seen: dict[str, list[float]] = {"report": [], "page": [], "table": [], "verify": []}
    rows = size = 0
    for number in range(rounds):
        for what in ("table", "report", "page", *(["verify"] if number < 2 else [])):
            done = subprocess.run(
                [sys.executable, str(_READER), what, str(path)],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                env=surroundings(),
            )
            told = json.loads(done.stdout)
            seen[what].append(told["seconds"])
            rows, size = told.get("rows", rows), path.stat().st_size
            say(f"round {number + 1}/{rounds}: {what}: {told}")
    figures = [
        _figure("monthly report of one client, as a table", seen["table"], "s", at_most=1.0),
        _figure("the same with CSV and JSON", seen["report"], "s", at_most=1.0),
        _figure("the same with HTML, CSV and JSON", seen["page"], "s", at_most=1.0),
        _figure("verify", [rows / seconds for seconds in seen["verify"]], "rows a second", at_least=100_000),
        _figure("size", [size / rows], "bytes a row"),
        _figure("size", [size / million.INTERVENTIONS], "bytes an intervention"),
    ]
    title = f"reading {million.INTERVENTIONS:,} interventions ({rows:,} rows) of {million.CLIENTS} clients"
    return record.figures("ledger", f"{title} in {million.MONTHS} months", figures)


def _figure(
    name: str, values: list[float], unit: str, *, at_most: float | None = None, at_least: float | None = None
) -> dict[str, Any]:
    median = statistics.median(values)
    met = (at_most is None or median <= at_most) and (at_least is None or median >= at_least)
    goal = f"<= {at_most:g}" if at_most is not None else f">= {at_least:,.0f}" if at_least is not None else ""
    return {"name": name, "values": [round(value, 3) for value in values], "unit": unit, "goal": goal, "met": met}
