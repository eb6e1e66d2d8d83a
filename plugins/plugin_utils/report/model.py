# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From interventions to what a report says. Pure: plain values in, plain values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report import (
    access,
    announcements,
    observed,
    timeline,
    waiting,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report import (
    alerts as resource_alerts,
)

REMOVALS = ("disable", "remove", "purge")
# They read and keep the ledger, and touch no server.
OWN_PLAYBOOKS = tuple(
    f"infogerance.perimeter.{name}" for name in ("report", "ledger", "billing", "access_review", "notices")
)


def build(
    interventions: Iterable[Mapping[str, Any]],
    *,
    client: str | None,
    period: Mapping[str, Any],
    ledger: Mapping[str, Any],
    today: date,
    looks: Iterable[Mapping[str, Any]] = (),
    alerts: Iterable[Mapping[str, Any]] = (),
    announced: Iterable[Mapping[str, Any]] = (),
    start: str = "",
    statement: Mapping[str, Any] | None = None,
    reviews: Iterable[Mapping[str, Any]] = (),
    observations: Iterable[Mapping[str, Any]] = (),
    contact_reviews: Iterable[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The report as one plain value; every rendering starts from it.

    period, ledger: plain descriptions, passed through. Interventions in order of their start. today: the day from
    which dates are judged. looks: the last look at each server, as ledger.ways_in.last_looks gives them. alerts: as
    they were at the period's end; those that ended before `start`, its first stored stamp, are left out; so are
    announcements of third parties (`announced`). statement: billing's, when the clients' terms are known. reviews: how
    access reviews stand, as access_review.standing gives them.
    observations: as ledger.observations.last_observations gives them. contact_reviews: as ledger.contact_reviews.read
    gives them.
    """
    runs: list[Mapping[str, Any]] = [run for run in interventions if run["playbook"] not in OWN_PLAYBOOKS]
    if statement is not None:
        runs = [*_with_agreements(runs, statement["lines"])]
    applied = [
        {**_line(run, change), "by": run["operator"]}
        for run in runs
        for change in run["changes"]
        if change["status"] == "applied"
    ]
    report: dict[str, Any] = {
        "client": client,
        "period": dict(period),
        "ledger": dict(ledger),
        "interventions": [dict(run) for run in runs],
        "removed": [line for line in applied if line["action"] in REMOVALS],
        "other_changes": [line for line in applied if line["action"] not in REMOVALS],
        "obsolete": still_obsolete(runs),
    }
    looks, observations = list(looks), list(observations)
    ways = access.open_ways(looks, today)
    real = [run for run in runs if not run["check_mode"]]
    report.update(
        ways_in=ways,
        alerts=resource_alerts.of_period(alerts, start),
        announcements=announcements.of_period(announced, start),
        **observed.of_looks(observations),
        unseen=observed.unseen(observations),
        checks=access.checks(looks, today),
        left_out=[{"host": look["host"], "count": look["left_out"]} for look in looks if look["left_out"]],
        openly=[run for run in real if run["outcome"] not in {"ok", "no_hosts"} or run["complete"] is False],
        categories=timeline.by_category(real),
        agreements=[] if statement is None else list(statement["agreements"]),
        billed=None if statement is None else statement["total"],
        access_reviews=list(reviews),
        contact_reviews=list(contact_reviews),
    )
    report["questions"] = waiting.questions(
        ways,
        report["obsolete"],
        runs,
        report["agreements"],
        report["access_reviews"],
        report["contact_reviews"],
    )
    return {**report, "summary": _summary(report)}


def _with_agreements(runs: Iterable[Mapping[str, Any]], lines: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each run as it is billed: in or out of contract, the agreements, the reason of an emergency, and whether one is
    missing.
    """
    by_run: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        by_run.setdefault(line["run_id"], []).append(line)
    found: list[dict[str, Any]] = []
    for run in runs:
        its = by_run.get(run["run_id"], [])
        told = {
            "agreements": sorted({line["agreement"] for line in its if line["agreement"]}),
            "emergency": next((line["emergency"] for line in its if line["emergency"]), None),
            "unagreed": any(line["unagreed"] and not line["emergency"] for line in its),
        }
        # The record says what the run was as a whole; an exception may have made it another thing for this client.
        judged = [line for line in its if line["contract"]]
        if judged:
            line = next((one for one in judged if one["contract"] == "out"), judged[0])
            told |= {name: line[name] or run[name] for name in ("category", "label", "contract")}
        found.append({**run, **told})
    return found


def still_obsolete(runs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Entries that the last look at their host still found obsolete.

    One line an entry, however often it was found: since when, how often, and what was planned for it last.
    """
    last_look: dict[tuple[str, str], str] = {}
    found: dict[tuple[str, str, str, str], dict[str, Any]] = {}
    for run in runs:
        for review in run["reviews"]:
            last_look[(review["host"], review["entry_point_kind"])] = run["run_id"]
        counted: set[tuple[str, str, str, str]] = set()
        for change in run["changes"]:
            key = (change["host"], change["entry_point_kind"], change["kind"], change["entry"])
            if change["status"] == "applied" and change["action"] in REMOVALS:
                found.pop(key, None)
            elif change["status"] == "reported" or (change["status"] == "planned" and change["action"] in REMOVALS):
                line = found.setdefault(key, {**_line(run, change), "first_found": run["started_at"], "times": 0})
                line.update(
                    last_found=run["started_at"],
                    run_id=run["run_id"],
                    reason=change["reason"],
                    person=change["person"] or line["person"],
                    planned=change["action"] if change["status"] == "planned" else None,
                )
                line["times"] += key not in counted
                counted.add(key)
    return sorted(
        (line for key, line in found.items() if last_look.get(key[:2], line["run_id"]) == line["run_id"]),
        key=lambda line: (line["host"], line["kind"], line["entry"]),
    )


def _line(run: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("host", "kind", "entry", "action", "reason", "person", "status", "entry_point_kind")
    return {"at": run["started_at"], "run_id": run["run_id"], **{key: change[key] for key in kept}}


def _summary(report: Mapping[str, Any]) -> dict[str, Any]:
    runs = report["interventions"]
    real = [run for run in runs if not run["check_mode"]]

    def number(items: Iterable[Mapping[str, Any]], **wanted: Any) -> int:
        return sum(all(item[key] == value for key, value in wanted.items()) for item in items)

    def seconds(contract: str) -> float:
        return round(sum(run["duration_seconds"] or 0 for run in real if run["contract"] == contract), 3)

    return {
        "interventions": len(real),
        "check_mode": len(runs) - len(real),
        "in_contract": number(real, contract="in"),
        "out_of_contract": number(real, contract="out"),
        "unclassified": number(real, contract=None),
        "seconds_in_contract": seconds("in"),
        "seconds_out_of_contract": seconds("out"),
        "seconds": round(sum(run["duration_seconds"] or 0 for run in real), 3),
        "waiting": sum(len(question[part]) for question in report["questions"] for part in waiting.PARTS),
        "ways_in": len(report["ways_in"]),
        "ways_in_left_out": sum(line["count"] for line in report["left_out"]),
        "troubled": sum(run["outcome"] not in {"ok", "running", "no_hosts"} for run in real),
        "incomplete": number(real, complete=False),
        "running": number(real, outcome="running"),
        "hosts": len({host["host"] for run in real for host in run["hosts"]}),
        "removed": len(report["removed"]),
        "other_changes": len(report["other_changes"]),
        "obsolete": len(report["obsolete"]),
        "alerts": len(report["alerts"]["open"]),
        "alerts_overdue": number(report["alerts"]["open"], state="overdue"),
        "reviews_due": sum(review["state"] != "current" for review in report["access_reviews"]),
    }
