# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the Molecule scenarios, and believe none that has met no host.

    python tools/scenarios.py [ARGUMENTS OF molecule test ...]     (default: --all)

Molecule calls a scenario a success when no host matched. Its output is
watched for that.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import tree

HOLLOW = ("skipping: no hosts matched", "Could not match supplied host pattern", "provided hosts list is empty")


def main(arguments: list[str]) -> int:
    scenarios = sorted(path.parent.name for path in tree.ROOT.glob("extensions/molecule/*/molecule.yml"))
    if not scenarios:
        print("molecule: no scenario found below extensions/molecule")
        return 1
    binaries = Path(sys.executable).parent
    # Molecule runs ansible-playbook by name; the repository's own must come first.
    environment = dict(os.environ, PATH=f"{binaries}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
    command = [str(binaries / "molecule"), "test", *(arguments or ["--all"])]
    hollow = []
    with subprocess.Popen(
        command,
        cwd=tree.ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            if any(sign in line for sign in HOLLOW):
                hollow.append(line.strip())
    if hollow:
        print("molecule: FAILED: a play met no host, so it proved nothing: " + hollow[0])
        return 1
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
