# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with an authority and an OpenVPN server, and the module run over real SSH."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.vpn import Authority, OpenVpn
from tests.integration.vpn_certificates.vpn import PACKAGES, TUN, Vpn


@pytest.fixture
def make_vpn(make_host: Any, ansible: Any, tmp_path: Path) -> Callable[..., Vpn]:
    """``make_vpn("alice", "bob")``: an authority with these clients, on a host with a running server."""

    def make(
        *clients: str,
        start: bool = True,
        options: dict[str, str | None] | None = None,
        before: Callable[[Authority], object] | None = None,
        tmpfs: dict[str, str] | None = None,
        release: str = "bookworm",
        **authority: Any,
    ) -> Vpn:
        made = Authority.make(tmp_path / "ca", clients, **authority)
        if before is not None:
            before(made)
        host = make_host(
            "vpn",
            extra_packages=PACKAGES if release == "bookworm" else ("openvpn",),
            devices=TUN,
            tmpfs=tmpfs,
            release=release,
        )
        made.install(host)
        server = OpenVpn(host, made)
        server.write(options)
        if start:
            server.start()
        pki: dict[str, Any] = {"backend": "openssl_ca", "config": f"{made.target}/openssl.cnf"}
        if made.password is not None:
            pki["ca_password"] = made.password
        return Vpn(host, made, server, ansible, pki)

    return make
