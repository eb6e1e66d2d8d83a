# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fresh Python that runs one of this package's modules: a forked one could inherit a lock that some thread holds."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

# Makes the collection importable by its full name without Ansible, whose import costs more than most work here.
_BOOTSTRAP = """
import importlib, os.path, sys, types
path = sys.argv[1]
for name in ("ansible_collections.infogerance.perimeter", "ansible_collections.infogerance", "ansible_collections"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [path]
    path = os.path.dirname(path)
importlib.import_module(sys.argv[2]).main()
"""


@dataclass(frozen=True)
class Running:
    """Such a process, and what it says, as bytes."""

    process: subprocess.Popen[bytes]
    answers: IO[bytes]


def command(module: str) -> list[str]:
    """The command line that calls main() of the module `module` of this package."""
    # -P: nothing that lies in the current directory is imported.
    full = f"{__package__}.{module}"
    return [sys.executable, "-P", "-c", _BOOTSTRAP, str(Path(__file__).parents[3]), full]


@contextlib.contextmanager
def running(module: str, request: Any, *, own_session: bool = False) -> Iterator[Running]:
    """Start it with a request as JSON on its standard input; at the end of the block it is killed, whatever it does.

    own_session: a signal to the terminal's processes does not reach it.
    """
    with subprocess.Popen(
        command(module),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=own_session,
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise AssertionError
        try:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(request).encode())
                process.stdin.close()
            yield Running(process, process.stdout)
        finally:
            process.kill()
