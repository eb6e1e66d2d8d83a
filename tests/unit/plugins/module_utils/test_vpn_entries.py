# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declared list against an index: serials, names, renewals, and what is refused."""

from __future__ import annotations

import pytest

from ansible_collections.infogerance.perimeter.plugins.module_utils import vpn_entries as v
from ansible_collections.infogerance.perimeter.plugins.module_utils.pki.index_file import parse_index
from ansible_collections.infogerance.perimeter.plugins.module_utils.reconcile import InvalidEntry

NOW = "2026-11-23T12:00:00Z"
LINES = parse_index(
    b"V\t300101000000Z\t\t0A\tunknown\t/CN=alice\n"
    b"V\t300101000000Z\t\t0B\tunknown\t/CN=alice\n"
    b"R\t300101000000Z\t261101000000Z\t0C\tunknown\t/CN=bob\n"
    b"V\t260101000000Z\t\t0D\tunknown\t/CN=carol\n"
    b"R\t300101000000Z\t261101000000Z,certificateHold\t0E\tunknown\t/CN=dave\n"
)


def resolved(*rows):
    return [(d.entry, (d.uncreatable or "").split(":")[0]) for d in v.resolve_rows(v.parse_rows(rows), LINES, NOW)]


def test_a_name_means_all_its_live_certificates_and_a_serial_only_one():
    assert resolved({"cn": "alice"}) == [("alice:0A", ""), ("alice:0B", "")]
    assert resolved({"cn": "alice", "serial": "0x0b"}) == [("alice:0B", "")]
    assert resolved({"cn": "dave"}) == [("dave:0E", "")]


def test_what_is_missing_says_why():
    assert resolved({"cn": "bob"}) == [("bob", "revoked on 2026-11-01")]
    assert resolved({"cn": "bob", "serial": "C"}) == [("bob:0C", "revoked on 2026-11-01")]
    assert resolved({"cn": "carol"}) == [("carol", "expired on 2026-01-01")]
    assert resolved({"cn": "nobody"}) == [("nobody", "no such certificate was issued here")]
    assert resolved({"cn": "nobody", "csr": "a request"}) == [("nobody", "")]


def test_absent_rows_declare_nothing():
    assert resolved({"cn": "alice", "state": "absent"}) == []
    assert resolved({"cn": "alice", "serial": "0A", "state": "absent"}, {"cn": "alice", "serial": "0B"}) == [
        ("alice:0B", "")
    ]


@pytest.mark.parametrize(
    ("rows", "entry", "field"),
    [
        ([{}], "certificates[0]", "cn"),
        ([{"cn": "../evil"}], "../evil", "cn"),
        ([{"cn": "-rf"}], "-rf", "cn"),
        ([{"cn": "a\nb"}], "a\nb", "cn"),
        ([{"cn": "a\n"}], "a\n", "cn"),
        ([{"cn": "a"}, {"cn": "a"}], "a", "cn"),
        ([{"cn": "a", "serial": "1"}, {"cn": "a", "serial": "01"}], "a", "serial"),
        ([{"cn": "a", "serial": "1"}, {"cn": "b", "serial": "01"}], "b", "serial"),
        ([{"cn": "a", "serial": "1"}, {"cn": "a"}], "a", "serial"),
        ([{"cn": "a", "expires": "2026-02-30"}], "a", "expires"),
        ([{"cn": "a", "serial": "1", "csr": "x"}], "a", "csr"),
        ([{"cn": "a", "state": "absent", "csr": "x"}], "a", "csr"),
        ([{"cn": "alice", "serial": "0C"}], "alice", "serial"),
    ],
)
def test_bad_rows_name_entry_and_field(rows, entry, field):
    with pytest.raises(InvalidEntry) as raised:
        resolved(*rows)
    assert (raised.value.entry, raised.value.field) == (entry, field)


def test_names_given_by_hand_may_be_names_serials_or_entries():
    assert v.split_names({"alice", "0E", "x:01"}, LINES, NOW) == {
        "alice",
        "0E",
        "x:01",
        "alice:0A",
        "alice:0B",
        "dave:0E",
    }


def test_what_may_be_taken_away():
    manage = v.parse_manage({"names": ["alice", "0C", "carol:0D"]})
    assert [manage.covers(cn, s) for cn, s in (("alice", "0A"), ("bob", "0C"), ("carol", "0D"), ("dave", "0E"))] == [
        True, True, True, False,
    ]  # fmt: skip
    assert v.parse_manage({"ca": True}).covers(None, "FF")
    assert not v.parse_manage(None).covers("alice", "0A")


def test_names_that_cannot_be_shown_are_left_out():
    assert v.entry_name("with space", "0A") == "?:0A"
    assert v.entry_name(None, "0A") == "?:0A"
    assert v.entry_name("alice", "0A") == "alice:0A"
