# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one exception family of the lab."""

from __future__ import annotations

from collections.abc import Sequence


class LabError(RuntimeError):
    """Something the lab needs is missing or did not work; the message says what to do."""


class CommandError(LabError):
    """A command ended with a non-zero code."""

    def __init__(self, argv: Sequence[str], returncode: int, stdout: str, stderr: str) -> None:
        self.argv = list(argv)
        self.returncode = returncode
        self.stdout = stdout
        self.stderr = stderr
        super().__init__(f"rc {returncode}: {' '.join(argv)}\nstdout: {stdout[-2000:]}\nstderr: {stderr[-2000:]}")
