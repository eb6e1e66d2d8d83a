# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker and Podman without root: their storage below homes, their sockets, their containers and images.

The engine is the distribution's or the user's; the images are always the user's to renew. A container's own
configuration holds its environment, so passwords: it is not read. Names and images come from the lists of
containers/storage (``containers.json``, ``images.json``) and from Docker's ``repositories.json``.
"""

from __future__ import annotations

import datetime
import os
import re
import stat
from collections.abc import Iterator
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.account_database import Account
from ansible_collections.infogerance.perimeter.plugins.module_utils.homes import open_directory

from .json_files import field, loaded, text_of
from .runtime import Recognise, Runtime
from .user_space import UserSpace
from .version_managers import folders

__all__ = ["MARKERS", "look", "moment"]

MARKERS: dict[str, Recognise] = {}
PODMAN = ".local/share/containers/storage"
DOCKER = ".local/share/docker"
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)")
SOCKETS = (("podman", "podman/podman.sock"), ("docker", "docker.sock"))


def look(space: UserSpace) -> Iterator[Runtime]:
    """Each user's."""
    running = _running(space)
    for account, home in space.users():
        yield from _podman(space, account, os.path.join(home, PODMAN), running)
        yield from _docker(space, account, os.path.join(home, DOCKER), running)
        yield from _sockets(space, account)


def _running(space: UserSpace) -> set[tuple[int, str]]:
    """(uid, container id) of what runs: conmon and containerd's shim carry the id on their command line."""
    found: set[tuple[int, str]] = set()
    for process in space.processes.processes.values():
        if process.comm.startswith(("conmon", "containerd-shim")):
            words = process.words
            for flag, value in zip(words, words[1:]):
                if flag in ("-c", "--cid", "-id", "--id"):
                    found.add((process.uid, value))
    return found


def _engine(space: UserSpace, name: str) -> str:
    return "system" if space.look("/usr/bin/" + name, content=False) else "own"


def _podman(space: UserSpace, account: Account, place: str, running: set[tuple[int, str]]) -> Iterator[Runtime]:
    drivers = [name for name, _at in folders(space, place, account) if name.endswith("-containers")]
    if not drivers:
        return
    base = _engine(space, "podman")
    yield Runtime("container_storage", place, account.name, "podman", None, base)
    for driver in drivers:
        images = _images(space, account, os.path.join(place, driver.replace("-containers", "-images")))
        used: set[str] = set()
        path = os.path.join(place, driver, "containers.json")
        for row in _rows(space, account, path):
            ident, image = text_of(row.get("id")) or "", text_of(row.get("image")) or ""
            used.add(image)
            about = loaded(_long_text(row.get("metadata")))
            named, created = images.get(image, (None, None))
            reference = named or text_of(field(about, "image-name")) or image[:12] or None
            names = row.get("names")
            name = text_of(names[0]) if isinstance(names, list) and names else None
            yield Runtime(
                "container", path, account.name, name or ident[:12], reference, base, reference, created,
                moment(row.get("created")), (account.uid, ident) in running, "podman",
            )  # fmt: skip
        for ident, (named, created) in images.items():
            if ident not in used:
                yield Runtime(
                    "container_image", path.replace("-containers/containers", "-images/images"), account.name,
                    named or ident[:12], None, base, named or ident[:12], created, None, None, "podman",
                )  # fmt: skip


def _images(space: UserSpace, account: Account, place: str) -> dict[str, tuple[str | None, float | None]]:
    found: dict[str, tuple[str | None, float | None]] = {}
    for row in _rows(space, account, os.path.join(place, "images.json")):
        names = row.get("names")
        name = text_of(names[0]) if isinstance(names, list) and names else None
        ident = text_of(row.get("id"))
        if ident:
            found[ident] = (name, moment(row.get("created")))
    return found


def _docker(space: UserSpace, account: Account, place: str, running: set[tuple[int, str]]) -> Iterator[Runtime]:
    parts = [name for name, _at in folders(space, place, account)]
    if "containers" not in parts and "image" not in parts:
        return
    base = _engine(space, "dockerd")
    yield Runtime("container_storage", place, account.name, "docker", None, base)
    for ident, written in folders(space, os.path.join(place, "containers"), account):
        if re.fullmatch(r"[0-9a-f]{12,64}", ident):
            path, up = os.path.join(place, "containers", ident), (account.uid, ident) in running
            yield Runtime("container", path, account.name, ident[:12], None, base, None, None, written, up, "docker")
    for driver, _written in folders(space, os.path.join(place, "image"), account):
        listed = space.look(os.path.join(place, "image", driver, "repositories.json"), account)
        repositories = field(loaded(listed.text), "Repositories") if listed else None
        for tags in repositories.values() if listed and isinstance(repositories, dict) else ():
            for tag in tags if isinstance(tags, dict) else ():
                if "@" not in tag and listed:
                    yield Runtime(
                        "container_image", listed.path, account.name, tag[:200], None, base, tag[:200], None,
                        listed.mtime, None, "docker",
                    )  # fmt: skip


def _sockets(space: UserSpace, account: Account) -> Iterator[Runtime]:
    place = "/run/user/%d" % account.uid
    for engine, below in SOCKETS:
        path = os.path.join(place, below)
        try:
            handle = open_directory(os.path.dirname(path), account.uid)
        except OSError:
            continue
        try:
            facts = os.stat(os.path.basename(path), dir_fd=handle, follow_symlinks=False)
        except OSError:
            continue
        finally:
            os.close(handle)
        if stat.S_ISSOCK(facts.st_mode):
            up = path in space.processes.unix_sockets()
            base = _engine(space, "podman" if engine == "podman" else "dockerd")
            yield Runtime("container_socket", path, account.name, engine, None, base, running=up)


def _rows(space: UserSpace, account: Account, path: str) -> list[dict[str, Any]]:
    seen = space.look(path, account)
    rows = loaded(seen.text) if seen else None
    if seen and seen.data and not isinstance(rows, list):
        space.unread(path, "is not the list that it should be", account.name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _long_text(value: Any) -> str:
    """A text of any length; empty where it is none."""
    return value if isinstance(value, str) else ""


def moment(value: Any) -> float | None:
    """A time as Go writes it (2026-11-25T20:14:05.123456789Z), in seconds since 1970."""
    found = re.match(
        r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)", value if isinstance(value, str) else ""
    )
    if not found:
        return None
    try:
        return datetime.datetime.fromisoformat(found.group(1) + found.group(2).replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return None
