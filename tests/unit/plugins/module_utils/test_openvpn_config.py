# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's configuration is read as OpenVPN reads it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils import client_config
from ansible_collections.infogerance.perimeter.plugins.module_utils.openvpn_config import ConfigDamaged, server_config

TEXT = """\
# a comment
port 1194 ; another
ca "ca file.crt"
cert server.crt
user nobody
crl-verify crl.pem
client-config-dir ccd
management 127.0.0.1 7505 pw
<key>
crl-verify not-this-one
</key>
"""


def test_paths_start_beside_the_configuration():
    found = server_config("/etc/openvpn/server/s.conf", TEXT)
    assert found.ca == "/etc/openvpn/server/ca file.crt"
    assert found.crl == found.seen_crl == "/etc/openvpn/server/crl.pem"
    assert found.clients == "/etc/openvpn/server/ccd"
    assert (found.user, found.group) == ("nobody", None)
    assert found.management == ("127.0.0.1", "7505")
    assert found.management_password == "/etc/openvpn/server/pw"
    assert not found.crl_is_directory
    assert not found.bridged
    assert server_config("/etc/s.conf", "dev tap0\n").bridged
    assert server_config("/etc/s.conf", "dev vpn\ndev-type tap\n").bridged


def test_a_chroot_moves_what_is_read_later_and_nothing_else():
    found = server_config("/etc/openvpn/s.conf", TEXT + "chroot /srv/jail\ncrl-verify /revoked dir\n")
    assert (found.crl, found.seen_crl, found.crl_is_directory) == ("/srv/jail/revoked", "/revoked", True)
    assert (found.clients, found.seen_clients) == ("/srv/jail/ccd", "/ccd")
    assert found.certificate == "/etc/openvpn/server.crt"


def test_the_daemons_command_line_counts():
    found = server_config("/etc/s.conf", "port 1\n", ["--cd", "/srv", "--config", "s.conf", "--crl-verify", "list.pem"])
    assert found.crl == "/srv/list.pem"


def test_inline_parts_and_sockets():
    text = "<ca>\nPEM\n</ca>\nmanagement /run/vpn.sock unix\ncrl-verify '/a b/c'\n"
    found = server_config("/etc/s.conf", text)
    assert found.inline_ca == "PEM\n"
    assert found.ca is None
    assert found.management == ("unix", "/run/vpn.sock")
    assert found.crl == "/a b/c"


@pytest.mark.parametrize("text", ["<ca>\n", "ca 'x\n", "<crl-verify>\nPEM\n</crl-verify>\n"])
def test_what_can_not_be_judged_is_refused(text):
    with pytest.raises(ConfigDamaged):
        server_config("/etc/s.conf", text)


@given(st.text(max_size=200))
def test_any_text_gives_an_answer_or_a_clear_error(text):
    with contextlib.suppress(ConfigDamaged):
        server_config("/etc/s.conf", text)


def test_a_client_file_is_closed_and_opened_without_losing_a_byte(tmp_path):
    path = tmp_path / "alice"
    path.write_text("ifconfig-push 10.8.0.9 255.255.255.0\n")
    client_config.disable_client(str(path), "2026-11-23")
    client_config.disable_client(str(path), "2026-11-24")
    assert path.read_text().splitlines()[:2] == ["# infogerance.perimeter: disabled 2026-11-23", "disable"]
    client_config.enable_client(str(path))
    assert path.read_text() == "ifconfig-push 10.8.0.9 255.255.255.0\n"
    client_config.disable_client(str(tmp_path / "bob"), "2026-11-23")
    client_config.enable_client(str(tmp_path / "bob"))
    assert not (tmp_path / "bob").exists()


@pytest.mark.parametrize("name", ["DEFAULT", "../evil", "a b", "", ".", "..", "a/b", "a\n"])
def test_names_that_are_no_file_of_their_own_are_refused(name):
    with pytest.raises(ValueError, match="disabled by a file"):
        client_config.client_file("/ccd", name)


def test_a_serial_file_is_named_in_decimal():
    assert client_config.serial_file("/revoked", "0A") == "/revoked/10"
