# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the documentation's site: the guides, the decisions, and a page for each plugin and role.

    python tools/docs_site.py [DIRECTORY]      (default: build/site)

antsibull-docs lays the site out and documents the plugins; Sphinx makes HTML of it. Both live in a venv below .cache.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import tree

HOME = tree.CACHE / "docs-site"
# No network is needed: Ansible's own pages are named, not linked.
CONF = """
extensions.append("myst_parser")
myst_heading_anchors = 3
# Most blocks of the guides are commands.
highlight_language = "text"
intersphinx_mapping = {}
suppress_warnings = ["myst.xref_missing", "ref.ref"]
"""
INDEX = """\
infogerance.perimeter
=====================

Who can still get in, and what was done on our servers?

.. toctree::
   :caption: First steps
   :maxdepth: 1

   guides/first_audit
   guides/audit_to_removal
   guides/departure
   guides/month_end
   guides/back_in

.. toctree::
   :caption: Guides
   :maxdepth: 1
   :glob:

   *
   molecule/README

.. toctree::
   :caption: Reference
   :maxdepth: 2

   collections/index

.. toctree::
   :caption: Decisions
   :maxdepth: 1
   :glob:

   decisions/*
"""


def venv() -> Path:
    """The venv's bin directory. Made when first asked for."""
    groups = tomllib.loads((tree.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    wanted = [*groups["controller"], *groups["docs-site"]]
    mark = hashlib.sha256("\n".join([sys.version, str(HOME), *wanted]).encode()).hexdigest()
    stamp = HOME / "venv" / ".stamp"
    if not stamp.exists() or stamp.read_text(encoding="ascii") != mark:
        print("docs-site: installing %d requirements" % len(wanted), flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(HOME / "venv")], check=True)
        pip = [str(HOME / "venv" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
        subprocess.run([*pip, *wanted], check=True)
        stamp.write_text(mark, encoding="ascii")
    return HOME / "venv" / "bin"


def main(output: Path) -> int:
    binaries = venv()
    collections = HOME / "collections" / "ansible_collections" / "infogerance"
    collections.mkdir(parents=True, exist_ok=True)
    # A copy of what git knows: antsibull-docs would read virtual environments and caches, too.
    tree.copy(collections / "perimeter", [name for name in tree.files(untracked=True) if not name.startswith("tests/")])
    environment = dict(
        os.environ,
        PATH=f"{binaries}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        ANSIBLE_COLLECTIONS_PATH=str(HOME / "collections"),
    )
    site = HOME / "site"
    shutil.rmtree(site, ignore_errors=True)
    site.mkdir(mode=0o700, parents=True)
    antsibull = str(binaries / "antsibull-docs")
    # What the project is called stands in conf.py; the theme comes with Ansible's own look.
    options = ["--use-current", "--fail-on-error", "--sphinx-theme", "sphinx_ansible_theme"]
    options += ["--project", "infogerance.perimeter", "--title", "infogerance.perimeter", "--dest-dir", str(site)]
    subprocess.run([antsibull, "sphinx-init", *options, "infogerance.perimeter"], env=environment, check=True)
    conf = site / "conf.py"
    conf.write_text(conf.read_text(encoding="utf-8") + CONF, encoding="utf-8")
    rst = site / "rst"
    pages = [
        antsibull,
        "collection",
        "--use-current",
        "--fail-on-error",
        "--dest-dir",
        str(rst),
        "infogerance.perimeter",
    ]
    shutil.copytree(tree.ROOT / "docs", rst, dirs_exist_ok=True)
    subprocess.run(pages, env=environment, check=True)
    (rst / "index.rst").write_text(INDEX, encoding="utf-8")
    shutil.rmtree(output, ignore_errors=True)
    build = [str(binaries / "sphinx-build"), "-M", "html", "rst", str(output), "-c", "."]
    build += ["-q", "-W", "--keep-going", "-j", "auto"]
    done = subprocess.run(build, cwd=site, env=environment, check=False)
    if done.returncode == 0:
        print(f"docs-site: {output / 'html' / 'index.html'}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else tree.ROOT / "build" / "site").absolute()))
