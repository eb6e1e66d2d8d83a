# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill runs at random moments, two at a time on one ledger, and hold what the disk tells against what is recorded."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.faults.arena import Arena, effect, play

TASKS = 8
# Hosts of the play; each task leaves one line on each.
HOSTS = 2


@dataclass
class Killed:
    """What became of the runs. effects: lines on the disk. rows: of those, how many the ledger has."""

    kills: int = 0
    finished_first: int = 0
    before_the_intent: int = 0
    recorded: int = 0
    interrupted: int = 0
    complete: int = 0
    effects: int = 0
    rows: int = 0
    wrong: list[str] = field(default_factory=list)

    def told(self) -> str:
        """One sentence."""
        return (
            f"{self.kills} runs killed, {self.before_the_intent} of them before their intent and first task,"
            f" {self.finished_first} that had ended just before; {self.recorded} recorded: {self.interrupted} as"
            f" interrupted, {self.complete} complete; {self.effects} tasks done, {self.rows} of them with a row;"
            f" {len(self.wrong)} wrong"
        )


class Killer:
    """Starts and kills."""

    def __init__(self, path: Path, seed: int) -> None:
        self.arena = Arena(path)
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        text = play(*(effect(f"E{number}") for number in range(TASKS)))
        for name in ("warm.yml", "warm2.yml"):
            self.arena.write(name, text)
        self.arena.run("warm.yml", "-e", "tag=warm")
        begun = time.monotonic()
        self.arena.run("warm2.yml", "-e", "tag=warm2")
        self._length = time.monotonic() - begun
        self._text = text

    def kill(self, number: int) -> bool:
        """Start run `number` and kill it, and all its children, at a random moment. False when it had ended before."""
        name = f"kill{number}.yml"
        self.arena.write(name, self._text)
        with self._lock:
            # Two at a time are slower than one: a little more than its own length.
            delay = self._random.uniform(0, 1.4 * self._length)
        process = self.arena.start(name, "-e", f"tag={number}")
        try:
            process.wait(timeout=delay)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            ended = False
        else:
            ended = True
        if process.stdout is not None:
            process.stdout.close()
        return not ended

    def kill_many(self, count: int, streams: int = 2) -> Killed:
        """Kill until `count` runs were killed."""
        result = Killed()
        numbers = iter(range(1, 100 * count))

        def work() -> None:
            while True:
                with self._lock:
                    if result.kills >= count:
                        return
                    number = next(numbers)
                    result.kills += 1
                if not self.kill(number):
                    with self._lock:
                        result.kills -= 1
                        result.finished_first += 1

        threads = [threading.Thread(target=work) for _stream in range(streams)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._judge(result)
        return result

    def _judge(self, result: Killed) -> None:
        arena = self.arena
        arena.reap()
        connection = sqlite3.connect(arena.ledger)
        (sound,) = connection.execute("PRAGMA integrity_check").fetchone()
        connection.close()
        if sound != "ok":
            result.wrong.append(f"the file: {sound}")
        arena.run("infogerance.perimeter.ledger", "-e", "ledger_action=verify", **arena.unrecorded)
        done: dict[str, Counter[tuple[str, str]]] = {}
        for line in arena.effects.read_text().splitlines():
            tag, host, task = line.split()
            done.setdefault(tag, Counter())[host, task] += 1
        rows: dict[str, Counter[tuple[str, str]]] = {}
        for row in arena.query("SELECT run_id, host, name FROM intervention_tasks"):
            rows.setdefault(row["run_id"], Counter())[row["host"], row["name"]] += 1
        runs = {run["playbook"]: run for run in arena.interventions()}
        for number in range(1, result.kills + result.finished_first + 1):
            did = done.get(str(number), Counter())
            run = runs.get(f"kill{number}.yml")
            result.effects += sum(did.values())
            if run is None:
                result.before_the_intent += 1
                if did:
                    result.wrong.append(f"run {number}: did {sum(did.values())} tasks, and nobody recorded it")
                continue
            have = rows.get(run["run_id"], Counter())
            result.recorded += 1
            result.rows += sum(have.values())
            if not have <= did:
                result.wrong.append(f"run {number}: rows of tasks that never ran: {have - did}")
            if run["complete"]:
                result.complete += 1
                if have != did or sum(did.values()) != TASKS * HOSTS:
                    result.wrong.append(f"run {number}: called complete, and lacks {did - have}")
            elif run["outcome"] == "interrupted":
                result.interrupted += 1
            else:
                result.wrong.append(f"run {number}: {run['outcome']}, complete {run['complete']}")
