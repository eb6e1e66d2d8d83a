# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An intervention in evomaintenance's words: six fields for each host. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

COLUMNS = ("hostname", "userid", "ipaddress", "begin_date", "end_date", "details")
# What a controller without an SSH connection is: somebody at its own console, or a timer.
_AT_HOME = "127.0.0.1"


@dataclass(frozen=True)
class Row:
    """One row of the table `evomaint`, or one call of the API. Dates are ISO 8601 in UTC."""

    hostname: str
    userid: str
    ipaddress: str
    begin_date: str
    end_date: str
    details: str

    def fields(self) -> dict[str, str]:
        """By column, in the table's order."""
        return {name: getattr(self, name) for name in COLUMNS}


def rows(run: Mapping[str, Any], address: str | None, language: str = "fr") -> list[Row]:
    """One for each host of an intervention that has ended. address: where the operator came from, if known.

    The details end with the intervention's id, by which a row can be found again.
    """
    label = run["label"].get(language) or run["category"] or ""
    parts = [run["note"] or "", f"{label} ({run['playbook']})" if run["playbook"] else label]
    parts += [f"outcome: {run['outcome']}"] if run["outcome"] != "ok" else []
    parts += [", ".join(run["tickets"] + run["quotes"])]
    details = "\n".join(part for part in parts if part) + f"\n[{run['run_id']}]"
    return [
        Row(
            hostname=str(host["host"]),
            userid=str(run["operator"] or ""),
            ipaddress=address or _AT_HOME,
            begin_date=str(run["started_at"]),
            end_date=str(run["ended_at"]),
            details=details,
        )
        for host in run["hosts"]
    ]


def wanted(run: Mapping[str, Any], own_playbooks: tuple[str, ...]) -> bool:
    """Whether it belongs there: done, no dry run, touching a server, and not taken over from there."""
    return bool(
        run["ended_at"]
        and run["outcome"] not in {"blocked", "no_hosts", "running"}
        and not run["check_mode"]
        and run["origin"] != "evomaintenance"
        and run["playbook"] not in own_playbooks
    )
