# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A WireGuard file comes back byte for byte but for what was changed."""

from __future__ import annotations

import base64
import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils.pki import wireguard_config as w

KEYS = [base64.b64encode(bytes([n]) * 32).decode() for n in range(1, 6)]
HEAD = f"[Interface]\nAddress = 10.9.0.1/24\nPrivateKey = {KEYS[4]}\nPostUp = sysctl x\n\n"
ALICE = f"# alice's laptop\n[Peer]\nPublicKey = {KEYS[0]}\nPresharedKey = {KEYS[3]}\n"
ALICE += "AllowedIPs = 10.9.0.2/32, fd00::2/128 # v6\n\n"
BOB = f"[Peer]\nPublicKey={KEYS[1]}\nAllowedIPs=10.9.0.3/32\nAllowedIPs=10.9.1.0/24\n"


def test_peers_are_read():
    config = w.parse_wireguard((HEAD + ALICE + BOB).encode())
    assert [(peer.key, peer.networks) for peer in config.peers] == [
        (KEYS[0], ("10.9.0.2/32", "fd00::2/128")),
        (KEYS[1], ("10.9.0.3/32", "10.9.1.0/24")),
    ]
    assert config.text() == HEAD + ALICE + BOB
    assert "Address" not in config.for_wg()
    assert "PostUp" not in config.for_wg()
    assert config.for_wg().count("[Peer]") == 2


def test_a_disabled_peer_stays_in_the_file_and_comes_back_unchanged():
    config = w.parse_wireguard((HEAD + ALICE + BOB).encode())
    closed = replace(config, peers=(replace(config.peers[0], disabled_since="2026-11-23"), config.peers[1]))
    again = w.parse_wireguard(closed.text().encode())
    assert [peer.disabled_since for peer in again.peers] == ["2026-11-23", None]
    assert KEYS[0] not in again.for_wg()
    opened = replace(again, peers=tuple(replace(peer, disabled_since=None) for peer in again.peers))
    assert opened.text() == config.text()


def test_new_addresses_leave_the_rest_of_a_peer_alone():
    peer = w.parse_wireguard((HEAD + ALICE).encode()).peers[0].with_networks(["10.9.0.9/32"])
    assert f"PresharedKey = {KEYS[3]}" in peer.lines
    assert [line for line in peer.lines if "AllowedIPs" in line] == ["AllowedIPs = 10.9.0.9/32"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "cut short or emptied"),
        (ALICE, "cut short or emptied"),
        (HEAD + ALICE + BOB[:-1], "cut short"),
        (HEAD + ALICE + ALICE, "twice"),
        (HEAD + "[Peer]\nAllowedIPs = 10.9.0.2/32\n", "without a PublicKey"),
        (HEAD + f"[Peer]\nPublicKey = {KEYS[0]}\nAllowedIPs = 10.9.0.2/33\n", "10.9.0.2/33"),
        (HEAD + "[Pear]\n", "unknown section"),
        ("PrivateKey = x\n" + HEAD, "no section"),
        (HEAD + ALICE + HEAD, "second"),
    ],
)
def test_a_damaged_file_is_refused(text, word):
    with pytest.raises(w.ConfigDamaged, match=word):
        w.parse_wireguard(text.encode())


@given(st.text(max_size=200))
def test_any_text_gives_peers_or_a_clear_error(text):
    for data in (text.encode(), (HEAD + text).encode()):
        with contextlib.suppress(w.ConfigDamaged):
            w.parse_wireguard(data)


@given(st.integers(0, len(HEAD + ALICE + BOB)))
def test_a_cut_file_never_gives_a_peer_that_was_not_there(cut):
    whole = {peer.key for peer in w.parse_wireguard((HEAD + ALICE + BOB).encode()).peers}
    try:
        left = w.parse_wireguard((HEAD + ALICE + BOB)[:cut].encode())
    except w.ConfigDamaged:
        return
    assert {peer.key for peer in left.peers} <= whole


@given(st.lists(st.sampled_from([0, 1, 2, 3]), unique=True), st.sets(st.sampled_from([0, 1, 2, 3])))
def test_what_is_written_is_read_again(order, closed):
    peers = tuple(
        replace(w.Peer.new(KEYS[n], [f"10.9.0.{n}/32"], f"p{n}"), disabled_since="2026-11-23" if n in closed else None)
        for n in order
    )
    config = w.WireGuardConfig(tuple(HEAD.splitlines()), peers)
    again = w.parse_wireguard(config.text().encode())
    assert [(p.key, p.networks, p.name, p.disabled_since) for p in again.peers] == [
        (p.key, p.networks, p.name, p.disabled_since) for p in peers
    ]
    assert w.parse_wireguard(again.text().encode()).text() == again.text()


@pytest.mark.parametrize("text", ["", "short", "A" * 44, KEYS[0][:-1], KEYS[0] + "AAAA"])
def test_what_is_no_key_is_refused(text):
    with pytest.raises(ValueError, match="public key"):
        w.public_key(text)
