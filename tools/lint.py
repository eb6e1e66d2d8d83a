# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run every linter and say at the end which of them object.

python tools/lint.py [NAME ...]     (default: all)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import tree

BIN = Path(sys.executable).parent


def shell_scripts() -> list[str]:
    """Tracked and new files that a shell reads."""
    found = []
    for name in tree.files(untracked=True):
        path = tree.ROOT / name
        if path.is_symlink() or not path.is_file():
            continue
        with path.open("rb") as handle:
            first = handle.readline(80)
        if first.startswith(b"#!") and (b"bash" in first or first.rstrip().endswith(b"/sh")):
            found.append(name)
    return found


def commands() -> dict[str, list[str]]:
    """Linter's name -> its command, as run from the checkout's root."""
    return {
        "ruff": [str(BIN / "ruff"), "check", "."],
        "ruff-format": [str(BIN / "ruff"), "format", "--check", "--diff", "."],
        "yamllint": [str(BIN / "yamllint"), "--strict", "."],
        "shellcheck": ["shellcheck", "--severity=style", *shell_scripts()],
        "ansible-lint": [str(BIN / "ansible-lint"), "--offline", "--profile", "production", "--nocolor", "-q"],
        "changelog": [str(BIN / "antsibull-changelog"), "lint"],
        "docs": [
            *[str(BIN / "antsibull-docs"), "lint-collection-docs", ".", "--plugin-docs"],
            *["--validate-collection-refs", "all", "--disallow-unknown-collection-refs"],
        ],
        # A test file that can't be imported shows here in seconds, not after the hosts have started.
        "collect": [str(BIN / "python"), "-m", "pytest", "--collect-only", "-qqq", "tests"],
    }


def main(names: list[str]) -> int:
    every = commands()
    unknown = set(names) - set(every)
    if unknown:
        sys.exit("lint: unknown: %s; known: %s" % (", ".join(sorted(unknown)), ", ".join(every)))
    # Tools that start tools (ansible-lint starts ansible-playbook) must find the venv's.
    environment = dict(os.environ, PATH="%s%s%s" % (BIN, os.pathsep, os.environ.get("PATH", os.defpath)))
    environment["ANSIBLE_LINT_NODEPS"] = "1"
    failed = []
    for name in names or list(every):
        command = every[name]
        if shutil.which(command[0]) is None:
            print("lint: %s: not installed; run make setup" % name, flush=True)
            failed.append(name)
            continue
        started = time.monotonic()
        # What a clean run lists is of no use; what a failed one says is printed whole.
        run = subprocess.run(
            command, cwd=tree.ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        code = run.returncode
        if code != 0:
            print(run.stdout, end="", flush=True)
        print("lint: %s: %s (%.1f s)" % (name, "ok" if code == 0 else "FAILED", time.monotonic() - started), flush=True)
        if code != 0:
            failed.append(name)
    if failed:
        print("lint: failed: " + ", ".join(failed), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
