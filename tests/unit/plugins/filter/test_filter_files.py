# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible executes the files of all filters, in each process of each task, wherever one of them is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
FILES = sorted(path.stem for path in (ROOT / "plugins" / "filter").glob("*.py") if path.stem != "__init__")
LOADED = """
import importlib, sys
prefix = "ansible_collections.infogerance.perimeter.plugins."
importlib.import_module(prefix + "filter." + sys.argv[1]).FilterModule().filters()
print(*(name for name in sys.modules if name.startswith(prefix + "module_utils.")))
"""


@pytest.mark.parametrize("name", FILES)
def test_a_filter_file_loads_no_code_of_the_servers_half(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, name],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.split() == []
