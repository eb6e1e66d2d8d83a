# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real SMTP server and a real HTTPS server on the loopback, with certificates of an authority of their own."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """localhost.pem and localhost.key, signed by ca.pem; other.pem is an authority that vouches for nobody.

    expired.pem has the same key and name, and is no longer valid.
    """
    folder = tmp_path_factory.mktemp("keys")
    new = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-addext",
        "keyUsage=critical,keyCertSign",
    ]
    for name in ("ca", "other"):
        run = [*new, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem"]
        subprocess.run(run, cwd=folder, check=True, capture_output=True)
    (folder / "names").write_text("subjectAltName=DNS:localhost\nauthorityKeyIdentifier=keyid\n")
    for command in (
        "openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout localhost.key -out localhost.csr",
        "openssl x509 -req -in localhost.csr -CA ca.pem -CAkey ca.key -days 2 -extfile names -out localhost.pem",
        "openssl x509 -req -in localhost.csr -CA ca.pem -CAkey ca.key -days -1 -extfile names -out expired.pem",
    ):
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def served(keys: Path) -> ssl.SSLContext:
    """The servers' side of TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(keys / "localhost.pem", keys / "localhost.key")
    return context


class Mailbox:
    """What the SMTP server does with a message. answer: given after DATA."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.answer = "250 OK"
        self.logins: list[tuple[bytes, bytes]] = []
        self.before: Callable[[], None] | None = None

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        """Whoever is called nobody is refused."""
        if address.startswith("nobody@"):
            return "550 unknown"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.before is not None:
            self.before()
        if self.answer.startswith("250"):
            self.mails.append(envelope.content)
        return self.answer

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, _how: str, data: Any) -> AuthResult:
        """Any login is right, and kept."""
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=True)


@pytest.fixture
def mailbox() -> Mailbox:
    """An empty one."""
    return Mailbox()


class Waiting(Controller):
    """A server whose start is waited for without a word to it: aiosmtpd's own try cannot speak TLS."""

    def _trigger_server(self) -> None:
        with socket.create_connection((self.hostname, self.port), timeout=5):
            pass


Start = Callable[..., int]


@pytest.fixture
def start_smtp(mailbox: Mailbox) -> Iterator[Start]:
    """Start a server with aiosmtpd's options; gives its port."""
    started: list[Controller] = []

    def start(**options: Any) -> int:
        options = {"authenticator": mailbox.authenticate, "auth_require_tls": False, **options}
        controller = Waiting(mailbox, hostname="127.0.0.1", port=free_port(), **options)
        controller.start()
        started.append(controller)
        return controller.port

    yield start
    for controller in started:
        controller.stop()


@pytest.fixture
def smtp_port(mailbox: Mailbox, served: ssl.SSLContext) -> Iterator[int]:
    """A server that speaks only after STARTTLS."""
    controller = Controller(
        mailbox, hostname="127.0.0.1", port=free_port(), tls_context=served, require_starttls=True,
        authenticator=mailbox.authenticate, auth_require_tls=True,
    )  # fmt: skip
    controller.start()
    yield controller.port
    controller.stop()


class Hook:
    """What the HTTPS server was sent, and what it answers."""

    def __init__(self) -> None:
        self.status = 204
        self.got: list[dict[str, Any]] = []
        self.port = 0
        self.before: Callable[[Any], None] | None = None


@pytest.fixture
def hook(served: ssl.SSLContext) -> Iterator[Hook]:
    """A real HTTPS server."""
    made = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if made.before is not None:
                made.before(self)
            made.got.append({"headers": dict(self.headers), "body": json.loads(body)})
            self.send_response(made.status)
            if made.status == 302:
                self.send_header("Location", f"https://localhost:{made.port}/elsewhere")
            self.end_headers()

        def log_message(self, *_given: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = served.wrap_socket(server.socket, server_side=True)
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.fixture
def quiet_port() -> int:
    """Nobody answers there."""
    return free_port()
