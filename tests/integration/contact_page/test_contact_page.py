# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contact page, published by real runs into a directory and into a git repository."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SIDES = {
    "client": ("incident", "security_incident", "resource_alert", "access_change", "planned_maintenance"),
    "provider": ("support_request", "emergency"),
    "third_party": ("third_party_incident",),
    "level1": ("end_user_request",),
}


class Ground:
    """Variables, runs and what they published."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ledger = path / "ledger.sqlite3"
        self.variables: dict[str, Any] = {
            "contact_page_client": "acme",
            "contact_page_timezone": "Europe/Paris",
            "contact_page_reviewed_on": "2026-11-02",
            "contact_page_review_days": 3650,
            "contact_page_provider": "Example hosting",
            "contact_page_contacts": [
                {
                    "id": side,
                    "side": side,
                    "name": f"{side} <script>window.ran=1</script>",
                    "phone": "+33 1 99 00 12 34",
                }
                for side in SIDES
            ],
            "contact_page_cases": [
                {"case": case, "windows": [{"steps": [{"contact": side, "by": "phone"}]}]}
                for side, cases in SIDES.items()
                for case in cases
            ],
        }

    def run(self, *arguments: str, expect: int = 0, **more: Any) -> str:
        (self.path / "vars.json").write_text(json.dumps({**self.variables, **more}))
        environ = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "GIT_"))}
        environ |= {"INFOGERANCE_PERIMETER_LEDGER": str(self.ledger), "ANSIBLE_NOCOLOR": "1", "HOME": str(self.path)}
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "infogerance.perimeter.contact_page"]
        done = subprocess.run(
            [*command, "-i", "localhost,", "-e", "@vars.json", *arguments],
            cwd=self.path,
            env=environ,
            text=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return " ".join(done.stdout.split())

    def interventions(self) -> list[Any]:
        with sqlite3.connect(self.ledger) as connection:
            rows = connection.execute("SELECT body FROM records WHERE kind = 'annotated' ORDER BY id").fetchall()
        return [json.loads(body)["note"] for (body,) in rows]

    def git(self, *words: str, where: str = "repository") -> str:
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(self.path / where), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def test_a_change_is_published_whole_and_recorded_once_and_nothing_else_is_touched(ground):
    folder = ground.path / "www"
    where = {"contact_page_directory": str(folder)}
    ground.run("--check", **where)
    assert not folder.exists()
    assert not ground.ledger.exists()
    ground.run(**where)
    names = ["contacts-acme-en.md", "contacts-acme-fr.md", "contacts-acme.html", "contacts-acme.json"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert "changed=0" in ground.run(**where)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    ground.variables["contact_page_contacts"][0]["phone"] = "+33 1 99 00 99 99"
    ground.run(**where)
    notes = [["Contact page", "first publication"], ["Contact page", "contacts: changed client"]]
    assert ground.interventions() == notes
    # What YAML makes of 0644 without quotes is octal, too, and another mode.
    assert "mode: '420' is no octal number in quotes" in ground.run(expect=2, contact_page_mode=420, **where)
    # A wrong one is refused before anything is written, and names what is wrong.
    ground.variables["contact_page_cases"].pop()
    said = ground.run(expect=2, **where)
    assert "the required case 'end_user_request' is missing" in said
    assert "+33 1 99 00 99 99" in (folder / names[0]).read_text()
    assert ground.interventions() == notes


def test_an_overdue_review_is_told_on_the_page_and_can_fail_the_run(ground):
    late = {"contact_page_directory": str(ground.path / "www"), "contact_page_review_days": 1}
    assert "overdue: the page was to be reviewed by 2026-11-03" in ground.run(**late)
    assert "n'a pas été relue" in (ground.path / "www" / "contacts-acme-fr.md").read_text().replace("\u2019", "'")
    ground.run(expect=2, contact_page_fail_overdue=True, **late)
    # The client's report asks, too, once: nothing has changed since.
    with sqlite3.connect(ground.ledger) as connection:
        rows = connection.execute("SELECT body FROM records WHERE kind = 'contact_review'").fetchall()
    assert [json.loads(body)["reviews"] for (body,) in rows] == [
        [{"contact": None, "reviewed_on": "2026-11-02", "due": "2026-11-03"}]
    ]


def test_a_repository_gets_a_commit_only_when_something_changed_and_others_work_stays_theirs(ground):
    subprocess.run(["git", "init", "-q", "--bare", str(ground.path / "origin")], check=True)
    subprocess.run(["git", "clone", "-q", str(ground.path / "origin"), str(ground.path / "repository")], check=True)
    (ground.path / "repository" / "notes").write_text("one")
    ground.git("add", "notes")
    ground.git("commit", "-q", "-m", "first")
    ground.git("push", "-q", "-u", "origin", "HEAD")
    (ground.path / "repository" / "notes").write_text("two, staged by somebody else")
    ground.git("add", "notes")
    where = {
        "contact_page_repository": str(ground.path / "repository"), "contact_page_subdirectory": "acme",
        "contact_page_push": True,
    }  # fmt: skip
    ground.run(**where)
    assert (
        ground.git("log", "--format=%an: %s").splitlines()[0]
        == "infogerance.perimeter: Contact page: first publication"
    )
    assert ground.git("show", "--name-only", "--format=").split() == [
        "acme/contacts-acme-en.md", "acme/contacts-acme-fr.md", "acme/contacts-acme.html", "acme/contacts-acme.json",
    ]  # fmt: skip
    assert ground.git("diff", "--cached", "--name-only") == "notes"
    head = ground.git("rev-parse", "HEAD")
    assert "changed=0" in ground.run(**where)
    assert ground.git("rev-parse", "HEAD") == head == ground.git("rev-parse", "HEAD", where="origin")
    # The server is away: the commit is there, the error too; the next run pushes it.
    (ground.path / "origin").rename(ground.path / "away")
    ground.variables["contact_page_review_days"] = 100
    assert "git push in" in ground.run(expect=2, **where)
    assert ground.git("rev-list", "--count", "@{upstream}..HEAD") == "1"
    (ground.path / "away").rename(ground.path / "origin")
    ground.run(**where)
    assert ground.git("rev-list", "--count", "@{upstream}..HEAD") == "0"
    said = ground.run(expect=2, **{**where, "contact_page_subdirectory": "../elsewhere"})
    assert "leads out of the repository" in said
    said = ground.run(expect=2, **{**where, "contact_page_repository": str(ground.path)})
    assert "not a git repository" in said
    # A commit that no branch holds would be lost with the next checkout.
    ground.git("checkout", "-q", "--detach")
    before = ground.git("rev-parse", "HEAD"), ground.git("status", "--porcelain")
    said = ground.run(expect=2, contact_page_review_days=50, **where)
    assert f"{ground.path / 'repository'} is on no branch" in said
    assert (ground.git("rev-parse", "HEAD"), ground.git("status", "--porcelain")) == before
