# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bad list over many hosts stops on the controller, before the first host has changed."""

from __future__ import annotations

import pytest

LEAVERS = ("ann", "ben", "cat")


@pytest.fixture(scope="module", params=[8, pytest.param(20, marks=pytest.mark.soak)])
def fleet(request, module_hosts):
    hosts = [module_hosts(f"fleet{number}") for number in range(request.param)]
    for host in hosts:
        host.run("for n in %s; do useradd -m $n; done" % " ".join(LEAVERS))
    return hosts


@pytest.mark.slow
def test_a_bad_list_over_many_hosts_changes_none_of_them(fleet, ansible_playbook):
    public = fleet[0].key.with_name(fleet[0].key.name + ".pub").read_text().strip()
    settings = {
        "access_ssh_accounts": [{"name": "deploy", "keys": [public]}, {"name": "new"}],
        "access_obsolete": "disable",
        "access_manage": {"local_people": True},
        "access_max_obsolete": "100%",
    }
    before = {host.name: host.stamps(["/etc/passwd", "/etc/shadow", "/var/lib"]) for host in fleet}
    run = ansible_playbook(fleet, "infogerance.perimeter.reconcile", extra_vars=settings)
    assert run.rc != 0
    told = " ".join(run.stdout.split())
    count = len(fleet)
    said = f"refused for the whole fleet, nothing was changed: {count} of {count} hosts would lose more than 2 ways in"
    assert said in told
    assert {host.name: host.stamps(["/etc/passwd", "/etc/shadow", "/var/lib"]) for host in fleet} == before
    meant = ansible_playbook(
        fleet, "infogerance.perimeter.reconcile", extra_vars={**settings, "access_fleet_max_hosts": "100%"}
    )
    assert meant.rc == 0, meant.stdout
    assert {host.run("getent shadow ann").stdout.split(":")[7] for host in fleet} == {"1"}
