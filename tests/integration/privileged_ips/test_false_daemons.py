# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's process may bear a service's name: root neither takes it for the service nor starts it again as its own."""

from __future__ import annotations

from typing import Any

import pytest

from lab import Host

PROOF = "/root/pwned"
#: Dies of SIGHUP, as an honest service would not. Started again by root, it leaves a proof.
FALSE = f'#!/bin/sh\n[ "$(id -u)" = 0 ] && touch {PROOF}\nsleep 1000 & wait\n'


def pose(host: Host, name: str) -> None:
    host.run("id mallory >/dev/null 2>&1 || useradd -m mallory")
    host.write(f"/home/mallory/{name}", FALSE, 0o755, "mallory")
    host.spawn(f"exec /home/mallory/{name}", user="mallory")
    host.run(f"until pgrep -u mallory -x {name}; do sleep 0.1; done")


@pytest.mark.parametrize("name", ["nginx", "nrpe"])
def test_a_false_service_is_not_run_as_root(server: Host, ips: Any, name: str) -> None:
    pose(server, name)
    sink = {"backend": name, **({"file": "/etc/nginx/allow.conf"} if name == "nginx" else {})}
    result = ips(server, ["198.51.100.7"], [sink])
    assert not server.exists(PROOF), result["output"]
    assert server.run(f"pgrep -u mallory -x {name}").stdout
    assert result["rc"] == 0, result.get("msg")


def test_a_false_sshd_does_not_keep_a_bad_configuration_in_force(server: Host, ips: Any) -> None:
    """It is the older one, since sshd was started anew after it."""
    pose(server, "sshd")
    server.restart_sshd()
    sink = {"backend": "sshd", "directives": ["DenyUsers deploy"]}
    result = ips(server, [ips.controller], [sink], confirm_timeout=10, controller="ignore")
    assert result["confirmation"]["status"] == "rolled back", result["output"]
    assert server.can_log_in("deploy")
    assert not server.exists(PROOF)
    assert server.run("pgrep -u mallory -x sshd").stdout
