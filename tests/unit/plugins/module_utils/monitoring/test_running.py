# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at what runs ends in time, however much a user has made of it."""

from __future__ import annotations

import os
import socket
import time
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.running import (
    _containers,
    _is_person,
    _Notes,
    observe,
)
from ansible_collections.infogerance.perimeter.plugins.module_utils.monitoring.vhosts import vhosts
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.process_table import Process
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.reading import Bounds, Reader


class Late(Reader):
    """Its time is over, and thousands of processes call themselves conmon."""

    looked = 0

    @property
    def processes(self) -> Any:
        words = ("conmon", "-c", "1", "-n", "x", "-b", "/home/eve/overlay-containers/1/userdata")
        return SimpleNamespace(processes={pid: Process(pid, 1, "conmon", 1000, words, 0.0) for pid in range(2, 4000)})

    def look(self, *_arguments: Any, **_named: Any) -> None:
        self.looked += 1


def test_nothing_is_read_once_the_time_is_over() -> None:
    reader = Late(Bounds(time.monotonic() - 1))
    told: list[dict[str, Any]] = []
    reader.tell = told.append
    _containers(reader, _Notes(told.append))
    vhosts(reader)
    assert reader.looked == 0
    assert [row["limit"].split(":")[0] for row in told] == ["containers", "vhosts"]


class Stuck(Reader):
    """The look at what runs never ends: whose program it is decides when its command line can be read."""

    @property
    def processes(self) -> Any:
        time.sleep(60)


class Broken(Reader):
    """Something that nobody has thought of."""

    @property
    def processes(self) -> Any:
        raise ValueError("no such thing")


def test_a_look_that_hangs_or_breaks_ends_in_time_and_says_of_what_nobody_knows() -> None:
    for kind, said in ((Stuck, "did not end in time"), (Broken, "broke off: ValueError")):
        began = time.monotonic()
        _found, limits, blind = observe(kind(Bounds(time.monotonic() + 1)))
        assert time.monotonic() - began < 20
        assert {"port", "container", "vhost"} <= blind
        assert any(said in text for text in limits), limits


def test_what_is_there_comes_whole_out_of_its_own_process() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        number = listening.getsockname()[1]
        found, _limits, blind = observe(Reader(Bounds(time.monotonic() + 60)))
    assert "port" not in blind
    (item,) = [item for item in found if item.name == f"tcp/{number}"]
    assert (item.addresses, item.port, item.quiet) == (("127.0.0.1",), number, False)
    assert item.program == os.path.basename(os.path.realpath("/proc/self/exe"))


@pytest.mark.parametrize(
    ("home", "uid", "person"),
    [
        ("/home/alice", 1000, True),
        ("/srv/shop", 998, True),
        ("/var/www", 33, True),
        ("/var/lib/chrony", 110, False),
        ("/root", 0, False),
        (None, 200000, True),
        (None, 61184, False),
    ],
)
def test_what_clients_put_online_is_not_the_systems(home: str | None, uid: int, person: bool) -> None:
    reader = Reader(Bounds(time.monotonic() + 60))
    reader.by_uid = {} if home is None else {uid: SimpleNamespace(uid=uid, home=home)}  # type: ignore[dict-item]
    assert _is_person(reader, uid) is person


class Sites(Reader):
    """nginx with a file a site, or one that includes itself."""

    text = "http { include /etc/nginx/sites-enabled/*; }"
    many = 0

    @property
    def processes(self) -> Any:
        return SimpleNamespace(processes={})

    def names(self, folder: str, *_arguments: Any, **_named: Any) -> list[str]:
        return [str(number) for number in range(self.many)] if folder == "/etc/nginx/sites-enabled" else []

    def look(self, path: str, *_arguments: Any, **_named: Any) -> Any:
        name = os.path.basename(path)
        text = self.text if name == "nginx.conf" else "server { server_name site-%s.example.org; }" % name
        return SimpleNamespace(text=text, path=path)


def test_a_server_of_many_sites_is_read_and_what_is_not_read_is_told() -> None:
    told: list[dict[str, Any]] = []
    reader = Sites(Bounds(time.monotonic() + 60))
    reader.tell = told.append
    reader.many = 2500
    assert len(vhosts(reader)) == 2500
    assert told == []
    reader.many = 6000
    assert len(vhosts(reader)) < 6000
    assert [row["limit"].split(":")[0] for row in told] == ["vhosts"]


def test_a_file_that_includes_itself_is_told() -> None:
    told: list[dict[str, Any]] = []
    reader = Sites(Bounds(time.monotonic() + 60))
    reader.tell = told.append
    reader.text = "include nginx.conf;"
    assert vhosts(reader) == []
    assert len(told) == 1
