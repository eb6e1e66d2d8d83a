# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate authority that works with ``openssl ca``: read it, and change it all at once or not at all.

Backends differ in where files lie (class Layout), not in what a revocation is. A change is made in a staging
directory: index edited, list signed and judged there. Only a good result takes its place, in an order from
which a killed run can be finished: number, index, list. One signature serves any number of revocations.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Callable

from ansible_collections.infogerance.perimeter.plugins.module_utils.atomic_files import (
    fault_point,
    read_bytes,
    write_atomic,
)

from . import der, index_file
from .crl_policy import ALARMING, State, judge, lost_revocations, worse_than
from .openssl_command import OpensslFailed, key_is_encrypted, request_is_signed, run, signed_by

__all__ = ["SAFE_NAME", "Authority", "AuthorityError", "Change", "Issued", "Layout", "Snapshot", "put_list"]


#: Names that may become part of a path. Servers hold others, too: they are revoked by serial, and touch no file.
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z")


class AuthorityError(Exception):
    """The authority can't be read, or a change can't be made safely. Says what and where; nothing was changed."""


@dataclass(frozen=True)
class Layout:
    """Where one authority keeps its files, and what its tool does on top. Paths are absolute."""

    backend: str
    index: str
    ca_certificate: str
    ca_key: str
    crl: str
    issued: str
    serial: str | None = None
    crl_number: str | None = None
    crl_days: int = 180
    certificate_days: int = 825
    digest: str = "sha256"
    crl_mode: int = 0o644
    #: Lock that the authority's own tool takes; where it exists, that tool is at work.
    foreign_lock: str | None = None
    #: Certificate files other than ``issued/<SERIAL>.pem``: (cn) -> candidates. They are ours to move on revocation.
    certificates_of: Callable[[str], Sequence[str]] = field(default=lambda _cn: ())
    #: Where else the tool puts ``<SERIAL>`` certificates (renewed ones): (serial) -> candidates.
    issued_as: Callable[[str], Sequence[str]] = field(default=lambda _serial: ())
    #: Private keys and what holds them: (cn) -> [(request or certificate that proves whose key, files)].
    material_of: Callable[[str], Sequence[tuple[str, Sequence[str]]]] = field(default=lambda _cn: ())
    #: Where a certificate issued for (cn) is put, beside ``issued/<SERIAL>.pem``.
    place_of: Callable[[str], str | None] = field(default=lambda _cn: None)
    #: What a person types where the key is elsewhere: (serial, cn) -> commands, and the commands for a new list.
    revoke_commands: Callable[[str, str], Sequence[str]] = field(default=lambda _serial, _cn: ())
    crl_commands: Sequence[str] = ()


@dataclass(frozen=True)
class Snapshot:
    """One reading of the authority."""

    data: bytes
    lines: tuple[index_file.Line, ...]
    ca: der.Certificate
    crl_bytes: bytes | None
    crl: der.Revocations | None
    crl_state: State
    now: str


@dataclass(frozen=True)
class Issued:
    """A certificate made from a request."""

    serial: str
    common_name: str
    pem: str


@dataclass
class Change:
    """What to change in one go. ``kept``: serials that the new list must not revoke."""

    revoke: Sequence[str] = ()
    hold: Sequence[str] = ()
    release: Sequence[str] = ()
    kept: Sequence[str] = ()
    reason: str | None = "cessationOfOperation"


def put_list(path: str, raw: bytes, mode: int) -> None:
    """Put a revocation list in place, with a new time: daemons read it again only if time or size changed."""
    path = os.path.realpath(path)
    try:
        before = int(os.stat(path).st_mtime)
    except FileNotFoundError:
        before = 0
    write_atomic(path, raw, mode)
    if int(os.stat(path).st_mtime) <= before:
        os.utime(path, (before + 1, before + 1))


class Authority:
    """One authority on this server."""

    def __init__(self, layout: Layout, password: str | None, margin_days: int) -> None:
        self.layout = layout
        self.password = password
        self.margin = min(margin_days, max(1, layout.crl_days // 2))
        self._verdicts: dict[tuple[bytes, bytes], bool] = {}

    # -- reading -------------------------------------------------------------------------------------------------

    def read(self, now: str) -> Snapshot:
        """Read index, CA certificate and revocation list. Raises AuthorityError where they can't be trusted."""
        try:
            data = read_bytes(self.layout.index)
            lines = tuple(index_file.parse_index(data))
        except index_file.IndexDamaged as error:
            raise AuthorityError("%s: %s" % (self.layout.index, error)) from None
        except OSError as error:
            raise AuthorityError("index %s: %s" % (self.layout.index, error.strerror or error)) from None
        ca = self.certificate_at(self.layout.ca_certificate)
        state, raw, crl = self.judge_file(self.layout.crl, ca, lines, now)
        return Snapshot(data, lines, ca, raw, crl, state, now)

    def certificate_at(self, path: str) -> der.Certificate:
        """The certificate in a file. Raises AuthorityError."""
        try:
            # The CA's certificate may be a link (update-ca-style trees): its content is checked, not its path.
            with open(path, "rb") as stream:
                return der.read_certificate(stream.read(1 << 20))
        except OSError as error:
            raise AuthorityError("certificate %s: %s" % (path, error.strerror or error)) from None
        except der.DerDamaged as error:
            raise AuthorityError("certificate %s %s" % (path, error)) from None

    def judge_file(
        self, path: str, ca: der.Certificate, lines: Sequence[index_file.Line], now: str
    ) -> tuple[State, bytes | None, der.Revocations | None]:
        """The state of the revocation list in a file, its bytes and what it says."""
        try:
            raw = read_bytes(os.path.realpath(path))
        except FileNotFoundError:
            return State("missing", "%s does not exist" % path), None, None
        except OSError as error:
            return State("damaged", "%s: %s" % (path, error.strerror or error)), None, None
        return self.judge_bytes(raw, path, ca, lines, now)

    def judge_bytes(
        self, raw: bytes, path: str, ca: der.Certificate, lines: Sequence[index_file.Line], now: str
    ) -> tuple[State, bytes | None, der.Revocations | None]:
        """The same for bytes at hand."""
        if not raw.strip():
            return State("empty", "%s is empty" % path), raw, None
        try:
            crl = der.read_crl(raw)
        except der.DerDamaged as error:
            return State("damaged", "%s %s" % (path, error)), raw, None
        key = (raw, ca.public_key)
        if key not in self._verdicts:
            self._verdicts[key] = signed_by(raw, self.layout.ca_certificate)
        return judge(crl, ca.subject, self._verdicts[key], lines, now, self.margin), raw, crl

    def find_certificate(self, serial: str, common_name: str | None) -> der.Certificate | None:
        """The certificate with this serial, where the server still has it."""
        names = [os.path.join(self.layout.issued, serial + ".pem"), *self.layout.issued_as(serial)]
        if common_name is not None and SAFE_NAME.match(common_name):
            names += list(self.layout.certificates_of(common_name))
        for name in names:
            try:
                found = der.read_certificate(read_bytes(name))
            except (OSError, der.DerDamaged):
                continue
            if found.serial == serial:
                return found
        return None

    def can_sign(self) -> str | None:
        """None where a list can be signed here; else why not: ``offline`` or ``locked``."""
        try:
            key = read_bytes(os.path.realpath(self.layout.ca_key))
        except FileNotFoundError:
            return "offline"
        except OSError as error:
            raise AuthorityError("CA key %s: %s" % (self.layout.ca_key, error.strerror or error)) from None
        if key_is_encrypted(key) and self.password is None:
            return "locked"
        return None

    # -- changing ------------------------------------------------------------------------------------------------

    def refuse_to_sign(self, snapshot: Snapshot, change: Change) -> str | None:
        """Why a list made from this index would be worse than the one in service, or None."""
        if self.layout.foreign_lock and os.path.lexists(self.layout.foreign_lock):
            return "%s exists: the authority's own tool is at work, or was killed there" % self.layout.foreign_lock
        if snapshot.crl is not None and snapshot.crl_state.word != "foreign":
            lost = lost_revocations(snapshot.crl, snapshot.lines, snapshot.now, set(change.release))
            lost = [serial for serial in lost if not self._has_expired(serial, snapshot.now)]
            if lost:
                return (
                    "the index has lost revocations that %s still lists (%s): a new list would let them in. "
                    "Restore the index, or revoke them in it" % (self.layout.crl, ", ".join(sorted(lost)[:10]))
                )
        return None

    def _has_expired(self, serial: str, now: str) -> bool:
        # Indexes get pruned: what has expired may leave both index and list.
        found = self.find_certificate(serial, None)
        return found is not None and found.not_after <= now

    def apply(self, snapshot: Snapshot, change: Change, ready: Callable[[], None] = lambda: None) -> bytes:
        """Carry out a change and return the new list. Raises AuthorityError before any write.

        ``ready`` is called when the new list is proved and nothing is written yet; it may raise, too.
        """
        refusal = self.refuse_to_sign(snapshot, change)
        if refusal:
            raise AuthorityError(refusal)
        data = snapshot.data
        try:
            data = index_file.release(data, change.release)
            data = index_file.revoke(data, change.hold, snapshot.now, index_file.HOLD)
            data = index_file.revoke(data, change.revoke, snapshot.now, change.reason)
        except (KeyError, ValueError) as error:
            raise AuthorityError("index %s: %s" % (self.layout.index, error)) from None
        with tempfile.TemporaryDirectory(prefix="perimeter-") as folder:
            raw, number = self._sign_list(folder, data, snapshot.crl)
        self._prove(snapshot, change, data, raw)
        ready()
        self._unchanged(snapshot)
        if number is not None and self.layout.crl_number:
            write_atomic(self.layout.crl_number, number, 0o600)
        if data != snapshot.data:
            fault_point("crl:before-index")
            write_atomic(self.layout.index + ".old", snapshot.data, 0o600)
            write_atomic(self.layout.index, data)
            fault_point("crl:index-written")
        put_list(self.layout.crl, raw, self.layout.crl_mode)
        fault_point("crl:list-written")
        return raw

    def _unchanged(self, snapshot: Snapshot) -> None:
        if read_bytes(self.layout.index) != snapshot.data:
            raise AuthorityError("%s changed while we worked: another tool is at work. Run again" % self.layout.index)

    def _sign_list(self, folder: str, data: bytes, old: der.Revocations | None) -> tuple[bytes, bytes | None]:
        """Make a list from this index in a staging directory; the list and the next number."""
        self._stage(folder, data)
        number = os.path.join(folder, "crlnumber")
        if self.layout.crl_number:
            try:
                start = read_bytes(self.layout.crl_number)
            except FileNotFoundError:
                start = b"01\n"
            # The file may be behind the list (restored, or the list came from another machine): numbers only grow.
            least = old.number + 1 if old is not None and old.number is not None else 1
            if re.match(rb"[0-9A-Fa-f]{1,40}\s*\Z", start) and int(start, 16) < least:
                start = b"%s\n" % index_file.serial_text("%x" % least).encode("ascii")
            with open(number, "wb") as stream:
                stream.write(start)
        words = [
            "ca",
            "-batch",
            "-gencrl",
            "-config",
            "ca.cnf",
            "-crldays",
            str(self.layout.crl_days),
            "-out",
            "crl.pem",
        ]
        self._openssl(words, folder)
        following = read_bytes(number) if self.layout.crl_number else None
        return read_bytes(os.path.join(folder, "crl.pem")), following

    def _stage(self, folder: str, data: bytes, extensions: str = "") -> None:
        numbered = "crlnumber = crlnumber\n" if self.layout.crl_number else ""
        text = (
            "[ca]\ndefault_ca = authority\n[authority]\ndatabase = index.txt\nserial = serial\nnew_certs_dir = .\n"
            "unique_subject = no\ndefault_md = %s\ndefault_days = %d\npolicy = anything\nx509_extensions = client\n"
            "crl_extensions = list\nrand_serial = %s\n%s[list]\nauthorityKeyIdentifier = keyid,issuer\n"
            "[anything]\ncountryName = optional\nstateOrProvinceName = optional\nlocalityName = optional\n"
            "organizationName = optional\norganizationalUnitName = optional\ncommonName = supplied\n"
            "emailAddress = optional\n"
            "[client]\n%s"
        ) % (
            self.layout.digest,
            self.layout.certificate_days,
            "no" if self.layout.serial else "yes",
            numbered,
            extensions,
        )
        if self.layout.serial:
            # "rand_serial = no" still means yes to openssl.
            text = text.replace("rand_serial = no\n", "")
        for name, content in (("ca.cnf", text.encode("utf-8")), ("index.txt", data)):
            with open(os.path.join(folder, name), "wb") as stream:
                stream.write(content)

    def _openssl(self, words: Sequence[str], folder: str) -> str:
        key, certificate = os.path.realpath(self.layout.ca_key), os.path.realpath(self.layout.ca_certificate)
        password = self.password
        if password is not None and not key_is_encrypted(read_bytes(key)):
            password = None
        try:
            return run([*words, "-keyfile", key, "-cert", certificate], folder, password)
        except OpensslFailed as error:
            raise AuthorityError("CA %s: %s" % (self.layout.ca_certificate, error)) from None

    def _prove(self, snapshot: Snapshot, change: Change, data: bytes, raw: bytes) -> None:
        """The new list must be good in itself, and no worse than the old one."""
        lines = index_file.parse_index(data)
        # The server's own clock decides: by the list's own date none would ever be from the future.
        now = max(snapshot.now, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
        state, _raw, crl = self.judge_bytes(raw, "the new list", snapshot.ca, lines, now)
        if crl is None or state.word in ALARMING:
            raise AuthorityError("the new list was not put in place: %s" % state.why)
        missing = sorted({*change.revoke, *change.hold} - set(crl.revoked))
        if missing:
            raise AuthorityError("the new list was not put in place: it lacks %s" % ", ".join(missing))
        if snapshot.crl is not None and snapshot.crl_state.word != "foreign":
            worse = worse_than(crl, snapshot.crl, lines, snapshot.now, set(change.release), set(change.kept))
            if worse:
                raise AuthorityError("the new list was not put in place: %s" % worse)

    def issue(
        self,
        snapshot: Snapshot,
        common_name: str,
        request: str,
        not_after: str | None = None,
        ready: Callable[[Issued], None] = lambda _made: None,
    ) -> Issued:
        """Sign a request as a client's certificate. ``not_after``: ISO time, or the layout's days from now.

        ``ready`` is called with the certificate when nothing is written yet. The index comes last: until it has the
        line, the next run issues anew; from then on, nothing of the certificate is missing.
        """
        raw = request.encode("utf-8")
        try:
            names = der.read_request(raw).common_names
        except der.DerDamaged as error:
            raise AuthorityError("csr of %s %s" % (common_name, error)) from None
        if names != (common_name,):
            raise AuthorityError("csr of %s has the common name %s" % (common_name, " and ".join(names) or "of nobody"))
        if not request_is_signed(raw):
            raise AuthorityError("csr of %s is not signed with its own key" % common_name)
        with tempfile.TemporaryDirectory(prefix="perimeter-") as folder:
            self._stage(
                folder,
                snapshot.data,
                "basicConstraints = CA:FALSE\nkeyUsage = digitalSignature\nextendedKeyUsage = clientAuth\n"
                "subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid,issuer\n",
            )
            if self.layout.serial:
                with open(os.path.join(folder, "serial"), "wb") as stream:
                    stream.write(read_bytes(self.layout.serial))
            with open(os.path.join(folder, "csr"), "wb") as stream:
                stream.write(raw)
            words = ["ca", "-batch", "-config", "ca.cnf", "-in", "csr", "-out", "crt", "-notext", "-utf8"]
            if not_after:
                words += ["-enddate", index_file.stamp(not_after)]
            self._openssl(words, folder)
            pem = read_bytes(os.path.join(folder, "crt"))
            data = read_bytes(os.path.join(folder, "index.txt"))
            following = read_bytes(os.path.join(folder, "serial")) if self.layout.serial else None
        made = der.read_certificate(pem)
        if made.issuer != snapshot.ca.subject or made.common_name != common_name or made.is_ca:
            raise AuthorityError("the certificate made for %s is not what was asked for" % common_name)
        before = {line.serial for line in snapshot.lines}
        if {line.serial for line in index_file.parse_index(data)} != before | {made.serial} or made.serial in before:
            raise AuthorityError("serial %s is used already: the serial file is behind the index" % made.serial)
        self._unchanged(snapshot)
        issued = Issued(made.serial, common_name, pem.decode("ascii"))
        ready(issued)
        if following is not None and self.layout.serial:
            write_atomic(self.layout.serial, following, 0o600)
        write_atomic(os.path.join(self.layout.issued, made.serial + ".pem"), pem, 0o600)
        place = self.layout.place_of(common_name)
        if place:
            write_atomic(place, pem, 0o600)
        write_atomic(self.layout.index, data)
        fault_point("issue:index-written")
        return issued

    # -- key material ----------------------------------------------------------------------------------------------

    def material(self, serial: str, common_name: str, certificate: der.Certificate | None) -> list[str]:
        """Files that hold the key of a revoked certificate, and its copies; never another certificate's key."""
        found: list[str] = []
        if not SAFE_NAME.match(common_name):
            return found
        for name in self.layout.certificates_of(common_name):
            try:
                if der.read_certificate(read_bytes(name)).serial == serial:
                    found.append(name)
            except (OSError, der.DerDamaged):
                continue
        if certificate is None:
            return found
        for proof, files in self.layout.material_of(common_name):
            try:
                raw = read_bytes(proof)
                request = b"REQUEST" in raw[:2000]
                key = der.read_request(raw).public_key if request else der.read_certificate(raw).public_key
            except (OSError, der.DerDamaged):
                continue
            if key == certificate.public_key:
                found += [name for name in files if os.path.lexists(name) and name not in found]
        return found
