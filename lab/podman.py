# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one door to podman."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

from lab.errors import CommandError, LabError

# crun wants a pure cgroup v2 tree and high limits; runc runs on every kernel that was tried.
PODMAN: tuple[str, ...] = ("podman", "--runtime", "runc")
LIMITS: tuple[str, ...] = ("--ulimit", "nofile=20000:20000", "--ulimit", "nproc=10000:10000")


def environment() -> dict[str, str]:
    """The environment of each podman call: runc lives in /usr/sbin, which a login's PATH may lack."""
    return {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"}


def podman(
    *arguments: str,
    data: bytes | None = None,
    check: bool = True,
    timeout: float = 120,
) -> subprocess.CompletedProcess[bytes]:
    """Run podman and return its outcome, raw bytes. Raises CommandError when ``check`` and rc is not 0."""
    argv = [*PODMAN, *arguments]
    stdin: dict[str, Any] = {"stdin": subprocess.DEVNULL} if data is None else {"input": data}
    try:
        done = subprocess.run(argv, capture_output=True, timeout=timeout, env=environment(), check=False, **stdin)
    except FileNotFoundError as error:
        raise LabError(f"this machine has no {PODMAN[0]}") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"no answer after {timeout:.0f} s: {' '.join(argv)}") from error
    if check and done.returncode != 0:
        raise CommandError(
            argv, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        )
    return done


def text(*arguments: str, check: bool = True, timeout: float = 120) -> str:
    """Run podman and return what it printed, stripped."""
    return podman(*arguments, check=check, timeout=timeout).stdout.decode(errors="replace").strip()


def inspect_container(name: str) -> dict[str, Any] | None:
    """What podman knows about a container, or None."""
    done = podman("container", "inspect", name, check=False)
    if done.returncode != 0:
        return None
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found[0]


def image_exists(tag: str) -> bool:
    return podman("image", "exists", tag, check=False).returncode == 0


def containers(labels: dict[str, str]) -> list[dict[str, Any]]:
    """All containers, running or not, that carry every label. A machine without podman has none."""
    if shutil.which(PODMAN[0], path=environment()["PATH"]) is None:
        return []
    filters: list[str] = []
    for key, value in labels.items():
        filters += ["--filter", f"label={key}={value}"]
    found: list[dict[str, Any]] = json.loads(podman("ps", "-a", *filters, "--format", "json").stdout)
    return found


def remove_containers(names: Sequence[str]) -> None:
    """Kill and remove containers with the volumes that only they use. Absent ones are no error."""
    if names:
        podman("rm", "--force", "--ignore", "--volumes", "--time", "0", *names)
