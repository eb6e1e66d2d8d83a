# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with every firewall and service that has a backend, and one call of the module on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from lab import Host

PACKAGES = (
    "apache2",
    "conntrack",
    "fail2ban",
    "firewalld",
    "ipset",
    "iptables",
    "nagios-nrpe-server",
    "nginx-light",
    "ufw",
)
MODULE = "infogerance.perimeter.privileged_ips"


class Caller:
    """Calls the module with the controller's own address on the list, unless told otherwise."""

    def __init__(self, ansible: Callable[..., tuple[int, dict[str, Any], str]]) -> None:
        self.ansible = ansible
        self.controller = "10.88.0.1"

    def __call__(
        self, host: Host, addresses: Sequence[Any], sinks: Sequence[Any], bare: bool = False, **options: Any
    ) -> dict[str, Any]:
        """The result. ``bare`` leaves the controller's address out. ``rc`` is added to it."""
        call = {k: options.pop(k) for k in ("check", "diff", "task", "extra_env") if k in options}
        rows = list(addresses) if bare else [self.controller, *addresses]
        args = {"addresses": rows, "sinks": list(sinks), **options}
        rc, result, output = self.ansible(host, MODULE, args, **call)
        return {**result, "rc": rc, "output": output}

    def ok(self, *args: Any, **options: Any) -> dict[str, Any]:
        """The result of a run that must succeed."""
        result = self(*args, **options)
        assert result["rc"] == 0, result.get("msg") or result["output"]
        return result

    def fails(self, *args: Any, **options: Any) -> str:
        """The message of a run that must fail."""
        result = self(*args, **options)
        assert result["rc"] != 0
        return str(result["msg"])


@pytest.fixture
def ips(ansible: Callable[..., tuple[int, dict[str, Any], str]]) -> Caller:
    return Caller(ansible)


def gateway(host: Host) -> str:
    """The address that this machine's connections come from, as the host sees it."""
    return host.run("ip -4 route show default").stdout.split()[2]


@pytest.fixture
def server(make_host: Callable[..., Host], ips: Caller) -> Host:
    """A fresh plain host with all packages; nothing of them runs."""
    host = make_host("ips", extra_packages=PACKAGES)
    ips.controller = gateway(host)
    return host
