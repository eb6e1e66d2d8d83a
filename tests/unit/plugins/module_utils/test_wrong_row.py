# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's own message names an option; which entry has it is put before."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.module_utils import privileged_ips, ssh_accounts, vpn_arguments

ALICE = {"name": "alice"}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([ALICE, {"name": "bob", "uid": "many"}], "bob: "),
        ([ALICE, {"name": "bob", "sudo": {"nopasswd": "perhaps"}}], "bob: "),
        ([ALICE, {"name": "bob", "key": "x", "a": 1}], "bob: a, key: unknown option. "),
        ([ALICE, {"uid": 1000}], "entry 2: "),
        ([ALICE, "bob"], "entry 2: "),
        ([ALICE, {"name": "bob", "uid": "1001"}], ""),
        ("alice", ""),
        (None, ""),
    ],
)
def test_the_account_is_named(rows: Any, said: str) -> None:
    assert ssh_accounts.which_entry({"accounts": rows}) == said


def test_sinks_and_certificates_are_named_as_well() -> None:
    sinks = [{"backend": "nftables"}, {"backend": "nftable", "name": "edge"}]
    assert privileged_ips.which_entry({"sinks": sinks}) == "sink edge: "
    assert privileged_ips.which_entry({"sinks": [{"backend": "nftable"}]}) == "sink nftable: "
    assert privileged_ips.which_entry({"sinks": [{}]}) == "sink 1: "
    assert vpn_arguments.which_entry({"certificates": [{"cn": "alice"}, {"serial": "0A"}]}) == "entry 2: "
