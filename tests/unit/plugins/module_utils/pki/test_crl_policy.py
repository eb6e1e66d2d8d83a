# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A revocation list is judged as OpenVPN would take it, and compared with the one that it would replace."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils.pki import crl_policy as c
from ansible_collections.infogerance.perimeter.plugins.module_utils.pki.der import Revocations
from ansible_collections.infogerance.perimeter.plugins.module_utils.pki.index_file import Line

NOW = "2026-11-23T12:00:00Z"
CA = b"ca"


def crl(*serials, updated="2026-11-01T00:00:00Z", expires="2027-11-01T00:00:00Z", number=5, issuer=CA):
    return Revocations(issuer, updated, expires, number, dict.fromkeys(serials, ("2026-01-01T00:00:00Z", None)))


def line(serial, status="V", expires="2030-01-01T00:00:00Z"):
    return Line(
        status, expires, "2026-01-01T00:00:00Z" if status == "R" else None, None, serial, "unknown", "/CN=x", ""
    )


@pytest.mark.parametrize(
    ("made", "signed", "word"),
    [
        (crl("0A"), True, "current"),
        (crl("0A"), False, "foreign"),
        (crl("0A", issuer=b"other"), True, "foreign"),
        (crl("0A", updated="2026-11-24T00:00:00Z"), True, "not yet valid"),
        (crl("0A", expires=NOW), True, "expired"),
        (crl(), True, "incomplete"),
        (crl("0A", expires="2026-12-01T00:00:00Z"), True, "expiring"),
    ],
)
def test_each_state_has_its_word(made, signed, word):
    assert c.judge(made, CA, signed, [line("0A", "R"), line("0B")], NOW, 14).word == word


def test_what_has_expired_need_not_be_listed():
    assert c.judge(crl(), CA, True, [line("0A", "R", "2026-01-01T00:00:00Z")], NOW, 14).word == "current"


def test_a_revocation_that_the_index_lost_is_found():
    lines = [line("0A"), line("0B", "R"), line("0C", expires="2026-01-01T00:00:00Z")]
    assert c.lost_revocations(crl("0A", "0B", "0C", "0D"), lines, NOW) == ["0A", "0D"]
    assert c.lost_revocations(crl("0A"), lines, NOW, {"0A"}) == []


@pytest.mark.parametrize(
    ("new", "old", "released", "kept", "word"),
    [
        (crl("0A", "0B", number=6), crl("0A"), (), (), None),
        (crl("0B", number=6), crl("0A"), (), (), "forgets"),
        (crl("0B", number=6), crl("0A"), ("0A",), (), None),
        (crl("0A", "0B", number=6), crl("0A"), (), ("0B",), "must stay"),
        (crl("0A", number=5), crl("0A"), (), (), "follow"),
        (crl("0A", number=6, expires="2026-11-23T13:00:00Z"), crl("0A"), (), (), "ends on"),
    ],
)
def test_a_worse_list_is_told(new, old, released, kept, word):
    why = c.worse_than(new, old, [line("0A", "R"), line("0B", "R")], NOW, released, kept)
    assert (why is None) if word is None else (word in why)


@given(st.sets(st.sampled_from(["0A", "0B", "0C", "0D"])), st.sets(st.sampled_from(["0A", "0B", "0C", "0D"])))
def test_no_list_that_forgets_a_live_revocation_is_ever_good_enough(old, new):
    lines = [line(serial, "R") for serial in sorted(old | new)]
    why = c.worse_than(crl(*new, number=6), crl(*old), lines, NOW, (), ())
    assert (why is None) == (old <= new)
