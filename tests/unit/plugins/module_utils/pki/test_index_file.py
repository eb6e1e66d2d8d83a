# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of index.txt takes what openssl writes, and nothing else."""

from __future__ import annotations

import contextlib
import subprocess
from datetime import datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils.pki import index_file as i

ALICE = b"V\t261223093551Z\t\t01\tunknown\t/C=FR/O=Example/CN=alice/emailAddress=alice@example.org\n"
BOB = b"R\t261223093552Z\t261123093553Z,keyCompromise\t0A\tunknown\t/C=FR/O=Example/CN=bob\n"
HELD = b"R\t261223093552Z\t261123093553Z,certificateHold\t0B\tunknown\t/CN=carol\n"
FAR = b"V\t20550101000000Z\t\t0C\tunknown\t/CN=far\n"

SERIALS = st.integers(1, 2**64).map(lambda n: i.serial_text("%x" % n))
TIMES = st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(2200, 1, 1)).map(  # noqa: DTZ001
    lambda t: t.strftime("%Y-%m-%dT%H:%M:%SZ")
)
SUBJECTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40).map(lambda t: "/CN=" + t)


@st.composite
def indexes(draw):
    rows = []
    for serial in draw(st.lists(SERIALS, unique=True, max_size=8)):
        status = draw(st.sampled_from("VRE"))
        revocation = ""
        if status == "R":
            reason = draw(st.none() | st.sampled_from(sorted(i.REASONS)))
            revocation = i.stamp(draw(TIMES)) + ("," + reason if reason else "")
        rows.append("\t".join((status, i.stamp(draw(TIMES)), revocation, serial, "unknown", draw(SUBJECTS))))
    return "".join(row + "\n" for row in rows).encode("ascii")


def _no_comments(data: bytes) -> bytes:
    return b"".join(line + b"\n" for line in data.split(b"\n")[:-1] if not line.startswith(b"#"))


def test_the_lines_of_a_real_index_are_read():
    alice, bob, held, far = i.parse_index(ALICE + BOB + HELD + FAR)
    assert (alice.status, alice.serial, alice.expires) == ("V", "01", "2026-12-23T09:35:51Z")
    assert (bob.revoked, bob.reason, bob.held) == ("2026-11-23T09:35:53Z", "keyCompromise", False)
    assert held.held
    assert far.expires == "2055-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("data", "line", "word"),
    [
        (ALICE + BOB[:-1], 2, "cut short"),
        (ALICE + BOB[:20] + b"\n", 2, "fields"),
        (ALICE + b"\n", 2, "fields"),
        (ALICE + ALICE, 2, "already"),
        (ALICE.replace(b"V", b"W", 1), 1, "status"),
        (ALICE.replace(b"\t01\t", b"\t1\t"), 1, "serial"),
        (ALICE.replace(b"\t01\t", b"\t-1\t"), 1, "serial"),
        (ALICE.replace(b"261223", b"261323"), 1, "calendar"),
        (ALICE.replace(b"261223093551Z", b"2612230935Z"), 1, "date"),
        (ALICE.replace(b"\t\t", b"\t261123093553Z\t"), 1, "revocation date"),
        (BOB.replace(b"261123093553Z,keyCompromise", b""), 1, "date"),
        (BOB.replace(b"keyCompromise", b"boredom"), 1, "reason"),
        (ALICE.replace(b"\n", b"\r\n"), 1, "carriage"),
        (ALICE.replace(b"/C=FR", b"C=FR"), 1, "subject"),
    ],
)
def test_a_damaged_line_is_named(data, line, word):
    with pytest.raises(i.IndexDamaged) as raised:
        i.parse_index(data)
    assert raised.value.line == line
    assert word in str(raised.value)


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("/C=FR/ST=13/O=Example/CN=alice/emailAddress=a@example.org", "alice"),
        (r"/CN=b\/ob/O=A\/B", "b/ob"),
        (r"/O=x\/CN=root/CN=eve", "eve"),
        ("/CN=first/CN=second", "second"),
        (r"/CN=a\+b+OU=x", "a+b"),
        (r"/CN=Ren\xC3\xA9", "René"),
        (r"/CN=tab\x09x", "tab\tx"),
        ("/O=Example", None),
        (r"/CN=\xFF", None),
    ],
)
def test_the_common_name_is_the_one_that_openvpn_takes(subject, name):
    assert i.common_name(subject) == name


def test_a_serial_has_one_spelling():
    assert {i.serial_text(s) for s in ("0a", "A", "0x0A", "00:0a", "000A")} == {"0A"}
    assert i.serial_text("0") == "00"
    for bad in ("", "xyz", "-1", "1 2", "F" * 129):
        with pytest.raises(ValueError, match="serial"):
            i.serial_text(bad)


def test_revoking_changes_that_line_and_no_other_byte():
    data = i.revoke(ALICE + BOB + FAR, ["01", "0C"], "2026-11-23T10:00:00Z", "cessationOfOperation")
    assert data == (
        ALICE.replace(b"V", b"R", 1).replace(b"\t\t", b"\t261123100000Z,cessationOfOperation\t")
        + BOB
        + FAR.replace(b"V", b"R", 1).replace(b"\t\t", b"\t261123100000Z,cessationOfOperation\t")
    )


def test_revoking_twice_keeps_the_first_date():
    assert i.revoke(BOB, ["0A"], "2027-01-01T00:00:00Z") == BOB


def test_a_hold_can_be_taken_back_and_a_revocation_cannot():
    assert i.parse_index(i.release(HELD, ["0B"]))[0].status == "V"
    assert i.parse_index(i.revoke(HELD, ["0B"], "2027-01-01T00:00:00Z"))[0].held is False
    with pytest.raises(ValueError, match="for good"):
        i.release(BOB, ["0A"])


def test_an_unknown_serial_is_refused():
    with pytest.raises(KeyError):
        i.revoke(ALICE, ["02"], "2027-01-01T00:00:00Z")


@given(st.binary(max_size=400))
@example(b"V\t\t\t\t\t\n")
@example(b"#\n")
def test_any_bytes_give_lines_or_a_clear_error(data):
    with contextlib.suppress(i.IndexDamaged):
        for line in i.parse_index(data):
            i.common_name(line.subject)


@given(indexes(), st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_a_spoilt_index_gives_lines_or_a_clear_error(data, position, noise):
    spoilt = data[:position] + noise + data[position + 1 :]
    with contextlib.suppress(i.IndexDamaged):
        assert "".join(line.raw + "\n" for line in i.parse_index(spoilt)).encode("latin-1") in (
            spoilt,
            _no_comments(spoilt),
        )


@given(indexes())
def test_what_is_read_is_what_was_written(data):
    lines = i.parse_index(data)
    assert "".join(line.raw + "\n" for line in lines).encode("latin-1") == data
    assert [i.instant(i.stamp(line.expires)) for line in lines] == [line.expires for line in lines]


@given(indexes())
def test_a_cut_index_never_gives_a_line_that_was_not_there(data):
    whole = i.parse_index(data)
    for cut in range(len(data)):
        try:
            left = i.parse_index(data[:cut])
        except i.IndexDamaged:
            continue
        assert left == whole[: len(left)]


@given(indexes(), st.data())
def test_revoking_touches_the_named_serials_only(data, draw):
    lines = i.parse_index(data)
    if not lines:
        return
    chosen = draw.draw(st.lists(st.sampled_from([line.serial for line in lines]), unique=True))
    after = i.parse_index(i.revoke(data, chosen, "2026-11-23T10:00:00Z"))
    for before, now in zip(lines, after, strict=True):
        if before.serial in chosen:
            assert now.status == "R"
            assert not now.held
            assert (now.expires, now.serial, now.file, now.subject) == before[1:2] + before[4:7]
        else:
            assert now == before


def test_openssl_reads_what_we_wrote(tmp_path):
    folder = tmp_path
    data = i.revoke(ALICE + BOB + HELD + FAR, ["01", "0C"], "2026-11-23T10:00:00Z", "superseded")
    (folder / "index.txt").write_bytes(data)
    (folder / "c.cnf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=%s/index.txt\ndefault_md=sha256\ndefault_crl_days=30\n" % folder
    )

    def run(*words):
        return subprocess.run(["openssl", *words], check=True, capture_output=True, text=True, cwd=folder).stdout

    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "k", "-out", "c", "-subj", "/CN=CA", "-days", "9")
    run("ca", "-gencrl", "-config", "c.cnf", "-keyfile", "k", "-cert", "c", "-out", "crl.pem")
    shown = run("crl", "-in", "crl.pem", "-noout", "-text")
    for serial in ("01", "0A", "0B", "0C"):
        assert "Serial Number: %s\n" % serial in shown
    assert "Superseded" in shown
