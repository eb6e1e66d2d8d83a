# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""shellpki: ``openssl ca`` in ``/etc/shellpki``, one current certificate a name, keys kept with a time in their name.

The command itself is not called: its exit codes hide failures, it puts the CA's password on openssl's command line,
it can't revoke a certificate whose ``certs/<CN>.crt`` is gone, and it signs one list a revocation.
"""

from __future__ import annotations

import glob
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from .authority import Layout
from .openssl_ca import paths_from_config

__all__ = ["DEFAULT_DIRECTORY", "layout"]

DEFAULT_DIRECTORY = "/etc/shellpki"
#: What shellpki puts behind the name: the time in UTC.
_SUFFIX = re.compile(r"-(\d{14}Z)\Z")


def layout(options: Mapping[str, Any]) -> Layout:
    """The layout of ``directory`` (``/etc/shellpki``), by its openssl.cnf where that says otherwise."""
    base = os.path.normpath(options.get("directory") or DEFAULT_DIRECTORY)
    config = options.get("config") or os.path.join(base, "openssl.cnf")
    values = paths_from_config(config, {"CA_DIR": base, "CADIR": base}) if os.path.exists(config) else {}

    def path(option: str, name: str, fallback: str) -> str:
        return os.path.normpath(os.path.join(base, options.get(option) or values.get(name) or fallback))

    crl = path("crl", "crl", "crl.pem")
    issued = path("issued", "new_certs_dir", "tmp")

    def certificates(cn: str) -> list[str]:
        return [os.path.join(base, "certs", cn + ".crt"), os.path.join(base, "copy_output", cn + ".crt")]

    def material(cn: str) -> Sequence[tuple[str, Sequence[str]]]:
        found = []
        for request in sorted(glob.glob(os.path.join(base, "requests", glob.escape(cn) + "-*.csr"))):
            # alice-<time> is alice's; alice-laptop-<time> is alice-laptop's.
            suffix = _SUFFIX.search(request[: -len(".csr")])
            if suffix is None or os.path.basename(request) != "%s-%s.csr" % (cn, suffix.group(1)):
                continue
            stem = "%s-%s" % (cn, suffix.group(1))
            places = [("private", ".key"), ("pkcs12", ".p12"), ("openvpn", ".ovpn")]
            files = [os.path.join(base, folder, stem + extension) for folder, extension in places]
            files += [os.path.join(base, "copy_output", stem + extension) for _folder, extension in places]
            found.append((request, [*files, request]))
        return found

    number = values.get("crlnumber")
    days = values.get("default_crl_days", "")
    serial = path("serial", "serial", "serial")
    prefix = "CA_PASSWORD=... USER=root shellpki"
    return Layout(
        backend="shellpki",
        index=path("index", "database", "index.txt"),
        ca_certificate=path("ca_certificate", "certificate", "cacert.pem"),
        ca_key=path("ca_key", "private_key", "cakey.key"),
        crl=crl,
        issued=issued,
        serial=serial if os.path.exists(serial) else None,
        crl_number=os.path.normpath(os.path.join(base, number)) if number else None,
        crl_days=options.get("crl_days") or (int(days) if days.isdecimal() and int(days) > 0 else 730),
        certificate_days=365,
        crl_mode=0o604,
        certificates_of=certificates,
        material_of=material,
        place_of=lambda cn: os.path.join(base, "certs", cn + ".crt"),
        revoke_commands=lambda serial, _cn: [
            shlex.join(["openssl", "ca", "-config", config, "-revoke", os.path.join(issued, serial + ".pem")])
        ],
        crl_commands=["%s crl --non-interactive" % prefix],
    )
