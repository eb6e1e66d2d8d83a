# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install what we measure against, each into a venv of its own below .cache."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def environment(group: str) -> Path:
    """The bin directory of a venv with a dependency group of pyproject.toml. Made when first asked for.

    It has the very ansible-core that this program runs beside, so that a
    difference is the contender's and not the core's.
    """
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    wanted = [*groups[group], f"ansible-core=={version('ansible-core')}"]
    mark = hashlib.sha256("\n".join([sys.version, *wanted]).encode()).hexdigest()
    home = ROOT / ".cache" / "bench" / group
    stamp = home / ".stamp"
    if not stamp.exists() or stamp.read_text(encoding="ascii") != mark:
        print(f"bench: installing {', '.join(wanted)}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
        subprocess.run([*pip, *wanted], check=True)
        stamp.write_text(mark, encoding="ascii")
    return home / "bin"


def release(binaries: Path, package: str) -> str:
    """The installed version of a peer, for the record."""
    program = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run([str(binaries / "python"), "-c", program], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()
