# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the report's page need: Debian's Chromium with its driver, Pango, pdftotext, and axe-core by npm.

    python tools/browser.py

Installs what is missing and says so. No browser is downloaded from anywhere but Debian.
"""

from __future__ import annotations

import subprocess

import pythons
import setup
import tree

AXE_VERSION = "4.11"
CACHE = tree.ROOT / ".cache" / "browser"
AXE = CACHE / "node_modules" / "axe-core" / "axe.min.js"
# Program -> Debian packages.
PROGRAMS = {
    "chromium": ("chromium", "fonts-dejavu-core"),
    "chromedriver": ("chromium-driver",),
    "pdftotext": ("poppler-utils",),
    "npm": ("npm",),
}
PANGO = ("libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0")


def ensure() -> None:
    """Install what is missing. Ends the program where that cannot be."""
    wanted = [name for program, names in PROGRAMS.items() if not pythons.has_program(program) for name in names]
    installed = subprocess.run(["dpkg-query", "-W", "-f", "x", *PANGO], capture_output=True)
    if installed.returncode != 0:
        wanted += PANGO
    if wanted:
        setup.apt_install(wanted, "the report's page is tested in a browser, and as PDF")
    if not AXE.exists():
        setup.say(f"installing axe-core {AXE_VERSION} below .cache/browser")
        CACHE.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(CACHE)]
        if subprocess.run([*command, f"axe-core@{AXE_VERSION}"]).returncode != 0:
            setup.fail("npm could not install axe-core; the message above says why")


if __name__ == "__main__":
    ensure()
