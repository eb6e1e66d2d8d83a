# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients' terms: what is declared is read, and a fault is refused with the name of its entry and field."""

from __future__ import annotations

import contextlib
import copy
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.loading import load as load_catalogue
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.plain_fields import TermsError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.terms_checks import check_categories, parse
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.terms_files import load

TEXT = """
version: 1
timezone: Europe/Paris
billing:
  sharing: by_host
  out_of_hours_factor: 1.5
  working_hours: {days: [mon, tue, wed, thu, fri], from: "08:30", until: "18:00", holidays: [2026-12-25]}
clients:
  acme:
    agreements:
      - id: Q-1
        kind: quote
        categories: [migration]
        hours: 7.5
        valid_from: 2026-11-01
        valid_until: 2026-12-31
        accepted_by: Ada
        accepted_on: 2026-10-30
      - {id: TC, kind: time_count, categories: all, hours: 20, overrun: allow}
    exceptions:
      - {reference: CTR-7, category: hardware_outside_maintenance, contract: in, hosts: ["san*"]}
    billing: {hourly_rate: "80.50", step_minutes: 30}
    exports: {kimai: {project: 3, activity: 1, activities: {migration: 2}}, glpi: {ticket: 12}}
  globex:
"""


def plain() -> Any:
    """The same as plain content."""
    import yaml

    return yaml.safe_load(TEXT)


def test_what_is_declared_is_read(tmp_path: Path) -> None:
    (tmp_path / "terms.yml").write_text(TEXT, encoding="utf-8")
    terms = load(tmp_path / "terms.yml")
    quote, count = terms.of("acme").agreements
    assert (quote.seconds, quote.valid_until, quote.accepted_by) == (27_000, date(2026, 12, 31), "Ada")
    assert (count.categories, count.overrun, count.state(date(2026, 11, 1))) == ((), "allow", "not_accepted")
    assert terms.of("acme").billing.hourly_rate == Decimal("80.50")
    assert terms.of("acme").billing.sharing == terms.of("nobody").billing.sharing == "by_host"
    assert terms.of("globex").agreements == ()
    check_categories(terms, load_catalogue())


def test_a_directory_is_read_whole_and_a_client_may_stand_in_one_file_only(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("version: 1\nclients: {acme: }\n")
    (tmp_path / "b.yml").write_text("version: 1\nclients: {globex: }\n")
    assert set(load(tmp_path).clients) == {"acme", "globex"}
    (tmp_path / "c.yml").write_text("version: 1\nclients: {acme: }\n")
    with pytest.raises(TermsError, match=r"c\.yml: client 'acme' is declared in another file"):
        load(tmp_path)


def test_nothing_declared_is_nothing_agreed() -> None:
    assert load(None).of("acme").agreements == ()


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("version",), 2, "field 'version'"),
        (("timezone",), "Mars/Olympus", "field 'timezone'"),
        (("surprise",), 1, "unknown field 'surprise'"),
        (("billing", "sharing"), "half", "field 'billing': field 'sharing'"),
        (("billing", "emergency_factor"), "0.5", "field 'billing': field 'emergency_factor'"),
        (("billing", "working_hours", "days"), ["monday"], "field 'days' holds 'monday'"),
        (("billing", "working_hours", "from"), 510, "field 'from' must be a time in quotes"),
        (("billing", "working_hours", "from"), "19:00", "'from' before 'until'"),
        (("billing", "working_hours", "holidays"), ["soon"], "field 'holidays'"),
        (("clients", "acme", "agreements", 0, "id"), "", "client 'acme': agreement 1: field 'id'"),
        (("clients", "acme", "agreements", 0, "id"), "TC", "client 'acme': agreement 'TC': field 'id' is used twice"),
        (("clients", "acme", "agreements", 0, "kind"), "promise", "agreement 'Q-1': field 'kind'"),
        (("clients", "acme", "agreements", 0, "hours"), 0, "agreement 'Q-1': field 'hours'"),
        (("clients", "acme", "agreements", 0, "hours"), "nan", "agreement 'Q-1': field 'hours'"),
        (("clients", "acme", "agreements", 0, "hours"), "0.000001", "no whole number of seconds"),
        (("clients", "acme", "agreements", 0, "hours"), None, "'hours' and 'amount'"),
        (("clients", "acme", "agreements", 1, "hours"), None, "agreement 'TC': field 'hours'"),
        (("clients", "acme", "agreements", 0, "categories"), [], "agreement 'Q-1': field 'categories'"),
        (("clients", "acme", "agreements", 0, "valid_until"), "2026-10-01", "agreement 'Q-1': field 'valid_until'"),
        (("clients", "acme", "agreements", 0, "valid_until"), "soon", "agreement 'Q-1': field 'valid_until'"),
        (("clients", "acme", "agreements", 0, "accepted_by"), None, "'accepted_by' and 'accepted_on' belong together"),
        (("clients", "acme", "agreements", 0, "colour"), "red", "agreement 'Q-1': unknown field 'colour'"),
        (("clients", "acme", "exceptions", 0, "contract"), "maybe", "exception 'CTR-7': field 'contract'"),
        (("clients", "acme", "exceptions", 0, "contract"), "out", "exception 'CTR-7': field 'agreement'"),
        (("clients", "acme", "exceptions", 0, "reference"), None, "client 'acme': exception 1: field 'reference'"),
        (("clients", "acme", "billing"), {"sharing": "equal"}, "client 'acme': field 'billing': 'sharing'"),
        (("clients", "acme", "exports", "kimai", "project"), "three", "kimai: field 'project'"),
        (("clients", "acme", "exports", "glpi"), {}, "glpi: field 'ticket' is missing"),
        (("clients", "acme"), "friend", "client 'acme' must be a mapping"),
    ],
)
def test_a_fault_is_refused_with_the_name_of_its_entry_and_field(path: tuple[Any, ...], value: Any, named: str) -> None:
    content = plain()
    place = content
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(TermsError) as caught:
        parse(content)
    assert named in str(caught.value)


def test_a_factor_for_hours_that_nobody_has_declared_is_refused_before_it_counts_for_nothing() -> None:
    needed = "field 'out_of_hours_factor' needs 'working_hours'"
    content = plain()
    hours = content["billing"].pop("working_hours")
    with pytest.raises(TermsError, match=f"^field 'billing': {needed}"):
        parse(content)
    # A client with hours of its own is whom it is for; another may have none.
    content["clients"]["acme"]["billing"]["working_hours"] = hours
    assert parse(content).of("acme").billing.out_of_hours_factor == Decimal("1.5")
    content["clients"]["globex"] = {"billing": {"out_of_hours_factor": 2}}
    with pytest.raises(TermsError, match=f"^client 'globex': field 'billing': {needed}"):
        parse(content)
    content["clients"]["globex"] = {"billing": {"out_of_hours_factor": 1}}
    parse(content)


@pytest.mark.parametrize("where", ["agreements", "exceptions"])
def test_an_unknown_category_is_refused_before_it_covers_nothing(where: str) -> None:
    content = plain()
    entry = content["clients"]["acme"][where][0]
    entry["categories" if where == "agreements" else "category"] = "migratoin"
    with pytest.raises(TermsError, match="unknown category, 'migratoin'"):
        check_categories(parse(content), load_catalogue())


@pytest.mark.parametrize(
    "text", ["[", "version: 1\nclients: {a: , a: }\n", "version: 1\ntimezone: 2026-02-30\n", "version: 1\n1: 2\n"]
)
def test_a_file_that_cannot_be_used_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "terms.yml").write_text(text)
    with pytest.raises(TermsError, match=r"terms\.yml"):
        load(tmp_path / "terms.yml")


@pytest.mark.parametrize("hours", ["1:30", "010", "0x10", "0b11", "1:30.5", "-1:30"])
def test_a_number_that_yaml_would_read_as_another_one_is_refused(tmp_path: Path, hours: str) -> None:
    # YAML 1.1 takes 1:30 for 90, and 010 for 8: ninety hours instead of one and a half.
    (tmp_path / "terms.yml").write_text(TEXT.replace("hours: 7.5", f"hours: {hours}"), encoding="utf-8")
    if hours == "010":
        assert load(tmp_path / "terms.yml").of("acme").agreements[0].seconds == 36_000
        return
    with pytest.raises(TermsError, match=f"agreement 'Q-1': field 'hours' must be a number .*'{hours}'"):
        load(tmp_path / "terms.yml")


def test_a_name_of_digits_is_kept_as_it_is_written(tmp_path: Path) -> None:
    text = TEXT.replace("id: Q-1", "id: 0012").replace('until: "18:00"', "until: 18:00")
    (tmp_path / "terms.yml").write_text(text, encoding="utf-8")
    terms = load(tmp_path / "terms.yml")
    assert terms.of("acme").agreements[0].id == "0012"
    assert terms.billing.closes == 18 * 60


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.dates() | st.sampled_from(["", "in", "all", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "kind", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), junk=JUNK)
def test_whatever_is_put_anywhere_either_parses_or_is_an_error_of_the_terms(data: st.DataObject, junk: Any) -> None:
    content = copy.deepcopy(plain())
    place = content
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(place[key], (dict, list)) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        place[key] = junk
        break
    with contextlib.suppress(TermsError):
        parse(content)
