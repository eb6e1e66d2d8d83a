# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""200 simulated hosts (connection local): the alerts of all of them, beside gathering their facts and nothing else.

And what needs no host: the registers of third parties of 200 clients, and one client's contact page.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import record
from pairing import Contender, Goal, Timing, contest
from play import ROOT, Stage

ROUNDS = 5
HOSTS = 200
ANNOUNCEMENTS = 5
GATHER = "gather_facts alone"
ALERTS, PARTIES, CONTACTS = "resource_alerts", "third_parties", "contact_page"
PLAYBOOKS = {name: ROOT / "playbooks" / f"{name}.yml" for name in (ALERTS, PARTIES, CONTACTS)}


def host(number: int) -> dict[str, Any]:
    """Each has a full disk and a check that complains, so that there are alerts to keep."""
    return {
        "ansible_connection": "local",
        # Nobody to become: a test machine need not have sudo.
        "ansible_become": False,
        "infogerance_client": f"client{number % 20:02d}",
        "resource_alerts_thresholds": [
            {"kind": "disk", "name": "/", "warning": 0.001, "critical": 99.999},
            {"kind": "load", "ignore": True},
        ],
        "resource_alerts_check_results": [
            {"name": "swap", "output": "SWAP WARNING - 12% free | swap=12%;20;10", "exit_code": 1}
        ],
    }


def terms() -> dict[str, Any]:
    """A register of two third parties for each of 200 clients."""
    announced = [
        {"reference": f"MW-{number}", "kind": "maintenance", "summary": "Power", "starts": "2026-12-01T22:00"}
        for number in range(ANNOUNCEMENTS)
    ]
    contacts = [{"name": "NOC", "phone": "+33 1 99 00 12 34"}]
    parties = [
        {"name": "north", "kind": "datacenter", "contacts": contacts, "announcements": announced},
        {"name": "registry", "kind": "registrar", "contacts": contacts},
    ]
    return {"version": 1, "clients": {f"client{number:03d}": {"third_parties": parties} for number in range(HOSTS)}}


def procedure(folder: Path) -> dict[str, Any]:
    """The variables of one client's contact page."""
    cases = {
        "client": ("incident", "security_incident", "resource_alert", "access_change", "planned_maintenance"),
        "provider": ("support_request", "emergency"),
        "third_party": ("third_party_incident",),
        "level1": ("end_user_request",),
    }
    return {
        "contact_page_client": "client000",
        "contact_page_reviewed_on": "2026-11-02",
        "contact_page_directory": str(folder),
        "contact_page_contacts": [
            {"id": side, "side": side, "name": side, "phone": "+33 1 99 00 12 34"} for side in cases
        ],
        "contact_page_cases": [
            {"case": case, "windows": [{"steps": [{"contact": side, "by": "phone"}]}]}
            for side, names in cases.items()
            for case in names
        ],
    }


def measure(rounds: int | None, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Yield the measurement."""
    hosts = int(os.environ.get("BENCH_HOSTS", HOSTS))
    with Stage(Path(sys.executable).parent) as stage:
        inventory = stage.write("hosts.json", {"all": {"hosts": {f"h{n:03d}": host(n) for n in range(hosts)}}})
        facts = stage.write("facts.json", [{"hosts": "all", "gather_facts": True, "tasks": []}])
        ledger = stage.work / "ledger.sqlite3"
        environment = {
            "INFOGERANCE_PERIMETER_LEDGER": str(ledger),
            "INFOGERANCE_PERIMETER_AGREEMENTS": str(stage.write("terms.json", terms())),
        }
        extra = stage.write("contacts.json", procedure(stage.work / "www"))

        def run(name: str, *arguments: str) -> Timing:
            return stage.playbook(
                PLAYBOOKS[name], inventory, changed=None, environment=environment, arguments=arguments
            )

        def alerts() -> Timing:
            timing = run(ALERTS)
            # Both alerts of each host, and each once: a run that kept none would cost less.
            with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as connection:
                (found,) = connection.execute(
                    "SELECT count(*) FROM records WHERE kind = 'alert' AND json_extract(body, '$.cause') IN"
                    " ('disk:/', 'check:swap') AND json_extract(body, '$.event') = 'opened'"
                ).fetchone()
            if found != 2 * hosts:
                raise RuntimeError(f"{found} alerts of {hosts} hosts, wanted {2 * hosts}")
            return timing

        outcome = contest(
            [
                Contender(GATHER, lambda: stage.playbook(facts, inventory, changed=None)),
                Contender(ALERTS, alerts),
                Contender(PARTIES, lambda: run(PARTIES)),
                Contender(CONTACTS, lambda: run(CONTACTS, "-e", f"@{extra}")),
            ],
            rounds or ROUNDS,
            say,
        )
        goals = [Goal(ALERTS, GATHER, 2.0), Goal(PARTIES, GATHER, 0.5), Goal(CONTACTS, GATHER, 0.5)]
        yield record.entry("resource_alerts", f"{hosts} hosts, connection local", outcome, goals, {})
