# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which revision of the playbooks ran. Asked of git, within a bounded time, and never a reason to fail."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

TIMEOUT = 2.0


class Revision:
    """Starts git at once and is read later, so that both sides work at the same time."""

    def __init__(self, directory: Path, timeout: float = TIMEOUT) -> None:
        self._deadline = time.monotonic() + timeout
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = subprocess.Popen(
                # A repository's own settings may name programs to run: none of them is wanted here.
                ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "status", "--porcelain=v2"]
                + ["--branch", "--untracked-files=no", "--ignore-submodules=all"],
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
                start_new_session=True,
            )
        except OSError:
            self._process = None

    def result(self) -> dict[str, Any]:
        """commit (None when unknown), branch, dirty (tracked files differ), and `unknown` with the reason."""
        if self._process is None:
            return {"commit": None, "unknown": "git is not installed"}
        try:
            output, _unused = self._process.communicate(timeout=max(0.05, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return {"commit": None, "unknown": "git took too long"}
        if self._process.returncode != 0:
            return {"commit": None, "unknown": "not a git work tree, or not one that git trusts"}
        return parse(output.decode("utf-8", "replace"))


def parse(output: str) -> dict[str, Any]:
    """Read `git status --porcelain=v2 --branch`."""
    commit: str | None = None
    branch: str | None = None
    dirty = False
    for line in output.splitlines():
        if line.startswith("# branch.oid "):
            commit = line.split(" ", 2)[2]
        elif line.startswith("# branch.head "):
            branch = line.split(" ", 2)[2]
        elif line and not line.startswith("#"):
            dirty = True
    if commit in (None, "(initial)"):
        return {"commit": None, "unknown": "no commit yet"}
    return {"commit": commit, "branch": None if branch == "(detached)" else branch, "dirty": dirty}
