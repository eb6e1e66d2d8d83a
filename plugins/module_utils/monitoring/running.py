# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What listens and runs: sockets from /proc, units and timers from systemd, containers.

Of a command line only the program's name is taken. Sources: proc(5), systemctl(1), conmon's and containerd's command
lines, docker(1).
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.user_runtimes.json_files import loaded, text_of
from ansible_collections.infogerance.perimeter.plugins.module_utils.user_runtimes.user_space import PLACES
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.apart import Tell, run_apart
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.reading import Reader

from .item import KINDS, Item
from .vhosts import vhosts

__all__ = ["observe", "sockets_of", "units_of"]

PATIENCE = 20
_USER_UNIT = re.compile(r"/user@(\d+)\.service/(?:.*/)?([^/]+\.service)\Z")
_KINDS_OF_UNITS = ("*.service", "*.timer", "*.socket", "*.mount", "*.path", "*.target")
_LISTEN = re.compile(r"Listen=.*:(\d{1,5}) \((Stream|Datagram)\)")


def observe(reader: Reader) -> tuple[list[Item], list[str], set[str]]:
    """(what is there, sentences on what could not be looked at, kinds of which something could not be).

    In a process of its own: who runs a program can make a look at its command line hang for ever.
    """
    found: list[Item] = []
    limits: list[str] = []
    blind = set(KINDS)
    for row in run_apart({"the look": lambda tell: _look(reader, tell)}, reader.bounds.ends):
        if "item" in row:
            facts = row["item"]
            found.append(Item(**{**facts, "addresses": tuple(facts["addresses"]), "ports": tuple(facts["ports"])}))
        elif "whole" in row:
            blind.discard(row["whole"])
        else:
            limits.append(row["limit"] if "limit" in row else "%(path)s: %(why)s" % row["unread"])
    return found, limits, blind


def _look(reader: Reader, tell: Tell) -> None:
    """Tell what is there, and of each kind that all of it was looked at."""
    notes = _Notes(tell)
    reader.tell = notes
    sockets: dict[tuple[str, int], str] = {}
    if os.path.isdir("/run/systemd/system"):
        text = _units(notes)
        listed = not notes.limits
        sockets = sockets_of(text)
        notes.found(units_of(text), "timer", listed)
        notes.found(_user_units(reader), "unit", listed)
    else:
        notes.limit("systemd does not run here: there are no units")
        notes.found((), "timer")
        notes.found((), "unit")
    notes.found(_ports(reader, sockets), "port")
    notes.limits = 0
    containers = _containers(reader, notes)
    notes.found(containers, "container", not notes.limits)
    notes.limits = notes.unread = 0
    sites = vhosts(reader)
    # A file that could not be read may name any of them.
    notes.found(sites, "vhost", not notes.limits and not notes.unread)


class _Notes:
    """Hands over what is found, and counts what could not be looked at."""

    def __init__(self, tell: Tell) -> None:
        self.limits = self.unread = 0
        self._tell = tell

    def __call__(self, row: dict[str, Any]) -> None:
        self.limits += "limit" in row
        self.unread += "unread" in row
        self._tell(row)

    def limit(self, text: str) -> None:
        self({"limit": text})

    def found(self, items: Iterable[Item], kind: str, whole: bool = True) -> None:
        for item in items:
            self._tell({"item": asdict(item)})
        if whole:
            self._tell({"whole": kind})


def _ports(reader: Reader, sockets: Mapping[tuple[str, int], str]) -> Iterator[Item]:
    """One item a protocol, port, program and user, with all its addresses. sockets: the units of systemd's own."""
    low = _first_ephemeral()
    table = reader.processes
    by_key: dict[tuple[str, int, str | None, str | None, str | None], set[str]] = {}
    people: set[str | None] = set()
    for found, pid in table.listeners():
        process = table.processes.get(pid) if pid is not None else None
        program = _program(reader, process.pid, process.comm) if process else None
        user = (reader.name_of(process.uid) or str(process.uid)) if process else None
        unit = (table.unit_of(process.pid) or None) if process else None
        if pid == 1:
            unit = sockets.get((found.protocol, found.local_port), unit)
        if process and _is_person(reader, process.uid):
            people.add(user)
        key = (found.protocol, found.local_port, program, user, unit)
        by_key.setdefault(key, set()).add(found.local)
    for (protocol, port, program, user, unit), addresses in sorted(by_key.items(), key=lambda row: str(row[0])):
        # One without a fixed number waits for an answer, such as that of a name server.
        passing = protocol == "udp" and port >= low
        yield Item(
            "port", "%s/%d" % (protocol, port), protocol, port, tuple(sorted(addresses)), user, program, unit,
            quiet=passing, person=user in people,
        )  # fmt: skip


def _is_person(reader: Reader, uid: int) -> bool:
    account = reader.by_uid.get(uid)
    if account is not None:
        # Applications have their homes there, whatever their number; www-data runs what clients put online.
        return reader.database.is_person(account) or (account.home + "/").startswith(PLACES)
    # systemd gives its services numbers of their own from here on; a directory's people have others.
    return uid >= reader.database.uid_min and not 61184 <= uid <= 65534


def _program(reader: Reader, pid: int, comm: str) -> str:
    """The program's file name; its title, which it may change, only where that can't be read."""
    name = os.path.basename(reader.processes.program(pid).replace(" (deleted)", ""))
    return name or comm


def _first_ephemeral() -> int:
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as stream:
            return int(stream.read().split()[0])
    except (OSError, ValueError, IndexError):
        return 32768


def _units(notes: _Notes) -> str:
    names = "Id,ActiveState,SubState,Type,User,Unit,Triggers,ExecStart,Listen"
    command = ["systemctl", "show", "--no-pager", "--property=" + names, *_KINDS_OF_UNITS]
    return _said_by(command, notes, "systemd's units")


def units_of(text: str) -> list[Item]:
    """Units that are active or have failed, from what ``systemctl show`` says.

    Unasked, only services that run and timers that wait are told, and what has failed of the two.
    """
    found: list[Item] = []
    for block in text.split("\n\n"):
        fields = dict(line.split("=", 1) for line in block.split("\n") if "=" in line)
        name, state, sub = fields.get("Id", ""), fields.get("ActiveState", ""), fields.get("SubState", "")
        state = "active" if state in ("active", "activating", "reloading") else state
        if state not in ("active", "failed"):
            continue
        if name.endswith(".timer"):
            unit = fields.get("Triggers") or fields.get("Unit") or None
            found.append(Item("timer", name, unit=unit, state=state, manager="system"))
        elif name.endswith(".service"):
            program = re.search(r"path=(\S+)", fields.get("ExecStart", ""))
            base = os.path.basename(program.group(1)) if program else None
            user, quiet = fields.get("User") or "root", not (sub == "running" or state == "failed")
            found.append(Item("unit", name, user=user, program=base, state=state, manager="system", quiet=quiet))
        elif name:
            found.append(Item("unit", name, state=state, manager="system", quiet=True))
    return found


def sockets_of(text: str) -> dict[tuple[str, int], str]:
    """(protocol, port) -> the socket unit that has systemd listen there, from what ``systemctl show`` says."""
    found: dict[tuple[str, int], str] = {}
    for block in text.split("\n\n"):
        name = re.search(r"^Id=(\S+\.socket)$", block, re.MULTILINE)
        for line in block.split("\n") if name else ():
            listen = _LISTEN.fullmatch(line)
            if name and listen:
                found["tcp" if listen.group(2) == "Stream" else "udp", int(listen.group(1))] = name.group(1)
    return found


def _user_units(reader: Reader) -> list[Item]:
    """Units of users' own managers, by the processes that run in them."""
    found: dict[tuple[str, str], Item] = {}
    for pid, process in reader.processes.processes.items():
        try:
            with open("/proc/%d/cgroup" % pid, encoding="utf-8", errors="surrogateescape") as stream:
                rows = [_USER_UNIT.search(line.rstrip("\n")) for line in stream]
        except OSError:
            continue
        for row in rows:
            if row and row.group(2) != "init.scope":
                user = reader.name_of(int(row.group(1))) or row.group(1)
                program = _program(reader, pid, process.comm)
                found.setdefault(
                    (user, row.group(2)),
                    Item(
                        "unit", row.group(2), user=user, program=program, state="active", manager="user",
                        person=_is_person(reader, int(row.group(1))),
                    ),
                )  # fmt: skip
    return list(found.values())


def _containers(reader: Reader, notes: _Notes) -> list[Item]:
    found: list[Item] = []
    for process in reader.processes.processes.values():
        if process.comm != "conmon":
            continue
        if reader.over:
            # Any process may call itself so.
            reader.limit("containers: max_seconds was reached: not all were looked at")
            break
        words = dict(zip(process.words, process.words[1:]))
        ident, name, bundle = words.get("-c", ""), words.get("-n", ""), words.get("-b", "")
        if ident and name:
            user = reader.name_of(process.uid) or str(process.uid)
            found.append(
                Item("container", name, user=user, image=_image(reader, process.uid, ident, bundle), state="running")
            )
    if os.path.exists("/run/docker.sock") and os.access("/usr/bin/docker", os.X_OK):
        form = "{{.Names}}\t{{.Image}}"
        for line in _said_by(["docker", "ps", "--format", form], notes, "Docker's containers").split("\n"):
            name, _tab, image = line.partition("\t")
            if name:
                found.append(Item("container", name.split(",")[0], user="root", image=image or None, state="running"))
    return found


def _image(reader: Reader, uid: int, ident: str, bundle: str) -> str | None:
    """The image of one of Podman's containers, from the list beside its bundle."""
    folder = os.path.dirname(os.path.dirname(os.path.normpath(bundle)))
    account = reader.by_uid.get(uid)
    if not folder.endswith("-containers"):
        return None
    seen = reader.look(os.path.join(folder, "containers.json"), account)
    rows = loaded(seen.text) if seen else None
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and row.get("id") == ident:
            about = loaded(row["metadata"]) if isinstance(row.get("metadata"), str) else None
            return text_of(about.get("image-name")) if isinstance(about, dict) else None
    return None


def _said_by(command: list[str], notes: _Notes, what: str) -> str:
    """What a program of the system says; empty, and told, where it fails or does not end."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        notes.limit("%s could not be listed: %s" % (what, type(error).__name__))
        return ""
    if done.returncode:
        notes.limit("%s could not be listed: %s ended with %d" % (what, command[0], done.returncode))
    return done.stdout.decode("utf-8", "surrogateescape")
