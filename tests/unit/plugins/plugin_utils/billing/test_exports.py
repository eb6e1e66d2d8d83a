# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports: what each tool's documentation asks for, exact figures, and each line once.

The schemas are written from the tools' own documentation, named in each exporter.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing import exporting
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.exporters import protocol
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.exporters.catalogue import EXPORTERS
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.exporters.protocol import (
    ExportError,
    Setting,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.billing.statement import Line
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.terms_checks import parse

NOW = datetime(2026, 12, 1, tzinfo=UTC)
# The days before clocks change in Paris.
OCTOBER, MARCH = datetime(2026, 10, 24, tzinfo=UTC), datetime(2026, 3, 28, tzinfo=UTC)
TERMS = parse(
    {
        "version": 1,
        "timezone": "Europe/Paris",
        "clients": {
            "acme": {
                "exports": {
                    "kimai": {"project": 3, "activity": 1, "activities": {"migration": 2}, "customer_name": "Acme SA"},
                    "dolibarr": {"thirdparty": 41},
                    "glpi": {"ticket": 12},
                }
            },
            "globex": {"language": "en"},
        },
    }
)
SETTING = Setting(TERMS, "fr", "2026-11", {"ada": {"email": "ada@example.org", "kimai_user": 5, "glpi_user": 6}})
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "＝1", '=HYPERLINK("https://example.org")')

WHOLE = {"type": "integer", "minimum": 1}
KIMAI = {
    "type": "array",
    "items": {
        "type": "object",
        # The form refuses fields that it does not have.
        "additionalProperties": False,
        "required": ["begin", "end", "project", "activity"],
        "properties": {
            "begin": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$"},
            "end": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$"},
            "project": WHOLE,
            "activity": WHOLE,
            "description": {"type": "string"},
            "fixedRate": {"type": "number"},
            "hourlyRate": {"type": "number"},
            "user": WHOLE,
            "tags": {"type": "string"},
            "exported": {"type": "boolean"},
            "billable": {"type": "boolean"},
        },
    },
}
DOLIBARR = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["intervention", "lines"],
        "properties": {
            "intervention": {
                "type": "object",
                "required": ["socid", "fk_project", "description"],
                "properties": {
                    "socid": WHOLE,
                    "fk_project": {"type": "integer", "minimum": 0},
                    "description": {"type": "string", "minLength": 1},
                },
            },
            "lines": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["description", "date", "duration"],
                    "properties": {
                        "description": {"type": "string", "minLength": 1},
                        "date": {"type": "integer", "minimum": 1},
                        "duration": {"type": "integer", "minimum": 1},
                    },
                },
            },
        },
    },
}
GLPI = {
    "type": "object",
    "required": ["input"],
    "additionalProperties": False,
    "properties": {
        "input": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tickets_id", "content"],
                "properties": {
                    "tickets_id": WHOLE,
                    "content": {"type": "string", "minLength": 1},
                    "actiontime": {"type": "integer", "minimum": 0},
                    "date": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"},
                    "state": {"enum": [0, 1, 2]},
                    "is_private": {"enum": [0, 1]},
                    "users_id_tech": WHOLE,
                },
            },
        }
    },
}
SCHEMAS = {"kimai": KIMAI, "dolibarr": DOLIBARR, "glpi": GLPI}


def line(**more: Any) -> Line:
    """Half an hour of a migration for acme, worked in 1,234 seconds."""
    plain: dict[str, Any] = {
        "run_id": "a" * 32,
        "started_at": "2026-11-23T10:00:30.250000Z",
        "client": "acme",
        "category": "migration",
        "label": {"fr": "Migration", "en": "Migration"},
        "contract": "out",
        "bill": "time",
        "milliseconds": 1_234_000,
        "out_of_hours": 0,
        "billed_seconds": 1800,
        "agreement": "Q-1",
        "agreement_kind": "quote",
        "exception": None,
        "emergency": None,
        "unagreed": False,
        "amount": Decimal("42.50"),
        "currency": "EUR",
        "outcome": "ok",
        "check_mode": False,
        "corrected": False,
        "estimated": False,
        "playbook": "move.yml",
        "operator": "ada",
        "note": None,
        "ticket": None,
        "hosts": ("web1",),
    }
    return Line(**{**plain, **more})


def parsed(name: str, *lines: Line, setting: Setting = SETTING) -> Any:
    return json.loads(EXPORTERS[name].text(lines, setting), parse_float=Decimal)


def rows(name: str, *lines: Line, setting: Setting = SETTING) -> list[dict[str, str]]:
    text = EXPORTERS[name].text(lines, setting).removeprefix("\ufeff")
    mark = ";" if name == "kimai_csv" or setting.language == "fr" else ","
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=mark))


@pytest.mark.parametrize("name", sorted(SCHEMAS))
@settings(max_examples=40)
@given(
    label=st.text(max_size=40), note=st.none() | st.text(max_size=3000), billed=st.integers(1, 10**6),
    cents=st.none() | st.integers(0, 10**11), ticket=st.none() | st.text(max_size=8),
    at=st.integers(1577836800, 2051222400),
)  # fmt: skip
def test_whatever_was_recorded_the_tool_gets_what_its_documentation_asks_for(
    name: str, label: str, note: str | None, billed: int, cents: int | None, ticket: str | None, at: int
) -> None:
    made = line(
        label={"fr": label, "en": label},
        note=note,
        billed_seconds=billed,
        ticket=ticket,
        amount=None if cents is None else Decimal(cents).scaleb(-2),
        started_at=datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z"),
    )
    jsonschema.validate(json.loads(EXPORTERS[name].text([made, line()], SETTING)), SCHEMAS[name])


def test_kimai_is_told_begin_end_and_price_to_the_cent() -> None:
    entry = parsed("kimai", line())[0]
    assert (entry["begin"], entry["end"]) == ("2026-11-23T11:00:00", "2026-11-23T11:30:00")
    assert (entry["project"], entry["activity"], entry["user"], entry["billable"]) == (3, 2, 5, True)
    assert entry["fixedRate"] == Decimal("42.5")
    assert entry["description"] == f"Migration – move.yml – web1 [{'a' * 32}]"
    assert parsed("kimai", line(category="new_service"))[0]["activity"] == 1
    agreed = parsed("kimai", line(bill="agreed", amount=None))[0]
    assert agreed["billable"] is False
    assert "fixedRate" not in agreed


@settings(max_examples=60)
@given(st.sampled_from((OCTOBER, MARCH)), st.integers(0, 2 * 86400), st.integers(1, 8 * 3600))
def test_a_span_without_a_zone_has_its_length_whoever_reads_it_in_the_zone(
    day: datetime, after: int, length: int
) -> None:
    made = line(started_at=(day + timedelta(seconds=after)).isoformat(), billed_seconds=length)
    begin, end = protocol.local_span(made, SETTING)
    paris = ZoneInfo("Europe/Paris")
    # Kimai's own rounding takes the started minute at both ends: half an hour would become 31 minutes.
    assert begin.second == begin.microsecond == 0
    read = end.replace(tzinfo=paris).astimezone(UTC) - begin.replace(tzinfo=paris).astimezone(UTC)
    assert read.total_seconds() == (end - begin).total_seconds() == length


def test_glpi_takes_the_noted_ticket_when_it_is_a_number_and_no_tag_of_ours() -> None:
    first, second = parsed("glpi", line(ticket="77"), line(ticket="T-7", note="<script>alert(1)</script>"))["input"]
    assert (first["tickets_id"], second["tickets_id"]) == (77, 12)
    assert (first["actiontime"], first["date"], first["users_id_tech"]) == (1800, "2026-11-23 11:00:00", 6)
    assert "<" not in second["content"]
    assert "&lt;script&gt;" in second["content"]
    assert "T-7" in second["content"]


def test_a_tool_that_knows_no_mark_for_it_is_told_in_words_what_is_not_billed_by_time() -> None:
    for name, texts in (
        ("dolibarr", lambda *lines: [item["lines"][0]["description"] for item in parsed("dolibarr", *lines)]),
        ("glpi", lambda *lines: [task["content"] for task in parsed("glpi", *lines)["input"]]),
    ):
        time, agreed, included = texts(line(), line(bill="agreed", amount=None), line(bill="included", amount=None))
        assert "prix convenu" in agreed, name
        assert "compris dans le forfait" in included, name
        assert "prix convenu" not in time, name
        assert "compris dans le forfait" not in time, name


def test_dolibarr_gets_an_intervention_with_its_line() -> None:
    item = parsed("dolibarr", line(note="a < b"))[0]
    assert item["intervention"]["socid"] == 41
    assert item["intervention"]["fk_project"] == 0
    assert item["lines"] == [{"description": item["intervention"]["description"], "date": 1795428030, "duration": 1800}]
    assert "a &lt; b" in item["intervention"]["description"]


def test_the_imports_csv_has_every_column_that_its_plugin_needs() -> None:
    row = rows("kimai_csv", line())[0]
    assert set(row) >= {"Date", "From", "To", "User", "Email", "Customer", "Project", "Activity"}
    assert (row["Date"], row["From"], row["To"], row["Duration"]) == ("2026-11-23", "11:00:00", "11:30:00", "1800")
    assert (row["User"], row["Email"], row["Customer"], row["Project"]) == ("ada", "ada@example.org", "Acme SA", "acme")
    assert (row["FixedRate"], row["Billable"], row["Exported"]) == ("42.50", "1", "0")


def test_what_has_no_price_gets_none_from_the_import_which_overlooks_billable() -> None:
    # The plugin lets Kimai find out by itself what is billable: without a price that would be the user's rate.
    priced = rows("kimai_csv", line(bill="agreed", amount=None), line(bill="included", amount=None))
    assert [(row["FixedRate"], row["Billable"]) for row in priced] == [("0", "0")] * 2
    assert rows("kimai_csv", line(amount=None))[0]["FixedRate"] == ""


def test_a_name_that_cannot_be_written_as_it_is_makes_no_second_customer() -> None:
    for name in ("customer_name", "project_name"):
        kimai = {"project": 3, "activity": 1, "customer_name": "Acme", "project_name": "Web", name: "+Plus"}
        its = parse({"version": 1, "clients": {"acme": {"exports": {"kimai": kimai}}}})
        with pytest.raises(ExportError, match=f"client 'acme': field 'exports': kimai: '{name}': '\\+Plus' begins"):
            EXPORTERS["kimai_csv"].text([line()], replace(SETTING, terms=its))


def test_the_import_takes_no_entry_of_a_day_or_more() -> None:
    # It has one date: 25 hours would become one.
    rows("kimai_csv", line(billed_seconds=86399))
    with pytest.raises(ExportError, match=f"client 'acme': intervention {'a' * 32} has 24 hours or more"):
        EXPORTERS["kimai_csv"].text([line(billed_seconds=86400)], SETTING)


def test_a_client_or_operator_that_the_tool_does_not_know_is_named() -> None:
    for name, tool in (("kimai", "kimai"), ("dolibarr", "dolibarr"), ("glpi", "glpi"), ("kimai_csv", "kimai")):
        with pytest.raises(ExportError, match=f"client 'globex': field 'exports': '{tool}' is missing"):
            EXPORTERS[name].text([line(client="globex")], SETTING)
    with pytest.raises(ExportError, match="operator 'bob': field 'email' is missing"):
        EXPORTERS["kimai_csv"].text([line(operator="bob")], SETTING)


def test_a_spreadsheet_speaks_its_readers_language() -> None:
    row = rows("csv", line(amount=Decimal("1042.50"), billed_seconds=5400, emergency="panne"))[0]
    assert (row["Montant"], row["Heures facturées"], row["Temps facturé"]) == ("1042,50", "1,50", "1:30:00")
    assert (row["Début"], row["Forfait"], row["Facturation"]) == ("2026-11-23 11:00", "Hors forfait", "au temps passé")
    english = replace(SETTING, language="en")
    row = rows("csv", line(amount=Decimal("1042.50")), setting=english)[0]
    assert (row["Amount"], row["Contract"], row["Billing"]) == ("1042.50", "Out of contract", "by time spent")
    in_contract = rows("csv", line(bill="included", contract="in", billed_seconds=0, amount=None), setting=english)[0]
    assert (in_contract["Time worked"], in_contract["Time billed"], in_contract["Amount"]) == ("0:20:34", "0:00:00", "")


@pytest.mark.parametrize("name", ["csv", "kimai_csv"])
@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_becomes_a_formula(name: str, formula: str) -> None:
    setting = replace(SETTING, operators={formula: {"email": "a@example.org", "name": formula}})
    made = line(
        label={"fr": formula, "en": formula}, note=formula, ticket=formula, playbook=formula, operator=formula,
        hosts=(formula,), agreement=formula, emergency=formula,
    )  # fmt: skip
    for row in rows(name, made, setting=setting):
        for cell in row.values():
            assert not cell.lstrip().startswith(("=", "+", "-", "@", "＝")), cell


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=30))
def test_sums_are_exact_to_the_last_digit(cents: list[int]) -> None:
    made = [line(run_id=f"{place:032x}", amount=Decimal(each).scaleb(-2)) for place, each in enumerate(cents)]
    told = parsed("json", *made)
    assert Decimal(told["total"]["amounts"]["EUR"]) == Decimal(sum(cents)).scaleb(-2)
    assert [Decimal(entry["fixedRate"]) for entry in parsed("kimai", *made)] == [each.amount for each in made]


def test_an_amount_that_json_cannot_hold_is_refused() -> None:
    with pytest.raises(ExportError, match="more digits"):
        EXPORTERS["kimai"].text([line(amount=Decimal("123456789012345678.91"))], SETTING)


def exported(ledger: Ledger, folder: Path, *lines: Line, **more: Any) -> exporting.Exported:
    options = {"client": None, "again": False, "now": NOW, **more}
    return exporting.export(ledger, lines, options.pop("name", "kimai"), SETTING, folder, **options)


def test_each_line_is_exported_once_for_each_tool(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    ledger.create()
    one, two = line(), line(run_id="b" * 32)
    assert exported(ledger, tmp_path, one, pretend=True).lines == 1
    assert not list(tmp_path.glob("*.json"))
    first = exported(ledger, tmp_path, one)
    second = exported(ledger, tmp_path, one, two)
    third = exported(ledger, tmp_path, one, two)
    assert [(each.lines, each.known, each.written) for each in (first, second, third)] == [
        (1, 0, True),
        (1, 1, True),
        (0, 2, False),
    ]
    assert third.file is None
    assert first.file != second.file
    assert len(json.loads(Path(str(first.file)).read_text())) == 1
    assert exported(ledger, tmp_path, one, two, name="glpi").lines == 2
    again = exported(ledger, tmp_path, one, two, again=True)
    assert (again.lines, again.changed) == (2, [])
    assert again.amounts == {"EUR": Decimal("85.00")}
    assert Path(str(again.file)).stat().st_mode & 0o777 == 0o600


def test_a_line_that_was_corrected_after_its_export_is_told_until_it_is_exported_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    ledger.create()
    exported(ledger, tmp_path, line())
    longer = line(billed_seconds=3600)
    told = exported(ledger, tmp_path, longer)
    assert (told.lines, told.changed) == (0, [longer.run_id])
    # No longer billed at all: nothing to export, but not to be passed over in silence.
    assert exported(ledger, tmp_path, line(bill="none", billed_seconds=0)).changed == [longer.run_id]
    for figures in (longer, line(), longer):
        assert exported(ledger, tmp_path, figures, again=True).lines == 1
        assert exported(ledger, tmp_path, figures).changed == []


def test_a_line_that_is_no_longer_billed_is_told_until_it_is_taken_out_and_once_more_when_it_comes_back(
    tmp_path: Path,
) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    ledger.create()
    first, other = line(), line(run_id="b" * 32)
    exported(ledger, tmp_path, first, other)
    gone = line(bill="none", billed_seconds=0, amount=None)
    assert exported(ledger, tmp_path, gone, other).changed == [gone.run_id]
    assert exported(ledger, tmp_path, gone, other, again=True).lines == 1
    assert exported(ledger, tmp_path, gone, other).changed == []
    # The tool does not have it any more, so it must not be passed over as known and unchanged.
    assert exported(ledger, tmp_path, first, other).changed == [first.run_id]
    assert exported(ledger, tmp_path, gone, again=True).file is None


def test_an_export_that_fails_leaves_neither_file_nor_row(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    ledger.create()
    with pytest.raises(ExportError):
        exported(ledger, tmp_path, line(), line(run_id="b" * 32, client="globex"))
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        exported(ledger, tmp_path / "file", line())
    assert not list(tmp_path.glob("*.json"))
    assert exported(ledger, tmp_path, line()).lines == 1
