# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Molecule scenario that users copy into their CI works where nothing else of this repository is."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.podman import environment

ROOT = Path(__file__).resolve().parents[3]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def molecule(project: Path, *words: str, image: str, port: int) -> subprocess.CompletedProcess[str]:
    binaries = Path(sys.executable).parent
    kept = {name: value for name, value in environment().items() if not name.startswith(("ANSIBLE_", "MOLECULE_"))}
    kept.update(
        PATH=f"{binaries}{os.pathsep}{kept['PATH']}",
        HOME=str(project),
        NO_COLOR="1",
        COLUMNS="300",
        MOLECULE_IMAGE=image,
        MOLECULE_SSH_PORT=str(port),
        # What this machine's podman needs.
        MOLECULE_ENGINE_ARGUMENTS="--ulimit nofile=20000:20000 --ulimit nproc=10000:10000",
        MOLECULE_ENGINE=str(project / "engine"),
    )
    return subprocess.run(
        [str(binaries / "molecule"), *words], cwd=project, env=kept, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=900, check=False,
    )  # fmt: skip


@pytest.fixture
def project() -> Iterator[Path]:
    # Ansible's socket lies in its home, and a socket's path has 108 bytes at most: pytest's own path is too long.
    with tempfile.TemporaryDirectory(prefix="ipm-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.soak
def test_the_scenario_runs_from_an_empty_directory(module_hosts: Any, project: Path) -> None:
    # A host of the lab, only for the image that it runs.
    host = module_hosts("image")
    image = subprocess.run(
        ["podman", "inspect", "--format", "{{.ImageName}}", host.container],
        env=environment(), capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    shutil.copytree(ROOT / "docs" / "molecule" / "access", project / "molecule" / "access")
    engine = project / "engine"
    engine.write_text('#!/bin/sh\nexec podman --runtime runc "$@"\n')
    engine.chmod(0o755)
    port = free_port()
    try:
        done = molecule(project, "test", "-s", "access", image=image, port=port)
    finally:
        subprocess.run(
            ["podman", "rm", "--force", f"perimeter-molecule-{port}"],
            env=environment(),
            capture_output=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-20000:]
    # Molecule calls a run a success that met no host.
    assert "no hosts matched" not in done.stdout
    assert "See that the declared person gets in with her group, and that who left does not" in done.stdout
    assert "disable ssh_account carol" in done.stdout
