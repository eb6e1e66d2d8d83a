# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report: what it counts, what it shows to whom, and that nothing in it is run by who opens it."""

from __future__ import annotations

import csv
import io
import json
import re
import string
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.correcting import correct
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.exports import observed_csv, safe_cell
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.making import DEFAULT_FORMATS, Made, make
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.period import parse
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.speaking import Speaker
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.wording import MONTHS, WORDING
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.writing import base_name, write_changed

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def made(ledger: Ledger, client: str | None = "acme", language: str = "en", period: str = "2026-11") -> Made:
    """The report of a client."""
    return make(ledger, parse(period), client, language, DEFAULT_FORMATS)


def file(made_report: Made, ending: str) -> str:
    """The text of the file with that ending."""
    return next(text for name, text in made_report.files.items() if name.endswith(ending))


def test_sums_tell_in_and_out_of_contract_apart_and_leave_dry_runs_out(story: Any) -> None:
    story.run("2026-11-02T10:00:00Z", {"web1": ["acme"]})
    story.run("2026-11-03T10:00:00Z", {"web1": ["acme"]}, "migration")
    story.run("2026-11-04T10:00:00Z", {"web1": ["acme"]}, "migration", check_mode=True)
    story.run("2026-11-05T10:00:00Z", {"web1": ["acme"]}, failed="web1")
    story.run("2026-12-01T00:00:00Z", {"web1": ["acme"]})
    summary = made(story.ledger).report["summary"]
    expected = {
        "interventions": 3,
        "check_mode": 1,
        "in_contract": 2,
        "out_of_contract": 1,
        "seconds_in_contract": 120.0,
        "seconds_out_of_contract": 60.0,
        "troubled": 1,
    }
    assert {key: summary[key] for key in expected} == expected


def test_a_clients_report_has_no_trace_of_another_client(story: Any, result: Any) -> None:
    hosts = {"acme-web": ["acme"], "globex-db": ["globex"], "shared-mail": ["acme", "globex"]}
    results = {host: result(applied=(f"old-{host}",), obsolete=(f"stale-{host}",)) for host in hosts}
    said = {"results": results, "failed": "globex-db", "limit": "globex-db,acme-web", "tags": ["globex"]}
    shared = story.run("2026-11-02T10:00:00Z", hosts, **said)
    correct(story.ledger, shared, by="ada", reason="told so", now=NOW, note="globex wanted this first")
    story.run("2026-11-03T10:00:00Z", {"globex-only": ["globex"]})
    report = made(story.ledger)
    for text in (*report.files.values(), report.text):
        assert "globex" not in text
        assert "shared-mail" in text
    run = report.report["interventions"][0]
    assert run["outcome"] == "ok", "the other client's failure is not this client's"
    assert run["counts"]["ok"] == 2
    assert "globex-db" in made(story.ledger, "globex").text


def test_each_client_of_a_shared_run_reads_its_own_verdict(story: Any) -> None:
    gate = {"clients": [{"client": "acme", "contract": "in"}, {"client": "globex", "contract": "out"}]}
    hosts = {"web1": ["acme"], "db1": ["globex"]}
    run_id = story.run("2026-11-02T10:00:00Z", hosts, "migration", gate=gate)

    def contracts() -> list[str]:
        reports = (made(story.ledger, client).report for client in ("acme", "globex", None))
        return [report["interventions"][0]["contract"] for report in reports]

    assert contracts() == ["in", "out", "out"]
    routine = story.catalogue.categories["routine_maintenance"]
    correct(story.ledger, run_id, by="ada", reason="mistaken", now=NOW, category=routine)
    assert contracts() == ["in", "in", "in"]


def test_a_period_that_is_over_is_judged_from_its_end_however_old_the_last_look_is(story: Any, result: Any) -> None:
    way = {"kind": "ssh_account", "entry": "alice", "person": "Alice", "expires": "2026-12-10"}
    story.run("2026-01-02T10:00:00Z", {"web1": ["acme"]}, results={"web1": result(ways_in=[way])})
    report = made(story.ledger).report
    assert report["checks"]["web1"]["due"]
    assert report["ways_in"][0]["expiring"]
    earlier = made(story.ledger, period="2026-02").report
    assert (earlier["checks"]["web1"]["due"], earlier["ways_in"][0]["expiring"]) == (False, False)


def test_an_entry_is_obsolete_until_it_is_removed_or_no_longer_found(story: Any, result: Any) -> None:
    host = {"web1": ["acme"]}
    story.run("2026-11-01T10:00:00Z", host, results={"web1": result(obsolete=("gone", "removed", "stays"))})
    story.run("2026-11-02T10:00:00Z", host, results={"web1": result(obsolete=("removed", "stays"))})
    story.run("2026-11-03T10:00:00Z", host, results={"web1": result(applied=("removed",), obsolete=("stays",))})
    story.run("2026-11-04T10:00:00Z", host)
    report = made(story.ledger).report
    assert [(line["entry"], line["times"], line["first_found"][:10]) for line in report["obsolete"]] == [
        ("stays", 3, "2026-11-01")
    ]
    assert [(line["entry"], line["action"], line["person"], line["by"]) for line in report["removed"]] == [
        ("removed", "remove", "Bob", "ada")
    ]


def test_a_planned_removal_is_still_obsolete_and_says_what_is_planned(story: Any, result: Any) -> None:
    plan = [
        {"action": "disable", "kind": "ssh_account", "entry": "old", "reason": "left"},
        {"action": "create", "kind": "ssh_account", "entry": "new", "reason": "declared"},
    ]
    story.run("2026-11-01T10:00:00Z", {"web1": ["acme"]}, results={"web1": result(plan=plan)})
    assert [(line["entry"], line["planned"]) for line in made(story.ledger).report["obsolete"]] == [("old", "disable")]


def test_a_correction_changes_the_category_and_not_the_record(story: Any) -> None:
    run_id = story.run("2026-11-02T10:00:00Z", {"web1": ["acme"]})
    category = story.catalogue.categories["migration"]
    correct(story.ledger, run_id, by="ada", reason="it was a move", now=NOW, category=category, note="ticket 12")
    report = made(story.ledger, language="fr").report
    run = report["interventions"][0]
    assert (run["category"], run["contract"], run["label"]["fr"], run["note"]) == (
        "migration",
        "out",
        "Migration",
        "ticket 12",
    )
    assert run["scope_source"] == "correction"
    assert report["ledger"]["faults"] == []
    with story.ledger.reading() as connection:
        started = connection.execute("SELECT body FROM records WHERE kind = 'started'").fetchone()[0]
    assert json.loads(started)["scope"]["category"] == "routine_maintenance"


def test_a_correction_needs_a_known_run_a_name_and_something_to_correct(story: Any) -> None:
    run_id = story.run("2026-11-02T10:00:00Z", {"web1": ["acme"]})
    with pytest.raises(LedgerError, match="no intervention nope"):
        correct(story.ledger, "nope", by="ada", reason="r", now=NOW, note="n")
    with pytest.raises(ValueError, match="'by'"):
        correct(story.ledger, run_id, by=" ", reason="r", now=NOW, note="n")
    with pytest.raises(ValueError, match="'category', 'note' or 'duration'"):
        correct(story.ledger, run_id, by="ada", reason="r", now=NOW)


def test_the_same_interventions_give_the_same_bytes_whatever_else_is_recorded(story: Any) -> None:
    story.run("2026-11-02T10:00:00Z", {"web1": ["acme"]})
    before = made(story.ledger).files
    story.run("2026-11-03T10:00:00Z", {"db1": ["globex"]})
    story.run("2026-11-04T10:00:00Z", {"localhost": []}, playbook="infogerance.perimeter.report")
    assert made(story.ledger).files == before


class Page(HTMLParser):
    """Collects tags, attributes and text, and checks that tags close in order."""

    VOID = ("meta", "br", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


HOSTILE = "<script>alert(1)</script>\"><img src=x onerror=alert(1)>&'"


@pytest.mark.parametrize("language", ["fr", "en"])
def test_hostile_names_are_text_on_the_page_and_it_loads_nothing(story: Any, result: Any, language: str) -> None:
    story.run(
        "2026-11-02T10:00:00Z",
        {HOSTILE: [HOSTILE]},
        results={HOSTILE: result(applied=(HOSTILE,), obsolete=(f"other{HOSTILE}",))},
        playbook=HOSTILE,
        operator={"name": HOSTILE},
    )
    text = file(made(story.ledger, HOSTILE, language), ".html")
    page = Page(text)
    tags = {tag for tag, _attributes in page.tags}
    assert not tags & {"img", "link", "iframe", "object", "form", "base"}
    assert [attributes for tag, attributes in page.tags if tag == "script"] == [
        {"type": "application/json", "id": "data"},
        {},
    ]
    links = [attributes["href"] for _tag, attributes in page.tags if "href" in attributes]
    assert all(str(link).startswith("#") for link in links)
    assert not [attributes for _tag, attributes in page.tags if set(attributes) & {"src", "srcset", "onerror", "style"}]
    assert "url(" not in text
    assert "@import" not in text
    assert HOSTILE in page.text
    assert page.tags[0] == ("html", {"lang": language})


def test_an_empty_period_makes_a_sound_page(story: Any) -> None:
    story.run("2026-11-02T10:00:00Z", {"web1": ["acme"]})
    report = made(story.ledger, period="2025-01")
    assert "No intervention in this period." in Page(file(report, ".html")).text
    assert "No intervention in this period." in report.text


def test_a_broken_chain_is_shown_on_the_page(story: Any) -> None:
    import sqlite3

    story.run("2026-11-02T10:00:00Z", {"web1": ["acme"]})
    connection = sqlite3.connect(story.ledger.path)
    connection.execute("DROP TRIGGER records_no_update")
    connection.execute("""UPDATE records SET body = replace(body, '"site.yml"', '"nice.yml"') WHERE kind = 'started'""")
    connection.commit()
    connection.close()
    assert "row 1 was changed" in Page(file(made(story.ledger), ".html")).text


@given(st.text(max_size=20) | st.integers() | st.none() | st.booleans() | st.floats(allow_nan=False))
def test_no_cell_starts_like_a_formula(value: Any) -> None:
    cell = safe_cell(value)
    if isinstance(value, str):
        assert not cell.lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))
        assert re.sub("'", "", cell) == re.sub("'", "", value)


@given(st.lists(st.text(',;\t\n\r" =+-@＝a', max_size=8), min_size=1, max_size=3), st.sampled_from(["fr", "en"]))
def test_no_cell_starts_like_a_formula_either_when_the_file_is_split_elsewhere(texts: list[str], language: str) -> None:
    rows = [{"host": text, "name": text, "clients": []} for text in texts]
    written = observed_csv("monitoring", rows, language)
    for delimiter in ",;\t":
        for row in csv.reader(io.StringIO(written, newline=""), delimiter=delimiter):
            for cell in row:
                assert not cell.lstrip().startswith(("=", "+", "-", "@", "＝")), (delimiter, cell, written)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", " =1", "\n1", "＝1", '=HYPERLINK("http://example.org")'])
def test_a_formula_becomes_text(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize(("language", "delimiter"), [("fr", ";"), ("en", ",")])
def test_csv_files_read_back_with_the_languages_separator(
    story: Any, result: Any, language: str, delimiter: str
) -> None:
    story.run("2026-11-02T10:00:00Z", {"web1": ["acme"]}, results={"web1": result(applied=("=cmd|x",))})
    report = made(story.ledger, language=language)
    text = file(report, "entry-points.csv")
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), delimiter=delimiter))
    assert [(row["state"], row["host"], row["entry"]) for row in rows] == [("removed", "web1", "'=cmd|x")]
    runs = csv.DictReader(io.StringIO(file(report, "interventions.csv").removeprefix("\ufeff")), delimiter=delimiter)
    assert [row["duration_seconds"] for row in runs] == ["60.0"]


def test_json_reads_back_as_the_report(story: Any) -> None:
    story.run("2026-11-02T10:00:00Z", {"web1": ["acme"]})
    report = made(story.ledger)
    assert json.loads(file(report, ".json")) == report.report


def test_both_languages_have_the_same_words_with_the_same_placeholders() -> None:
    french, english = WORDING["fr"], WORDING["en"]
    assert set(french) == set(english)
    for key in french:
        fields = [{name for _text, name, _spec, _conversion in string.Formatter().parse(words[key]) if name}
                  for words in (french, english)]  # fmt: skip
        assert fields[0] == fields[1], key
    assert len(MONTHS["fr"]) == len(MONTHS["en"]) == 12


@pytest.mark.parametrize(
    ("seconds", "french", "english"),
    [
        (None, "–", "–"),
        (2.06, "2,1 s", "2.1 s"),
        (59.4, "59 s", "59 s"),
        (200, "3 min 20 s", "3 min 20 s"),
        (3599.6, "1 h 00 min", "1 h 00 min"),
        (3900, "1 h 05 min", "1 h 05 min"),
    ],
)
def test_durations_are_said_as_people_do(seconds: float | None, french: str, english: str) -> None:
    said = [Speaker(language, UTC).duration(seconds).replace("\u00a0", " ") for language in ("fr", "en")]
    assert said == [french, english]


def test_dates_are_said_in_the_language_and_zone() -> None:
    paris = parse("2026-11", "Europe/Paris").zone
    assert Speaker("fr", paris).moment("2026-11-30T23:30:00.000000Z") == "01/12/2026 00:30"
    assert Speaker("en", paris).moment("2026-11-30T23:30:00.000000Z") == "2026-12-01 00:30"
    assert Speaker("fr", paris).day(NOW.replace(day=1)).replace("\u00a0", " ") == "1er novembre 2026"


@pytest.mark.parametrize(
    ("text", "french", "english"),
    [
        ("2026-11", "novembre 2026", "November 2026"),
        ("2026", "2026", "2026"),
        ("2026-11-23", "23 novembre 2026", "23 November 2026"),
        ("2026-12-31", "31 décembre 2026", "31 December 2026"),
        ("2026-Q4", "du 1er octobre 2026 au 31 décembre 2026", "1 October 2026 to 31 December 2026"),
    ],
)
def test_a_span_is_called_by_its_name(text: str, french: str, english: str) -> None:
    period = parse(text)
    said = [Speaker(language, UTC).span(period.first, period.last) for language in ("fr", "en")]
    assert [words.replace("\u00a0", " ") for words in said] == [french, english]


@given(st.text(max_size=30), st.text(max_size=20))
def test_a_file_name_stays_in_its_directory(client: str, period: str) -> None:
    name = base_name(client, period, "fr")
    assert re.fullmatch(r"report-[A-Za-z0-9_-]+", name)


def test_a_file_is_written_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "a.html"
    assert write_changed(path, "x", pretend=True)
    assert not path.exists()
    assert write_changed(path, "x")
    assert path.stat().st_mode & 0o777 == 0o600
    assert not write_changed(path, "x")
    assert write_changed(path, "y")
    assert [item.name for item in path.parent.iterdir()] == ["a.html"]
