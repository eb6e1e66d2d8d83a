# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue: what ships is sound, faults are named, and extension does what it says."""

from __future__ import annotations

import contextlib
import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.loading import BUILTIN, load
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import CatalogueError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.validation import merge, parse

OUT_OF_CONTRACT = {
    "hardware_outside_maintenance",
    "new_hardware",
    "migration",
    "new_service",
    "third_party_contact",
    "project_management",
    "architecture_advice",
    "incident_caused_by_others",
    "inaction_despite_reminders",
    "beyond_announced_expertise",
    "client_responsibility",
}
IN_CONTRACT = {"routine_maintenance", "access_reconciliation", "monitoring_and_alerts", "system_security_updates"}


def plain() -> dict[str, Any]:
    """A small sound catalogue, to break."""
    return {
        "version": 1,
        "default": "upkeep",
        "categories": {
            "upkeep": {"label": {"fr": "Entretien", "en": "Upkeep"}, "contract": "in", "billing": {"rule": "included"}},
            "move": {
                "label": {"fr": "Déménagement", "en": "Move"},
                "contract": "out",
                "agreement": ["quote"],
                "billing": {"rule": "as_agreed", "step_minutes": 30},
            },
        },
        "rules": [{"name": "moves", "category": "move", "when": {"playbook": "move*"}}],
    }


def test_the_built_in_catalogue_has_every_category_on_its_side_of_the_contract() -> None:
    categories = load().categories
    assert {name for name, item in categories.items() if item.contract == "out"} == OUT_OF_CONTRACT
    assert {name for name, item in categories.items() if item.contract == "in"} == IN_CONTRACT


def test_every_built_in_category_speaks_both_languages() -> None:
    for category in load().categories.values():
        assert category.text("fr") != category.text("en") or category.name == "migration"
        assert set(category.description) == {"fr", "en"}


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("version",), 2, "field 'version'"),
        (("default",), "absent", "field 'default'"),
        (("surprise",), 1, "unknown field 'surprise'"),
        (("categories", "move", "contract"), "maybe", "category 'move': field 'contract'"),
        (("categories", "move", "agreement"), [], "category 'move': field 'agreement'"),
        (("categories", "move", "agreement"), ["handshake"], "category 'move': field 'agreement' holds 'handshake'"),
        (("categories", "move", "billing"), {"rule": "included"}, "category 'move': field 'billing.rule'"),
        (
            ("categories", "move", "billing"),
            {"rule": "time_spent", "step_minutes": 0},
            "category 'move': field 'billing.step_minutes'",
        ),
        (
            ("categories", "move", "billing"),
            {"rule": "time_spent", "minimum_minutes": True},
            "category 'move': field 'billing.minimum_minutes'",
        ),
        (("categories", "move", "label"), {"fr": "Seulement"}, "category 'move': field 'label.en'"),
        (
            ("categories", "move", "label"),
            {"fr": "a", "en": "b", "de": "c"},
            "category 'move': field 'label': unknown field 'de'",
        ),
        (("categories", "upkeep", "agreement"), ["quote"], "category 'upkeep': field 'agreement'"),
        (("categories", "upkeep", "colour"), "red", "category 'upkeep': unknown field 'colour'"),
        (("categories", "Upper"), {}, "category 'Upper'"),
        (("rules", 0, "category"), "absent", "rule 'moves': field 'category'"),
        (("rules", 0, "when"), {}, "rule 'moves': field 'when'"),
        (("rules", 0, "when"), {"moon": "full"}, "rule 'moves': field 'when': unknown field 'moon'"),
        (("rules", 0, "when"), {"role": [3]}, "rule 'moves': field 'when.role'"),
        (("rules", 0, "name"), "", "rule 1: field 'name'"),
    ],
)
def test_a_fault_is_refused_with_the_name_of_its_entry_and_field(path: tuple[Any, ...], value: Any, named: str) -> None:
    content: Any = plain()
    place = content
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(CatalogueError) as caught:
        parse(content)
    assert named in str(caught.value)


def test_an_extension_changes_one_field_adds_and_removes() -> None:
    merged = parse(
        merge(
            plain(),
            {
                "version": 1,
                "extends": "builtin",
                "categories": {
                    "move": {"label": {"fr": "Transfert", "en": "Transfer"}},
                    "advice": {
                        "label": {"fr": "Conseil", "en": "Advice"},
                        "contract": "out",
                        "agreement": ["time_count"],
                        "billing": {"rule": "time_spent"},
                    },
                },
                "rules": [{"name": "talks", "category": "advice", "when": {"role": ["talk"]}}],
            },
        )
    )
    assert merged.categories["move"].text("en") == "Transfer"
    assert merged.categories["move"].billing.step_minutes == 30
    assert set(merged.categories) == {"upkeep", "move", "advice"}
    assert [rule.name for rule in merged.rules] == ["talks", "moves"]


def test_removing_a_category_that_a_rule_needs_is_refused() -> None:
    with pytest.raises(CatalogueError, match="rule 'moves': field 'category'"):
        parse(merge(plain(), {"version": 1, "categories": {"move": None}}))


def test_a_rule_of_the_same_name_takes_the_place_of_the_base_rule() -> None:
    merged = parse(
        merge(plain(), {"version": 1, "rules": [{"name": "moves", "category": "upkeep", "when": {"role": "r"}}]})
    )
    assert [(rule.name, rule.category) for rule in merged.rules] == [("moves", "upkeep")]


def test_a_file_extends_the_built_in_one_and_a_third_extends_that(tmp_path: Path) -> None:
    (tmp_path / "house.yml").write_text("version: 1\nextends: builtin\ndefault: migration\n")
    (tmp_path / "team.yml").write_text("version: 1\nextends: house.yml\ncategories:\n  new_hardware: null\n")
    catalogue = load(tmp_path / "team.yml")
    assert catalogue.default == "migration"
    assert set(catalogue.categories) == (OUT_OF_CONTRACT | IN_CONTRACT) - {"new_hardware"}


def test_a_file_without_extends_replaces_the_built_in_one(tmp_path: Path) -> None:
    (tmp_path / "own.yml").write_text(yaml.safe_dump(plain()))
    assert set(load(tmp_path / "own.yml").categories) == {"upkeep", "move"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 1\nextends: a.yml\n", "circle"),
        ("version: 1\ncategories: {x: {}}\ncategories: {y: {}}\n", "written twice"),
        ("- 1\n", "must hold a mapping"),
        ("a: [\n", "not valid YAML"),
        ("version: 1\nextends: [builtin]\n", "field 'extends'"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_name(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.yml"
    path.write_text(text)
    with pytest.raises(CatalogueError, match=message) as caught:
        load(path)
    assert "a.yml" in str(caught.value)


def test_a_missing_file_is_a_catalogue_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="cannot be read"):
        load(tmp_path / "absent.yml")


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "in", "out", "x", "quote", "moves"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["fr", "en", "rule", "name", "x", "role"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), junk=JSONISH)
def test_whatever_is_put_anywhere_either_parses_or_is_a_catalogue_error(data: st.DataObject, junk: Any) -> None:
    content: Any = yaml.safe_load(BUILTIN.read_text())
    place = content
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(place[key], (dict, list)) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        place[key] = junk
        break
    for attempt in (
        lambda: parse(content),
        lambda: parse(merge(content, copy.deepcopy(plain()))),
        lambda: parse(merge(plain(), content)),
    ):
        with contextlib.suppress(CatalogueError):
            attempt()
