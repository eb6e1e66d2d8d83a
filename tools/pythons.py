# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the Python interpreters of this machine that really start.

A pyenv shim stands on PATH for every version that pyenv has ever installed and
answers "command not found" for those not selected. So nothing is believed
from a name: each candidate is run, and says itself who it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple, Optional

# sqlite3 and ssl are missing from a Python that was compiled without their
# headers; ensurepip from a Debian without python3-venv.
PROBE = "import venv, ensurepip, sqlite3, ssl, sys; print(*sys.version_info[:2]); print(sys.executable)"
FLOOR = (3, 9)
CONTROLLER_FLOOR = (3, 11)


class Interpreter(NamedTuple):
    """One usable interpreter: its version as (major, minor), and its real path."""

    version: tuple[int, int]
    path: Path


def ask(candidate: Path) -> Optional[Interpreter]:  # noqa: UP045 - read by Python 3.9
    """Run `candidate`; None if it does not start, or lacks what a venv needs."""
    try:
        done = subprocess.run(
            [str(candidate), "-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30, text=True
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.split("\n")
    if done.returncode != 0 or len(lines) < 2:
        return None
    major, minor = lines[0].split()
    # sys.executable, not the candidate: behind a shim lies the real program.
    return Interpreter((int(major), int(minor)), Path(lines[1]))


def candidates() -> list[Path]:
    """Paths worth asking, the newest version's names first."""
    found: list[Path] = []
    names = ["python3.%d" % minor for minor in range(13, 8, -1)] + ["python3"]
    for name in names:
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
            path = Path(folder) / name
            if folder and os.access(path, os.X_OK):
                found.append(path)
    pyenv = Path(os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv")))
    found += sorted(pyenv.glob("versions/*/bin/python3"), reverse=True)
    return found


def usable() -> list[Interpreter]:
    """All interpreters from 3.9 on that start, newest first, one for each version.

    A system's own Python comes before another of the same version, because
    it is the one that the distribution keeps patched.
    """
    best: dict[tuple[int, int], Interpreter] = {}
    asked: set[Path] = set()
    for candidate in candidates():
        real = candidate.resolve()
        # Every shim is the same script: its name decides what it starts.
        key = candidate if real.suffix == "" and "shims" in candidate.parts else real
        if key in asked:
            continue
        asked.add(key)
        answer = ask(candidate)
        if answer is None or answer.version < FLOOR:
            continue
        held = best.get(answer.version)
        if held is None or (answer.path.is_relative_to("/usr/bin") and not held.path.is_relative_to("/usr/bin")):
            best[answer.version] = answer
    return [best[version] for version in sorted(best, reverse=True)]


def controller() -> Optional[Interpreter]:  # noqa: UP045 - read by Python 3.9
    """The newest interpreter that can run the controller side, up to 3.13."""
    for interpreter in usable():
        if CONTROLLER_FLOOR <= interpreter.version <= (3, 13):
            return interpreter
    return None


def search_path(first: Path) -> str:
    """A PATH where `first` leads and every python3.X is a program that starts."""
    folders = [str(first)]
    folders += [str(interpreter.path.parent) for interpreter in usable()]
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if folder and "shims" not in Path(folder).parts:
            folders.append(folder)
    return os.pathsep.join(dict.fromkeys(folders))


def has_program(name: str) -> bool:
    """Whether PATH leads to a program of that name."""
    return shutil.which(name) is not None
