# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each way in is found, attributed, closed by what the finding names, and not found afterwards."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lab import Host
from tests.integration.ways_in import ways
from tests.integration.ways_in.conftest import Look

DOCS = Path(__file__).resolve().parents[3] / "docs" / "ways_in.md"


def table() -> str:
    lines = ["| Way | Family | Kind | osquery | evocheck |", "| --- | --- | --- | --- | --- |"]
    for way in ways.WAYS:
        lines.append(f"| {way.name} | {way.family} | `{way.kind}` | {way.osquery or '-'} | {way.evocheck or '-'} |")
    return "\n" + "\n".join(lines) + "\n"


def test_the_docs_list_the_ways_that_are_planted() -> None:
    """``WAYS_WRITE_DOCS=1`` writes the list."""
    begin, end = "<!-- begin ways -->", "<!-- end ways -->"
    text = DOCS.read_text(encoding="utf-8")
    head, rest = text.split(begin)
    inner, tail = rest.split(end)
    if os.environ.get("WAYS_WRITE_DOCS"):
        DOCS.write_text(head + begin + table() + end + tail, encoding="utf-8")
    else:
        assert inner == table()


def found_of(result: dict[str, Any], way: ways.Way) -> list[dict[str, Any]]:
    """The findings that tell this way."""
    return [
        row
        for row in result["findings"]
        if (row["kind"], row["account"]) == (way.kind, way.account)
        and way.path in ("*", row["path"])
        and way.entry in row["entry"]
    ]


def told(result: dict[str, Any]) -> list[tuple[str, str, str | None, str]]:
    return [(row["kind"], row["path"], row["account"], row["entry"]) for row in result["findings"]]


def plant(host: Host, planted: Sequence[ways.Way]) -> None:
    """Make the ways, each in a shell of its own, stopping at the first that can't be made."""
    host.run(["/bin/bash", "-es"], input="".join(f"(\n{way.plant}\n)\n" for way in planted), timeout=300)


def remedy(host: Host, rows: Sequence[dict[str, Any]]) -> None:
    """Run what the findings name, in the shell that they are written for, each by itself."""
    script = "".join(f"/bin/sh -c {shlex.quote(row['closes_with']['command'])}\n" for row in rows)
    host.run(["/bin/sh", "-es"], input=script, timeout=300)


@pytest.fixture
def ready(make_host: Any) -> Host:
    host: Host = make_host("ways", flavour="systemd", extra_packages=ways.PACKAGES)
    host.run(ways.PEOPLE)
    return host


def test_all_ways_at_once_are_found_attributed_and_closed_by_their_remedies(ready: Host, look: Look) -> None:
    before = look(ready)
    assert told(before) == []
    plant(ready, ways.WAYS)

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
    remedy(ready, result["findings"])

    after = look(ready)

    assert told(after) == []
    # The declared way in still stands: that of the test itself.
    assert [row["account"] for row in after["declared"] if row["kind"] == "ssh_key"] == ["alice", "deploy"]


@pytest.fixture(scope="module")
def shared(module_hosts: Any) -> Host:
    host: Host = module_hosts("ways-one", flavour="systemd", extra_packages=ways.PACKAGES)
    host.run(ways.PEOPLE)
    return host


@pytest.mark.soak
@pytest.mark.parametrize("way", ways.WAYS, ids=lambda way: way.name.replace(" ", "-"))
def test_one_way_alone_is_found_attributed_and_closed_by_its_remedy(shared: Host, look: Look, way: ways.Way) -> None:
    plant(shared, [way])
    result = look(shared)
    rows = found_of(result, way)
    assert rows, told(result)
    assert way.person in [row["person"] for row in rows]
    remedy(shared, result["findings"])
    assert told(look(shared)) == []
