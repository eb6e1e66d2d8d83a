# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""evomaintenance's table in a real PostgreSQL and its API behind real TLS: each row once, and only to whom we trust."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.evomaintenance import sending
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.evomaintenance.api import Api
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.evomaintenance.database import Database, SendError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import reading
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger
from tests.integration.evomaintenance.api_server import KEY, ApiServer
from tests.integration.recording.conftest import Playground
from tests.integration.team.postgres import Postgres

PASSWORD = "evo:p@ss/word"
SEND = "infogerance.perimeter.evomaintenance_send"
# No definition of the table is public: the columns' types may be these, or plain text.
TYPES = {
    "typed": "hostname text, userid text, ipaddress inet, begin_date timestamptz, end_date timestamptz, details text",
    "text": ", ".join(f"{n} text" for n in ("hostname", "userid", "ipaddress", "begin_date", "end_date", "details")),
}
WORK = """
- hosts: client_acme
  gather_facts: false
  tasks:
    - {name: Change, ansible.builtin.command: "true"}
    - {name: Say, infogerance.perimeter.intervention: {action: annotate, ticket: T-1, note: "@/etc/passwd <it's>"}}
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A server with a role that may only insert, and one that may look, too."""
    path = Path(tempfile.mkdtemp(prefix="infogerance-evo-"))
    made = None
    try:
        made = Postgres(path)
        for role in ("inserter", "looker"):
            made.sql(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
        yield made
    finally:
        if made is not None:
            made.remove()
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The ledger after one real run."""
    made = Playground(tmp_path_factory.mktemp("recorded"))
    made.play(WORK)
    return made.ledger.read_bytes()


@pytest.fixture
def ground(tmp_path: Path, recorded: bytes) -> Playground:
    """A playground with that ledger."""
    made = Playground(tmp_path)
    made.ledger.parent.mkdir()
    made.ledger.write_bytes(recorded)
    return made


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private authority, another one, and a server's certificate by the first."""
    path = tmp_path_factory.mktemp("authority")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-x509"]
    for name in ("ca", "other-ca"):
        subprocess.run(
            ["openssl", "req", *key, "-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}"]
            + ["-addext", "keyUsage=critical,keyCertSign"],
            cwd=path,
            check=True,
            capture_output=True,
        )
    subprocess.run(
        ["openssl", "req", *key, "-keyout", "server.key", "-out", "server.crt", "-subj", "/CN=localhost"]
        + ["-CA", "ca.crt", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE"]
        + ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "authorityKeyIdentifier=keyid"],
        cwd=path,
        check=True,
        capture_output=True,
    )
    return path


def play_send(ground: Playground, *flags: str, **options: Any) -> dict[str, Any]:
    """Run the module in a playbook; its result."""
    task = {"name": "Send", SEND: {"period": "2020..2100", **options}, "register": "answer", "ignore_errors": True}
    keep = {
        "name": "Keep",
        "ansible.builtin.copy": {
            "content": "{{ answer | to_json }}",
            "dest": "{{ playbook_dir }}/answer.json",
            "mode": "0600",
        },
        "check_mode": False,
    }
    ground.write("send.yml", json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task, keep]}]))
    output = ground.run("send.yml", *flags, **ground.unrecorded)
    assert PASSWORD not in output
    assert KEY not in output
    answer: dict[str, Any] = json.loads((ground.path / "answer.json").read_text())
    return answer


def send(ground: Playground, target: Any) -> sending.Sent:
    """What the module does, in this process."""
    ledger = Ledger(ground.ledger)
    with ledger.reading() as connection:
        runs = reading.interventions(connection, "2020", "2100")
    with target:
        return sending.send(ledger, target, runs, datetime.now(UTC), pretend=False)


def table(postgres: Postgres, kind: str) -> str:
    """A new database with that table; its name."""
    name = f"evo_{kind}_{uuid.uuid4().hex[:12]}"
    postgres.sql(f"CREATE DATABASE {name} TEMPLATE template0")
    postgres.sql(f"CREATE TABLE evomaint ({TYPES[kind]})", name)
    postgres.sql("GRANT INSERT ON evomaint TO inserter, looker; GRANT SELECT ON evomaint TO looker", name)
    return name


def url(postgres: Postgres, name: str, role: str, authority: str = "ca.crt") -> str:
    """With TLS verified."""
    from urllib.parse import quote

    where = f"127.0.0.1:{postgres.port}/{name}?sslmode=verify-full&sslrootcert={postgres.path / authority}"
    return f"postgresql://{role}:{quote(PASSWORD, safe='')}@{where}"


@pytest.mark.parametrize(("kind", "role"), [("typed", "looker"), ("typed", "inserter"), ("text", "looker")])
def test_each_host_of_an_intervention_becomes_one_row(
    ground: Playground, postgres: Postgres, kind: str, role: str
) -> None:
    name = table(postgres, kind)
    run = ground.only()
    assert send(ground, Database(url(postgres, name, role))).sent == 2
    again = send(ground, Database(url(postgres, name, role)))
    assert (again.sent, again.known) == (0, 2)
    found = json.loads(postgres.sql("SELECT json_agg(e ORDER BY hostname) FROM evomaint e", name))
    assert [row["hostname"] for row in found] == ["web1", "web2"]
    assert found[0]["details"] == f"@/etc/passwd <it's>\nMaintenance courante (site.yml)\nT-1\n[{run['run_id']}]"
    assert (found[0]["userid"], found[0]["ipaddress"]) == (run["operator"], "127.0.0.1")
    assert found[0]["begin_date"][:10] == run["started_at"][:10]


def test_the_module_sends_what_is_new_and_in_check_mode_only_counts(ground: Playground, postgres: Postgres) -> None:
    name = table(postgres, "typed")
    where = url(postgres, name, "looker")
    assert play_send(ground, "--check", database=where)["sent"] == 2
    assert postgres.sql("SELECT count(*) FROM evomaint", name) == "0"
    first, second = play_send(ground, database=where), play_send(ground, database=where)
    assert (first["sent"], first["changed"]) == (2, True)
    assert (second["sent"], second["known"], second["changed"]) == (0, 2, False)
    answer = play_send(ground, database=where.replace(postgres.path.name, "nowhere"))
    assert answer["failed"]
    assert "evomaint at" in answer["msg"]


def test_a_row_that_is_there_is_not_added_twice_when_the_ledger_forgot_it(
    ground: Playground, postgres: Postgres, recorded: bytes
) -> None:
    name = table(postgres, "typed")
    send(ground, Database(url(postgres, name, "looker")))
    # As after a crash between the insert and our commit.
    ground.ledger.write_bytes(recorded)
    assert send(ground, Database(url(postgres, name, "looker"))).sent == 2
    assert postgres.sql("SELECT count(*) FROM evomaint", name) == "2"


def test_a_database_that_another_authority_vouches_for_gets_nothing(ground: Playground, postgres: Postgres) -> None:
    name = table(postgres, "typed")
    with pytest.raises(SendError, match="certificate verify failed") as caught:
        send(ground, Database(url(postgres, name, "looker", "other-ca.crt")))
    assert PASSWORD not in str(caught.value)
    assert postgres.sql("SELECT count(*) FROM evomaint", name) == "0"


@pytest.fixture
def server(authority: Path) -> Iterator[ApiServer]:
    """The API, with a certificate of the private authority."""
    made = ApiServer(authority / "server.crt", authority / "server.key")
    yield made
    made.close()


def test_the_api_gets_each_row_once_as_a_form(ground: Playground, authority: Path, server: ApiServer) -> None:
    wanted = {"api_url": server.url, "api_key": KEY, "ca_file": str(authority / "ca.crt")}
    assert play_send(ground, **wanted)["sent"] == 2
    assert play_send(ground, **wanted)["known"] == 2
    assert [form["hostname"] for form in server.taken] == ["web1", "web2"]
    assert server.taken[0]["action"] == "insertEvoMaintenance"
    # A curl form would have sent a file in its place.
    assert server.taken[0]["details"].startswith("@/etc/passwd <it's>")


@pytest.mark.parametrize("ca_file", ["other-ca.crt", None], ids=["wrong authority", "system authorities"])
def test_an_api_that_is_not_proven_to_be_the_one_gets_nothing(
    ground: Playground, authority: Path, server: ApiServer, ca_file: str | None
) -> None:
    told = send(ground, Api(server.url, KEY, str(authority / ca_file) if ca_file else None))
    assert "certificate verify failed" in told.problem
    assert (told.sent, len(told.waiting)) == (0, 2)
    assert server.taken == []


@pytest.mark.parametrize(
    ("url_", "ca_file", "message"),
    [
        ("http://127.0.0.1:9/api", None, "must be https"),
        ("https://user:secret@127.0.0.1/api", None, "must be https"),
        ("https://127.0.0.1/api", "/nowhere/ca.crt", "ca_file: /nowhere/ca.crt cannot be used"),
    ],
)
def test_what_cannot_be_secure_is_refused_at_once(url_: str, ca_file: str | None, message: str) -> None:
    with pytest.raises(SendError, match=message) as caught:
        Api(url_, KEY, ca_file)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "answer", "message"),
    [
        (500, b"{}", "answered 500"),
        (302, b'{"status":"Ok"}', "answered 302"),
        (200, b'{"status":"Error"}', "did not say that it has taken the row"),
        (200, b"<html>login</html>", "did not say that it has taken the row"),
    ],
)
def test_what_the_api_did_not_take_waits_and_is_sent_the_next_time(
    ground: Playground, authority: Path, server: ApiServer, status: int, answer: bytes, message: str
) -> None:
    target = Api(server.url, KEY, str(authority / "ca.crt"))
    good, server.answer, server.status, server.location = server.answer, answer, status, server.url
    told = send(ground, target)
    assert message in told.problem
    assert (told.sent, len(told.waiting)) == (0, 2)
    server.taken.clear()
    server.answer, server.status, server.location = good, 200, ""
    assert send(ground, target).sent == 2
    assert len(server.taken) == 2
