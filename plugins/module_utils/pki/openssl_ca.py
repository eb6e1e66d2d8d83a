# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain ``openssl ca``: everything is where its configuration says, unless the user names it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import Any

from .authority import AuthorityError, Layout
from .openssl_config import ConfigError, parse_config, resolve_section

__all__ = ["layout", "paths_from_config"]


def layout(options: Mapping[str, Any]) -> Layout:
    """The layout from ``config``, ``directory`` and the single paths. Raises AuthorityError."""
    values: dict[str, str] = {}
    directory = options.get("directory")
    if options.get("config"):
        values = paths_from_config(options["config"], {})
        # openssl takes relative paths from where it is started: by custom, beside its configuration.
        directory = directory or os.path.dirname(options["config"])

    def path(option: str, name: str, fallback: str) -> str:
        chosen = options.get(option) or values.get(name) or fallback
        if not os.path.isabs(chosen):
            if not directory:
                raise AuthorityError("pki: %s: give it, or directory, or config" % option)
            chosen = os.path.join(directory, chosen)
        return os.path.normpath(chosen)

    config = options.get("config")
    index = path("index", "database", "index.txt")
    certificate = path("ca_certificate", "certificate", "ca.crt")
    key = path("ca_key", "private_key", "ca.key")
    crl = path("crl", "crl", "crl.pem")
    issued = path("issued", "new_certs_dir", "newcerts")
    number = path("crl_number", "crlnumber", "crlnumber")
    serial = path("serial", "serial", "serial")
    numbered = bool(options.get("crl_number") or "crlnumber" in values or (not config and os.path.exists(number)))
    base = ["openssl", "ca"] + (["-config", config] if config else []) + ["-keyfile", key, "-cert", certificate]
    return Layout(
        backend="openssl_ca",
        index=index,
        ca_certificate=certificate,
        ca_key=key,
        crl=crl,
        issued=issued,
        serial=serial if os.path.exists(serial) and "rand_serial" not in values else None,
        crl_number=number if numbered else None,
        crl_days=options.get("crl_days") or _number(values, "default_crl_days", 30),
        certificate_days=_number(values, "default_days", 365),
        digest=_digest(values.get("default_md", "")),
        revoke_commands=lambda serial, _cn: [
            shlex.join([*base, "-revoke", os.path.join(issued, serial + ".pem"), "-crl_reason", "cessationOfOperation"])
        ],
        crl_commands=[shlex.join([*base, "-gencrl", "-out", crl + ".new"]), shlex.join(["mv", crl + ".new", crl])],
    )


def paths_from_config(config: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The values of the authority's section in an openssl.cnf. Raises AuthorityError."""
    try:
        with open(config, encoding="utf-8") as stream:
            return resolve_section(parse_config(stream.read(), environment))
    except OSError as error:
        raise AuthorityError("pki: config %s: %s" % (config, error.strerror or error)) from None
    except (ConfigError, UnicodeDecodeError) as error:
        raise AuthorityError("pki: config %s: %s" % (config, error)) from None


def _number(values: Mapping[str, str], name: str, fallback: int) -> int:
    text = values.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and int(text) > 0 else fallback


def _digest(text: str) -> str:
    # "default" lets openssl choose by key; weak digests in old files are not carried on.
    return text if text in ("sha256", "sha384", "sha512") else "sha256"
