# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the integration tests: real hosts with a real sshd, and the checkout's own Ansible."""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    # The `lab` package sits at the checkout's root, wherever pytest was started.
    sys.path.insert(0, str(ROOT))

from lab import Host, Lab  # noqa: E402
from lab.ansible_run import AnsibleRunner, PlayRun  # noqa: E402

_counter = iter(range(1, 1_000_000))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test with many costly cases, a sample belongs to each run and the others to the soak."""
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sample") is not None:
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for each in cases.values():
        marker = each[0].get_closest_marker("sample")
        assert marker is not None
        (count,) = marker.args
        # Where one is enough, each test has its own: not always the plainest.
        first = zlib.crc32(each[0].name.partition("[")[0].encode()) % len(each) if count == 1 else 0
        kept = {first + round(number * (len(each) - 1) / max(count - 1, 1)) for number in range(count)}
        for number, item in enumerate(each):
            if number not in kept:
                item.add_marker("soak")


class HostFactory(Protocol):
    def __call__(self, name: str = "host", **options: Any) -> Host: ...


ModuleCall = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The lab of this checkout, with what killed test runs left behind swept away."""
    if os.geteuid() != 0:
        pytest.fail("integration tests need root: their hosts are containers with a network of their own")
    lab = Lab()
    lab.sweep()
    return lab


@pytest.fixture(scope="session")
def runner() -> Iterator[AnsibleRunner]:
    """The checkout's Ansible with a configuration, home and SSH sockets of its own."""
    with AnsibleRunner(ROOT) as made:
        yield made


def _unique(name: str) -> str:
    # Workers of one test run, and several runs, share the checkout's name space.
    return f"{name}-{os.getpid()}-{next(_counter)}"


@contextmanager
def _hosts(lab: Lab, default: str) -> Iterator[HostFactory]:
    """A factory of hosts that are destroyed when the block is left."""
    made: list[Host] = []

    def make(name: str = default, **options: Any) -> Host:
        host = lab.host(_unique(name), **options)
        made.append(host)
        return host

    try:
        yield make
    finally:
        for host in made:
            host.destroy()


@pytest.fixture
def make_host(lab: Lab) -> Iterator[HostFactory]:
    """Call it for a fresh host: ``make_host("web", flavour="systemd")``. All go when the test ends."""
    with _hosts(lab, "host") as make:
        yield make


@pytest.fixture
def host(make_host: HostFactory) -> Host:
    """One fresh plain host."""
    return make_host()


@pytest.fixture(scope="module")
def module_hosts(lab: Lab) -> Iterator[HostFactory]:
    """Like ``make_host``, for a host that all tests of one file share."""
    with _hosts(lab, "shared") as make:
        yield make


@pytest.fixture
def ansible(runner: AnsibleRunner) -> ModuleCall:
    """Run one module over SSH: ``rc, result, output = ansible(host, "ansible.builtin.ping", {})``.

    Options: check, diff, become, user, key, extra_vars, extra_env, task (more task keywords), timeout in seconds.
    """
    return runner.module


@pytest.fixture
def ansible_playbook(runner: AnsibleRunner) -> Callable[..., PlayRun]:
    """Run a playbook over SSH: ``run = ansible_playbook([host], plays_or_name, groups={...})``."""
    return runner.playbook
