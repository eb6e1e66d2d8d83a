# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A ledger that cannot be written: what the run does, and how the record comes back."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from tests.integration.faults.arena import BLOCKED, MARKED, Arena, Count, effect, play
from tests.integration.faults.runs import Fault

WORK = play(effect("E1"), effect("E2"))
Trouble = Callable[[Arena], AbstractContextManager[None]]


@contextlib.contextmanager
def mounted(arena: Arena, options: str) -> Iterator[None]:
    """The ledger's directory as a file system of its own, with what was in it."""
    folder = arena.ledger.parent
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        for name, content in kept.items():
            (folder / name).write_bytes(content)
        yield
    finally:
        content = arena.ledger.read_bytes()
        subprocess.run(["umount", str(folder)], check=True)
        arena.ledger.write_bytes(content)


@contextlib.contextmanager
def disk_full(arena: Arena) -> Iterator[None]:
    """A tiny disk without a free byte. Before the run's end is looked at, somebody makes room."""
    with mounted(arena, "size=256k,mode=0700"):
        filler = arena.ledger.with_name("filler")
        with filler.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
            while True:
                stream.write(b"x" * 4096)
        try:
            yield
        finally:
            filler.unlink()


@contextlib.contextmanager
def read_only(arena: Arena) -> Iterator[None]:
    """A file system that was mounted anew, read-only."""
    with mounted(arena, "size=4m,mode=0700"):
        subprocess.run(["mount", "-o", "remount,ro", str(arena.ledger.parent)], check=True)
        try:
            yield
        finally:
            subprocess.run(["mount", "-o", "remount,rw", str(arena.ledger.parent)], check=True)


@contextlib.contextmanager
def locked(arena: Arena) -> Iterator[None]:
    """Somebody holds the file, for longer than the run waits."""
    connection = sqlite3.connect(arena.ledger, isolation_level=None, timeout=30)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def overwritten(place: int, content: bytes) -> Trouble:
    """Bytes of the file are wrong for a while; then somebody puts the old ones back, as from a backup."""

    @contextlib.contextmanager
    def trouble(arena: Arena) -> Iterator[None]:
        kept = arena.ledger.read_bytes()
        spoilt = kept[:place] + content + kept[place + len(content) :]
        arena.ledger.write_bytes(spoilt)
        try:
            yield
        finally:
            after = arena.ledger.read_bytes()
            arena.ledger.write_bytes(kept)
        assert after == spoilt, "a damaged file was written to"

    return trouble


@contextlib.contextmanager
def newer(arena: Arena) -> Iterator[None]:
    """A later release wrote it."""
    connection = sqlite3.connect(arena.ledger)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute("PRAGMA user_version = 99")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA user_version = {version}")
        connection.close()


def at_start(trouble: Trouble, policy: str) -> Callable[[Arena], Count]:
    """The ledger is in trouble before the run begins, and well again when its line is imported."""

    def try_it(arena: Arena) -> Count:
        arena.play(play(effect("E0")), "-e", "tag=before")
        with trouble(arena):
            expect = 78 if policy == "block" else 0
            output = arena.play(WORK, expect=expect, INFOGERANCE_PERIMETER_LEDGER_ERROR=policy)
        assert len(arena.interventions()) == 1, "the run could not be recorded, and yet it was"
        arena.take_over(output)
        ran = {task for _host, task in arena.did()} - {"E0"}
        assert ran == (set() if policy == "block" else {"E1", "E2"})
        count = arena.count(2)
        last = arena.interventions()[-1]
        assert last["complete"] == 0
        assert (last["outcome"], count.verdict) == ("blocked" if policy == "block" else "ok", MARKED)
        # Once more: nothing comes twice.
        arena.take_over(output)
        assert arena.count(2) == count
        return Count(2, count.expected, count.found, BLOCKED if policy == "block" else MARKED)

    return try_it


def full_during_the_run(arena: Arena) -> Count:
    """Started on a disk with room, which the run itself fills."""
    arena.ledger.parent.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs", str(arena.ledger.parent)], check=True)
    try:
        filler = arena.ledger.with_name("filler")
        fill = effect("E2", "run_once: true", then=f"(cat /dev/zero > {filler} || true)")
        output = arena.play(play(effect("E1"), fill, effect("E3")))
        filler.unlink()
        assert arena.only()["outcome"] == "running"
        arena.take_over(output)
        return arena.count(1)
    finally:
        subprocess.run(["umount", str(arena.ledger.parent)], check=True)


def locked_for_a_while(arena: Arena) -> Count:
    """Somebody holds the file while the run begins, and lets go in time: the run waits, and nothing is lost."""
    import threading

    arena.play(play(effect("E0")), "-e", "tag=before")
    with contextlib.ExitStack() as stack:
        stack.enter_context(locked(arena))
        arena.write("site.yml", WORK)
        process = arena.start("site.yml")
        # The lock goes when the run has come to it; its own journal's name would only be there with the lock.
        released = threading.Event()

        def holds() -> bool:
            return any(str(arena.ledger) in os.path.realpath(link) for link in _open_files(process.pid))

        while not holds():
            assert process.poll() is None, process.communicate()[0]
            released.wait(0.05)
    output = process.communicate(timeout=120)[0]
    assert process.returncode == 0, output
    return arena.count(2)


def _open_files(pid: int) -> list[str]:
    with contextlib.suppress(OSError):
        return [f"/proc/{pid}/fd/{name}" for name in os.listdir(f"/proc/{pid}/fd")]
    return []


def through_the_system_log(arena: Arena) -> Count:
    """The line goes through syslog(3) to a real socket, and is imported from what a log daemon would write."""
    from tests.integration.faults.system_log import SystemLog

    arena.play(play(effect("E0")), "-e", "tag=before")
    arena.write("site.yml", WORK)
    with newer(arena), SystemLog(arena.path) as log:
        process = log.start(arena, "site.yml")
        output = process.communicate(timeout=60)[0]
        assert process.returncode == 0, output
        text = log.text()
    assert "infogerance-perimeter" in text
    arena.take_over(text)
    return arena.count(2)


TROUBLES: list[tuple[str, Trouble, bool]] = [
    ("disk full", disk_full, False),
    ("read-only file system", read_only, False),
    ("locked throughout", locked, True),
    ("corrupt header", overwritten(0, b"no SQLite file any more"), False),
    ("corrupt table", overwritten(4096, b"\xff" * 3000), False),
    ("newer schema", newer, False),
]
LEDGERS = [
    *(
        Fault(f"{name}, `ledger_error: {policy}`", at_start(trouble, policy), long)
        for name, trouble, long in TROUBLES
        for policy in ("warn", "block")
    ),
    Fault("disk full during the run", full_during_the_run),
    Fault("locked while the run begins", locked_for_a_while),
    Fault("newer schema, the line taken from syslog(3)", through_the_system_log),
]
