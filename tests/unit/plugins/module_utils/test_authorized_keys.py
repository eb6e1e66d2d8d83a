# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The format of authorized_keys: nothing is lost, nothing is hidden, nothing cut is taken for a key."""

from __future__ import annotations

import base64
import subprocess

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils import authorized_keys as ak

GOOD = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGu2Q7oq5vTgCzVnbU0IZkY3w1lyRrpYyqLh0yD1bJ1x"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHv2Q7oq5vTgCzVnbU0IZkY3w1lyRrpYyqLh0yD1bJ1x"


def blob(*parts):
    raw = b"".join(len(p).to_bytes(4, "big") + p for p in parts)
    return base64.b64encode(raw).decode()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One real public key line of each type that ssh-keygen makes without a token, with its fingerprint."""
    folder = tmp_path_factory.mktemp("keys")
    found = {}
    for name, argv in {
        "ssh-ed25519": ["-t", "ed25519"],
        "ssh-rsa": ["-t", "rsa", "-b", "2048"],
        "ecdsa-sha2-nistp256": ["-t", "ecdsa", "-b", "256"],
        "ecdsa-sha2-nistp384": ["-t", "ecdsa", "-b", "384"],
        "ecdsa-sha2-nistp521": ["-t", "ecdsa", "-b", "521"],
    }.items():
        path = folder / name
        subprocess.run(["ssh-keygen", "-q", *argv, "-N", "", "-C", "a comment", "-f", str(path)], check=True)
        told = subprocess.run(["ssh-keygen", "-lf", str(path)], check=True, capture_output=True, text=True).stdout
        found[name] = (path.with_name(name + ".pub").read_text().strip(), told.split()[1])
    return found


LINES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            b"",
            b"# note",
            GOOD.encode(),
            GOOD.encode() + b" me\r",
            OTHER.encode() + b" \xff",
            b'command="a \\" b",no-pty ' + GOOD.encode(),
            b'from="open ' + GOOD.encode(),
            b"\xef\xbb\xbf" + GOOD.encode(),
            b"\0" + OTHER.encode(),
            b"ssh-ed25519 AAAA",
        ]
    ),
)
FILES = st.builds(
    lambda lines, end: b"\n".join(lines) + end, st.lists(LINES, max_size=12), st.sampled_from([b"", b"\n", b"\r\n"])
)


@given(FILES)
def test_reading_keeps_every_byte(data):
    assert b"".join(line.raw for line in ak.parse_file(data)) == data


@given(FILES)
def test_dropping_a_key_takes_its_lines_and_no_other_byte(data):
    gone = ak.parse_declared(GOOD).fingerprint
    left = ak.edit(data, drop=[gone])
    assert left == b"".join(line.raw for line in ak.parse_file(data) if line.fingerprint != gone)
    assert gone not in [line.fingerprint for line in ak.parse_file(left)]
    assert ak.edit(left, drop=[gone]) == left


@given(FILES)
def test_an_added_key_stands_on_a_line_of_its_own(data):
    assume(not data.endswith(b"\0"))
    line = ak.parse_declared(OTHER)
    more = ak.edit(data, add=[ak.render(line)])
    assert more.startswith(data)
    assert ak.parse_file(more)[-1].fingerprint == line.fingerprint


@given(st.text(alphabet='abc",= \\\\\t', max_size=30))
def test_options_end_where_sshd_ends_them(options):
    """sshd's own loop, told again in the shortest way: quotes hold blanks, a backslash holds a quote."""
    quoted, end = False, 0
    while end < len(options) and (quoted or options[end] not in " \t"):
        if options[end] == "\\" and options[end + 1 : end + 2] == '"':
            end += 1
        elif options[end] == '"':
            quoted = not quoted
        end += 1
    line = ak.parse_file((options.lstrip(" \t") + " " + GOOD + "\n").encode())[0]
    if options.strip(" \t") == options and not quoted and end >= len(options) and options:
        assert line.options == options
        assert line.fingerprint == ak.parse_declared(GOOD).fingerprint


@pytest.mark.parametrize(
    ("options", "split"),
    [
        ("no-pty", [("no-pty", None)]),
        ('No-Pty,FROM="192.0.2.0/24"', [("no-pty", None), ("from", "192.0.2.0/24")]),
        ('command="a,b \\"c\\" d",restrict', [("command", 'a,b "c" d'), ("restrict", None)]),
        ('environment="A=b,c=d",no-pty', [("environment", "A=b,c=d"), ("no-pty", None)]),
        ("", []),
    ],
)
def test_options_are_split_at_commas_outside_quotes(options, split):
    assert ak.split_options(options) == split


def test_every_type_that_ssh_keygen_makes_is_taken_with_its_fingerprint(made):
    for kind, (line, fingerprint) in made.items():
        taken = ak.parse_declared(line)
        assert (taken.type, taken.fingerprint, taken.comment) == (kind, fingerprint, "a comment")
        assert ak.render(taken) == line.encode() + b"\n"
        assert ak.parse_file(ak.render(taken))[0].fingerprint == fingerprint


@pytest.mark.parametrize(
    "line",
    [
        "sk-ssh-ed25519@openssh.com " + blob(b"sk-ssh-ed25519@openssh.com", b"k" * 32, b"ssh:"),
        "sk-ecdsa-sha2-nistp256@openssh.com "
        + blob(b"sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", b"\4" + b"k" * 64, b"ssh:"),
    ],
)
def test_keys_of_security_tokens_are_taken(line):
    assert ak.parse_declared(line + " token").fingerprint.startswith("SHA256:")


def test_no_cut_key_is_ever_taken(made):
    for line, _fingerprint in made.values():
        kind, text, _comment = line.split(" ", 2)
        for end in range(len(text)):
            with pytest.raises(ak.BadKey):
                ak.parse_declared(f"{kind} {text[:end]}")


def test_a_cut_key_in_a_file_is_no_key_either(made):
    for line, fingerprint in made.values():
        kind, text, _comment = line.split(" ", 2)
        for end in range(0, len(text), 3):
            found = ak.parse_file(f"{kind} {text[:end]}\n".encode())[0]
            assert found.fingerprint is None
            assert found.fingerprint != fingerprint


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"),
        ("   ", "empty"),
        (GOOD + "\n" + GOOD, "line break"),
        (GOOD.replace(" ", "\0"), "control"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "private key"),
        ("alice@laptop", "no key"),
        ("no-such " + GOOD, "unknown option"),
        ("command=ls " + GOOD, "double quotes"),
        ('command="" ' + GOOD, "double quotes"),
        ('from="a",from="b" ' + GOOD, "twice"),
        ("no-pty, " + GOOD, "comma"),
        ('expiry-time="soon" ' + GOOD, "expiry-time"),
        ('expiry-time="20271332" ' + GOOD, "expiry-time"),
        ('command="open ' + GOOD, "open quote"),
        ("ssh-rsa " + GOOD.split()[1], "says type"),
        ("ssh-ed25519 " + blob(b"ssh-ed25519", b"k" * 31), "31 bytes"),
        ("ssh-rsa " + blob(b"ssh-rsa", b"\1\0\1", b"\x7f" * 128), "1023 bits"),
        ("ecdsa-sha2-nistp256 " + blob(b"ecdsa-sha2-nistp256", b"nistp384", b"\4" + b"k" * 64), "curve"),
        ("ssh-dss " + blob(b"ssh-dss", b"a", b"b", b"c", b"d"), "has type"),
        ("ssh-ed25519 " + blob(b"ed25519", b"k" * 32).replace("=", ""), "base64"),
    ],
)
def test_what_is_no_key_is_refused_with_the_reason(text, told):
    with pytest.raises(ak.BadKey, match=told):
        ak.parse_declared(text)


def test_an_other_way_to_write_a_key_is_the_same_key(made):
    line, fingerprint = made["ssh-rsa"]
    raw = base64.b64decode(line.split()[1])
    length = int.from_bytes(raw[11:15], "big")
    exponent, modulus = raw[15 : 15 + length], raw[19 + length :]
    for odd in (
        "rsa-sha2-512 " + line.split()[1],
        "ssh-rsa " + blob(b"RSA", exponent, modulus),
        "ssh-rsa " + blob(b"ssh-rsa", b"\0\0" + exponent, b"\0" + modulus),
        "ssh-rsa " + line.split()[1][:40] + "\r" + line.split()[1][40:],
        line + "\0 # harmless",
    ):
        assert ak.parse_file(odd.encode() + b"\n")[0].fingerprint == fingerprint, odd[:40]


@pytest.mark.parametrize(
    ("value", "expired"),
    [
        ("20261121", True),
        ("20261123", False),
        ("202611220900", True),
        ("202611221100", False),
        ("20261123235959Z", False),
        ("20401231", False),
        ("nonsense", False),
        ("00000000", False),
    ],
)
def test_a_key_counts_as_expired_only_when_it_is_so_in_every_time_zone(value, expired):
    line = ak.parse_file(f'expiry-time="{value}" {GOOD}\n'.encode())[0]
    assert line.fingerprint
    assert line.expired("2026-11-23") is expired


def test_an_authority_is_told_from_a_key():
    assert ak.parse_file(f"Cert-Authority {GOOD}".encode())[0].is_ca
    assert not ak.parse_file(f'command="cert-authority" {GOOD}'.encode())[0].is_ca
