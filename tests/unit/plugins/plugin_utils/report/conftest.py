# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A ledger with two clients, made by the recorder itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.recorder import COUNTS, Recorder
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.loading import load


class Story:
    """Writes interventions at moments of the test's choice."""

    def __init__(self, path: Path) -> None:
        self.ledger = Ledger(path / "ledger.sqlite3")
        self.catalogue = load()
        self.number = 0

    def run(
        self,
        at: str,
        hosts: dict[str, list[str]],
        category: str = "routine_maintenance",
        results: dict[str, dict[str, Any]] | None = None,
        failed: str = "",
        **started: Any,
    ) -> str:
        """One intervention of a minute. results: an entry-point result for each host. failed: a host that fails."""
        moment = datetime.fromisoformat(at)
        ticks = iter(range(10_000))
        seconds = iter([0.0, *[60.0] * 10_000])
        self.number += 1
        recorder = Recorder(
            self.ledger,
            now=lambda: moment + timedelta(milliseconds=next(ticks)),
            monotonic=lambda: next(seconds),
            run_id=f"run{self.number}",
        )
        chosen = self.catalogue.categories[category]
        recorder.start(
            {
                "playbook": "site.yml",
                "check_mode": False,
                "limit": "all",
                "operator": {"name": "ada"},
                "scope": {
                    "category": category,
                    "label": dict(chosen.label),
                    "contract": chosen.contract,
                    "evaluations": [{"source": "rule", "rule": "r", "detail": "host_group client_globex"}],
                },
                **started,
            }
        )
        for host, clients in hosts.items():
            recorder.host(host, clients)
            recorder.task(host, "changed", {"name": f"Change {host}", "action": "a", "location": "site.yml:1"})
            if results and host in results:
                recorder.entry_points(host, results[host])
        zero = dict.fromkeys(COUNTS, 0)
        counts = {host: {**zero, "ok": 1, "changed": 1, "failed": int(host == failed)} for host in hosts}
        recorder.finish(None, counts, 0)
        return recorder.run_id


def accounts(*, applied: tuple[str, ...] = (), obsolete: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """An entry-point result."""
    return {
        "entry_point_kind": "ssh_accounts",
        "plan_id": "ab",
        "applied": [
            {"action": "remove", "kind": "ssh_account", "entry": name, "reason": "left", "person": "Bob"}
            for name in applied
        ],
        "obsolete": [{"kind": "ssh_account", "entry": name, "reason": "not declared"} for name in obsolete],
        **more,
    }


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """An empty story."""
    return Story(tmp_path)


@pytest.fixture
def result() -> Any:
    """Makes entry-point results."""
    return accounts
