# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tarball itself: built, installed offline where nothing else is, and read back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import build
import pytest
import tree

BIN = Path(sys.executable).parent
# The kinds of plugin that ansible-doc lists.
DOCUMENTED = ("callback", "filter", "lookup", "module", "test")
FOLDERS = {"module": "modules"}
FOR_DEVELOPERS = (".git", ".venv", ".cache", ".lab", ".ci", "tests", "tools", "lab", "benchmarks", "extensions")


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build.build(tmp_path_factory.mktemp("artifact"), untracked=True)


@pytest.fixture(scope="module")
def installed(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("collections")
    subprocess.run(
        [BIN / "ansible-galaxy", "collection", "install", "--offline", "--force", "-p", home, tarball],
        check=True,
        env=environment(home),
        capture_output=True,
        text=True,
    )
    return home / "ansible_collections" / "infogerance" / "perimeter"


def environment(home: Path) -> dict[str, str]:
    return dict(os.environ, ANSIBLE_COLLECTIONS_PATH=str(home), ANSIBLE_LOCAL_TEMP=str(home / "tmp"), NO_COLOR="1")


def in_tree(kind: str) -> set[str]:
    folder = tree.ROOT / "plugins" / FOLDERS.get(kind, kind)
    return {"infogerance.perimeter." + path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}


def test_the_tarball_holds_what_users_run_and_nothing_else(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        names = archive.getnames()
    assert {"MANIFEST.json", "LICENSE", "README.md", "meta/runtime.yml"} - set(names) == set()
    assert [name for name in names if name.split("/")[0] in FOR_DEVELOPERS] == []
    assert [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".tar.gz"))] == []
    shipped = {name for name in tree.files(untracked=True) if name.startswith(("plugins/", "roles/", "playbooks/"))}
    assert shipped - set(names) == set()


def test_an_installed_copy_is_found_and_documents_each_plugin(installed: Path) -> None:
    home = installed.parent.parent.parent
    for kind in DOCUMENTED:
        expected = in_tree(kind)
        if not expected:
            continue
        done = subprocess.run(
            [BIN / "ansible-doc", "--json", "-t", kind, *sorted(expected)],
            env=environment(home),
            cwd=home,
            capture_output=True,
            text=True,
            check=True,
        )
        documents: dict[str, Any] = json.loads(done.stdout)
        assert set(documents) == expected
        for name, document in documents.items():
            # Not the checkout's own copy, which the venv links to.
            assert document["doc"]["filename"].startswith(str(installed)), name
            assert document["doc"]["description"], name


def test_an_installed_copy_documents_each_role(installed: Path) -> None:
    home = installed.parent.parent.parent
    roles = {"infogerance.perimeter." + path.name for path in (tree.ROOT / "roles").glob("[!_]*")}
    if not roles:
        return
    done = subprocess.run(
        [BIN / "ansible-doc", "--json", "-t", "role", *sorted(roles)],
        env=environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(json.loads(done.stdout)) == roles


def test_an_installed_copys_playbooks_are_read_by_ansible(installed: Path) -> None:
    home = installed.parent.parent.parent
    for playbook in sorted((installed / "playbooks").glob("*.yml")):
        done = subprocess.run(
            [BIN / "ansible-playbook", "--syntax-check", "infogerance.perimeter." + playbook.stem],
            env=environment(home),
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
