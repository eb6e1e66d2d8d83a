# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A password's stored form is what the RFC's arithmetic gives, fits its password, and no other."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import scram

PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1)


def test_the_server_signature_of_the_rfcs_example_follows_from_the_stored_form() -> None:
    # RFC 7677, section 3: user "user", password "pencil".
    import hashlib
    import hmac

    stored = scram.verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    server_key = base64.b64decode(stored.rpartition(":")[2])
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    message = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}"
    signature = hmac.digest(server_key, message.encode(), hashlib.sha256)
    assert base64.b64encode(signature).decode() == "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


@given(PRINTABLE, PRINTABLE)
def test_a_stored_form_fits_its_own_password_only(one: str, other: str) -> None:
    stored = scram.verifier(one, iterations=1)
    assert scram.fits(one, stored)
    assert scram.fits(other, stored) == (one == other)


@pytest.mark.parametrize("stored", [None, "", "md5abc", "SCRAM-SHA-256$1:A$B:C", "SCRAM-SHA-256$x:AA==$AA==:AA=="])
def test_anything_else_that_is_stored_fits_nothing(stored: str | None) -> None:
    assert not scram.fits("password", stored)


@pytest.mark.parametrize("password", ["", "caf\u00e9", "tab\there", "line\n"])
def test_a_password_that_clients_would_spell_differently_is_refused_unquoted(password: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII") as refused:
        scram.verifier(password)
    assert password == "" or password not in str(refused.value)
