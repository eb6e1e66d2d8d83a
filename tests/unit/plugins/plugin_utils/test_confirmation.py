# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as proof, and how long one attempt may take."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.confirmation import (
    ConfirmedAction,
    answers,
    attempt_timeout,
    was_cut,
)


@pytest.mark.parametrize(
    ("told", "wanted", "proof"),
    [
        ("confirmed", "confirmed", True),
        ("not confirmed: armed", "confirmed", False),
        ("not confirmed: confirmed", "confirmed", False),
        ("unconfirmed", "confirmed", False),
        ("0f: rolled-back, 2 actions", "rolled-back", True),
        ("0f: rolling-back, 2 actions", "rolled-back", False),
        ("change.json program rolled-back", "rolled-back", True),
        ("sudo: a password is required", "confirmed", False),
    ],
)
def test_only_the_servers_own_words_are_a_proof(told: str, wanted: str, proof: bool) -> None:
    assert answers(told, wanted) is proof


def test_an_attempt_is_as_patient_as_the_user_wants_and_three_fit_in() -> None:
    assert attempt_timeout(10, 60) == 10
    assert attempt_timeout(30, 60) == 20
    assert attempt_timeout(30, 3) == 5
    assert attempt_timeout(None, 60) == 5


def test_a_line_that_broke_is_told_from_one_that_never_was() -> None:
    assert was_cut("Shared connection to 192.0.2.1 closed.")
    assert was_cut("Data could not be sent to remote host")
    assert not was_cut("Failed to connect to the host via ssh: No route to host")
    assert not was_cut("deploy@192.0.2.1: Permission denied (publickey)")


@pytest.mark.parametrize("name", ["ansible.builtin.local", "community.general.chroot", "containers.podman.podman"])
def test_a_connection_without_a_login_can_not_be_proved_and_that_is_said(name: str) -> None:
    action = ConfirmedAction.__new__(ConfirmedAction)
    action._task = SimpleNamespace(check_mode=False, async_val=0)
    action._connection = SimpleNamespace(ansible_name=name, transport=name)
    assert action._applicable({}) == f"not applicable: connection {name} is no login that could be proved"
    assert action._applicable({"confirm": "never"}) == "never: switched off by confirm"
