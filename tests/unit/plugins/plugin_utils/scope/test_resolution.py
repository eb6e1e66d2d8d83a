# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resolution: the first source that answers decides, and every rule looked at is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.loading import load
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.model import Catalogue, Rule
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.resolution import (
    RunFacts,
    ScopeError,
    resolve,
)

BUILTIN = load()
CATALOGUE = Catalogue(
    categories=BUILTIN.categories,
    default="routine_maintenance",
    rules=(
        Rule("moving day", "migration", {"playbook": ("move*",), "host_group": ("old_*",)}),
        Rule("databases", "new_service", {"role": ("*.postgresql", "mysql")}),
    ),
)


@pytest.mark.parametrize(
    ("facts", "category", "source"),
    [
        (RunFacts(), "routine_maintenance", "default"),
        (RunFacts(roles=frozenset({"mysql"})), "new_service", "rule"),
        (RunFacts(playbook=frozenset({"move.yml"})), "routine_maintenance", "default"),
        (
            RunFacts(playbook=frozenset({"move.yml"}), host_groups=frozenset({"old_web"}), roles=frozenset({"mysql"})),
            "migration",
            "rule",
        ),
        (
            RunFacts(tags=frozenset({"scope:architecture_advice"}), roles=frozenset({"mysql"})),
            "architecture_advice",
            "tag",
        ),
        (RunFacts(play_vars=(None, "new_hardware"), tags=frozenset({"scope:migration"})), "new_hardware", "play_var"),
        (RunFacts(extra_var="migration", play_vars=("new_hardware",)), "migration", "extra_var"),
        (RunFacts(play_vars=("access_reconciliation", "migration")), "migration", "play_var"),
    ],
)
def test_the_first_source_that_answers_decides(facts: RunFacts, category: str, source: str) -> None:
    resolution = resolve(CATALOGUE, facts)
    assert (resolution.category.name, resolution.source) == (category, source)


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        (RunFacts(extra_var="migratoin"), "migratoin"),
        (RunFacts(extra_var=["migration"]), "a list"),
        (RunFacts(play_vars=("nope",)), "nope"),
        (RunFacts(tags=frozenset({"scope:nope"})), "nope"),
    ],
)
def test_a_mistyped_category_does_not_fall_through_to_the_default(facts: RunFacts, named: str) -> None:
    with pytest.raises(ScopeError, match=named):
        resolve(CATALOGUE, facts)


def test_a_mistake_in_a_source_that_does_not_decide_is_kept_as_a_failed_rule_without_its_value() -> None:
    resolution = resolve(CATALOGUE, RunFacts(extra_var="migration", tags=frozenset({"scope:hunter2"})))
    assert resolution.category.name == "migration"
    tag = next(item for item in resolution.evaluations if item.source == "tag")
    assert not tag.passed
    assert "hunter2" not in str(resolution.evaluations)


@given(
    st.builds(
        RunFacts,
        extra_var=st.none() | st.sampled_from(sorted(CATALOGUE.categories)),
        play_vars=st.lists(st.none() | st.sampled_from(sorted(CATALOGUE.categories))).map(tuple),
        roles=st.frozensets(st.sampled_from(["mysql", "a.b.postgresql", "web"])),
        playbook=st.frozensets(st.sampled_from(["move.yml", "site.yml"])),
        host_groups=st.frozensets(st.sampled_from(["old_web", "new_web"])),
    )
)
def test_every_rule_is_kept_and_the_verdict_is_the_first_that_passed(facts: RunFacts) -> None:
    resolution = resolve(CATALOGUE, facts)
    assert len(resolution.evaluations) == 3 + len(CATALOGUE.rules) + 1
    first = next(item for item in resolution.evaluations if item.passed)
    assert (first.category, first.source) == (resolution.category.name, resolution.source)
