# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every file of the repository owes: a licence, and silence about where it was written."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import tree
import yaml

ROOT = tree.ROOT
NAMES = tree.files(untracked=True)
# Texts whose form is not ours to choose, or that cannot hold a comment.
NO_HEADER = re.compile(
    r"^(LICENSE|CHANGELOG\.md|changelogs/changelog\.yaml|.*\.(json|png|gz|sqlite3|svg)|tests/sanity/ignore-.*\.txt)$"
)
HEADER = (
    "Copyright (c) 2026, infogerance.perimeter contributors",
    "GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)",
    "SPDX-License-Identifier: GPL-3.0-or-later",
)
# Spelt in pieces, so that this file passes its own test.
LEAKS = {
    "a path of the machine it was written on": re.compile(r"(?<![\w.}/-])/wo" + r"rk(/|\b(?!-))"),
    "an issue or pull request number": re.compile(r"(?i)\b(issue|pr|pull request|fixes|closes|refs) ?" + r"#\d+"),
    "a registry's mirror on this machine": re.compile(r"/opt/(py" + r"pi|wheels)"),
    "a note to somebody who is not a reader": re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b"),
}
LONGEST = 600


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8", errors="replace")


def is_text(name: str) -> bool:
    path = ROOT / name
    return path.is_file() and not path.is_symlink() and b"\0" not in path.read_bytes()[:4096]


TEXTS = [name for name in NAMES if is_text(name)]
PYTHON = [name for name in TEXTS if name.endswith(".py")]


def test_the_repository_has_files_to_look_at() -> None:
    assert "galaxy.yml" in TEXTS
    assert len(PYTHON) > 10


@pytest.mark.parametrize("name", [name for name in TEXTS if not NO_HEADER.match(name)])
def test_a_file_begins_with_its_copyright_and_licence(name: str) -> None:
    beginning = "\n".join(text(name).split("\n")[:12])
    assert [line for line in HEADER if line not in beginning] == []


@pytest.mark.parametrize("name", TEXTS)
def test_a_file_speaks_of_the_project_only(name: str) -> None:
    if name == "LICENSE":
        return
    found = [
        f"{name}:{number}: {what}: {line.strip()[:80]}"
        for number, line in enumerate(text(name).split("\n"), 1)
        for what, pattern in LEAKS.items()
        if pattern.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("name", PYTHON)
def test_a_python_file_puts_annotations_off_and_stays_short(name: str) -> None:
    source = text(name)
    body = ast.parse(source).body
    code = [node for node in body if not isinstance(node, ast.Expr)]
    if code:
        first = code[0]
        assert isinstance(first, ast.ImportFrom), f"{name}: the first statement is no __future__ import"
        assert first.module == "__future__"
        assert [alias.name for alias in first.names] == ["annotations"]
    assert source.count("\n") <= LONGEST, f"{name} is too long: one real thing in each file"


def test_no_file_is_named_for_nothing() -> None:
    assert [name for name in PYTHON if Path(name).stem in {"utils", "helpers", "misc", "common"}] == []


def test_the_licence_is_the_full_text_of_gpl_3() -> None:
    licence = text("LICENSE")
    assert "GNU GENERAL PUBLIC LICENSE" in licence
    assert "Version 3, 29 June 2007" in licence
    assert licence.count("\n") > 600


def test_galaxy_runtime_and_pyproject_name_the_same_oldest_core() -> None:
    runtime = yaml.safe_load(text("meta/runtime.yml"))["requires_ansible"]
    pinned = re.search(r'"ansible-core>=([0-9.]+),', text("pyproject.toml"))
    assert pinned is not None
    assert runtime == f">={pinned.group(1)}.0"


def test_galaxy_needs_nothing_that_an_offline_install_cannot_get() -> None:
    galaxy = yaml.safe_load(text("galaxy.yml"))
    assert (galaxy["namespace"], galaxy["name"]) == ("infogerance", "perimeter")
    assert galaxy["dependencies"] == {}
    assert re.fullmatch(r"\d+\.\d+\.\d+", galaxy["version"])
