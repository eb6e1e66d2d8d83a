# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with a few people, and the survey of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab import Host, Lab
from tests.integration.ways_in import ways

MODULE = "infogerance.perimeter.ways_in_info"
Look = Callable[..., dict[str, Any]]


def lists(lab: Lab) -> dict[str, Any]:
    """What a client declares, and whom we know: alice is declared, bob has left, the lab's own account too."""
    own = lab.key.with_name(lab.key.name + ".pub").read_text().strip()
    return {
        "accounts": [
            {"name": "deploy", "person": "the team", "keys": [own]},
            {"name": "alice", "person": "alice.martin", "keys": [ways.ALICE_KEY], "groups": ["adm"]},
        ],
        "addresses": [{"address": "192.0.2.7", "owner": "alice.martin"}],
        "certificates": [{"cn": "alice-laptop", "person": "alice.martin"}],
        "people": [
            {
                "person": "bob.leroy",
                "accounts": ["bob"],
                "keys": [ways.BOB_KEY],
                "addresses": ["198.51.100.0/24"],
                "certificates": ["bob-laptop", ways.BOB_PEER],
            }
        ],
    }


@pytest.fixture
def look(ansible: Any, lab: Lab) -> Look:
    """Survey a host: ``look(host, families=[...])`` gives the module's result."""

    def call(host: Host, **arguments: Any) -> dict[str, Any]:
        # The lab's own sudo rule and boot script are no part of a server: reviewed, as a user would.
        # Time enough on a machine that is busy with other tests.
        arguments = {**lists(lab), "accept": ways.OF_THE_LAB, "max_seconds": 300, **arguments}
        code, result, output = ansible(host, MODULE, arguments)
        assert code == 0, output
        assert not result.get("changed"), "an info module changes nothing"
        return result

    return call
