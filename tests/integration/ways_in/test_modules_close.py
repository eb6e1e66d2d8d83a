# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a finding says one of our modules closes, that module closes: with the arguments that the finding gives."""

from __future__ import annotations

from typing import Any

from lab import Host, Lab
from tests.integration.ways_in import ways
from tests.integration.ways_in.conftest import Look, lists

SSH_ACCOUNTS = "infogerance.perimeter.ssh_accounts"
#: Ways of accounts that are on no list.
PLANTED = (
    "a key in authorized_keys2", "a password that sshd takes", "a sudo rule", "a member of sudo", "a member of docker",
    "a crontab of a leaver", "a user's own unit", "a process of a leaver",
)  # fmt: skip


def test_ssh_accounts_closes_what_findings_leave_to_it(host: Host, look: Look, lab: Lab, ansible: Any) -> None:
    host.run(ways.PEOPLE)
    chosen = [way for way in ways.WAYS if way.name in PLANTED]
    assert len(chosen) == len(PLANTED)
    host.run(["/bin/bash", "-es"], input="".join(f"(\n{way.plant}\n)\n" for way in chosen), timeout=300)
    rows = [row for row in look(host)["findings"] if row["closes_with"]["module"] == SSH_ACCOUNTS]
    assert {row["kind"] for row in rows} >= {way.kind for way in chosen}
    names = sorted({name for row in rows for name in row["closes_with"]["arguments"]["manage"]["names"]})
    assert {row["closes_with"]["arguments"]["obsolete"] for row in rows} == {"remove"}

    code, result, output = ansible(
        host,
        SSH_ACCOUNTS,
        {
            "accounts": lists(lab)["accounts"],
            "manage": {"names": names},
            "obsolete": "remove",
            "grace": 0,
            "max_obsolete": "100%",
            "confirm": "never",
        },
    )

    assert code == 0, output
    assert result["applied"]
    assert [row for row in look(host)["findings"] if row["closes_with"]["module"] == SSH_ACCOUNTS] == []
