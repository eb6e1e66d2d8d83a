# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a shared ledger costs a real run when it is there, down, or silent; and that no record is lost by it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from postgres import OPERATOR_PASSWORD, Database, free_port
from proxy import Proxy

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import outbox, pushing, shared, shared_url
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger

PLAY = "[{hosts: localhost, gather_facts: false, tasks: [{ansible.builtin.debug: {msg: hello}}]}]\n"


def run(path: Path, url: str, *command: str) -> tuple[int, str, float]:
    """Run Ansible for real. Returns exit code, output and seconds."""
    (path / "site.yml").write_text(PLAY)
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "INFOGERANCE_"))}
    environ |= {
        "HOME": str(path),
        "ANSIBLE_CALLBACKS_ENABLED": "infogerance.perimeter.intervention",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "COLUMNS": "400",
        "INFOGERANCE_PERIMETER_LEDGER": str(path / "ledger.sqlite3"),
        "INFOGERANCE_PERIMETER_SHARED": url,
        # Nothing here is about time, and the machine may be busy: `benchmarks` shows what the default costs.
        "INFOGERANCE_PERIMETER_SHARED_WAIT": "15",
    }
    words = list(command) or ["ansible-playbook", "site.yml"]
    begun = time.monotonic()
    done = subprocess.run(
        [str(Path(sys.executable).with_name(words[0])), *words[1:]],
        cwd=path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr, time.monotonic() - begun


def waiting(path: Path, url: str) -> int:
    """How many rows of that run wait."""
    with Ledger(path / "ledger.sqlite3").reading() as connection:
        return outbox.waiting(connection, shared_url.parse(url).target)


def test_a_run_is_pushed_at_its_end_and_the_module_finds_nothing_left(database: Database, tmp_path: Path) -> None:
    code, output, _seconds = run(tmp_path, database.operator)
    assert (code, waiting(tmp_path, database.operator)) == (0, 0), output
    assert database.sql("SELECT outcome, complete FROM interventions") == "ok|1"
    before = database.count
    module = ("ansible", "localhost", "-m", "infogerance.perimeter.ledger_push")
    code, output, _seconds = run(tmp_path, database.operator, *module)
    assert code == 0, output
    assert '"remaining": 0' in output
    assert database.count == before
    assert OPERATOR_PASSWORD not in output


@pytest.mark.parametrize("trouble", ["dead port", "silent server", "wrong password", "wrong authority"])
def test_trouble_with_the_shared_ledger_fails_no_run_and_loses_nothing(
    database: Database, tmp_path: Path, trouble: str
) -> None:
    with Proxy(None) as silent:
        url = {
            "dead port": database.url("ctl1", OPERATOR_PASSWORD, free_port()),
            "silent server": database.url("ctl1", OPERATOR_PASSWORD, silent.port),
            "wrong password": database.url("ctl1", "not-the-p@ss/word"),
            "wrong authority": database.url(
                "ctl1", OPERATOR_PASSWORD, sslrootcert=str(database.server.path / "other-ca.crt")
            ),
        }[trouble]
        code, output, seconds = run(tmp_path, url)
        assert (silent.connections > 0) == (trouble == "silent server")
    print(f"{trouble}: {seconds:.2f} s in all")
    rows = waiting(tmp_path, url)
    assert (code, rows > 0) == (0, True), output
    assert f"recorded here; {rows} rows wait for the shared ledger" in output
    for secret in (OPERATOR_PASSWORD, "not-the-p@ss/word"):
        assert secret not in output
        assert secret.encode() not in (tmp_path / "ledger.sqlite3").read_bytes()
    assert database.count == 0
    result = pushing.push(Ledger(tmp_path / "ledger.sqlite3"), database.operator)
    assert (result.pushed, result.remaining, result.problem) == (rows, 0, "")
    assert shared.verify(database.reporter).faults == []


def test_a_server_that_is_read_only_or_stopped_is_told(database: Database, tmp_path: Path) -> None:
    database.sql(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
    code, output, _seconds = run(tmp_path, database.operator)
    assert code == 0
    assert "read-only transaction" in output
    assert waiting(tmp_path, database.operator) > 0


@pytest.mark.parametrize("role", ["operator", "reporter"])
@pytest.mark.parametrize(
    "statement", ["UPDATE chained SET kind = 'x'", "DELETE FROM chained", "TRUNCATE chained", "DROP TABLE chained"]
)
def test_nobody_changes_or_deletes(database: Database, role: str, statement: str) -> None:
    import psycopg

    url = getattr(database, role).replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("operator", "SELECT body FROM chained"),
        ("operator", "SELECT * FROM interventions"),
        ("operator", "INSERT INTO chained (writer, received_by) VALUES ('w', 'x')"),
        ("reporter", "INSERT INTO chained (writer) VALUES ('w')"),
    ],
)
def test_a_role_does_no_more_than_it_must(database: Database, role: str, statement: str) -> None:
    import psycopg

    url = getattr(database, role).replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.parametrize("statement", ["UPDATE chained SET kind = 'x'", "DELETE FROM chained", "TRUNCATE chained"])
def test_even_the_superuser_is_stopped_by_a_trigger(database: Database, tmp_path: Path, statement: str) -> None:
    run(tmp_path, database.operator)
    assert database.count > 0
    with pytest.raises(AssertionError, match="append-only"):
        database.sql(statement)
