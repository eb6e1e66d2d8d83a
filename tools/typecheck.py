# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run mypy over everything that is Python here.

    python tools/typecheck.py

Plugins import each other as ansible_collections.infogerance.perimeter..., which
is no path below the checkout. mypy is shown a link of that name, so each file
has one module name only.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import tree

LINK = tree.CACHE / "types" / "ansible_collections" / "infogerance" / "perimeter"
# What runs on a managed server. mypy knows no older target than 3.10; that
# nothing newer than 3.9 slips in is for ruff and for sanity's compile test.
ON_SERVERS = ("plugins/module_utils", "plugins/modules")
ON_CONTROLLER = (
    "plugins/plugin_utils",
    "plugins/callback",
    "plugins/action",
    "plugins/lookup",
    "plugins/filter",
    "plugins/test",
)


def mypy(label: str, targets: list[Path], search: list[Path], *options: str) -> bool:
    # With no Python file mypy would call it an error; here it is a room not yet built.
    targets = [target for target in targets if target.is_file() or any(target.rglob("*.py"))]
    if not targets:
        print("types: %s: nothing there yet" % label, flush=True)
        return True
    print("types: %s" % label, flush=True)
    environment = dict(os.environ, MYPYPATH=os.pathsep.join(str(path) for path in search))
    command = [sys.executable, "-m", "mypy", "--config-file", str(tree.ROOT / "pyproject.toml"), *options]
    return subprocess.run([*command, *map(str, targets)], env=environment, cwd=tree.ROOT).returncode == 0


def main() -> int:
    LINK.parent.mkdir(parents=True, exist_ok=True)
    if not LINK.is_symlink():
        LINK.symlink_to(tree.ROOT, target_is_directory=True)
    top = LINK.parent.parent.parent
    root = tree.ROOT
    results = [
        mypy("managed servers", [LINK / name for name in ON_SERVERS], [top], "--python-version", "3.10"),
        mypy("controller", [LINK / name for name in ON_CONTROLLER], [top]),
        mypy("lab", [root / "lab"], [root]),
        mypy("tools", [root / "tools"], [root / "tools", root]),
        mypy("benchmarks", [root / "benchmarks"], [root / "benchmarks", root / "tools", root]),
    ]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
