# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every command of the guides is run, in order, on a server like the one that the guide speaks of.

In a guide, an HTML comment before a fenced block says what the block is: `file: NAME` is written, `on: server` is run
as root on the server; any other `shell` block is run in the reader's directory. A comment after it says what must be
so: `expect: TEXT` in what the last block printed, `server: COMMAND` true on the server, `created: PATH` there and not
empty.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

GUIDES = Path(__file__).resolve().parents[3] / "docs" / "guides"
FIRST = "first_audit"
# The others take minutes together: make soak.
QUICK = {FIRST, "back_in"}
STEP = re.compile(r"^<!-- (?P<word>[a-z]+): (?P<value>.*?) -->$|^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.M | re.S)
BOB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE5iLF/rHoW+jagO3PyKbxWfRoRIqWSPFcoLYyXWA4Jx bob@desk"
CAROL = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGu2Q7oq5vTgCzVnbU0IZkY3w1lyRrpYyqLh0yD1bJ2x carol@home"


@dataclass(frozen=True)
class Step:
    """One thing to do or to check."""

    what: str
    text: str


def steps(text: str) -> Iterator[Step]:
    """What the guide says, in order. A block that nobody would run or write is an error."""
    label: tuple[str, str] | None = None
    for found in STEP.finditer(text):
        word = found["word"]
        if word in ("file", "on"):
            label = (word, found["value"])
        elif word:
            yield Step(word, found["value"])
        elif label is not None and label[0] == "file":
            yield Step(f"file {label[1]}", found["body"])
            label = None
        elif found["language"] == "shell":
            yield Step("on server" if label else "run", found["body"])
            label = None
        else:
            raise AssertionError(f"neither a file nor commands: {found['body'][:60]}")


class Reader:
    """Somebody who follows a guide, and the server."""

    def __init__(self, folder: Path, server: Any, sockets: Path) -> None:
        self.folder, self.server, self.printed = folder, server, ""
        public = server.run(["cat", "/etc/ssh/ssh_host_ed25519_key.pub"]).stdout.split()
        (folder / "known_hosts").write_text(f"{server.address} {public[0]} {public[1]}\n")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "INFOGERANCE_"))}
        self.environment = {
            **kept,
            "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}",
            "HOME": str(folder / "home"),
            "ANSIBLE_HOME": str(folder / "home"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(sockets),
            "ANSIBLE_PRIVATE_KEY_FILE": str(server.key),
            "ANSIBLE_SSH_COMMON_ARGS": f"-F /dev/null -o UserKnownHostsFile={folder}/known_hosts -o IdentitiesOnly=yes",
            "INFOGERANCE_PERIMETER_LEDGER": str(folder / "ledger.sqlite3"),
        }

    def follow(self, step: Step) -> None:
        """Do it, or check it."""
        if step.what.startswith("file "):
            path = self.folder / step.what.removeprefix("file ")
            path.parent.mkdir(exist_ok=True)
            # The one thing that is not as in the guide: where the server is.
            path.write_text(step.text.replace("192.0.2.11", self.server.address), encoding="utf-8")
        elif step.what == "run":
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", step.text],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=600,
                check=False,
            )
            self.printed = done.stdout
            assert done.returncode == 0, f"{step.text}\n{done.stdout}"
        elif step.what in ("on server", "server"):
            self.server.run(["bash", "-euc", step.text], timeout=300)
        elif step.what == "expect":
            assert step.text in self.printed, self.printed
        elif step.what == "created":
            assert any((self.folder / step.text).iterdir())
        else:
            raise AssertionError(f"unknown word {step.what!r}")


@pytest.fixture
def server(make_host: Callable[..., Any]) -> Any:
    """A server with two people; one of them has left."""
    host = make_host("guides", flavour="systemd")
    for name, key in (("bob", BOB), ("carol", CAROL)):
        host.run(f"useradd -m {name} && install -d -o {name} -g {name} -m 700 /home/{name}/.ssh")
        host.write(f"/home/{name}/.ssh/authorized_keys", key + "\n", 0o600, name)
    host.run("mkdir -p /etc/infogerance-perimeter && cp /home/carol/.ssh/authorized_keys /root/rescue.pub")
    return host


def guide(name: str) -> list[Step]:
    return list(steps((GUIDES / f"{name}.md").read_text(encoding="utf-8")))


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A unix socket's path has 108 bytes at most, and pytest's own temporary paths are long."""
    with tempfile.TemporaryDirectory(prefix="ipg-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in QUICK else [pytest.mark.soak])
        for name in (FIRST, "back_in", "audit_to_removal", "departure", "month_end")
    ],
)
def test_a_guide_can_be_followed_to_its_end(name: str, server: Any, tmp_path: Path, sockets: Path) -> None:
    reader = Reader(tmp_path, server, sockets)
    if name != FIRST:
        for step in guide(FIRST):
            if step.what.startswith("file "):
                reader.follow(step)
    if name == "back_in":
        # What the reader comes with: an account closed by mistake, and a table of ours.
        reader.follow(Step("run", "ansible-playbook infogerance.perimeter.reconcile -e access_obsolete=disable"))
        reader.follow(Step("server", "nft add table inet infogerance_perimeter"))
    for step in guide(name):
        reader.follow(step)


def test_every_guide_is_followed() -> None:
    assert {path.stem for path in GUIDES.glob("*.md")} == QUICK | {"audit_to_removal", "departure", "month_end"}
