# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of a departure, and the summary that must never say more than was seen."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.filter.departing import departing
from ansible_collections.infogerance.perimeter.plugins.filter.departure_summary import departure_summary

ME = "carol.petit"
ROWS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["a", "b", "c", "root"])},
        optional={
            "person": st.sampled_from([ME, "bob.leroy"]),
            "keys": st.lists(st.sampled_from(["k1", "k2"]), max_size=2),
            "system": st.booleans(),
        },
    ),
    unique_by=lambda row: row["name"],
)


@given(ROWS, st.lists(st.sampled_from(["a", "x", "y"])))
def test_what_is_left_and_what_is_theirs_are_the_whole_list(rows, more):
    seen = departing(ME, rows, more={"accounts": more})
    theirs = [row for row in rows if row.get("person") == ME]
    assert seen["left"]["accounts"] == [row for row in rows if row not in theirs]
    assert set(seen["who"]["accounts"]) == {row["name"] for row in theirs if not row.get("system")} | set(more)
    names = [row["name"] for row in seen["accounts"]]
    assert len(names) == len(set(names))
    assert seen["accounts"][: len(rows)] == rows


def test_a_shared_account_is_nobodys_but_the_persons_key_in_it_is_theirs():
    seen = departing(ME, [{"name": "root", "system": True, "person": ME, "keys": ["ssh-ed25519 AAAA"]}])
    assert seen["who"]["accounts"] == []
    assert seen["who"]["keys"] == ["ssh-ed25519 AAAA"]


def test_addresses_and_certificates_are_told_by_their_owner():
    seen = departing(
        ME,
        addresses=["192.0.2.1", {"address": "192.0.2.2", "owner": ME}, {"address": "192.0.2.3"}],
        certificates=[{"cn": "carol", "person": ME}, {"cn": "bob"}],
    )
    assert seen["who"]["addresses"] == ["192.0.2.2"]
    assert seen["who"]["certificates"] == ["carol"]
    assert seen["left"]["addresses"] == ["192.0.2.1", {"address": "192.0.2.3"}]
    assert seen["left"]["certificates"] == [{"cn": "bob"}]


@pytest.mark.parametrize("person", ["", "  ", None, 7])
def test_a_person_without_a_name_is_refused(person):
    with pytest.raises(AnsibleFilterError):
        departing(person)


WAY = {"kind": "ssh_key", "path": "/p", "account": "a", "entry": "e", "why": "w", "declared": False,
       "closes_with": {"command": "c"}}  # fmt: skip


@pytest.mark.parametrize(
    ("kept", "state"),
    [
        ({}, "unreachable"),
        ({"__departure_fault": "refused"}, "failed"),
        ({"__departure_left": [], "__departure_fault": "refused"}, "failed"),
        ({"__departure_left": [], "__departure_fault": ""}, "proved"),
        ({"__departure_left": [WAY]}, "open"),
        ({"__departure_left": [], "__departure_limits": ["time is up"]}, "open"),
    ],
)
def test_only_a_host_that_was_seen_whole_is_called_proved(kept, state):
    made = departure_summary({"h": kept}, ["h"], ME, "2026-11-01", "2026-11-24")
    assert made["hosts"][0]["state"] == state
    assert made["complete"] is (state == "proved")


def test_before_the_day_nothing_is_called_proved_and_no_host_is_not_complete():
    kept = {"h": {"__departure_left": []}}
    assert departure_summary(kept, ["h"], ME, "2026-12-01", "2026-11-24")["hosts"][0]["state"] == "planned"
    assert departure_summary({}, [], ME, "2026-11-01", "2026-11-24")["complete"] is False


def test_hosts_that_the_run_was_kept_from_are_told_and_it_is_not_complete():
    kept = {"a": {"__departure_left": []}, "b": {"__departure_left": []}}
    made = departure_summary(kept, ["a"], ME, "2026-11-01", "2026-11-24", left_out=["b"])
    assert [(row["host"], row["state"]) for row in made["hosts"]] == [("a", "proved"), ("b", "left_out")]
    assert made["complete"] is False
    assert made["lines"][0].endswith("2 hosts (1 left_out, 1 proved), 0 ways closed")


@pytest.mark.parametrize(
    ("variables", "clients"),
    [
        ({"infogerance_client": "acme", "group_names": ["client_globex"]}, ["acme"]),
        ({"infogerance_client": ["globex", "acme"]}, ["acme", "globex"]),
        ({"group_names": ["web", "client_acme"]}, ["acme"]),
        ({}, []),
    ],
)
def test_a_hosts_clients_are_those_of_the_ledger(variables, clients):
    made = departure_summary({"h": {"__departure_left": [], **variables}}, ["h"], ME, "2026-11-01", "2026-11-24")
    assert made["hosts"][0]["clients"] == clients
