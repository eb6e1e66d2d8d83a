# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run `ansible-test sanity --local` on a copy of the tree.

    python tools/sanity.py [ARGUMENTS OF ansible-test sanity ...]

ansible-test wants .../ansible_collections/NAMESPACE/NAME and resolves links, so
it gets a copy in .cache. It takes every pythonX.Y on PATH at its word, so it
gets a PATH where each of them starts. It makes venvs with a script downloaded
from the pip project; see `provide_get_pip` for machines that cannot.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pythons
import tree

COPY = tree.CACHE / "sanity" / "ansible_collections" / "infogerance" / "perimeter"
# What ansible-test can judge: Ansible content and its tests. The tools and the
# lab are plain Python, which the lint and types stages check.
LEFT_OUT = ("tools/", "lab/", "benchmarks/", "extensions/", ".")

GET_PIP = """\
# Stand-in for get-pip.py, written by infogerance.perimeter's tools/sanity.py
# because the real script could not be downloaded on this machine. It installs
# the requested packages with the pip that Python itself bundles. Remove this
# file to let ansible-test download the real one.
import subprocess
import sys

wanted = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
subprocess.check_call([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"] + wanted)
"""


def get_pip_names(ansible_test: Path) -> dict[str, str]:
    """Cache file name -> download address of each get-pip that this ansible-test may want.

    Both are read from ansible-test itself: they change with its version.
    """
    source = (ansible_test / "_util" / "target" / "setup" / "requirements.py").read_text(encoding="utf-8")
    if "get_pip_%s.py" not in source:
        return {}
    versions = (ansible_test / "_internal" / "python_requirements.py").read_text(encoding="utf-8")
    addresses = re.findall(r"https://[^'\"\s]*get-pip-%s\.py", source)
    names = {}
    for version in set(re.findall(r"\bpip=['\"]([0-9.]+)['\"]", versions)):
        name = "get_pip_%s.py" % version.replace(".", "_")
        names[name] = addresses[0].replace("%s", version) if addresses else "https://bootstrap.pypa.io/get-pip.py"
    return names


def reachable(address: str) -> bool:
    """Whether the address answers within a few seconds."""
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except (OSError, urllib.error.URLError, ValueError):
        return False


def provide_get_pip() -> None:
    """Where get-pip.py cannot be downloaded, put a stand-in into ansible-test's cache.

    ansible-test names this very file in its error message as the way out. The
    real download stays the first choice: the stand-in is written only when the
    cache is empty and the address does not answer.
    """
    import ansible_test  # type: ignore[import-untyped]

    cache = Path.home() / ".ansible" / "test" / "cache"
    for name, address in get_pip_names(Path(str(ansible_test.__path__[0]))).items():
        if (cache / name).exists() or reachable(address):
            continue
        print("sanity: %s does not answer; writing a stand-in to %s" % (address, cache / name), flush=True)
        cache.mkdir(parents=True, exist_ok=True)
        (cache / name).write_text(GET_PIP, encoding="ascii")


def main(arguments: list[str]) -> int:
    names = [name for name in tree.files(untracked=True) if not name.startswith(LEFT_OUT)]
    tree.copy(COPY, names)
    # ansible-test asks the nearest git repository for the files. The checkout's
    # would answer that .cache is ignored, so the copy gets an empty one of its own.
    if not (COPY / ".git").exists():
        subprocess.run(["git", "init", "--quiet", str(COPY)], check=True)
    provide_get_pip()
    binaries = Path(sys.executable).parent
    environment = dict(os.environ, PATH=pythons.search_path(binaries))
    command = [str(binaries / "ansible-test"), "sanity", "--local", "--color", "no", *arguments]
    return subprocess.run(command, cwd=COPY, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
