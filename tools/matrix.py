# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run tests under every supported ansible-core, with every Python of this machine that it takes.

Recording, which touches Ansible's inner life; and the role access with all three kinds on lab hosts of Debian 11 to 13.

    python tools/matrix.py [--sample] [ARGUMENTS OF pytest ...]

Each pair gets a venv below .cache/matrix, made when first asked for. --sample takes the oldest core with its oldest
Python, and the tests that touch Ansible's inner life most. The exit code is 1 if any pair failed.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import time
from pathlib import Path

import pythons
import tree

# ansible-core -> the oldest and the newest Python that it supports on a controller.
CORES = {"2.19": ((3, 11), (3, 13)), "2.20": ((3, 12), (3, 14)), "2.21": ((3, 12), (3, 14))}
PACKAGES = ("pytest>=9.0,<10", "pytest-xdist>=3.8,<4", "ansible-runner>=2.4,<3", "PyYAML>=6", "Jinja2>=3.1")
#: What is selected by -m, and where.
LAB = ("soak", "tests/integration/platforms")
TESTS = ("tests/integration/recording", "tests/integration/faults/test_faults.py")
SAMPLE = "told_apart or loops_includes or once_on_many_hosts or planted_secret"


def pairs() -> list[tuple[str, pythons.Interpreter]]:
    """Core and Python, oldest first."""
    usable = sorted(pythons.usable(), key=lambda found: found.version)
    return [
        (core, found)
        for core, (oldest, newest) in CORES.items()
        for found in usable
        if oldest <= found.version <= newest
    ]


def venv(core: str, interpreter: pythons.Interpreter) -> Path:
    """The Python of that pair's venv."""
    home = tree.CACHE / "matrix" / ("%s-py%d.%d" % (core, *interpreter.version))
    wanted = ["ansible-core~=%s.0" % core, *PACKAGES]
    mark = hashlib.sha256("\n".join([str(interpreter.path), str(home), *wanted]).encode()).hexdigest()
    stamp = home / ".stamp"
    python = home / "bin" / "python"
    if not stamp.exists() or stamp.read_text(encoding="ascii") != mark:
        print("matrix: installing %s" % ", ".join(wanted), flush=True)
        subprocess.run([str(interpreter.path), "-m", "venv", "--clear", str(home)], check=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
        subprocess.run([*pip, *wanted], check=True)
        package = next((home / "lib").glob("python3.*")) / "site-packages" / "ansible_collections" / "infogerance"
        package.mkdir(parents=True)
        (package / "perimeter").symlink_to(tree.ROOT, target_is_directory=True)
        stamp.write_text(mark, encoding="ascii")
    return python


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sample", action="store_true", help="the oldest pair only, and a few tests")
    arguments, more = parser.parse_known_args()
    chosen = pairs()
    missing = set(CORES) - {core for core, _found in chosen}
    if missing:
        print("matrix: no Python on this machine for ansible-core " + ", ".join(sorted(missing)))
    tests = ["tests/integration/recording", "-k", SAMPLE] if arguments.sample else [*TESTS]
    failed = bool(missing) or not chosen
    for core, interpreter in chosen[:1] if arguments.sample else chosen:
        python = venv(core, interpreter)
        begun = time.monotonic()
        for mark, *chosen_tests in [("not soak", *tests)] if arguments.sample else [("not soak", *tests), LAB]:
            options = ["-q", "-o", "cache_dir=.cache/matrix/pytest", "-m", mark, "-n", "2"]
            command = [str(python), "-m", "pytest", *options, *chosen_tests, *more]
            done = subprocess.run(command, cwd=tree.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode:
                print(done.stdout, flush=True)
                failed = True
            last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "no output"
            what = "ansible-core %s, Python %d.%d, %s" % (core, *interpreter.version, chosen_tests[-1])
            print("matrix: %s: %s (%.0f s)" % (what, last.strip("= "), time.monotonic() - begun), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
