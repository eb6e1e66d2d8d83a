# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files into a directory or a working tree: where they go, and who can read them there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.contacts import publishing

FILES = {"contacts-acme.html": "<p>", "contacts-acme.json": "{}"}
AUTHOR = ("t", "t@example.org")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new working tree, and no settings but its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    top = tmp_path / "tree"
    subprocess.run(["git", "init", "-q", str(top)], check=True)
    return top


def committed(top: Path) -> list[str]:
    command = ["git", "-C", str(top), "show", "--name-only", "--format="]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def test_a_directory_that_is_made_can_be_entered_by_whoever_may_read_the_files(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        publishing.into_directory(tmp_path / "www" / "acme", FILES, 0o644)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "www", tmp_path / "www" / "acme")} == {0o755}


def test_nothing_is_made_to_see_what_would_be_written(tmp_path: Path) -> None:
    done = publishing.into_directory(tmp_path / "www", FILES, 0o644, pretend=True)
    assert [Path(path).name for path in done.written] == list(FILES)
    assert not list(tmp_path.iterdir())


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "www").write_text("in the way")
    with pytest.raises(publishing.PublishingError, match=f"^{tmp_path / 'www' / 'acme'}"):
        publishing.into_directory(tmp_path / "www" / "acme", FILES, 0o644)


def test_a_folder_inside_a_working_tree_gets_the_files_itself(tree: Path) -> None:
    (tree / "wiki").mkdir()
    done = publishing.into_repository(tree / "wiki", "acme", FILES, 0o644, "m", AUTHOR, push=False)
    assert done.written == [str(tree / "wiki" / "acme" / name) for name in FILES]
    assert committed(tree) == [f"wiki/acme/{name}" for name in FILES]
    assert publishing.into_repository(tree / "wiki", "acme", FILES, 0o644, "m", AUTHOR, push=False).commit is None


@pytest.mark.parametrize("below", ["acme [prod]", "a*", ":(top)", "-n"])
def test_a_folders_name_is_no_pattern_for_git(tree: Path, below: str) -> None:
    for other in ("acme p", "ab"):
        (tree / other).mkdir()
        (tree / other / "contacts-acme.html").write_text("somebody else's")
    done = publishing.into_repository(tree, below, FILES, 0o644, "m", AUTHOR, push=False)
    assert done.commit
    assert committed(tree) == [f"{below}/{name}" for name in FILES]
    (tree / "ab" / "contacts-acme.html").write_text("changed")
    assert publishing.into_repository(tree, below, FILES, 0o644, "m", AUTHOR, push=False).commit is None


@pytest.mark.parametrize(
    ("below", "said"), [("../..", "leads out of"), ("/", "leads out of"), ("../.git", "own files")]
)
def test_no_file_goes_beside_the_working_tree_or_into_its_own_folder(tree: Path, below: str, said: str) -> None:
    (tree / "wiki").mkdir()
    with pytest.raises(publishing.PublishingError, match=said):
        publishing.into_repository(tree / "wiki", below, FILES, 0o644, "m", AUTHOR, push=False)
    assert sorted(path.name for path in tree.iterdir()) == [".git", "wiki"]
