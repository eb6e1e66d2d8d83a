# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the whole of it on three throw-away servers: audit, reconcile, again, report.

    python tools/demo.py [--language fr] [--verbose]

Two clients, three servers, people who have left but can still log in. The demo
makes the servers anew each time, so it always tells the same story; the doors
are tried by real SSH logins before and after. It ends with an error if what
it shows is not so. The servers stay for a look: `make lab-down` removes them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tree

sys.path.insert(0, str(tree.ROOT))

from lab import Host, Lab, LabError
from lab.ansible_run import entry_points
from lab.demo import seed, vpn_server

CONFIG = """\
[defaults]
callback_plugins = {root}/lab/callback_plugins
callbacks_enabled = infogerance.perimeter.intervention, record_results
collections_path = {work}/collections
interpreter_python = /usr/bin/python3
inventory = {state}/inventory.yml
local_tmp = {work}/tmp
retry_files_enabled = False

[ssh_connection]
control_path_dir = {sockets}
pipelining = True
ssh_args = -F /dev/null -o ControlMaster=auto -o ControlPersist=20s -o BatchMode=yes -o LogLevel=ERROR

[callback_intervention]
ledger = {work}/ledger.sqlite3
ledger_error = block
"""


VPN = "the VPN"


@dataclass(frozen=True)
class Door:
    """One way in: a key's comment, what it opens, and whether it should still open it afterwards.

    account: an account by SSH, or ``VPN`` for a certificate of that common name.
    """

    account: str
    key: str
    server: str
    story: str
    stays: bool

    @property
    def named(self) -> str:
        """What the report calls it."""
        return self.key if self.account == VPN else self.account


DOORS = (
    Door("hgirard", "hgirard@admin", "acme-web1", "left the provider in spring", False),
    Door("hgirard", "hgirard@admin", "zenith-app1", "the same, at another client", False),
    Door("broux", "broux@laptop", "acme-web1", "left the client", False),
    Door("kfaure", "kfaure@freelance", "acme-db1", "contractor, end date passed", False),
    Door("mlambert", "unknown@nowhere", "acme-web1", "a second key nobody knows", False),
    Door("adurand", "adurand@old-desktop", "acme-db1", "key in authorized_keys2", False),
    Door("mlambert", "mlambert@laptop", "acme-web1", "declared", True),
    Door("adurand", "adurand@laptop", "acme-db1", "declared", True),
    Door("cmoreau", "cmoreau@admin", "zenith-app1", "declared, administrator", True),
    Door(VPN, "broux-laptop", "acme-web1", "certificate of somebody who left", False),
    Door(VPN, "kfaure-freelance", "acme-web1", "certificate, end date passed", False),
    Door(VPN, "mlambert-laptop", "acme-web1", "certificate, declared", True),
)


class DemoError(RuntimeError):
    """What the demo wanted to show is not so."""


def joined(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Results of two kinds of ways in on one server as one."""
    lists = ("plan", "obsolete", "missing", "protected", "unmanaged", "applied", "refused")
    return {
        **first,
        **{name: [*first.get(name, []), *second.get(name, [])] for name in lists},
        "changed": bool(first.get("changed") or second.get("changed")),
    }


class Demo:
    """The demo's own settings, ledger and results, below .lab/demo."""

    def __init__(self, lab: Lab, verbose: bool) -> None:
        self.lab = lab
        self.verbose = verbose
        self.work = lab.state / "demo"
        # A new ledger for a new story.
        shutil.rmtree(self.work, ignore_errors=True)
        package = self.work / "collections" / "ansible_collections" / "infogerance"
        package.mkdir(parents=True)
        (package / "perimeter").symlink_to(tree.ROOT)
        # The path of a socket must stay under 108 bytes, and a checkout may lie deep.
        self.sockets = Path(tempfile.mkdtemp(prefix="ipd-"))
        self.config = self.work / "ansible.cfg"
        settings = CONFIG.format(root=tree.ROOT, work=self.work, state=lab.state, sockets=self.sockets)
        self.config.write_text(settings, encoding="utf-8")

    def __enter__(self) -> Demo:
        return self

    def __exit__(self, *_: object) -> None:
        # The SSH masters behind these sockets end by themselves.
        shutil.rmtree(self.sockets, ignore_errors=True)

    def play(self, playbook: str, *arguments: str) -> list[dict[str, Any]]:
        """Run a playbook of the collection and return the results of its tasks."""
        name = f"infogerance.perimeter.{playbook}"
        results = self.work / f"results-{len(list(self.work.glob('results-*')))}.jsonl"
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "INFOGERANCE_"))}
        kept.update(
            ANSIBLE_CONFIG=str(self.config),
            ANSIBLE_HOME=str(self.work / "home"),
            LAB_RESULTS=str(results),
            INFOGERANCE_PERIMETER_LEDGER=str(self.work / "ledger.sqlite3"),
        )
        command = [str(Path(sys.executable).parent / "ansible-playbook"), name, *arguments]
        show = f"$ ansible-playbook {name} {' '.join(arguments)}".rstrip()
        print(show.replace(str(self.work), ".lab/demo"), flush=True)
        started = time.monotonic()
        done = subprocess.run(
            command, env=kept, cwd=tree.ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
        )
        (self.work / f"{playbook}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
        if self.verbose or done.returncode != 0:
            print(done.stdout + done.stderr)
        if done.returncode != 0:
            raise DemoError(f"{name} ended with exit code {done.returncode}")
        print(f"  {time.monotonic() - started:.1f} s", flush=True)
        rows = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
        return [row for row in rows if "stats" not in row]

    def entry_points(self, playbook: str, *arguments: str) -> dict[str, dict[str, Any]]:
        """Run a playbook; server's name -> the result that tells its ways in."""
        rows = self.play(playbook, *arguments)
        # Of the plan and what was made of it, the last one tells.
        last = {(row["host"], told["entry_point_kind"]): told for row in rows for told in entry_points(row["result"])}
        found: dict[str, dict[str, Any]] = {}
        for (host, _kind), result in last.items():
            found[host] = joined(found[host], result) if host in found else result
        servers = {host.name for host in self.lab.hosts("demo")}
        if set(found) != servers:
            raise DemoError(f"{playbook}: results of {sorted(found)}, wanted those of {sorted(servers)}")
        return found

    def try_doors(self) -> dict[Door, bool]:
        """Go in by each door as its person would: SSH with the person's key, OpenVPN with the certificate."""
        hosts: dict[str, Host] = {host.name: host for host in self.lab.hosts("demo")}

        def opens(door: Door) -> bool:
            if door.account == VPN:
                return vpn_server(hosts[door.server]).can_connect(door.key)
            key = self.lab.state / "people" / door.key.replace("@", "_at_")
            try:
                return hosts[door.server].can_log_in(door.account, key)
            except subprocess.TimeoutExpired as error:
                # Neither open nor closed: no verdict may be made of it.
                raise DemoError(f"{door.server} did not answer the login of {door.account} in time") from error

        with ThreadPoolExecutor(4) as pool:
            return dict(zip(DOORS, pool.map(opens, DOORS), strict=True))


def tell(results: dict[str, dict[str, Any]], *parts: str) -> None:
    """Print how many entries of each part every server has."""
    for server, result in sorted(results.items()):
        words = [f"{len(result[part])} {part}" for part in parts]
        print(f"  {server:<12} {', '.join(words)}")


def by_action(results: dict[str, dict[str, Any]]) -> str:
    done = Counter(row["action"] for result in results.values() for row in result["applied"])
    return ", ".join(f"{number} {action}" for action, number in sorted(done.items())) or "nothing"


def show_doors(before: dict[Door, bool], after: dict[Door, bool]) -> None:
    print(f"\n  {'key':<20} {'opens':<14} {'on':<12} {'before':<7} {'after':<7} who")
    for door in DOORS:
        first, then = ("opens" if state[door] else "closed" for state in (before, after))
        print(f"  {door.key:<20} {door.account:<14} {door.server:<12} {first:<7} {then:<7} {door.story}")
    wrong = [door for door in DOORS if not before[door] or after[door] is not door.stays]
    if wrong:
        raise DemoError("; ".join(f"{door.key} on {door.server} is not as it should be" for door in wrong))


def tell_story(demo: Demo, language: str) -> list[Path]:
    print("\nWho can get in? (real SSH logins, real VPN clients)")
    before = demo.try_doors()
    print(f"  {sum(before.values())} of {len(before)} keys and certificates tried open a door")

    print("\nAudit: compare the declared lists with the servers. Changes nothing.")
    tell(demo.entry_points("audit"), "obsolete", "missing", "protected", "unmanaged")
    if demo.try_doors() != before:
        raise DemoError("the audit has changed who can get in")

    print("\nReconcile: add what is missing, disable what is obsolete. Archived and reversible.")
    first = demo.entry_points("reconcile", "-e", "access_obsolete=disable")
    tell(first, "applied")
    print(f"  together: {by_action(first)}")
    if not all(result["applied"] for result in first.values()):
        raise DemoError("a server was not changed")

    print("\nReconcile again: nothing is left to do.")
    again = demo.entry_points("reconcile", "-e", "access_obsolete=disable")
    tell(again, "applied")
    if any(result["applied"] or result.get("changed") for result in again.values()):
        raise DemoError("the second run changed something")

    print("\nWho can get in now?")
    show_doors(before, demo.try_doors())

    print("\nReport: what was done this month, for the client to read.")
    reports = demo.work / "reports"
    month = datetime.now(UTC).strftime("%Y-%m")
    wanted = {
        "report_period": month,
        "report_language": language,
        "report_directory": str(reports),
        "report_fleet": "true",
        "report_provider": "Example hosting",
    }
    demo.play("report", "-e", json.dumps(wanted))
    pages = sorted(reports.rglob("*.html"))
    if not pages:
        raise DemoError("the report wrote no page")
    texts = {page.name: page.read_text(encoding="utf-8") for page in pages}
    for door in DOORS:
        page = next((text for name, text in texts.items() if door.server.partition("-")[0] in name), "")
        if not door.stays and door.named not in page:
            raise DemoError(f"the report for {door.server}'s client does not name {door.named}, which was shut")
    return pages


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--language", choices=("en", "fr"), default="en", help="of the report")
    parser.add_argument("--verbose", action="store_true", help="show Ansible's own output")
    arguments = parser.parse_args()
    started = time.monotonic()
    try:
        lab = Lab()
        print("Three servers of two clients, made anew (the first time, their image is built).", flush=True)
        seed(lab)
        with Demo(lab, arguments.verbose) as demo:
            pages = tell_story(demo, arguments.language)
    except (DemoError, LabError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    print()
    for page in pages:
        print(f"Report:  {page}")
    print(f"Ledger:  {demo.work / 'ledger.sqlite3'}")
    print("A look:  .venv/bin/python -m lab ssh acme-web1       Away with it:  make lab-down")
    print(f"{time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
