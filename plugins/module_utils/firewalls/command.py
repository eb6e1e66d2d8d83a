# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one of the server's own tools and tell in one line what it complained about."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from typing import Any

from .protocol import SinkError

__all__ = ["Finished", "attempt", "find", "later", "must"]

#: Directories of system tools; what runs under sudo or cron may have a shorter PATH.
DIRECTORIES = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
TIMEOUT = 90.0


class Finished:
    """Return code and output of a command."""

    def __init__(self, argv: Sequence[str], code: int, stdout: str, stderr: str) -> None:
        self.argv = list(argv)
        self.code = code
        self.stdout = stdout
        self.stderr = stderr

    @property
    def complaint(self) -> str:
        """The command and the first lines it said about its failure."""
        said = [line.strip() for line in (self.stderr.strip() or self.stdout.strip()).splitlines() if line.strip()]
        # Some tools warn at length before they come to the point.
        said.sort(key=lambda line: 0 if re.search(r"\b(error|emerg|failed)\b", line, re.IGNORECASE) else 1)
        return "%s: exit %d: %s" % (" ".join(self.argv[:4]), self.code, " | ".join(said[:3])[:500] or "no output")


def find(program: str) -> str | None:
    """Path of a program, or None. An absolute path is only checked."""
    if program.startswith("/"):
        return program if os.access(program, os.X_OK) else None
    for folder in DIRECTORIES:
        path = os.path.join(folder, program)
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    return None


def later(argv: Sequence[str], stdin: str = "") -> dict[str, Any]:
    """A command for the roll-back program: by its path, since nothing is known of the environment it will have."""
    return {"argv": [find(argv[0]) or argv[0], *argv[1:]], "input": stdin}


def attempt(argv: Sequence[str], stdin: str | None = None, timeout: float = TIMEOUT) -> Finished:
    """Run and return, whatever the exit code. Raises SinkError if it can't be run or hangs."""
    path = find(argv[0])
    if path is None:
        raise SinkError("%s is not installed" % argv[0])
    environment = {"LC_ALL": "C", "PATH": ":".join(DIRECTORIES), "HOME": "/root"}
    try:
        done = subprocess.run(
            [path] + list(argv[1:]),
            input=stdin.encode("utf-8") if stdin is not None else None,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            env=environment,
            cwd="/",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SinkError("%s did not finish within %g s" % (" ".join(argv[:4]), timeout)) from None
    except OSError as error:
        raise SinkError("%s can't be run: %s" % (argv[0], error)) from None
    return Finished(
        argv, done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    )


def must(
    argv: Sequence[str], stdin: str | None = None, codes: tuple[int, ...] = (0,), timeout: float = TIMEOUT
) -> Finished:
    """Run and return; raises SinkError on any other exit code."""
    done = attempt(argv, stdin, timeout)
    if done.code not in codes:
        raise SinkError(done.complaint)
    return done
