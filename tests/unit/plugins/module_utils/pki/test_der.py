# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The DER reader agrees with openssl on real objects and survives anything else."""

from __future__ import annotations

import contextlib
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils.pki import der


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A CA, a server's and a client's certificate, a request and a list with 300 revocations, all made by openssl."""
    folder = tmp_path_factory.mktemp("ca")
    (folder / "c.cnf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n"
        "default_days=30\ndefault_crl_days=30\npolicy=p\ncrlnumber=crlnumber\nunique_subject=no\n[p]\ncommonName=supplied\n"
        "[server]\nextendedKeyUsage=serverAuth\n[ns]\nnsCertType=server\n[client]\nextendedKeyUsage=clientAuth\nbasicConstraints=CA:FALSE\n"
    )
    rows = "".join(
        "R\t261223093552Z\t260101000000Z%s\t%04X\tunknown\t/CN=x%d\n" % (",keyCompromise" if n % 2 else "", n + 256, n)
        for n in range(300)
    )
    (folder / "index.txt").write_text(rows)
    (folder / "serial").write_text("00C3\n")
    (folder / "crlnumber").write_text("1F\n")

    def run(*words):
        return subprocess.run(["openssl", *words], check=True, capture_output=True, text=True, cwd=folder).stdout

    run(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "k",
        "-out",
        "ca",
        "-subj",
        "/CN=Example CA",
        "-days",
        "9000",
    )
    for kind in ("server", "ns", "client"):
        run(
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "k2",
            "-out",
            kind + ".csr",
            "-utf8",
            "-subj",
            "/CN=old/CN=%sé" % kind,
        )
        run(
            "ca", "-batch", "-config", "c.cnf", "-keyfile", "k", "-cert", "ca", "-in", kind + ".csr", "-out", kind,
            "-notext", "-extensions", kind,
        )  # fmt: skip
    run("ca", "-gencrl", "-config", "c.cnf", "-keyfile", "k", "-cert", "ca", "-out", "crl")
    run("crl", "-in", "crl", "-outform", "DER", "-out", "crl.der")
    return folder


def test_certificates_are_told_apart(made):
    ca = der.read_certificate((made / "ca").read_bytes())
    assert ca.is_ca
    assert ca.common_name == "Example CA"
    assert ca.not_after > "2050"
    for kind, purpose in (("server", "serverAuth"), ("ns", "serverAuth"), ("client", "clientAuth")):
        found = der.read_certificate((made / kind).read_bytes())
        assert not found.is_ca
        assert purpose in found.purposes
        assert found.common_name == kind + "é"
        assert found.issuer == ca.subject
        assert found.serial == {"server": "C3", "ns": "C4", "client": "C5"}[kind]


def test_a_request_shows_its_names_and_the_key_of_its_certificate(made):
    request = der.read_request((made / "client.csr").read_bytes())
    assert request.common_names == ("old", "clienté")
    assert request.public_key == der.read_certificate((made / "client").read_bytes()).public_key


def test_a_list_is_read_as_openssl_shows_it(made):
    crl = der.read_crl((made / "crl").read_bytes())
    assert crl == der.read_crl((made / "crl.der").read_bytes())
    assert crl.number == 0x1F
    assert crl.issuer == der.read_certificate((made / "ca").read_bytes()).subject
    assert crl.expires > crl.updated > "2026"
    assert len(crl.revoked) == 300
    assert crl.revoked["0100"] == ("2026-01-01T00:00:00Z", None)
    assert crl.revoked["0101"] == ("2026-01-01T00:00:00Z", "keyCompromise")


def test_a_cut_list_is_refused_wherever_it_is_cut(made):
    for name, step in (("crl.der", 7), ("crl", 7)):
        data = (made / name).read_bytes()
        for cut in range(0, len(data) - 2, step):
            with pytest.raises(der.DerDamaged):
                der.read_crl(data[:cut])


def test_two_lists_in_one_file_are_refused(made):
    data = (made / "crl").read_bytes()
    with pytest.raises(der.DerDamaged, match="more than one"):
        der.read_crl(data + data)


@given(st.binary(max_size=300))
def test_any_bytes_give_an_answer_or_a_clear_error(data):
    for read in (der.read_crl, der.read_certificate, der.read_request):
        for given_bytes in (data, b"\x30" + data):
            with contextlib.suppress(der.DerDamaged):
                assert read(given_bytes) is not None


@given(st.data())
def test_spoilt_objects_give_an_answer_or_a_clear_error(made, data):
    for name, read in (("crl.der", der.read_crl), ("client", der.read_certificate), ("client.csr", der.read_request)):
        raw = (made / name).read_bytes()
        if name != "crl.der":
            raw = der.pem_blocks(raw, "CERTIFICATE REQUEST" if "csr" in name else "CERTIFICATE")[0]
        spot = data.draw(st.integers(0, min(len(raw) - 1, 1500)))
        spoilt = raw[:spot] + bytes([data.draw(st.integers(0, 255))]) + raw[spot + 1 :]
        try:
            read(spoilt)
        except der.DerDamaged:
            continue
