# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with an authority and an OpenVPN server on it, and what the module said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lab import Host
from lab.vpn import Authority, OpenVpn

MODULE = "infogerance.perimeter.vpn_certificates"
PACKAGES = ("easy-rsa", "openvpn", "wireguard-go", "wireguard-tools")
TUN = ("/dev/net/tun",)


@dataclass
class Outcome:
    rc: int
    result: dict[str, Any]
    output: str

    def actions(self, name: str = "plan") -> list[str]:
        return [f"{row['action']} {row['entry']}" for row in self.result[name]]

    def entries(self, name: str) -> list[str]:
        return [row["entry"] for row in self.result[name]]

    def done(self) -> Outcome:
        """It worked, and said so."""
        assert self.rc == 0, self.result.get("msg") or self.output
        return self

    def refused(self, *words: str) -> Outcome:
        """It failed, and the message holds these words."""
        assert self.rc != 0, self.output
        for word in words:
            assert word in self.result["msg"], self.result["msg"]
        return self


@dataclass
class Vpn:
    """One host with everything on it."""

    host: Host
    authority: Authority
    server: OpenVpn
    ansible: Callable[..., tuple[int, dict[str, Any], str]]
    pki: dict[str, Any] = field(default_factory=dict)

    def run(self, declared: list[Any], run: dict[str, Any] | None = None, **more: Any) -> Outcome:
        """Run the module. Names become entries; ``obsolete`` is ``remove`` without grace unless it is said."""
        args = {
            "certificates": [{"cn": row} if isinstance(row, str) else row for row in declared],
            "pki": self.pki,
            "openvpn": [{"config": self.server.config}],
            "manage": {"ca": True},
            "obsolete": "remove",
            "grace": 0,
            "max_obsolete": "100%",
            **more,
        }
        return Outcome(*self.ansible(self.host, MODULE, args, **(run or {})))

    def serials_revoked(self) -> list[str]:
        """What openssl itself reads in the list that the server reads."""
        shown = self.host.run(f"openssl crl -in {self.authority.target}/crl.pem -noout -text").stdout
        return [line.split(":")[1].strip() for line in shown.splitlines() if "Serial Number:" in line]

    def crl_number(self) -> int:
        shown = self.host.run(f"openssl crl -in {self.authority.target}/crl.pem -noout -crlnumber").stdout
        return int(shown.partition("=")[2], 16)

    def index(self) -> str:
        return self.host.read(f"{self.authority.target}/index.txt").decode()

    def put_crl(self, raw: bytes, mode: int = 0o644) -> None:
        self.host.write(f"{self.authority.target}/crl.pem", raw, mode)
