# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the checkout's working environment: `.venv`, with everything in it.

    python3 tools/setup.py [--force]

Any python3 >= 3.9 can start it. It uses the standard library only, installs
Debian packages that are missing and says which, and chooses the newest usable
Python for the venv. A stamp makes the second run a matter of milliseconds; it
covers the wanted versions, so a changed pyproject.toml installs anew.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pythons

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / ".setup-stamp"
GROUPS = ("controller", "team", "report", "metrics", "browser", "dev")
# Raise it when this file changes in a way that old venvs must follow.
RECIPE = "1"
# Program -> Debian package. Only what the stages really start.
PROGRAMS = {
    "git": "git",
    "make": "make",
    "ssh": "openssh-client",
    "shellcheck": "shellcheck",
}


def say(text: str) -> None:
    print("setup: " + text, flush=True)


def fail(text: str) -> None:
    sys.exit("setup: " + text)


def apt_install(packages: list[str], why: str) -> None:
    """Install Debian packages, as root or through sudo. Ends the program where that cannot be."""
    say("%s; installing %s" % (why, " ".join(packages)))
    if shutil.which("apt-get") is None:
        fail("this is no Debian-like system; please install by hand: " + " ".join(packages))
    prefix = [] if os.geteuid() == 0 else ["sudo"]
    command = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
    install = [*command, "install", "--yes", "--no-install-recommends", *packages]
    # A fresh machine has no package lists yet: try, then update and try again.
    if subprocess.run(install, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode == 0:
        return
    subprocess.run([*command, "update"], stdout=subprocess.DEVNULL)
    if subprocess.run(install, stdout=subprocess.DEVNULL).returncode != 0:
        fail("apt-get could not install " + " ".join(packages))


def missing_packages() -> list[str]:
    return sorted({package for program, package in PROGRAMS.items() if not pythons.has_program(program)})


def choose_python() -> pythons.Interpreter:
    chosen = pythons.controller()
    if chosen is None:
        apt_install(["python3", "python3-venv"], "no usable Python 3.11 or newer")
        chosen = pythons.controller()
    if chosen is None:
        fail("a Python from 3.11 to 3.13 with venv, sqlite3 and ssl is needed; none was found")
        raise AssertionError
    return chosen


def wanted(pyproject: bytes) -> list[str]:
    """The requirements of the groups, in order. Runs under Python >= 3.11 only."""
    import tomllib

    groups = tomllib.loads(pyproject.decode())["dependency-groups"]
    return [requirement for group in GROUPS for requirement in groups[group]]


def fingerprint(requirements: list[str]) -> str:
    return hashlib.sha256("\n".join([RECIPE, str(VENV), *requirements]).encode()).hexdigest()


def stamped() -> str:
    """What the stamp says, if the venv's Python still starts."""
    python = VENV / "bin" / "python"
    try:
        if subprocess.run([str(python), "-c", ""]).returncode != 0:
            return ""
        return STAMP.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def collection_link() -> Path:
    """Where Ansible looks for the collection inside the venv."""
    library = next((VENV / "lib").glob("python3.*"))
    return library / "site-packages" / "ansible_collections" / "infogerance" / "perimeter"


def link_collection() -> None:
    """Link the checkout into the venv: edits count at once, no copy can go stale."""
    link = collection_link()
    if link.is_symlink() and link.readlink() == ROOT:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(ROOT, target_is_directory=True)


def make_venv(chosen: pythons.Interpreter, requirements: list[str]) -> None:
    python = VENV / "bin" / "python"
    current = pythons.ask(python) if python.exists() else None
    if current is None or current.version != chosen.version:
        say("making .venv with %s (Python %d.%d)" % (chosen.path, *chosen.version))
        subprocess.run([str(chosen.path), "-m", "venv", "--clear", str(VENV)], check=True)
    say("installing %d requirements" % len(requirements))
    STAMP.unlink(missing_ok=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
    if subprocess.run([*pip, "--upgrade", *requirements]).returncode != 0:
        fail("pip could not install the requirements; the message above says why")


def under_new_python(chosen: pythons.Interpreter) -> None:
    """Go on under a Python that reads TOML, if this one cannot."""
    if sys.version_info < pythons.CONTROLLER_FLOOR:
        os.execv(str(chosen.path), [str(chosen.path), *sys.argv])  # noqa: S606


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--force", action="store_true", help="install anew even if nothing changed")
    force = parser.parse_args().force

    started = time.monotonic()
    packages = missing_packages()
    if packages:
        apt_install(packages, "programs are missing")
    pyproject = (ROOT / "pyproject.toml").read_bytes()
    if sys.version_info < pythons.CONTROLLER_FLOOR:
        under_new_python(choose_python())
    requirements = wanted(pyproject)
    mark = fingerprint(requirements)
    if force or stamped() != mark:
        make_venv(choose_python(), requirements)
        link_collection()
        STAMP.write_text(mark + "\n", encoding="ascii")
        say("ready in %.0f s" % (time.monotonic() - started))
    else:
        link_collection()


if __name__ == "__main__":
    main()
