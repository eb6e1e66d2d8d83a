# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A survey of a host with 200 accounts and 1,000,000 files below /home, as the user sees it: Ansible and SSH included.

Beside it what a careful administrator would run on the host itself, without Ansible: find(1) for setuid files and
getcap(8) for capabilities, which see two of the ways. A survey with a budget that is too small must end in time, say so
and keep what it had found.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import peers
import record
from play import ROOT, Stage

if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from lab import Host, Lab

ROUNDS = 5
ACCOUNTS, FILES_EACH, IN_A_FOLDER = 200, 5_000, 25
FILES = ACCOUNTS * FILES_EACH
AT_MOST = 10.0
BUDGET, DEPTH = 2, 2
#: max_seconds of the other runs: a busy machine makes them slow, and the table says so.
PATIENCE = 300
#: What the families are given beyond max_seconds, and what Ansible takes around the module.
GRACE = 5.0

#: Trees as a web agency has them: few files a directory, one of 25 executable, each owned by its account.
PLANT = """
import os, sys
accounts, files, each = map(int, sys.argv[1:])
base = 2000
rows = {
    "passwd": "u{0:03}:x:{1}:{1}::/home/u{0:03}:/bin/bash",
    "group": "u{0:03}:x:{1}:",
    "shadow": "u{0:03}:*:19000::::::",
}
for name, row in rows.items():
    with open("/etc/" + name, "a") as stream:
        stream.writelines(row.format(n, base + n) + "\\n" for n in range(accounts))
for n in range(accounts):
    os.mkdir("/home/u%03d" % n, 0o700)
    os.chown("/home/u%03d" % n, base + n, base + n)
def fill(n):
    os.setegid(base + n)
    os.seteuid(base + n)
    for place in range(files // each):
        folder = "/home/u%03d/app%d/lib%d/module%d" % (n, place // 40, place // 8, place)
        os.makedirs(folder)
        handle = os.open(folder, os.O_RDONLY)
        for number in range(each):
            mode = 0o755 if number == 0 else 0o644
            made = os.open("file%d" % number, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode, dir_fd=handle)
            os.ftruncate(made, 100)
            os.close(made)
        os.close(handle)
    os.seteuid(0)
    os.setegid(0)
workers = []
for worker in range(os.cpu_count() or 1):
    workers.append(os.fork())
    if not workers[-1]:
        for n in range(worker, accounts, os.cpu_count() or 1):
            fill(n)
        os._exit(0)
sys.exit(any([os.waitpid(worker, 0)[1] for worker in workers]))
"""
#: What is to be found, in the first home of the walk and in the last.
BACK_DOORS = ("/home/u000/.cache/x", f"/home/u{ACCOUNTS - 1:03d}/app4/lib24/module199/x")
BY_HAND = "find / -xdev -type f -perm /6000; getcap -r /home /root /tmp /var/tmp /usr"


@contextmanager
def full_host(say: Callable[[str], None]) -> Iterator[Host]:
    """The host with its million files; all of it goes with the container."""
    host = Lab().host("bench-ways", extra_packages=("libcap2-bin",))
    try:
        begun = time.perf_counter()
        arguments = [str(number) for number in (ACCOUNTS, FILES_EACH, IN_A_FOLDER)]
        host.run(["python3", "-", *arguments], input=PLANT, timeout=900)
        made = int(host.run("find /home -type f | wc -l", timeout=300).stdout)
        if made < FILES:
            raise RuntimeError(f"{FILES} files were wanted, /home has {made}")
        for path in BACK_DOORS:
            host.run(f"mkdir -p $(dirname {path}) && install -m 4755 /bin/sh {path}")
        say(f"{made:,} files in {time.perf_counter() - begun:.0f} s")
        yield host
    finally:
        host.destroy()


def survey(stage: Stage, host: Host, name: str, arguments: dict[str, Any], proofs: list[str]) -> Callable[[], float]:
    """A run of the module that fails unless its result is as the proofs say; it gives its seconds."""
    inventory = stage.write("ways.json", {"all": {"hosts": {host.name: host.inventory_vars()}}})
    tasks: list[dict[str, Any]] = [
        {"name": "Ways in", "infogerance.perimeter.ways_in_info": arguments, "register": "ways"},
        {
            "name": "Proof",
            "ansible.builtin.assert": {"that": proofs, "fail_msg": "{{ ways.limits }} {{ ways.unread }}"},
        },
    ]
    book = stage.write(f"ways-{name}.json", [{"hosts": "all", "gather_facts": False, "become": True, "tasks": tasks}])
    return lambda: stage.playbook(book, inventory, changed=False).wall


def by_hand(host: Host) -> float:
    begun = time.perf_counter()
    shown = host.run(BY_HAND, check=False, timeout=300).stdout
    seconds = time.perf_counter() - begun
    if not set(BACK_DOORS) <= set(shown.split()):
        raise RuntimeError(f"find did not see what was planted:\n{shown}")
    return seconds


def measure(rounds: int | None, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """One measurement: the survey, the administrator's commands, and the survey with bounds that are too tight."""
    Lab().sweep()
    seen: dict[str, list[float]] = {name: [] for name in ("whole", "by hand", "budget", "depth")}
    with Stage(peers.environment("bench-peers")) as stage, full_host(say) as host:
        found = "ways.findings | selectattr('kind', 'eq', 'setuid_file') | map(attribute='path')"
        runs = {
            "whole": survey(stage, host, "whole", {"max_seconds": PATIENCE}, [
                "ways.limits == [] and ways.unread == []",
                f"ways.files_looked_at >= {FILES}",
                f"{list(BACK_DOORS)!r} is subset({found})",
            ]),
            "by hand": lambda: by_hand(host),
            "budget": survey(stage, host, "budget", {"max_seconds": BUDGET}, [
                "ways.limits | select('search', 'max_seconds') | list | length > 0",
            ]),
            "depth": survey(stage, host, "depth", {"max_seconds": PATIENCE, "max_depth": DEPTH}, [
                "ways.limits | select('search', 'max_depth') | list | length > 0",
                f"{BACK_DOORS[0]!r} in ({found})",
            ]),
        }  # fmt: skip
        # The first round only warms the caches.
        for number in range(-1, rounds or ROUNDS):
            for name, run in runs.items():
                seconds = run()
                say(f"{f'round {number + 1}' if number >= 0 else 'warm-up'}: {name}: {seconds:.2f} s")
                if number >= 0:
                    seen[name].append(seconds)
    figures = [
        _figure("survey, all families", seen["whole"], AT_MOST),
        _figure("beside it, on the host: find for setuid files, getcap for capabilities", seen["by hand"]),
        _figure(f"survey with max_seconds={BUDGET}, which it reaches and tells", seen["budget"], BUDGET + GRACE),
        _figure(f"survey with max_depth={DEPTH}, which it reaches and tells", seen["depth"]),
    ]
    yield record.figures("ways_in", f"{ACCOUNTS} accounts, {FILES:,} files below /home", figures)


def _figure(name: str, values: list[float], at_most: float | None = None) -> dict[str, Any]:
    goal = f"<= {at_most:g}" if at_most is not None else ""
    return {
        "name": name,
        "values": [round(value, 3) for value in values],
        "unit": "s",
        "goal": goal,
        "met": at_most is None or statistics.median(values) <= at_most,
    }
