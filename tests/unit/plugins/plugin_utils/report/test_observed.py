# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen on the servers: kept without what is not named, told per client, in both languages, safely."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import observations
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.making import DEFAULT_FORMATS, Made, make
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.period import parse

ATTACK = "</script><script>alert(1)</script>"
RUNTIME = {
    "ecosystem": "composer",
    "kind": "composer_project",
    "path": f"/home/a/{ATTACK}",
    "account": "a",
    "what": "=cmd()",
    "lock_age_days": 500,
    "base": None,
    "responsible": "client",
    "token": "planted-secret",
}
SEEN: dict[str, Any] = {
    "user_runtimes": {
        "runtimes": [RUNTIME, {**RUNTIME, "kind": "cron_jobs", "what": "3", "base": "system"}, "rubbish"]
    },
    "monitoring": {"differences": [{"state": "gone", "kind": "port", "name": "tcp/443", "port": 443, "address": ""}]},
    "privileged_sessions": {
        "unexplained": [
            {"kind": "sudo", "account": "a", "began": "2026-11-02T09:00:00Z", "interactive": True, "count": 1},
            {"kind": "ssh", "account": "root", "began": "2026-11-01T09:00:00Z", "interactive": False, "count": 7},
        ]
    },
}


def result(kind: str) -> dict[str, Any]:
    return {"observation_kind": kind, "counts": {"all": 3}, "limits": ["max_files"], **SEEN[kind]}


def made(story: Any, client: str | None, language: str = "fr") -> Made:
    return make(story.ledger, parse("2026-11"), client, language, DEFAULT_FORMATS)


def told(story: Any) -> None:
    for day, kind in enumerate(SEEN, 1):
        story.run(f"2026-11-0{day}T10:00:00Z", {"web1": ["acme"], "db1": ["globex"]}, results={"web1": result(kind)})


def file(report: Made, ending: str) -> str:
    return str(next(text for name, text in report.files.items() if name.endswith(ending)))


def test_only_named_columns_are_kept_and_what_is_no_row_is_counted() -> None:
    body = observations.extract(result("user_runtimes"))
    assert "planted-secret" not in json.dumps(body)
    assert (len(body["rows"]), body["unreadable"], body["limits"]) == (2, 1, ["max_files"])
    many = {**result("user_runtimes"), "runtimes": [RUNTIME] * 700}
    assert (len(observations.extract(many)["rows"]), observations.extract(many)["left_out"]) == (500, 200)


def test_a_loops_items_are_recognised_and_other_kinds_are_not() -> None:
    loop = {"results": [result("monitoring"), {"observation_kind": "weather", "rows": []}, {"skipped": True}]}
    assert [each["observation_kind"] for each in observations.recognised(loop)] == ["monitoring"]
    assert list(observations.recognised("text")) == []


def test_the_page_has_a_part_for_each_in_both_languages(story: Any) -> None:
    told(story)
    report = made(story, "acme")
    page = file(report, ".html")
    for text in (
        "Environnements d\u2019exécution dans les comptes utilisateurs",
        "Runtimes in user accounts",
        "Supervision\u00a0: écarts avec vos déclarations",
        "Monitoring: what differs from your declarations",
        "Sessions privilégiées sans intervention enregistrée",
        "Privileged sessions without a recorded intervention",
        "sans terminal, 7 fois",
        "no terminal, 7 times",
        "nous (paquets du système)",
    ):
        assert text in page, text
    assert ATTACK not in page
    assert "'=cmd()" in file(report, "-runtimes.csv")
    assert "tcp/443" in file(report, "-monitoring.csv")
    assert file(report, "-sessions.csv").count("\n") == 3


@pytest.mark.parametrize(
    ("text", "french"),
    [
        (
            "user: alice, declared www-data; state: failed, declared active",
            "utilisateur\u00a0: alice (déclaré\u00a0: www-data) ; état\u00a0: en échec (déclaré\u00a0: actif)",
        ),
        (
            "address: every one, declared 192.0.2.7 alone",
            "adresse\u00a0: toutes (déclaré\u00a0: 192.0.2.7 seulement)",
        ),
        ("tls: false, declared true", "TLS\u00a0: non (déclaré\u00a0: oui)"),
        ("what nobody knows", "what nobody knows"),
        ("colour: red, declared blue", "colour: red, declared blue"),
    ],
)
def test_what_differs_is_told_in_french_to_who_reads_french(story: Any, text: str, french: str) -> None:
    row = {"state": "changed", "kind": "unit", "name": "a.service", "changed": text}
    seen = {"observation_kind": "monitoring", "differences": [row]}
    story.run("2026-11-02T10:00:00Z", {"web1": ["acme"]}, results={"web1": seen})
    page = file(made(story, "acme"), ".html")
    assert french in page
    assert text in page


def test_another_client_sees_nothing_of_it(story: Any) -> None:
    told(story)
    report = made(story, "globex")
    assert {part: report.report[part] for part in ("runtimes", "monitoring", "sessions")} == {
        "runtimes": [],
        "monitoring": [],
        "sessions": [],
    }
    assert not [name for name in report.files if name.endswith(("-runtimes.csv", "-monitoring.csv", "-sessions.csv"))]
    assert "web1" not in "".join(map(str, report.files.values()))


def test_only_the_last_look_at_a_server_counts(story: Any) -> None:
    told(story)
    empty = {**result("monitoring"), "differences": []}
    story.run("2026-11-20T10:00:00Z", {"web1": ["acme"]}, results={"web1": empty})
    assert made(story, "acme").report["monitoring"] == []
    assert len(made(story, None).report["runtimes"]) == 2


SAID_BY_A_SERVER: dict[str, dict[str, Any]] = {
    "runtime that is nothing": {"observation_kind": "user_runtimes", "runtimes": [{}, {"kind": "python"}]},
    "difference that is nothing": {"observation_kind": "monitoring", "differences": [{}, {"kind": "port"}]},
    "session without a time": {"observation_kind": "privileged_sessions", "unexplained": [{"kind": "su"}]},
    "lock of all ages": {"observation_kind": "user_runtimes", "runtimes": [{**RUNTIME, "lock_age_days": 10**20}]},
    "session of no time": {
        "observation_kind": "privileged_sessions",
        "unexplained": [
            {"kind": "su", "account": "a", "began": "soon", "ended": "later"},
            {"kind": "su", "account": "a", "began": "0001-01-01T00:00:00", "count": 10**30},
        ],
    },
    "access until soon": {
        "entry_point_kind": "ssh_accounts", "plan_id": "x", "ways_in_left_out": 10**30,
        "ways_in": [{"kind": "ssh_account", "entry": "a", "expires": "soon", "standing": "?"}],
    },
}  # fmt: skip


@pytest.mark.parametrize("what", SAID_BY_A_SERVER)
def test_what_one_server_says_keeps_nobody_from_the_report(story: Any, what: str) -> None:
    story.run("2026-11-02T10:00:00Z", {"web1": ["acme"]}, results={"web1": SAID_BY_A_SERVER[what]})
    period = parse("2026-11", "Europe/Paris")
    for language in ("fr", "en"):
        make(story.ledger, period, "acme", language, DEFAULT_FORMATS)
    made = make(story.ledger, period, None, "en", DEFAULT_FORMATS, whole_fleet=True)
    if what.startswith(("session of", "access")):
        assert "soon" in file(made, ".html")


def test_what_a_look_could_not_show_is_said_below_its_table(story: Any) -> None:
    many = {**result("user_runtimes"), "runtimes": [{**RUNTIME, "path": f"/home/a/{n}"} for n in range(502)]}
    nothing = {**result("monitoring"), "differences": [], "limits": ["sockets: out of time"]}
    story.run("2026-11-01T10:00:00Z", {"web1": ["acme"]}, results={"web1": many})
    story.run("2026-11-02T10:00:00Z", {"web1": ["acme"]}, results={"web1": nothing})
    page = file(made(story, "acme"), ".html")
    assert "Sur web1, lignes non montrées ici\u00a0: 2." in page
    assert "Sur web1, relevé incomplet\u00a0: sockets: out of time" in page
    assert 'id="monitoring-title"' in page
