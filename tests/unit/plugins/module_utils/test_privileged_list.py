# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declared list of privileged IPs: bad rows named, duplicates and overlaps resolved and told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils.addresses import parse
from ansible_collections.infogerance.perimeter.plugins.module_utils.privileged_list import (
    Rules,
    collapse,
    read_entries,
    settle,
)
from ansible_collections.infogerance.perimeter.plugins.module_utils.reconcile import InvalidEntry

TODAY = "2026-11-23"


def read(*rows: Any, **rules: Any) -> Any:
    return read_entries(rows, Rules(**rules))


@pytest.mark.parametrize(
    ("row", "field", "why"),
    [
        ("198.51.100.999", "address", "999 is above 255"),
        ({"address": "10.0.0.1/33"}, "address", "IPv4 has 0 to 32"),
        ({"address": "203.0.113.1", "family": "ipv6"}, "family", "is ipv6, the address is ipv4"),
        ({"address": "203.0.113.1", "family": "ip"}, "family", "neither ipv4 nor ipv6"),
        ({"address": "203.0.113.1", "list": "friends"}, "list", "'friends' is none of privileged, trusted"),
        ({"address": "203.0.113.1", "expires": "tomorrow"}, "expires", "is not a date"),
        ({"address": "203.0.113.1", "adress": "x"}, "adress", "is unknown"),
        ({"address": "203.0.113.1", "owner": 7}, "owner", "is no text"),
        ({"owner": "alice"}, "address", "is missing"),
        ({"address": 7}, "address", "is no text"),
        (7, "address", "neither a text nor a dictionary"),
        (None, "address", "neither a text nor a dictionary"),
        ("0.0.0.0/0", "address", "name it in allow"),
        ("bastion.example.org", "address", "is a hostname"),
    ],
)
def test_a_bad_row_is_named_with_its_field(row: Any, field: str, why: str) -> None:
    with pytest.raises(InvalidEntry) as caught:
        read("198.51.100.7", row)
    assert caught.value.field == field
    assert "addresses[1]" in caught.value.entry
    assert why in caught.value.message


def test_too_many_rows_are_refused_before_any_is_read() -> None:
    with pytest.raises(InvalidEntry, match="100000 entries, at most 20000"):
        read_entries(["not an address"] * 100_000, Rules())


def test_an_exception_is_taken_by_name_only() -> None:
    entries, _notes = read("0.0.0.0/0", "10.0.0.0/8", allow=["0.0.0.0/0", "10.0.0.0/8"])
    assert [e.text for e in entries] == ["0.0.0.0/0", "10.0.0.0/8"]
    with pytest.raises(InvalidEntry, match="whole internet"):
        read("::/0", allow=["0.0.0.0/0"])


def test_an_allowed_hostname_is_resolved_and_told() -> None:
    entries, notes = read_entries(
        ["Bastion.example.org"],
        Rules(allow=["bastion.example.org"]),
        lambda name: ["2001:db8::5", "192.0.2.5"] if name == "Bastion.example.org" else [],
    )
    assert [e.text for e in entries] == ["192.0.2.5", "2001:db8::5"]
    assert notes == ["Bastion.example.org resolves to 192.0.2.5, 2001:db8::5 on the server"]


def test_an_allowed_hostname_that_resolves_to_loopback_is_refused_all_the_same() -> None:
    with pytest.raises(InvalidEntry, match="loopback"):
        read_entries(["a.example.org"], Rules(allow=["a.example.org"]), lambda name: ["127.0.0.1"])


def test_a_hostname_that_does_not_resolve_stops_the_run() -> None:
    def fail(name: str) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(InvalidEntry, match="can't be resolved"):
        read_entries(["a.example.org"], Rules(allow=["a.example.org"]), fail)


def test_duplicates_in_two_notations_are_one_entry_and_told() -> None:
    entries, notes = read("2001:DB8::1", "2001:db8:0::1", {"address": "2001:db8::1/128", "list": "trusted"})
    settled = settle(entries, TODAY, {})
    assert list(settled.active) == ["2001:db8::1"]
    assert settled.active["2001:db8::1"].lists == {"privileged", "trusted"}
    assert "2001:DB8::1 is written 2001:db8::1" in notes
    assert any("more than once" in note for note in settled.notes)


def test_of_two_rows_the_one_that_lasts_longest_counts() -> None:
    entries, _notes = read(
        {"address": "192.0.2.1", "expires": "2026-11-01", "owner": "old"},
        {"address": "192.0.2.1", "expires": "2027-01-01", "owner": "new"},
    )
    settled = settle(entries, TODAY, {})
    assert settled.active["192.0.2.1"].owner == "new"
    assert not settled.lapsed


def test_what_expires_today_has_lapsed_today() -> None:
    entries, _notes = read(
        {"address": "192.0.2.1", "expires": TODAY}, {"address": "192.0.2.2", "expires": "2026-11-24"}
    )
    settled = settle(entries, TODAY, {})
    assert list(settled.lapsed) == ["192.0.2.1"]
    assert list(settled.active) == ["192.0.2.2"]


def test_the_address_of_who_has_left_has_lapsed() -> None:
    entries, _notes = read({"address": "192.0.2.1", "owner": "bob"}, "192.0.2.2")
    settled = settle(entries, TODAY, {"bob": "2026-11-23"})
    assert list(settled.lapsed) == ["192.0.2.1"]


def test_a_wider_network_covers_what_is_in_it() -> None:
    texts = {t: parse(t) for t in ("192.0.2.0/24", "192.0.2.7", "192.0.2.0/25", "198.51.100.1", "2001:db8::/32")}
    left, covered = collapse(texts)
    assert left == {"192.0.2.0/24", "198.51.100.1", "2001:db8::/32"}
    assert covered == {"192.0.2.7": "192.0.2.0/24", "192.0.2.0/25": "192.0.2.0/24"}


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(24, 32)), max_size=20))
def test_collapsing_neither_lets_anybody_in_nor_out(rows: list[tuple[int, int]]) -> None:
    networks = {str(n): n for n in (parse("192.0.2.%d/%d" % (v >> (32 - p) << (32 - p), p)) for v, p in rows)}
    left, covered = collapse(networks)
    assert left | set(covered) == set(networks)

    def inside(names: Any) -> set[int]:
        return {a for name in names for a in range(networks[name].value, networks[name].last + 1)}

    assert inside(left) == inside(networks)
    for one in left:
        assert not any(networks[one].overlaps(networks[other]) for other in left if other != one)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(junk | st.fixed_dictionaries({"address": junk}, optional={"list": junk, "expires": junk}), max_size=4))
def test_junk_is_an_error_with_a_name_and_never_a_crash(rows: list[Any]) -> None:
    told = None
    try:
        read_entries(rows, Rules())
    except InvalidEntry as error:
        told = error
    assert told is None or (told.entry.startswith("addresses") and told.field)
