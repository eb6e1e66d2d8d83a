# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The access review's playbook, and the report that tells of it."""

from __future__ import annotations

import csv
import json
import re
from datetime import UTC, datetime
from typing import Any

LISTS = "access_ssh_accounts:\n  - {name: alice, person: alice.martin, keys: [ssh-ed25519 AAAASECRET a]}\n"
BOB = "  - {name: bob, keys: [ssh-ed25519 BBBB b]}\n"
REVIEW = ("infogerance.perimeter.access_review", "-e", "access_review_client=acme", "-l", "client_acme")
NOTE = ("infogerance.perimeter.access_review", "-e", "access_review_action=note")


def test_a_review_is_signed_for_what_was_shown_and_later_changes_are_told(ground: Any) -> None:
    ground.write("group_vars/client_acme.yml", LISTS)
    shown = ground.run(*REVIEW)
    shown = shown.replace("\u00a0", " ")
    assert re.search(r"web1 : comptes SSH \(1\) : alice", shown)
    digest = re.search(r"acme : empreinte à signer ([0-9a-f]{64})", shown)
    assert digest is not None
    sign = {
        "access_review_action": "sign_off",
        "access_review_reviewer": "Jeanne <b>",
        "access_review_digest": digest[1],
    }
    assert "reviewer: is needed" in ground.run(*REVIEW, "-e", "access_review_action=sign_off", expect=2)

    # Another list than the one that was shown is not signed.
    ground.write("group_vars/client_acme.yml", LISTS + BOB)
    assert "no longer those" in " ".join(ground.run(*REVIEW, "-e", json.dumps(sign), expect=2).split())
    ground.write("group_vars/client_acme.yml", LISTS)
    ground.run(*REVIEW, "-e", json.dumps(sign), "--check")
    assert ground.query("SELECT 1 FROM records WHERE kind = 'access_review'") == []
    ground.run(*REVIEW, "-e", json.dumps(sign))
    ground.run(*NOTE)
    ground.write("group_vars/client_acme.yml", LISTS + BOB)
    ground.run(*NOTE)

    month = datetime.now(UTC).strftime("%Y-%m")
    report = ("infogerance.perimeter.report", "-e", f"report_period={month}", "-e", "report_directory=out")
    ground.run(*report, "-e", "report_client=acme")
    made = json.loads((ground.path / "out" / f"report-acme-{month}-fr.json").read_text())
    [review] = made["access_reviews"]
    assert (review["state"], review["reviewer"], review["counts"]) == ("changed", "Jeanne <b>", {"ssh_accounts": 2})
    assert {(each["host"], *each["added"]) for each in review["changed"]} == {("web1", "bob"), ("web2", "bob")}
    page = (ground.path / "out" / f"report-acme-{month}-fr.html").read_text()
    assert "Revues des accès" in page
    assert "Jeanne <b>" not in page
    [row] = csv.DictReader(
        (ground.path / "out" / f"report-acme-{month}-fr-access-reviews.csv").read_text("utf-8-sig").splitlines(),
        delimiter=";",
    )
    assert (row["state"], row["changed"], row["digest"]) == ("changed", "2", digest[1])
    assert b"AAAASECRET" not in ground.ledger.read_bytes()
    ground.run("infogerance.perimeter.ledger", "-e", "ledger_action=verify")

    # Noting goes along with every audit: what cannot be read, or kept, holds nothing up.
    ground.write("host_vars/web1.yml", 'access_ssh_accounts: "{{ no_such_variable }}"\n')
    assert "web1: access_ssh_accounts cannot be read" in " ".join(ground.run(*NOTE).split())
    assert "cannot be read" in " ".join(ground.run(*REVIEW, expect=2).split())
    torn = ground.write("torn.sqlite3", "this is no ledger")
    assert "the lists were not noted" in " ".join(ground.run(*NOTE, "-e", f"access_review_ledger={torn}").split())


def test_a_part_is_reviewed_and_a_list_that_goes_is_a_change(ground: Any) -> None:
    ground.write("group_vars/client_acme.yml", LISTS)

    def sign(limit: str, reviewer: str) -> None:
        on = ("infogerance.perimeter.access_review", "-e", "access_review_client=acme", "-l", limit)
        digest = re.search(r"signer ([0-9a-f]{64})", ground.run(*on))
        assert digest is not None
        its = {"access_review_action": "sign_off", "access_review_digest": digest[1]}
        ground.run(*on, "-e", json.dumps({**its, "access_review_reviewer": reviewer}))

    def reviewed() -> Any:
        month = datetime.now(UTC).strftime("%Y-%m")
        ask = ("-e", f"report_period={month}", "-e", "report_directory=out", "-e", "report_client=acme")
        ground.run("infogerance.perimeter.report", *ask)
        [found] = json.loads((ground.path / "out" / f"report-acme-{month}-fr.json").read_text())["access_reviews"]
        return found

    sign("client_acme", "Jeanne")
    # Another server's list that cannot be read is in nobody's way.
    ground.write("host_vars/web2.yml", 'access_ssh_accounts: "{{ no_such_variable }}"\n')
    sign("web1", "Ada")
    (ground.path / "host_vars" / "web2.yml").unlink()
    ground.run(*NOTE)
    review = reviewed()
    assert (review["state"], review["reviewer"], review["hosts"]) == ("current", "Ada", ["web1", "web2"])
    assert [(each["host"], each["reviewer"]) for each in review["earlier"]] == [("web2", "Jeanne")]

    # The variable goes, and with it the whole list.
    ground.write("group_vars/client_acme.yml", "{}\n")
    ground.run(*NOTE)
    review = reviewed()
    assert review["state"] == "changed"
    assert {(each["host"], *each["removed"]) for each in review["changed"]} == {("web1", "alice"), ("web2", "alice")}
