# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A way is attributed by the key, the account, the address or the certificate that leads to a person."""

from __future__ import annotations

import base64
import hashlib
import struct

import pytest

from ansible_collections.infogerance.perimeter.plugins.module_utils.authorized_keys import parse_declared
from ansible_collections.infogerance.perimeter.plugins.module_utils.reconcile import InvalidEntry
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.people import People, Who

TODAY = "2026-11-24"


def key(name: str) -> str:
    kind = b"ssh-ed25519"
    point = hashlib.sha256(name.encode()).digest()
    blob = struct.pack(">I", len(kind)) + kind + struct.pack(">I", len(point)) + point
    return f"ssh-ed25519 {base64.b64encode(blob).decode()} {name}"


def fingerprint(name: str) -> str | None:
    return parse_declared(key(name)).fingerprint


PEOPLE = People(
    accounts=[
        {"name": "alice", "person": "alice.martin", "keys": [key("alice")], "groups": ["adm"]},
        {"name": "bob", "keys": [key("bob")]},
        {"name": "gone", "person": "gone.one", "keys": [key("gone")], "expires": "2026-01-01"},
    ],
    addresses=[
        "203.0.113.1",
        {"address": "192.0.2.0/24", "owner": "office"},
        {"address": "192.0.2.7", "owner": "alice"},
    ],
    certificates=[{"cn": "laptop", "person": "alice.martin"}, {"cn": "old", "person": "x", "state": "absent"}],
    known=[{"person": "carol.petit", "accounts": ["carol"], "keys": [key("carol")], "addresses": ["2001:db8::/32"]}],
    today=TODAY,
)


def test_a_key_leads_to_its_person_in_whatever_account_it_lies() -> None:
    assert PEOPLE.key(fingerprint("alice"), "root") == Who("alice.martin", "key")
    assert PEOPLE.key(fingerprint("carol"), "alice") == Who("carol.petit", "key")


def test_an_unknown_key_leads_to_the_person_of_the_account() -> None:
    assert PEOPLE.key(fingerprint("nobody's"), "alice") == Who("alice.martin", "account")
    assert PEOPLE.key(fingerprint("nobody's"), "root") == Who(None, None)


def test_without_a_person_the_accounts_name_stands_for_it() -> None:
    assert PEOPLE.account("bob") == Who("bob", "account")


def test_a_key_is_declared_for_its_own_account_only() -> None:
    assert PEOPLE.declares_key("alice", fingerprint("alice"))
    assert not PEOPLE.declares_key("root", fingerprint("alice"))


def test_an_expired_entry_attributes_and_declares_nothing() -> None:
    assert PEOPLE.account("gone") == Who("gone.one", "account")
    assert not PEOPLE.declares_account("gone")
    assert not PEOPLE.declares_key("gone", fingerprint("gone"))


def test_the_narrowest_network_with_an_owner_decides() -> None:
    assert PEOPLE.address("192.0.2.7") == Who("alice", "address")
    assert PEOPLE.address("192.0.2.8") == Who("office", "address")
    assert PEOPLE.address("203.0.113.1") == Who(None, None)
    assert PEOPLE.address("no address") == Who(None, None)


def test_people_who_are_only_known_declare_no_address() -> None:
    assert PEOPLE.address("2001:db8::1") == Who("carol.petit", "address")
    assert not PEOPLE.declares_address("2001:db8::1")
    assert PEOPLE.declares_address("192.0.2.99") and PEOPLE.declares_address("203.0.113.1")


def test_a_certificate_leads_by_its_name_then_as_an_account() -> None:
    assert PEOPLE.certificate("laptop") == Who("alice.martin", "certificate")
    assert PEOPLE.certificate(None, "carol") == Who("carol.petit", "account")
    assert PEOPLE.declares_certificate("laptop") and not PEOPLE.declares_certificate("old")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"accounts": [{"keys": []}]}, "accounts[0]: name"),
        ({"accounts": [{"name": "a b"}]}, "accounts[0]: name"),
        ({"accounts": ["alice"]}, "accounts[0]: row"),
        ({"accounts": [{"name": "alice", "keys": ["rubbish"]}]}, "alice: keys[0]"),
        ({"accounts": [{"name": "alice", "keys": "ssh-ed25519 x"}]}, "alice: keys"),
        ({"accounts": [{"name": "alice", "expires": "soon"}]}, "alice: expires"),
        ({"addresses": ["192.0.2.1/24"]}, "192.0.2.1/24: address"),
        ({"addresses": [{"owner": "x"}]}, "addresses[0]: address"),
        ({"certificates": [{"person": "x"}]}, "certificates[0]: cn"),
        ({"known": [{"accounts": ["x"]}]}, "people[0]: person"),
        ({"known": [{"person": "x", "addresses": ["y"]}]}, "x: addresses"),
    ],
)
def test_bad_input_names_the_entry_and_the_field(arguments: dict[str, list[object]], said: str) -> None:
    with pytest.raises(InvalidEntry) as caught:
        People(**arguments, today=TODAY)  # type: ignore[arg-type]
    assert said in str(caught.value)
