# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in already: logins, multiplexing masters and tunnels that are up, over a real sshd."""

from __future__ import annotations

from lab import Host
from tests.integration.ways_in import ways
from tests.integration.ways_in.conftest import Look

KEY = """
ssh-keygen -q -t ed25519 -N '' -C bob -f /root/bob
install -d -o bob -g bob -m 700 /home/bob/.ssh
install -o bob -g bob -m 600 /root/bob.pub /home/bob/.ssh/authorized_keys
"""
SSH = "ssh -i /root/bob -o BatchMode=yes -o StrictHostKeyChecking=accept-new"


def test_a_live_login_its_tunnel_and_its_master_are_told_and_ended(host: Host, look: Look) -> None:
    host.run(ways.PEOPLE + KEY)
    host.run(f"{SSH} -f -N -R 127.0.0.1:2300:127.0.0.1:22 bob@127.0.0.1 >/dev/null 2>&1")
    host.run(f"{SSH} -o ControlMaster=yes -o ControlPersist=600 -S /run/mux bob@127.0.0.1 true >/dev/null 2>&1")

    rows = look(host, families=["persistence"])["findings"]

    told = {(row["kind"], row["account"]) for row in rows}
    assert told == {("live_session", "bob"), ("ssh_forward", "bob"), ("reverse_tunnel", "root"), ("ssh_master", "root")}
    sessions = [row for row in rows if row["kind"] == "live_session"]
    assert len(sessions) == 2
    assert {row["person"] for row in sessions} == {"bob.leroy"}
    assert all("127.0.0.1" in row["why"] and "multiplexing" in row["why"] for row in sessions)
    assert [row["entry"] for row in rows if row["kind"] == "ssh_forward"] == ["127.0.0.1:2300"]
    assert [row["path"] for row in rows if row["kind"] == "ssh_master"] == ["/run/mux"]
    for row in rows:
        # Ending the one end may have ended the other.
        host.run(row["closes_with"]["command"], check=False)
    gone = "for i in $(seq 100); do pgrep -u bob >/dev/null || exit 0; sleep 0.05; done; exit 1"
    host.run(gone)
    assert look(host, families=["persistence"])["findings"] == []


def test_the_connection_that_looks_is_no_finding(host: Host, look: Look) -> None:
    assert look(host, families=["persistence"], accounts=[], people=[])["findings"] == []
