# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The execution environment: ansible-builder takes the definition, and finds in the collection what it needs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import tree
import yaml

BUILDER = str(Path(sys.executable).with_name("ansible-builder"))
DEFINITION = tree.ROOT / "docs" / "execution_environment" / "execution-environment.yml"


def run(*arguments: str, folder: Path) -> str:
    done = subprocess.run([BUILDER, *arguments], cwd=folder, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_ansible_builder_makes_a_build_context_of_the_definition(tmp_path: Path) -> None:
    shutil.copy(DEFINITION, tmp_path)
    version = yaml.safe_load((tree.ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"]
    # What is in the tarball does not matter here; that it gets into the context does.
    tarball = tmp_path / f"infogerance-perimeter-{version}.tar.gz"
    tarball.write_bytes(b"")
    run("create", "-f", DEFINITION.name, "-c", "context", folder=tmp_path)
    wanted = yaml.safe_load((tmp_path / "context" / "_build" / "requirements.yml").read_text(encoding="utf-8"))
    (collection,) = wanted["collections"]
    assert (tmp_path / "context" / "_build" / collection["name"]).exists()
    assert "ansible-core>=2.19,<2.22" in (tmp_path / "context" / "Containerfile").read_text(encoding="utf-8")


def test_the_collection_tells_what_an_environment_needs_and_it_is_what_we_test_with(tmp_path: Path) -> None:
    found = yaml.safe_load(run("introspect", "--sanitize", sysconfig.get_path("purelib"), folder=tmp_path))
    ours = {line.partition("  #")[0] for line in found["python"] if line.endswith("infogerance.perimeter")}
    groups = tomllib.loads((tree.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    assert ours == {*groups["team"], *groups["report"], *groups["metrics"]}
    assert any("openssh-client" in line for line in found["system"])
