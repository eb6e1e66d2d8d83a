# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each way in is found, attributed, closed by what the finding names, and not found afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab import Host
from tests.integration.ways_in import ways
from tests.integration.ways_in.conftest import Look


def found_of(result: dict[str, Any], way: ways.Way) -> list[dict[str, Any]]:
    """The findings that tell this way."""
    return [
        row
        for row in result["findings"]
        if (row["kind"], row["path"], row["account"]) == (way.kind, way.path, way.account) and way.entry in row["entry"]
    ]


def told(result: dict[str, Any]) -> list[tuple[str, str, str | None, str]]:
    return [(row["kind"], row["path"], row["account"], row["entry"]) for row in result["findings"]]


def plant(host: Host, way: ways.Way) -> None:
    host.run(["/bin/bash", "-ec", way.plant])


def remedy(host: Host, row: dict[str, Any]) -> None:
    host.run(["/bin/sh", "-c", row["closes_with"]["command"]])


@pytest.fixture
def ready(make_host: Any) -> Host:
    host: Host = make_host("ways", flavour="systemd")
    host.run(ways.PEOPLE)
    return host


def test_all_ways_at_once_are_found_attributed_and_closed_by_their_remedies(ready: Host, look: Look) -> None:
    before = look(ready)
    assert told(before) == []
    for way in ways.WAYS:
        plant(ready, way)

    result = look(ready)

    assert result["limits"] == []
    missed = [way.name for way in ways.WAYS if not found_of(result, way)]
    assert missed == []
    wrong = {
        way.name: [row["person"] for row in found_of(result, way)]
        for way in ways.WAYS
        if way.person not in [row["person"] for row in found_of(result, way)]
    }
    assert wrong == {}
    families = {way.kind: way.family for way in ways.WAYS}
    assert [row for row in result["findings"] if families.get(row["kind"], row["family"]) != row["family"]] == []
    for row in result["findings"]:
        remedy(ready, row)

    after = look(ready)

    assert told(after) == []
    # The declared way in still stands: that of the test itself.
    assert [row["account"] for row in after["declared"] if row["kind"] == "ssh_key"] == ["alice", "deploy"]


@pytest.fixture(scope="module")
def shared(module_hosts: Any) -> Iterator[Host]:
    host: Host = module_hosts("ways-one", flavour="systemd")
    host.run(ways.PEOPLE)
    return host


@pytest.mark.soak
@pytest.mark.parametrize("way", ways.WAYS, ids=lambda way: way.name.replace(" ", "-"))
def test_one_way_alone_is_found_attributed_and_closed_by_its_remedy(shared: Host, look: Look, way: ways.Way) -> None:
    plant(shared, way)
    result = look(shared)
    rows = found_of(result, way)
    assert rows, told(result)
    assert way.person in [row["person"] for row in rows]
    for row in result["findings"]:
        remedy(shared, row)
    assert told(look(shared)) == []
