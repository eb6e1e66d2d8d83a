# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook that cares for the ledger: verify, reap, export, import; through real ansible-playbook runs."""

from __future__ import annotations

import json
import signal
import sqlite3
from typing import Any

CHANGE = "- hosts: web1\n  gather_facts: false\n  tasks: [{name: Change, ansible.builtin.command: 'true'}]\n"
LEDGER = "infogerance.perimeter.ledger"
SLEEPING = """
- hosts: web1
  gather_facts: false
  tasks: [{ansible.builtin.shell: 'touch "{{ playbook_dir }}/marker" && sleep 30'}]
"""


def care(ground: Any, action: str, *extra: str, expect: int = 0, **environ: str) -> str:
    """Run the playbook, unrecorded. Returns its output without line breaks."""
    variables = [part for item in (f"ledger_action={action}", *extra) for part in ("-e", item)]
    output = ground.run(LEDGER, *variables, "-v", expect=expect, **{**ground.unrecorded, **environ})
    return " ".join(output.split())


def test_verify_finds_nothing_in_a_good_ledger_and_names_the_row_in_a_bad_one(ground: Any) -> None:
    ground.play(CHANGE)
    assert '"faults": []' in care(ground, "verify")
    connection = sqlite3.connect(ground.ledger)
    connection.execute("DROP TRIGGER records_no_update")
    connection.execute("UPDATE records SET body = replace(body, 'acme', 'none') WHERE kind = 'host'")
    connection.commit()
    (seq,) = connection.execute("SELECT seq FROM records WHERE kind = 'host'").fetchone()
    connection.close()
    output = care(ground, "verify", expect=2)
    assert f"row {seq} was changed" in output
    assert '"what": "changed"' in output


def test_reap_marks_what_was_killed_and_in_check_mode_only_tells(ground: Any) -> None:
    ground.stop(SLEEPING, signal.SIGKILL)
    output = ground.run(LEDGER, "-e", "ledger_action=reap", "--check", **ground.unrecorded)
    assert "changed=1" in output
    assert ground.only()["outcome"] == "running"
    assert "changed=1" in care(ground, "reap")
    assert ground.only()["outcome"] == "interrupted"
    # Recorded itself, it leaves its own run alone, which is open meanwhile.
    assert "changed=0" in care(ground, "reap", ANSIBLE_CALLBACKS_ENABLED="infogerance.perimeter.intervention")
    assert [run["outcome"] for run in ground.interventions()] == ["interrupted", "ok"]


def test_an_export_comes_back_without_a_difference(ground: Any) -> None:
    ground.play(CHANGE)
    care(ground, "export", "ledger_dest=out.jsonl")
    target = ground.path / "restored.sqlite3"
    wanted = (f"ledger_path={target}", "ledger_files=out.jsonl")
    assert "changed=1" in care(ground, "import", *wanted)
    assert "changed=0" in care(ground, "import", *wanted)
    columns = "writer, seq, uid, run_id, kind, at, host, body, previous, digest"
    rows = ground.query(f"SELECT {columns} FROM records ORDER BY id")
    ground.ledger = target
    assert ground.query(f"SELECT {columns} FROM records ORDER BY id") == rows
    assert len(rows) >= 5
    assert '"faults": []' in care(ground, "verify", f"ledger_path={target}")


def test_evomaintenances_log_is_imported_for_the_clients_of_the_inventory(ground: Any) -> None:
    ground.write(
        "evo.log",
        "*********** 2026-11-23T09:35:49+0000 ***************\nHost      : web1\nUser      : ada\n"
        "IP        : 192.0.2.7\nBegin     : 2026 Nov 23 10:02\nEnd       : 2026 Nov 23 10:35\n"
        "Message   : Restarted\nHooks     : commit=0 db=0 api=0 mail=0\n",
    )
    wanted = ("ledger_files=evo.log", "ledger_format=evomaintenance", "ledger_timezone=Europe/Paris")
    assert "changed=1" in care(ground, "import", *wanted)
    assert "changed=0" in care(ground, "import", *wanted)
    run = ground.only()
    assert (run["operator"], run["started_at"]) == ("ada", "2026-11-23T09:02:00.000000Z")
    assert ground.hosts()["web1"]["client"] == "acme"
    ground.write("evo.log", (ground.path / "evo.log").read_text().replace("web1", "other"))
    assert "whose hosts are these? Give their clients: other" in care(ground, "import", *wanted, expect=2)
    extra = json.dumps({"ledger_clients": {"other": "globex"}})
    assert "changed=1" in care(ground, "import", *wanted, extra)


def test_a_wrong_action_and_missing_variables_are_named(ground: Any) -> None:
    ground.play(CHANGE)
    assert "ledger_action must be verify, push, reap, import or export" in care(ground, "delete", expect=2)
    assert "set ledger_files" in care(ground, "import", expect=2)
    assert "set ledger_dest" in care(ground, "export", expect=2)
    assert "no shared ledger is set" in care(ground, "push", expect=2)
