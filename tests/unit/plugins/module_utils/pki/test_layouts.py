# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""openssl.cnf and easy-rsa's vars: paths and numbers come out as the tools take them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils.pki import (
    easy_rsa,
    openssl_ca,
    openssl_config,
    shellpki,
)
from ansible_collections.infogerance.perimeter.plugins.module_utils.pki.authority import AuthorityError

TEXT = """\
HOME = /root
[ ca ]
default_ca = mine   # this one
[ mine ]
dir = "/etc/vpn"
database = $dir/index.txt
serial = ${dir}/serial
private_key = $ENV::KEYS/ca.key
crl = $mine::dir/crl\\
.pem
home = $HOME
"""


def test_sections_and_variables_are_read():
    found = openssl_config.resolve_section(openssl_config.parse_config(TEXT, {"KEYS": "/keys"}))
    assert found["database"] == "/etc/vpn/index.txt"
    assert found["serial"] == "/etc/vpn/serial"
    assert found["private_key"] == "/keys/ca.key"
    assert found["crl"] == "/etc/vpn/crl.pem"
    assert found["home"] == "/root"


def test_what_can_not_be_followed_is_refused():
    for text in (".include /etc/other.cnf\n", "[ca\n", "[ca]\ndefault_ca = gone\n", ""):
        with pytest.raises(openssl_config.ConfigError):
            openssl_config.resolve_section(openssl_config.parse_config(text, {}))


@given(st.text(max_size=200))
def test_any_text_gives_sections_or_a_clear_error(text):
    with contextlib.suppress(openssl_config.ConfigError):
        openssl_config.parse_config(text, {})


def test_the_layout_of_openssl_ca_comes_from_its_configuration(tmp_path):
    config = tmp_path / "openssl.cnf"
    config.write_text(
        "[ca]\ndefault_ca=d\n[d]\ndir=.\ndatabase=$dir/index.txt\ndefault_crl_days=45\ncrlnumber=$dir/n\n"
    )
    layout = openssl_ca.layout({"backend": "openssl_ca", "config": str(config)})
    assert layout.index == str(tmp_path / "index.txt")
    assert layout.crl_number == str(tmp_path / "n")
    assert layout.crl_days == 45
    named = openssl_ca.layout({"config": str(config), "index": "/else/where", "crl_days": 7})
    assert (named.index, named.crl_days) == ("/else/where", 7)
    with pytest.raises(AuthorityError, match="index"):
        openssl_ca.layout({})


def test_easy_rsas_settings_are_read_and_comments_are_not():
    text = '#set_var EASYRSA_CRL_DAYS 1\nset_var EASYRSA_CRL_DAYS\t30\nset_var EASYRSA_RAND_SN "no"\n'
    text += 'export EASYRSA_DIGEST="sha512"\n'
    assert easy_rsa.read_vars(text) == {
        "EASYRSA_CRL_DAYS": "30",
        "EASYRSA_RAND_SN": "no",
        "EASYRSA_DIGEST": "sha512",
    }
    with pytest.raises(AuthorityError, match="directory"):
        easy_rsa.layout({})


def test_shellpki_keys_belong_to_the_whole_name(tmp_path):
    (tmp_path / "requests").mkdir()
    for name in ("bob-20260101000000Z", "bob-laptop-20260101000000Z", "bob-later"):
        (tmp_path / "requests" / f"{name}.csr").write_text("")
    layout = shellpki.layout({"directory": str(tmp_path)})
    assert [proof.rsplit("/", 1)[1] for proof, _files in layout.material_of("bob")] == ["bob-20260101000000Z.csr"]
    assert layout.crl_days == 730
