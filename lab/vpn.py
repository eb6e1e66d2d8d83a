# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small but real authority, made by openssl on this machine and copied to a host; OpenVPN servers and clients."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.errors import LabError
from lab.host import Host

CONFIG = """\
[ca]
default_ca = here
[here]
dir = {target}
database = $dir/index.txt
new_certs_dir = $dir/newcerts
serial = $dir/serial
crlnumber = $dir/crlnumber
certificate = $dir/ca.crt
private_key = $dir/ca.key
crl = $dir/crl.pem
default_md = sha256
default_days = 365
default_crl_days = {crl_days}
unique_subject = no
policy = any
[any]
commonName = supplied
organizationName = optional
[server]
basicConstraints = CA:FALSE
keyUsage = digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth
[client]
basicConstraints = CA:FALSE
keyUsage = digitalSignature
extendedKeyUsage = clientAuth
"""


def openssl(*words: str, cwd: Path, data: str | None = None) -> str:
    done = subprocess.run(["openssl", *words], cwd=cwd, input=data, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"openssl {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout


@dataclass
class Authority:
    """An ``openssl ca`` directory. Serials by name, in the order of issue."""

    folder: Path
    target: str = "/etc/pki/vpn"
    password: str | None = None
    serials: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def make(
        cls,
        folder: Path,
        clients: Iterable[str],
        *,
        target: str = "/etc/pki/vpn",
        password: str | None = None,
        crl_days: int = 90,
        name: str = "Example VPN CA",
        identifier: bool = True,
    ) -> Authority:
        made = cls(folder, target, password)
        (folder / "newcerts").mkdir(parents=True)
        (folder / "private").mkdir()
        (folder / "openssl.cnf").write_text(CONFIG.format(target=target, crl_days=crl_days))
        (folder / "local.cnf").write_text(CONFIG.format(target=".", crl_days=crl_days))
        (folder / "index.txt").write_text("")
        (folder / "serial").write_text("0A\n")
        (folder / "crlnumber").write_text("01\n")
        cipher = ["-aes256", "-pass", f"pass:{password}"] if password else []
        openssl(
            "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "ca.key", *cipher, cwd=folder
        )
        openssl(
            "req", "-x509", "-new", "-key", "ca.key", *made.pass_in, "-out", "ca.crt", "-days", "3650",
            "-subj", f"/CN={name}", *([] if identifier else ["-addext", "subjectKeyIdentifier=none"]), cwd=folder,
        )  # fmt: skip
        made.issue("vpn.example.org", "server")
        for client in clients:
            made.issue(client)
        made.new_crl()
        return made

    @property
    def pass_in(self) -> list[str]:
        return ["-passin", f"pass:{self.password}"] if self.password else []

    def request(self, cn: str) -> str:
        """A key in ``private/<cn>.key`` and a request for it."""
        openssl(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={cn}",
            "-keyout", f"private/{cn}.key", "-out", f"{cn}.csr", cwd=self.folder,
        )  # fmt: skip
        return (self.folder / f"{cn}.csr").read_text()

    def issue(self, cn: str, kind: str = "client", *more: str) -> str:
        """A certificate; its serial."""
        serial = (self.folder / "serial").read_text().strip()
        self.request(cn)
        openssl(
            "ca", "-batch", "-config", "local.cnf", *self.pass_in, "-in", f"{cn}.csr", "-out", f"private/{cn}.crt",
            "-notext", "-extensions", kind, *more, cwd=self.folder,
        )  # fmt: skip
        self.serials.setdefault(cn, []).append(serial)
        return serial

    def revoke(self, serial: str) -> None:
        openssl("ca", "-config", "local.cnf", *self.pass_in, "-revoke", f"newcerts/{serial}.pem", cwd=self.folder)

    def new_crl(self, *more: str) -> bytes:
        openssl("ca", "-config", "local.cnf", *self.pass_in, "-gencrl", "-out", "crl.pem", *more, cwd=self.folder)
        return (self.folder / "crl.pem").read_bytes()

    def expired_crl(self) -> bytes:
        return self.new_crl("-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200201000000Z")

    def install(self, host: Host, without: Iterable[str] = ()) -> None:
        put_tree(host, self.folder, self.target, without)

    def entry(self, cn: str, which: int = -1) -> str:
        return f"{cn}:{self.serials[cn][which]}"


def put_tree(host: Host, folder: Path, target: str, without: Iterable[str] = ()) -> None:
    """Copy a directory into a host, owned by root."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:

        def own(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
            info.uid = info.gid = 0
            info.uname = info.gname = "root"
            return None if info.name in {f"./{name}" for name in without} else info

        archive.add(folder, ".", filter=own)
    host.run(f"mkdir -p {target} && tar -x -C {target}", input=stream.getvalue())


SERVER = """\
port {port}
proto tcp-server
dev {dev}
dev-type tun
topology subnet
server {network} 255.255.255.0
ca {pki}/ca.crt
cert {pki}/private/vpn.example.org.crt
key {pki}/private/vpn.example.org.key
dh none
user nobody
group nogroup
persist-key
persist-tun
keepalive 2 20
verb 3
log {home}/server.log
writepid /run/openvpn-{name}.pid
daemon
"""


@dataclass
class OpenVpn:
    """A real OpenVPN server in a host, and real clients beside it."""

    host: Host
    authority: Authority
    name: str = "server"
    port: int = 1194
    network: str = "10.8.0.0"
    options: dict[str, str | None] = field(default_factory=dict)

    @property
    def home(self) -> str:
        return f"/etc/openvpn/{self.name}"

    @property
    def config(self) -> str:
        return f"{self.home}/server.conf"

    def write(self, options: Mapping[str, str | None] | None = None) -> None:
        """Write the configuration: management, a list, a client-config-dir, changed by ``options`` (None drops one)."""
        lines: dict[str, str | None] = {
            "crl-verify": f"{self.authority.target}/crl.pem",
            "client-config-dir": f"{self.home}/ccd",
            "management": f"127.0.0.1 {self.port + 1000} {self.home}/management-pwd",
        }
        self.options = {**lines, **(options or {})}
        text = SERVER.format(
            name=self.name,
            home=self.home,
            port=self.port,
            network=self.network,
            pki=self.authority.target,
            dev=f"tun{self.port}",
        )
        text += "".join(f"{key} {value}\n" for key, value in self.options.items() if value is not None)
        self.host.write(self.config, text)
        self.host.write(f"{self.home}/management-pwd", "s3cret-management\n", 0o600)
        self.host.run(f"mkdir -p {self.home}/ccd && chmod 755 {self.home}/ccd")

    def start(self, check: bool = True) -> bool:
        self.host.run(f"openvpn --cd {self.home} --config server.conf", check=False)
        for _try in range(50):
            if "Initialization Sequence Completed" in self.log():
                return True
            self.host.run("sleep 0.1")
        if check:
            raise LabError(f"{self.name}: OpenVPN did not start: {self.log()[-2000:]}")
        return False

    def stop(self) -> None:
        self.host.run(f"kill $(cat /run/openvpn-{self.name}.pid); rm -f {self.home}/server.log; sleep 0.3", check=False)

    def log(self) -> str:
        return self.host.run(f"cat {self.home}/server.log", check=False).stdout

    def _client(self, cn: str, crt: str | None = None) -> str:
        pki = self.authority.target
        return (
            f"openvpn --client --dev null --proto tcp-client --remote 127.0.0.1 {self.port} --nobind --ca {pki}/ca.crt "
            f"--cert {crt or f'{pki}/private/{cn}.crt'} --key {pki}/private/{cn}.key --remote-cert-tls server --verb 3 "
            "--ifconfig-noexec --route-noexec --connect-retry 1 1 --suppress-timestamps"
        )

    def attempt(self, cn: str, crt: str | None = None) -> str:
        """A script for bash: try once with a client of its own. Its last word is YES or NO."""
        return (
            f"log=$(mktemp); {self._client(cn, crt)} --connect-retry-max 1 >$log 2>&1 & pid=$!; "
            "for i in $(seq 60); do "
            "if grep -q 'Initialization Sequence Completed' $log; then kill $pid; wait $pid; echo YES; exit; fi; "
            "if ! kill -0 $pid 2>/dev/null; then break; fi; "
            "if grep -Eq 'AUTH_FAILED|Connection reset|TLS Error' $log; then break; fi; sleep 0.1; done; "
            "kill $pid 2>/dev/null; wait $pid; cat $log; echo NO"
        )

    def staying(self, cn: str) -> str:
        """The command of a client that stays, and comes back if it is cut."""
        return f"{self._client(cn)} --log /tmp/client-{cn}.log --writepid /tmp/client-{cn}.pid"

    def can_connect(self, cn: str, crt: str | None = None) -> bool:
        """Try once with a client of its own; its connection ends with the answer."""
        script = self.attempt(cn, crt)
        answer = self.host.run(["bash", "-c", script], check=False).stdout
        if not answer.endswith(("YES\n", "NO\n")):
            raise LabError(f"{cn}: the client neither got in nor was refused: {answer[-2000:]}")
        return answer.endswith("YES\n")

    def stay_connected(self, cn: str) -> None:
        """A client that stays, and comes back if it is cut."""
        self.host.spawn(self.staying(cn))
        for _try in range(60):
            if cn in self.connected():
                return
            self.host.run("sleep 0.1")
        said = self.host.run(f"cat /tmp/client-{cn}.log", check=False).stdout[-2000:]
        raise LabError(f"{cn} does not get in: {said}{self.log()[-2000:]}")

    def leave(self, cn: str) -> None:
        """End the client that stays. Two of one name push each other out, so it goes before another try."""
        pid = f"$(cat /tmp/client-{cn}.pid)"
        self.host.run(f"kill {pid}; while kill -0 {pid} 2>/dev/null; do sleep 0.1; done", check=False)

    def client_log(self, cn: str) -> str:
        return self.host.run(f"cat /tmp/client-{cn}.log").stdout

    def connected(self) -> list[str]:
        """Who is connected, asked of the management interface by netcat, not by our own code."""
        port = self.port + 1000
        answer = self.host.run(
            f"(echo s3cret-management; echo status 2; sleep 0.3; echo quit) | nc -q 1 127.0.0.1 {port}", check=False
        ).stdout
        rows = [line.split(",") for line in answer.splitlines() if line.startswith("CLIENT_LIST,")]
        # A client that is about to be refused has no name yet, or no address.
        return [row[1] for row in rows if row[3]]
