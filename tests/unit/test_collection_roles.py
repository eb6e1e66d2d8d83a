# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role's argument_specs are its contract: defaults, README and tasks may not disagree."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import tree
import yaml

ROLES = sorted(path.parent.parent for path in tree.ROOT.glob("roles/*/tasks/main.yml"))
NAMES = [role.name for role in ROLES]
# Said by inventories for every role of the collection, so without a role's prefix.
SHARED = re.compile(r"^infogerance_")


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None


def options(role: Path) -> dict[str, Any]:
    specs = load(role / "meta" / "argument_specs.yml")
    assert specs is not None, f"{role.name} has no meta/argument_specs.yml"
    found: dict[str, Any] = specs["argument_specs"]["main"].get("options") or {}
    return found


def defaults(role: Path) -> dict[str, Any]:
    return load(role / "defaults" / "main.yml") or {}


@pytest.mark.parametrize("role", ROLES, ids=NAMES)
def test_a_default_is_the_same_in_defaults_and_in_argument_specs(role: Path) -> None:
    specified = {name: option["default"] for name, option in options(role).items() if "default" in option}
    assert defaults(role) == specified


@pytest.mark.parametrize("role", ROLES, ids=NAMES)
def test_an_option_has_the_roles_prefix_a_type_and_a_description(role: Path) -> None:
    wrong = [
        name
        for name, option in options(role).items()
        if not (name.startswith(role.name + "_") or SHARED.match(name))
        or not option.get("type")
        or not option.get("description")
        or (option.get("required") and "default" in option)
        or (option["type"] == "list" and "elements" not in option)
    ]
    assert wrong == []


@pytest.mark.parametrize("role", ROLES, ids=NAMES)
def test_a_role_has_a_readme_that_names_no_variable_it_does_not_have(role: Path) -> None:
    readme = (role / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(rf"\b{role.name}_\w+", readme))
    assert named, f"{role.name}: the README shows no variable"
    assert named - set(options(role)) == set()


@pytest.mark.parametrize("role", ROLES, ids=NAMES)
def test_the_tasks_use_no_role_variable_that_the_specs_do_not_know(role: Path) -> None:
    known = set(options(role))
    used: set[str] = set()
    for path in [*role.glob("tasks/**/*.yml"), *role.glob("handlers/**/*.yml"), *role.glob("templates/**/*")]:
        if path.is_file():
            used |= set(re.findall(rf"(?<![\w.]){role.name}_\w+", path.read_text(encoding="utf-8")))
    # Names of plugins and files are no variables; a leading double underscore marks a private one.
    plugins = {path.stem for path in tree.ROOT.glob("plugins/*/*.py")}
    files = {path.stem for path in role.rglob("*.yml")}
    assert used - known - plugins - files == set()


@pytest.mark.parametrize("role", ROLES, ids=NAMES)
def test_no_regex_of_a_check_lets_a_line_break_through(role: Path) -> None:
    # `$` matches before a line break at the end, too; `\Z` does not. What only replaces text checks nothing.
    loose = [
        f"{path.name}: {line.strip()}"
        for path in role.rglob("*.yml")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"\$['\"]", line) and "regex_replace" not in line
    ]
    assert loose == []


@pytest.mark.parametrize("kind", ["ssh_accounts", "privileged_ips", "vpn_certificates"])
def test_the_role_access_applies_with_the_options_that_it_planned_with(kind: str) -> None:
    tasks = tree.ROOT / "roles" / "access" / "tasks"
    planned = load(tasks / "main.yml")[0]["vars"][f"__access_{kind}"]
    (applied,) = (
        task[module] for task in load(tasks / "apply.yml") if (module := f"infogerance.perimeter.{kind}") in task
    )
    assert planned.pop("expect_plan") != applied.pop("expect_plan")
    assert applied == planned
    assert list(applied) == list(planned)
