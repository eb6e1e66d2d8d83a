# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The oldest supported Ansible, in a venv of its own. `make matrix` has all of them."""

from __future__ import annotations

import subprocess
import sys

import tree


def test_the_oldest_pair_records_as_the_newest_does() -> None:
    done = subprocess.run(
        [sys.executable, str(tree.ROOT / "tools" / "matrix.py"), "--sample"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout
