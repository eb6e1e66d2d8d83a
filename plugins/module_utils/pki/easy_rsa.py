# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""easy-rsa 3: one ``pki`` directory with fixed names, settings in ``vars``."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from typing import Any

from .authority import AuthorityError, Layout

__all__ = ["layout", "read_vars"]

_SETTING = re.compile(r"^\s*(?:set_var\s+|export\s+)(EASYRSA_[A-Z_]+)[\s=]+[\"']?([A-Za-z0-9_./-]*)", re.MULTILINE)


def layout(options: Mapping[str, Any]) -> Layout:
    """The layout of ``directory`` (the ``pki`` directory). Raises AuthorityError."""
    pki = options.get("directory")
    if not pki:
        raise AuthorityError("pki: directory: is needed with the backend easy_rsa (the pki directory)")
    pki = os.path.normpath(pki)
    settings: dict[str, str] = {}
    for name in (os.path.join(pki, "vars"), os.path.join(os.path.dirname(pki), "vars")):
        try:
            with open(name, encoding="utf-8", errors="replace") as stream:
                settings = read_vars(stream.read())
            break
        except OSError:
            continue
    issued = os.path.join(pki, "certs_by_serial")
    tool = ["easyrsa", "--pki-dir=%s" % pki]

    def certificate(cn: str) -> str:
        return os.path.join(pki, "issued", cn + ".crt")

    return Layout(
        backend="easy_rsa",
        index=options.get("index") or os.path.join(pki, "index.txt"),
        ca_certificate=options.get("ca_certificate") or os.path.join(pki, "ca.crt"),
        ca_key=options.get("ca_key") or os.path.join(pki, "private", "ca.key"),
        crl=options.get("crl") or os.path.join(pki, "crl.pem"),
        issued=options.get("issued") or issued,
        # Random serials are easy-rsa's default; its serial file is rewritten by it before each use.
        serial=None if settings.get("EASYRSA_RAND_SN", "yes") == "yes" else os.path.join(pki, "serial"),
        crl_days=options.get("crl_days") or _days(settings, "EASYRSA_CRL_DAYS", 180),
        certificate_days=_days(settings, "EASYRSA_CERT_EXPIRE", 825),
        digest=settings.get("EASYRSA_DIGEST", "")
        if settings.get("EASYRSA_DIGEST") in ("sha384", "sha512")
        else "sha256",
        # easy-rsa leaves 0600, and OpenVPN has dropped its rights by the time that it reads.
        crl_mode=0o644,
        foreign_lock=os.path.join(pki, "lock.file"),
        certificates_of=lambda cn: [
            certificate(cn),
            os.path.join(pki, "inline", cn + ".inline"),
            os.path.join(pki, "renewed", "issued", cn + ".crt"),
        ],
        issued_as=lambda serial: [
            os.path.join(pki, "renewed", "certs_by_serial", serial + ".pem"),
            os.path.join(pki, "renewed", "certs_by_serial", serial + ".crt"),
        ],
        material_of=lambda cn: [_keys(pki, cn), _keys(os.path.join(pki, "renewed"), cn)],
        place_of=certificate,
        revoke_commands=lambda serial, cn: [
            # Another certificate may carry the name by now: the serial's own file is revoked.
            shlex.join(["cp", os.path.join(issued, serial + ".pem"), certificate(cn)]),
            shlex.join([*tool, "--batch", "revoke", cn, "cessationOfOperation"]),
        ],
        crl_commands=[shlex.join([*tool, "gen-crl"]), shlex.join(["chmod", "644", os.path.join(pki, "crl.pem")])],
    )


def _keys(base: str, cn: str) -> tuple[str, list[str]]:
    """The request that proves whose keys they are, and the files."""
    request = os.path.join(base, "reqs", cn + ".req")
    return request, [os.path.join(base, "private", cn + end) for end in (".key", ".p12", ".p8", ".p1")] + [request]


def read_vars(text: str) -> dict[str, str]:
    """The settings of a ``vars`` file: plain values only, the last one counts."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return {found.group(1): found.group(2) for found in _SETTING.finditer(lines)}


def _days(settings: Mapping[str, str], name: str, fallback: int) -> int:
    text = settings.get(name, "")
    return int(text) if text.isdecimal() and int(text) > 0 else fallback
