# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenVPN servers on this host: what they read, who is connected, and closing a client's way in at once."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from .atomic_files import fault_point, read_bytes, remove_file, write_atomic
from .client_config import CLIENT_MARK, client_file, disable_client, disabled_by_us, enable_client, serial_file
from .daemon_eyes import UNREACHED, Identity, configured_identity, find_running, read_as
from .entry_point_module import ServerProblem
from .openvpn_config import ConfigDamaged, ServerConfig, server_config
from .openvpn_management import Management, ManagementFailed, Session
from .pki import der
from .pki.authority import put_list

__all__ = ["SERIAL_FILE", "Server", "load_servers"]

CLIENT_CONFIG, SERIAL_FILE = "client_config", "serial_file"


@dataclass
class Server:
    """One server: its configuration, its daemon's identity, and what was learned of it."""

    config: ServerConfig
    identity: Identity
    running: bool
    outdated: bool
    certificate: der.Certificate | None

    @property
    def name(self) -> str:
        return self.config.path

    # -- the list that this server reads ---------------------------------------------------------------------------

    def seen_list(self) -> bytes | str | None:
        """The list as the daemon reads it, the reason why it can't, or None where it reads no list file."""
        if self.config.seen_crl is None or self.config.crl_is_directory:
            return None
        return read_as(self.identity, self.config.seen_crl)

    def probe_list(self, mode: int) -> int:
        """The mode with which a new list will be readable for the daemon. Raises ServerProblem where none is.

        A file with the new list's owner and mode is put beside the list, read with the daemon's eyes, and removed.
        """
        listed = _given(self.config.crl)
        path = os.path.realpath(listed)
        uid = gid = 0
        with contextlib.suppress(FileNotFoundError):
            found = os.stat(path)
            mode, uid, gid = found.st_mode & 0o7777, found.st_uid, found.st_gid
        folder = os.path.dirname(path)
        name = ".probe.%s~" % secrets.token_hex(6)
        seen = os.path.join(os.path.dirname(_given(self.config.seen_crl)), name)
        if path != listed:
            # A link leads elsewhere: only a place that both see can be tried, so the target's name is used.
            seen = os.path.join(folder, name)
            if self.identity.root != "/":
                seen = "/" + os.path.relpath(seen, self.identity.root)
        answer: bytes | str = "unknown"
        for tried in (mode, mode | 0o044):
            try:
                write_atomic(os.path.join(folder, name), b"probe\n", tried, uid, gid)
                answer = read_as(self.identity, seen)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(folder, name))
            if answer == b"probe\n":
                return tried
        raise ServerProblem(
            "%s: the daemon (uid %d) can't read %s: %s. The old list stays in place"
            % (self.name, self.identity.uid, self.config.crl, answer if isinstance(answer, str) else "other content")
        )

    def install_list(self, raw: bytes, mode: int) -> None:
        """Put the list where this server reads it."""
        path = os.path.realpath(_given(self.config.crl))
        with contextlib.suppress(FileNotFoundError):
            if os.stat(path).st_mode & 0o7777 != mode:
                os.chmod(path, mode)
            if read_bytes(path) == raw:
                return
        put_list(path, raw, mode)

    # -- stage one -------------------------------------------------------------------------------------------------

    def way(self, cn: str | None, shared: bool) -> str | None:
        """How one certificate can be closed here without the CA. ``shared``: another certificate of the name stays."""
        if self.config.crl_is_directory:
            return SERIAL_FILE
        if self.config.clients is None or cn is None or shared:
            return None
        try:
            client_file(self.config.clients, cn)
        except ValueError:
            return None
        return CLIENT_CONFIG

    def disabled_since(self, cn: str | None, serial: str) -> str | None:
        """The day since when our own mark closes this certificate here, or None."""
        texts = []
        if self.config.crl_is_directory and self.config.crl:
            texts.append(serial_file(self.config.crl, serial))
        if self.config.clients is not None and cn is not None:
            with contextlib.suppress(ValueError):
                texts.append(client_file(self.config.clients, cn))
        for path in texts:
            try:
                text = read_bytes(path).decode("latin-1")
            except OSError:
                continue
            for line in text.splitlines():
                if line.startswith(CLIENT_MARK):
                    return line[len(CLIENT_MARK) :].strip()[:10]
        return None

    def closed_by_others(self, cn: str | None) -> bool:
        """Somebody wrote ``disable`` into the client's file by hand."""
        if self.config.clients is None or cn is None:
            return False
        with contextlib.suppress(ValueError, OSError):
            found = disabled_by_us(client_file(self.config.clients, cn))
            return found is not None and found.foreign
        return False

    def disable(self, way: str, cn: str | None, serial: str, today: str) -> None:
        """Close one certificate here."""
        if way == SERIAL_FILE:
            self.put_serial_file(serial, "%s %s\n" % (CLIENT_MARK, today))
        else:
            disable_client(client_file(_given(self.config.clients), _given(cn)), today)

    def put_serial_file(self, serial: str, text: str) -> None:
        """Name a serial in the directory that the daemon looks into."""
        path = serial_file(_given(self.config.crl), serial)
        if not os.path.lexists(path):
            write_atomic(path, text.encode("latin-1"), 0o644)
            fault_point("disable:serial-file")

    def enable(self, cn: str | None, serial: str) -> None:
        """Take our own marks away."""
        if self.config.crl_is_directory and self.config.crl:
            path = serial_file(self.config.crl, serial)
            with contextlib.suppress(FileNotFoundError):
                if read_bytes(path).startswith(CLIENT_MARK.encode("ascii")):
                    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                    try:
                        remove_file(os.path.basename(path), folder)
                    finally:
                        os.close(folder)
        if self.config.clients is not None and cn is not None:
            with contextlib.suppress(ValueError):
                enable_client(client_file(self.config.clients, cn))

    def not_seen(self, way: str, cn: str | None, serial: str) -> str | None:
        """Why the daemon does not see what closes this certificate, or None."""
        if way == SERIAL_FILE:
            seen = read_as(self.identity, serial_file(_given(self.config.seen_crl), serial))
            if isinstance(seen, str):
                return "%s: the daemon does not see the file of serial %s, and lets it in: %s" % (
                    self.name,
                    serial,
                    seen,
                )
            return None
        seen = read_as(self.identity, client_file(_given(self.config.seen_clients), _given(cn)))
        if isinstance(seen, str):
            return "%s: the daemon does not see the file of %s, and lets it in: %s" % (self.name, cn, seen)
        return None if b"disable" in seen else "%s: the file of %s does not close it" % (self.name, cn)

    # -- sessions --------------------------------------------------------------------------------------------------

    def sessions(self) -> list[Session] | str | None:
        """Who is connected; the reason why that can't be known; None without a management interface or a daemon."""
        if self.config.management is None or not self.running:
            return None
        try:
            with Management(self.config.management, self.config.management_password) as interface:
                # A client that is refused by its file shows up for a moment, without an address in the tunnel.
                return [row for row in interface.sessions() if row.tunnel or self.config.bridged]
        except (ManagementFailed, OSError) as error:
            return str(error)

    def cut(self, names: Sequence[str]) -> int:
        """End the sessions of these names; how many there were. Raises ServerProblem."""
        if not names or self.config.management is None or not self.running:
            return 0
        try:
            with Management(self.config.management, self.config.management_password) as interface:
                connected = {session.common_name for session in interface.sessions()}
                return sum(interface.kill(name) for name in names if name in connected)
        except (ManagementFailed, OSError) as error:
            raise ServerProblem("%s: sessions can't be cut: %s" % (self.name, error)) from None


def _given(value: str | None) -> str:
    """What the configuration must have for this step. Only a step that was not asked for could miss it."""
    if value is None:
        raise ServerProblem("openvpn: the configuration lacks what this step needs")
    return value


def reached(answer: bytes | str) -> bool:
    """False where no mode of the file itself would let the daemon read it."""
    return not (isinstance(answer, str) and answer.startswith(UNREACHED))


def load_servers(given: Sequence[dict[str, str | None]], ca: der.Certificate) -> list[Server]:
    """Read each server's configuration. Raises ServerProblem for one that can't be judged, or trusts another CA."""
    servers = []
    for row in given:
        path = row["config"] or ""
        directory = row.get("directory")
        try:
            with open(path, encoding="utf-8", errors="replace") as stream:
                text = stream.read()
            running = find_running(path, server_config(path, text).user)
            config = server_config(
                path,
                text,
                running.arguments if running else (),
                directory or (running.directory if running and running.identity.root == "/" else None),
            )
            identity = running.identity if running else configured_identity(config.user, config.group, config.chroot)
        except OSError as error:
            raise ServerProblem("openvpn: config %s: %s" % (path, error.strerror or error)) from None
        except ConfigDamaged as error:
            raise ServerProblem("openvpn: config %s: %s" % (path, error)) from None
        except KeyError as error:
            raise ServerProblem("openvpn: config %s: this server has no user or group %s" % (path, error)) from None
        outdated = running is not None and os.stat(path).st_mtime > running.started + 1
        _check_trust(config, ca)
        servers.append(Server(config, identity, running is not None, outdated, _own_certificate(config)))
    return servers


def _check_trust(config: ServerConfig, ca: der.Certificate) -> None:
    """A server that trusts another CA can't be closed by this one's list: it would only warn and let everybody in."""
    if config.ca is None and config.inline_ca is None:
        return
    try:
        raw = config.inline_ca.encode("ascii", "replace") if config.inline_ca else _read(config.ca or "")
        trusted = [der.read_certificate(block) for block in der.pem_blocks(raw, "CERTIFICATE")]
    except (OSError, der.DerDamaged) as error:
        raise ServerProblem("openvpn: config %s: its ca: %s" % (config.path, error)) from None
    if not any(found.public_key == ca.public_key and found.subject == ca.subject for found in trusted):
        raise ServerProblem("openvpn: config %s: this server trusts another CA than the one in pki" % config.path)


def _own_certificate(config: ServerConfig) -> der.Certificate | None:
    try:
        raw = config.inline_certificate.encode("ascii", "replace") if config.inline_certificate else None
        if raw is None and config.certificate:
            raw = _read(config.certificate)
        return der.read_certificate(raw) if raw else None
    except (OSError, der.DerDamaged):
        return None


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read(1 << 20)
