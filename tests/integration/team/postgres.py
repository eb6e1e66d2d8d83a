# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PostgreSQL with TLS, from Debian's package, in a directory of its own and on a free port of 127.0.0.1."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from pathlib import Path
from urllib.parse import quote

OPERATOR_PASSWORD = "op:er@tor/pass?word#1"
REPORTER_PASSWORD = "reporter-pass-2"


def programs() -> Path:
    """Where the newest installed PostgreSQL 14 or later has its programs; Debian's package is installed if need be."""
    found = _installed()
    if not found:
        import setup

        setup.apt_install(["postgresql"], "no PostgreSQL server")
        found = _installed()
    return found[-1]


def _installed() -> list[Path]:
    folders = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "postgres").exists()]
    return sorted((path for path in folders if int(path.parent.name) >= 14), key=lambda path: int(path.parent.name))


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Postgres:
    """One server. Its superuser is reached through the socket alone; everybody else by TLS and password."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.port = free_port()
        self.bin = programs()
        self.user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self.data = path / "data"
        path.chmod(0o755)
        self._certificates()
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            for item in [path, *path.iterdir()]:
                os.chown(item, account.pw_uid, account.pw_gid)
        self._as_server("initdb", "-D", self.data, "-U", "postgres", "-A", "peer", "-E", "UTF8", "--locale=C", "-N")
        (self.data / "postgresql.conf").write_text(
            f"""port = {self.port}
listen_addresses = '127.0.0.1'
unix_socket_directories = '{path}'
ssl = on
ssl_cert_file = '{path}/server.crt'
ssl_key_file = '{path}/server.key'
password_encryption = 'scram-sha-256'
fsync = off
shared_buffers = 32MB
log_statement = all
"""
        )
        (self.data / "pg_hba.conf").write_text(
            "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\nhostnossl all all 0.0.0.0/0 reject\n"
        )
        self.start()

    def _certificates(self) -> None:
        for name, arguments in {
            "ca": ["-x509", "-subj", "/CN=test CA", "-days", "2"],
            "other-ca": ["-x509", "-subj", "/CN=another CA", "-days", "2"],
        }.items():
            subprocess.run(
                ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
                + ["-keyout", f"{name}.key", "-out", f"{name}.crt", *arguments],
                cwd=self.path,
                check=True,
                capture_output=True,
            )
        subprocess.run(
            ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            + [
                "-keyout",
                "server.key",
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1",
            ]
            + ["-CA", "ca.crt", "-CAkey", "ca.key", "-x509", "-days", "2", "-out", "server.crt"],
            cwd=self.path,
            check=True,
            capture_output=True,
        )
        (self.path / "server.key").chmod(0o600)

    def _as_server(self, program: str, *arguments: object) -> None:
        become = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        subprocess.run(
            [*become, str(self.bin / program), *map(str, arguments)], check=True, capture_output=True, cwd="/"
        )

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._as_server("pg_ctl", "-D", self.data, "-l", self.path / "log", "-w", "start")

    def stop(self) -> None:
        """Stop at once; clients are cut."""
        self._as_server("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")

    def remove(self) -> None:
        """Stop and delete."""
        self.stop()
        shutil.rmtree(self.path)

    def sql(self, text: str, database: str = "postgres", user: str = "postgres") -> str:
        """Run SQL over the socket. Returns what it printed, unaligned."""
        done = subprocess.run(
            [self.bin / "psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1"]
            + ["-h", str(self.path), "-p", str(self.port), "-U", user, database],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def database(self, name: str) -> Database:
        """A new database with this release's schema, the group roles, and one login in each."""
        from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import migrating

        self.sql(f"CREATE DATABASE {name} TEMPLATE template0")
        for role, password in (
            ("operators", None),
            ("reporters", None),
            ("ctl1", OPERATOR_PASSWORD),
            ("reader", REPORTER_PASSWORD),
        ):
            if not self.sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
                self.sql(f"CREATE ROLE {role} " + (f"LOGIN PASSWORD '{password}'" if password else "NOLOGIN"))
        self.sql("GRANT operators TO ctl1; GRANT reporters TO reader")
        self.sql(migrating.as_sql(None) + ";\n".join(migrating.grants("operators", "reporters")), name)
        return Database(self, name)


class Database:
    """One database of that server."""

    def __init__(self, server: Postgres, name: str) -> None:
        self.server = server
        self.name = name
        self.operator = self.url("ctl1", OPERATOR_PASSWORD)
        self.reporter = self.url("reader", REPORTER_PASSWORD)

    def url(self, user: str, password: str, port: int | None = None, **query: str) -> str:
        """A URL of TLS with the certificate verified."""
        parameters = {"sslmode": "verify-full", "sslrootcert": str(self.server.path / "ca.crt"), **query}
        text = "&".join(f"{key}={quote(value, safe='/')}" for key, value in parameters.items())
        login = f"{user}:{quote(password, safe='')}" if password else user
        return f"postgresql+psycopg://{login}@127.0.0.1:{port or self.server.port}/{self.name}?{text}"

    def sql(self, text: str) -> str:
        """As the superuser."""
        return self.server.sql(text, self.name)

    def tampered(self, text: str) -> str:
        """As somebody who owns the database and takes the triggers away first."""
        return self.sql(
            f"BEGIN; ALTER TABLE chained DISABLE TRIGGER USER; {text}; ALTER TABLE chained ENABLE TRIGGER USER; COMMIT"
        )

    @property
    def count(self) -> int:
        """How many rows it has."""
        return int(self.sql("SELECT count(*) FROM chained"))
