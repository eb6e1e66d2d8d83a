# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the collection's tarball from tracked files only.

    python tools/build.py [DIRECTORY]      (default: build)

Prints the tarball's path. A key or a log that lies in the checkout cannot get in.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import tree


def build(output: Path, *, untracked: bool = False) -> Path:
    """Build into `output` and return the tarball's path."""
    source = tree.CACHE / "build" / "infogerance" / "perimeter"
    tree.copy(source, tree.files(untracked=untracked))
    output.mkdir(parents=True, exist_ok=True)
    galaxy = Path(sys.executable).parent / "ansible-galaxy"
    subprocess.run(
        [str(galaxy), "collection", "build", "--force", "--output-path", str(output), str(source)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return max(output.glob("infogerance-perimeter-*.tar.gz"), key=lambda path: path.stat().st_mtime)


if __name__ == "__main__":
    print(build(Path(sys.argv[1] if len(sys.argv) > 1 else tree.ROOT / "build")))
