# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the VPN modules, and which of the two kinds they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .entry_point_module import Kind, policy_arguments, today
from .state_directory import DEFAULT_ROOT, StateDirectory

__all__ = ["arguments", "info_arguments", "make", "pki_arguments", "server_arguments", "which_entry"]


def pki_arguments() -> dict[str, Any]:
    """Suboptions of ``pki``."""
    paths = ("directory", "config", "index", "ca_certificate", "ca_key", "crl", "issued")
    return {
        "backend": {"type": "str", "required": True, "choices": ["easy_rsa", "openssl_ca", "shellpki", "wireguard"]},
        **{name: {"type": "path", "no_log": False} for name in paths},
        "crl_days": {"type": "int"},
        "ca_password": {"type": "str", "no_log": True},
        "interface": {"type": "str"},
    }


def server_arguments() -> dict[str, Any]:
    """Suboptions of ``openvpn``."""
    return {"config": {"type": "path", "required": True}, "directory": {"type": "path"}}


def arguments() -> dict[str, Any]:
    """Argument spec of the module."""
    entry = {
        "cn": {"type": "str", "required": True},
        "serial": {"type": "str"},
        "person": {"type": "str"},
        "device": {"type": "str"},
        "expires": {"type": "str"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "csr": {"type": "str"},
        "public_key": {"type": "str", "no_log": False},
        "allowed_ips": {"type": "list", "elements": "str"},
    }
    return {
        "certificates": {"type": "list", "elements": "dict", "required": True, "options": entry},
        "pki": {"type": "dict", "required": True, "options": pki_arguments()},
        "openvpn": {"type": "list", "elements": "dict", "default": [], "options": server_arguments()},
        "crl_renew_before": {"type": "int", "default": 14},
        "kill_sessions": {"type": "bool", "default": True},
        "disable_by": {"type": "str", "choices": ["auto", "server", "hold"], "default": "auto"},
        "key_material": {"type": "str", "choices": ["keep", "archive", "purge"], "default": "archive", "no_log": False},
        "server_names": {"type": "list", "elements": "str", "default": []},
        "manage": {
            "type": "dict",
            "options": {
                "ca": {"type": "bool", "default": False},
                "names": {"type": "list", "elements": "str", "default": []},
            },
        },
        **policy_arguments(),
    }


def make(params: dict[str, Any]) -> tuple[Kind, StateDirectory]:
    """The kind for the spine. Each backend's code is compiled on the server at every run: only one of the two."""
    state = StateDirectory(params["state_directory"])
    if params["pki"]["backend"] == "wireguard":
        from .wireguard_peers import WireGuardPeers

        return WireGuardPeers(params, state, today()), state
    from .vpn_certificates import VpnCertificates

    return VpnCertificates(params, state), state


def which_entry(params: Mapping[str, Any]) -> str:
    """The certificate that Ansible itself refuses, for the beginning of an error message; else empty."""
    from .wrong_row import wrong_row

    known = arguments()["certificates"]["options"]
    return wrong_row(params.get("certificates"), known, lambda row: str(row.get("cn") or ""))


def info_arguments() -> dict[str, Any]:
    """Argument spec of the info module."""
    return {
        "pki": {"type": "dict", "required": True, "options": pki_arguments()},
        "openvpn": {"type": "list", "elements": "dict", "default": [], "options": server_arguments()},
        "crl_renew_before": {"type": "int", "default": 14},
        "kill_sessions": {"type": "bool", "default": True},
        "state_directory": {"type": "path", "default": DEFAULT_ROOT},
    }
