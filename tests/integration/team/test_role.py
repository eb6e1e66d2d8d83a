# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role makes a shared ledger on a real Debian host; a controller pushes to it over TLS; nobody can do more."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from rows import add

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import pushing, shared
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.shared_url import SharedError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger

OPERATOR = "op-$ecret'\"\\-1"
REPORTER = "reporter-secret-2"
CONF = "/etc/postgresql/15/main"


def openssl(path: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=path, check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities, and a client's certificate of the first."""
    path = tmp_path_factory.mktemp("pki")
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3")
    for name in ("ca", "other-ca"):
        openssl(path, *new, "-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}")
    by_ca = (*new, "-CA", "ca.crt", "-CAkey", "ca.key")
    openssl(path, *by_ca, "-keyout", "client.key", "-out", "client.crt", "-subj", "/CN=bycert")
    (path / "client.key").chmod(0o600)
    return path


@pytest.fixture(scope="module")
def database_host(module_hosts: Callable[..., Any], authority: Path) -> Any:
    """A Debian host with PostgreSQL running as the package set it up, and a certificate for its address."""
    host = module_hosts("db", extra_packages=["postgresql", "ssl-cert"])
    host.run("pg_ctlcluster 15 main start")
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3")
    san = ("-addext", f"subjectAltName=IP:{host.address}")
    by_ca = (*new, "-CA", "ca.crt", "-CAkey", "ca.key")
    openssl(authority, *by_ca, "-keyout", "server.key", "-out", "server.crt", "-subj", "/CN=db", *san)
    host.copy_in(authority / "server.crt", "/etc/postgresql/ledger.crt")
    host.copy_in(authority / "server.key", "/etc/postgresql/ledger.key", 0o600, "postgres:postgres")
    host.copy_in(authority / "ca.crt", "/etc/postgresql/ca.crt")
    return host


def play(host: Any, **variables: Any) -> list[dict[str, Any]]:
    """What a team writes. The network is the lab's bridge."""
    said = {
        "ledger_operators": [{"name": "ctl1", "password": OPERATOR}, {"name": "bycert", "certificate": True}],
        "ledger_reporters": [{"name": "reports", "password": REPORTER}],
        "ledger_networks": [".".join(host.address.split(".")[:2]) + ".0.0/16"],
        "ledger_tls_certificate": "/etc/postgresql/ledger.crt",
        "ledger_tls_key": "/etc/postgresql/ledger.key",
        "ledger_tls_client_ca": "/etc/postgresql/ca.crt",
        "ledger_listen": ["*"],
        "ledger_restart": True,
        "ledger_host": host.address,
        **variables,
    }
    said = {name: value for name, value in said.items() if value is not None}
    return [{"hosts": "all", "gather_facts": False, "roles": ["infogerance.perimeter.ledger"], "vars": said}]


def sql(host: Any, text: str, database: str = "perimeter_ledger") -> str:
    """As the cluster's superuser, on the host."""
    argv = ["runuser", "-u", "postgres", "--", "psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", database]
    return str(host.run(["sh", "-c", 'cd / && exec "$@"', "sh", *argv], input=text).stdout).strip()


@pytest.fixture(scope="module")
def ready(database_host: Any, runner: Any) -> Any:
    """The host after the role, run as a team would."""
    checked = runner.playbook([database_host], play(database_host), check=True)
    assert checked.rc == 0, checked.stdout + checked.stderr
    assert sql(database_host, "SELECT count(*) FROM pg_database WHERE datname LIKE 'perimeter%'", "postgres") == "0"
    assert not database_host.exists(f"{CONF}/conf.d/infogerance_perimeter.conf")
    first = runner.playbook([database_host], play(database_host), diff=True, arguments=["-vvv"])
    assert first.rc == 0, first.stdout + first.stderr
    for secret in (OPERATOR, REPORTER, "SCRAM-SHA-256"):
        assert secret not in first.stdout + first.stderr
    shown = [line for row in first.tasks for line in row.result.get("msg", "") if isinstance(row.result["msg"], list)]
    url = f"shared = postgresql+psycopg://ctl1@{database_host.address}/perimeter_ledger?sslmode=verify-full"
    assert url in shown
    return database_host


def url(host: Any, authority: Path, user: str, password: str = "", ca: str = "ca", **query: str) -> str:
    login = f"{user}:{quote(password, safe='')}" if password else user
    more = "".join(f"&{key}={value}" for key, value in {"sslrootcert": str(authority / f"{ca}.crt"), **query}.items())
    return f"postgresql+psycopg://{login}@{host.address}/perimeter_ledger?sslmode=verify-full{more}"


def stored_state(host: Any) -> list[str]:
    return [
        sql(host, "SELECT rolname, rolpassword, rolcanlogin FROM pg_authid ORDER BY 1", "postgres"),
        sql(host, "SELECT relname, relacl, xmin FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"),
        str(host.stamps([f"{CONF}/pg_hba.conf", f"{CONF}/conf.d"])),
    ]


def test_a_second_run_changes_nothing_and_neither_does_check_mode(ready: Any, runner: Any) -> None:
    before = stored_state(ready)
    for check in (False, True):
        again = runner.playbook([ready], play(ready), check=check)
        assert again.rc == 0, again.stdout + again.stderr
        assert again.stats[ready.name]["changed"] == 0, again.stdout
    assert stored_state(ready) == before


def test_a_controller_pushes_over_tls_with_the_documented_command(ready: Any, authority: Path, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    add(ledger, 12)
    (tmp_path / "pgpass").write_text(f"{ready.address}:5432:perimeter_ledger:ctl1:{OPERATOR}\n".replace("\\", "\\\\"))
    (tmp_path / "pgpass").chmod(0o600)
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "INFOGERANCE_"))}
    environ |= {
        "HOME": str(tmp_path),
        "INFOGERANCE_PERIMETER_LEDGER": str(ledger.path),
        "INFOGERANCE_PERIMETER_SHARED": url(ready, authority, "ctl1", passfile=str(tmp_path / "pgpass")),
    }
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible")), "localhost", "-m", "infogerance.perimeter.ledger_push"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"pushed": 12' in done.stdout
    assert '"remaining": 0' in done.stdout
    checked = shared.verify(url(ready, authority, "reports", REPORTER))
    assert (checked.rows >= 12, checked.faults) == (True, [])
    assert sql(ready, "SELECT DISTINCT received_by FROM chained WHERE run_id = 'run'") == "ctl1"


def test_a_certificate_logs_in_without_a_password(ready: Any, authority: Path, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    add(ledger, 3, "certified")
    pair = {"sslcert": str(authority / "client.crt"), "sslkey": str(authority / "client.key")}
    pushed = pushing.push(ledger, url(ready, authority, "bycert", **pair))
    assert (pushed.pushed, pushed.problem) == (3, "")
    # Somebody else's name is not what the certificate says.
    other = Ledger(Path(shutil.copy(ledger.path, tmp_path / "copy.sqlite3")))
    assert "failed" in pushing.push(other, url(ready, authority, "ctl1", **pair)).problem


@pytest.mark.parametrize(
    ("user", "password", "statement"),
    [
        ("ctl1", OPERATOR, "UPDATE chained SET body = '{}'"),
        ("ctl1", OPERATOR, "DELETE FROM chained"),
        ("ctl1", OPERATOR, "TRUNCATE chained"),
        ("ctl1", OPERATOR, "SELECT body FROM chained"),
        ("ctl1", OPERATOR, "ALTER TABLE chained DISABLE TRIGGER ALL"),
        ("ctl1", OPERATOR, "CREATE TABLE public.mine (a int)"),
        ("ctl1", OPERATOR, "CREATE TEMP TABLE mine (a int)"),
        ("ctl1", OPERATOR, "SET ROLE perimeter_owner"),
        ("reports", REPORTER, "INSERT INTO chained (writer, seq) VALUES ('x', 1)"),
        ("reports", REPORTER, "DELETE FROM chained"),
    ],
)
def test_what_a_login_must_not_do_is_refused(
    ready: Any, authority: Path, user: str, password: str, statement: str
) -> None:
    import sqlalchemy

    engine = sqlalchemy.create_engine(url(ready, authority, user, password), poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection, pytest.raises(sqlalchemy.exc.ProgrammingError) as refused:
        connection.exec_driver_sql(statement)
    assert getattr(refused.value.orig, "sqlstate", "") == "42501", refused.value


def test_a_wrong_authority_no_tls_and_a_wrong_password_are_refused(ready: Any, authority: Path) -> None:
    with pytest.raises(SharedError, match="certificate verify failed"):
        shared.verify(url(ready, authority, "reports", REPORTER, ca="other-ca"))
    with pytest.raises(SharedError, match="reject|no encryption"):
        shared.verify(url(ready, authority, "reports", REPORTER).replace("verify-full", "disable"))
    with pytest.raises(SharedError, match="password authentication failed"):
        shared.verify(url(ready, authority, "reports", "wrong"))


def test_no_password_is_in_the_servers_log_or_files(ready: Any) -> None:
    sql(ready, "SELECT 1")
    found = ready.run(
        "grep -rlaF -e reporter-secret-2 -e 'op-$ecret' /var/log /etc/postgresql /var/lib/postgresql /tmp /root /home"
        " 2>/dev/null || true"
    ).stdout
    assert found == ""
    assert "SCRAM-SHA-256$" not in ready.run("cat /var/log/postgresql/*.log").stdout


def test_a_new_password_is_set_and_an_old_login_is_told(ready: Any, runner: Any, authority: Path) -> None:
    changed = play(ready, ledger_reporters=[{"name": "reports2", "password": "another-secret"}])
    run = runner.playbook([ready], changed)
    made = run.one(action="infogerance.perimeter.ledger_database").result
    assert made["undeclared"] == ["reports in perimeter_reporters"]
    assert made["actions"] == [
        "create login reports2",
        "set the password of reports2",
        "let reports2 be one of perimeter_reporters",
    ]
    assert shared.verify(url(ready, authority, "reports2", "another-secret")).faults == []


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ledger_operators": [{"name": "postgres", "password": "x"}]}, "a word of PostgreSQL's own"),
        ({"ledger_operators": [{"name": "stranger", "password": "x"}]}, "not for the ledger; choose another name"),
        (
            {"ledger_operators": [{"name": "ctl1", "password": "caf\u00e9"}]},
            "(ctl1): password: a password must",
        ),
        ({"ledger_networks": ["192.0.2.1/24"]}, "networks: entry 1: 192.0.2.1/24 has host bits set"),
        ({"ledger_tls_certificate": None, "ledger_tls_key": None}, "ledger_tls_snakeoil alone"),
        ({"ledger_tls_key": "/etc/ssl/private/ssl-cert-snakeoil.key"}, "is not the key of"),
        ({"ledger_database": "strange"}, "strange is there already and belongs to postgres"),
    ],
)
@pytest.mark.sample(3)
def test_what_is_wrong_or_not_ours_is_refused_before_any_change(
    ready: Any, runner: Any, variables: dict[str, Any], said: str
) -> None:
    if sql(ready, "SELECT count(*) FROM pg_roles WHERE rolname = 'stranger'", "postgres") == "0":
        sql(ready, "CREATE ROLE stranger LOGIN PASSWORD 'theirs'", "postgres")
        sql(ready, "CREATE DATABASE strange", "postgres")
    before = stored_state(ready)
    run = runner.playbook([ready], play(ready, **variables))
    assert run.rc != 0
    assert said in " ".join((run.stdout + run.stderr).split())
    assert stored_state(ready) == before
