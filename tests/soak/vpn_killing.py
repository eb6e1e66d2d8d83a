# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with an authority in easy-rsa's layout and two OpenVPN servers, where every kind of change is waiting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.host import Host
from lab.vpn import Authority, OpenVpn
from tests.soak import vpn_on_host
from tests.soak.killing import HOME

EASY = vpn_on_host.EASY
PEOPLE = ("alice", "carol", "dave", "frank")
MODULE = "infogerance.perimeter.vpn_certificates"
#: openssl's own reading of the index, with nothing of ours in it.
CONFIG = f"[ca]\ndefault_ca = here\n[here]\ndatabase = {EASY}/index.txt\ndefault_md = sha256\n"


def prepare(host: Host, folder: Path, runner: Any) -> dict[str, Any]:
    """Make all that the module is to change, and return its arguments."""
    authority = Authority.make(folder, PEOPLE)
    authority.install(host)
    # Serials in a row, so that the file of the next one is written, too.
    host.run(
        f"cp -a {authority.target} {EASY} && cd {EASY} && rm -f crl.pem && mkdir issued reqs certs_by_serial && "
        "cp newcerts/* certs_by_serial/ && mv ca.key private/ca.key && mv private/*.crt issued/ && "
        f"for n in {' '.join(PEOPLE)}; do mv $n.csr reqs/$n.req; done && rm -r newcerts && "
        "echo 'set_var EASYRSA_RAND_SN \"no\"' > vars"
    )
    servers = [
        OpenVpn(host, authority),
        OpenVpn(host, authority, "second", 1195, "10.9.0.0"),
    ]
    servers[0].write()
    servers[1].write({"crl-verify": f"{vpn_on_host.DIRECTORY} dir", "client-config-dir": None})
    host.run(f"mkdir -m 755 {vpn_on_host.DIRECTORY}")
    for server in servers:
        server.start()
        for name in PEOPLE:
            host.write(f"{HOME}/connect-{server.name}-{name}", server.attempt(name))
    host.write(f"{HOME}/stay-frank", servers[0].staying("frank"))
    host.write(f"{HOME}/ca.cnf", CONFIG)
    host.copy_in(Path(vpn_on_host.__file__), f"{HOME}/vpn_on_host.py")
    arguments: dict[str, Any] = {
        "pki": {"backend": "easy_rsa", "directory": EASY, "crl": f"{authority.target}/crl.pem"},
        "openvpn": [{"config": server.config} for server in servers],
        "manage": {"ca": True}, "max_obsolete": "100%", "grace": 30,
    }  # fmt: skip
    # dave was put on hold, carol was disabled long ago.
    held = [{"cn": name} for name in ("alice", "carol", "frank")]
    run(runner, host, {**arguments, "certificates": held, "obsolete": "disable", "disable_by": "hold"})
    old = "# infogerance.perimeter: disabled 2026-01-01\n"
    serial = int(authority.serials["carol"][0], 16)
    host.write("/etc/openvpn/server/ccd/carol", f"{old}disable\n")
    host.write(f"{vpn_on_host.DIRECTORY}/{serial}", old)
    wanted = [{"cn": "alice"}, {"cn": "dave"}, {"cn": "erin", "csr": authority.request("erin"), "person": "erin.p"}]
    return {**arguments, "certificates": wanted, "obsolete": "remove"}


def run(runner: Any, host: Host, arguments: dict[str, Any]) -> None:
    rc, _result, output = runner.module(host, MODULE, arguments)
    assert rc == 0, output
