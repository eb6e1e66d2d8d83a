# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out a plan on an authority and its servers, and proving it. One signature a run, whatever it holds."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from typing import TYPE_CHECKING, Any, Callable

from . import vpn_entries as entries
from .atomic_files import fault_point, read_bytes, remove_file
from .entry_point_module import ServerProblem
from .openvpn_servers import SERIAL_FILE, Server
from .pki.authority import AuthorityError, Change
from .pki.crl_policy import CURRENT
from .pki.openssl_command import OpensslFailed
from .pki.openssl_command import run as openssl
from .reconcile import Action, Plan

if TYPE_CHECKING:
    from .vpn_certificates import VpnCertificates

__all__ = ["Changes", "prove"]

#: How many certificates openssl itself is asked about after a run.
ASKED = 50
#: A cut session may take a moment to leave the server's list.
PATIENCE = 3.0


class Changes:
    """The work of one run."""

    def __init__(self, kind: VpnCertificates) -> None:
        self.kind = kind
        self.authority = kind.authority
        self.today = kind.now[:10]

    def carry_out(self, made: Plan, done: Callable[[Action], None]) -> None:
        kind = self.kind
        certificates = [a for a in made.actions if a.kind == entries.KIND]
        # Ours before the act: a run that is killed must find again what it began.
        self._remember([a for a in certificates if a.action != "create"])
        opened = [self._serial(a) for a in certificates if a.action in ("enable", "restore")]
        self._mark_releasing({serial for serial in opened if kind.live[serial][0].held} | set(kind.releasing))
        for action in certificates:
            if action.action == "adopt":
                done(action)
            elif action.action == "create":
                self._issue(action)
                done(action)
        change = self._change(certificates)
        # Closing on the servers comes before the list: it is immediate, reversible and needs no key.
        held = {*change.hold}
        cut: list[str] = []
        for action in certificates:
            serial = self._serial(action)
            if action.action in ("disable", "remove"):
                cut += self._name(serial)
            if action.action == "disable":
                self._close(action, serial)
                if serial not in held:
                    done(action)
        if not (change.hold or change.revoke):
            self._cut(cut)
        self._sign(change, made)
        for action in made.actions:
            if action.kind != entries.KIND and action.action == "update":
                done(action)
        for action in certificates:
            serial = self._serial(action)
            if action.action in ("enable", "restore"):
                for server in kind.servers:
                    server.enable(kind.live[serial][1], serial)
                done(action)
            elif action.action == "disable" and serial in held:
                done(action)
        self._mark_releasing(set())
        if change.hold or change.revoke:
            self._cut(cut)
        removed = [a for a in certificates if a.action == "remove"]
        for action in removed:
            self._put_away(action)
            done(action)
        self._forget([self._serial(a) for a in removed])

    def _serial(self, action: Action) -> str:
        return action.entry.rpartition(":")[2]

    def _name(self, serial: str) -> list[str]:
        cn = self.kind.live[serial][1]
        return [cn] if cn is not None else []

    def _change(self, certificates: list[Action]) -> Change:
        kind = self.kind
        revoke = [self._serial(a) for a in certificates if a.action == "remove"]
        revoke = [serial for serial in revoke if kind.live[serial][0].status == "V" or kind.live[serial][0].held]
        release = [self._serial(a) for a in certificates if a.action in ("enable", "restore")]
        going = set(revoke)
        return Change(
            revoke=revoke,
            hold=[
                serial for serial in (kind._holds(kind.made) if kind.made is not None else []) if serial not in going
            ],
            release=[serial for serial in release if kind.live[serial][0].held] + kind.releasing,
            kept=[
                serial
                for serial, (line, cn) in kind.live.items()
                if entries.entry_name(cn, serial) in kind.staying and line.status == "V" and serial not in going
            ],
        )

    # -- steps -----------------------------------------------------------------------------------------------------

    def _issue(self, action: Action) -> None:
        kind = self.kind
        row = next(row for row in kind.rows if row.cn == action.entry and row.csr)
        try:
            # Each certificate changes index and serial: the next one must start from them.
            snapshot = self.authority.read(kind.now)
            not_after = row.expires + "T00:00:00Z" if row.expires else None
            # Noted as ours before the index has it, or a killed run would leave it to nobody.
            issued = self.authority.issue(
                snapshot, row.cn, row.csr or "", not_after, lambda made: self._remember([action], made.serial)
            )
            kind.snapshot = self.authority.read(kind.now)
        except AuthorityError as error:
            raise ServerProblem(str(error)) from None
        kind.issued.append(issued)
        for server in kind.servers:
            # An old certificate of the name may have been closed by name: the new one is declared.
            server.enable(issued.common_name, issued.serial)

    def _close(self, action: Action, serial: str) -> None:
        _line, cn = self.kind.live[serial]
        for server, way in self.kind._ways(serial, action.entry, must=False):
            if way is not None:
                server.disable(way, cn, serial, self.today)

    def _sign(self, change: Change, made: Plan) -> None:
        """Revoke, hold and release with one new list, and bring it to every place that reads it."""
        kind = self.kind
        lists = [a for a in made.actions if a.kind != entries.KIND and a.action == "update"]
        changes = bool(change.revoke or change.hold or change.release)
        if not changes and not lists:
            return
        modes: dict[str, int] = {}

        def ready() -> None:
            for server in self._readers():
                modes[server.name] = server.probe_list(self.authority.layout.crl_mode)

        raw = kind.snapshot.crl_bytes
        signing = changes or (kind.snapshot.crl_state.word not in (CURRENT, "closed"))
        if signing and kind.signing is None and kind.refusal is None:
            self._save_before()
            try:
                kind.snapshot = self.authority.read(kind.now)
                raw = self.authority.apply(kind.snapshot, change, ready)
            except AuthorityError as error:
                raise ServerProblem(str(error)) from None
        elif changes:
            raise ServerProblem("the CA's key is %s: nothing was revoked" % kind.signing)
        else:
            ready()
        if raw is None:
            raise ServerProblem("%s: there is no list to install" % self.authority.layout.crl)
        for server in self._readers():
            server.install_list(raw, modes[server.name])
        fault_point("crl:installed")
        self._name_serials(change)

    def _name_serials(self, change: Change) -> None:
        """Where a directory of serials takes the place of the list: name there what the list now revokes."""
        kind = self.kind
        held = {line.serial for line in kind.snapshot.lines if line.held}
        there = kind._revoked_serials()
        final = [*change.revoke, *(serial for serial in there if serial not in held)]
        # A hold may be taken back, and its file with it: only our mark can be.
        going = {*change.release, *change.revoke}
        kept = [*change.hold, *(serial for serial in there if serial in held and serial not in going)]
        for server in kind.servers:
            if server.config.crl_is_directory:
                for serial in final:
                    server.put_serial_file(serial, "revoked\n")
                for serial in kept:
                    server.disable(SERIAL_FILE, None, serial, self.today)

    def _readers(self) -> list[Server]:
        return [s for s in self.kind.servers if s.config.crl is not None and not s.config.crl_is_directory]

    def _save_before(self) -> None:
        """Keep index, list and numbers as they were before a signature."""
        layout, state = self.authority.layout, self.kind.state
        archive = state.new_archive(self.kind.name, "authority")
        saved = {}
        for path in (layout.index, layout.crl, layout.crl_number, layout.serial):
            if path and os.path.exists(path):
                name = os.path.basename(path)
                state.save(archive, name, read_bytes(os.path.realpath(path)))
                saved[name] = path
        state.save_manifest(archive, {"at": self.kind.now, "what": "authority", "files": saved})

    def _cut(self, names: list[str]) -> None:
        if not self.kind.params["kill_sessions"]:
            return
        for server in self.kind.servers:
            self.kind.cut += server.cut(sorted(set(names)))
        fault_point("sessions:cut")

    def _put_away(self, action: Action) -> None:
        """Archive or purge what holds the key of a revoked certificate."""
        kind, serial = self.kind, self._serial(action)
        line, cn = kind.live[serial]
        if kind.params["key_material"] == "keep" or cn is None:
            return
        files = self.authority.material(serial, cn, self.authority.find_certificate(serial, cn))
        if not files:
            return
        if kind.params["key_material"] == "archive":
            archive = kind.state.new_archive(kind.name, action.entry)
            saved: dict[str, str] = {}
            for path in files:
                name = "%d-%s" % (len(saved), os.path.basename(path))
                kind.state.save(archive, name, read_bytes(path))
                saved[name] = path
            kind.state.save_manifest(
                archive,
                {
                    "at": kind.now,
                    "what": "key material",
                    "entry": action.entry,
                    "subject": line.subject,
                    "files": saved,
                },
            )
        for path in files:
            folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                remove_file(os.path.basename(path), folder)
            finally:
                os.close(folder)
        kind.notes.append(
            "%s: %s %s"
            % (action.entry, "archived" if kind.params["key_material"] == "archive" else "purged", ", ".join(files))
        )

    def _remember(self, actions: list[Action], serial: str | None = None) -> None:
        """Write down that these certificates are ours, once for all of them."""
        state, certificates = self._state()
        before = {number: dict(row) for number, row in certificates.items()}
        for action in actions:
            number = serial or self._serial(action)
            row = certificates.setdefault(number, {"since": self.today, "how": action.action})
            if action.person:
                row["person"] = action.person
        if certificates != before:
            self.kind.state.write(self.kind.name, state)
            self.kind.known = certificates

    def _mark_releasing(self, begun: set[str]) -> None:
        """Note which holds are being taken back, or that this is done: a killed run must find that again."""
        state, known = self._state()
        begun &= set(known)
        noted = {serial for serial, row in known.items() if row.get("releasing")}
        if begun == noted:
            return
        for serial in noted - begun:
            known[serial].pop("releasing")
        for serial in begun - noted:
            known[serial]["releasing"] = True
        self.kind.state.write(self.kind.name, state)

    def _forget(self, serials: list[str]) -> None:
        """Revoked, cut and put away: nothing is left to do."""
        if serials:
            state, certificates = self._state()
            for serial in serials:
                certificates.pop(serial, None)
            self.kind.state.write(self.kind.name, state)

    def _state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        key = hashlib.sha256(self.kind.snapshot.ca.public_key).hexdigest()
        state = self.kind.state.read(self.kind.name)
        return state, state.setdefault("authorities", {}).setdefault(key, {}).setdefault("certificates", {})


def prove(kind: VpnCertificates, made: Plan) -> list[str]:
    """What the plan promised and the server does not show. Reads what ``observe`` has just read afresh."""
    open_ways: list[str] = []
    snapshot = kind.snapshot
    lines = {line.serial: line for line in snapshot.lines}
    gone = [a.entry.rpartition(":")[2] for a in made.of("remove", entries.KIND)]
    for serial in gone:
        line = lines.get(serial)
        if line is None or line.status != "R" or line.held:
            open_ways.append("%s: the index does not say that it is revoked" % serial)
        if snapshot.crl is None or serial not in snapshot.crl.revoked:
            open_ways.append("%s: the revocation list does not name it" % serial)
    if gone and (snapshot.crl is None or (snapshot.crl.expires is not None and snapshot.crl.expires <= snapshot.now)):
        open_ways.append("the revocation list is not in force")
    for server in kind.servers:
        open_ways += _unseen(kind, server, gone, made)
    if gone:
        open_ways += _ask_openssl(kind, gone)
    return open_ways + _still_connected(kind, made)


def _unseen(kind: VpnCertificates, server: Server, gone: list[str], made: Plan) -> list[str]:
    found = []
    if server.config.crl_is_directory:
        for serial in gone:
            unseen = server.not_seen("serial_file", None, serial)
            found += [unseen] if unseen else []
    elif gone:
        seen = server.seen_list()
        if seen is None or isinstance(seen, str):
            found.append("%s: the daemon reads no list: %s" % (server.name, seen or "no crl-verify"))
        elif seen != kind.snapshot.crl_bytes:
            found.append("%s: the daemon reads another list" % server.name)
    removed = set(gone)
    for action in made.of("disable", entries.KIND):
        serial = action.entry.rpartition(":")[2]
        if serial in removed or serial not in kind.live:
            continue
        line, cn = kind.live[serial]
        way = server.way(cn, kind._stays(cn, serial))
        if way is not None and not line.held:
            unseen = server.not_seen(way, cn, serial)
            found += [unseen] if unseen else []
    return found


def _ask_openssl(kind: VpnCertificates, gone: list[str]) -> list[str]:
    """openssl's own verdict on what was revoked and on one that stays."""
    layout = kind.authority.layout
    files = {}
    for serial in gone[:ASKED]:
        path = os.path.join(layout.issued, serial + ".pem")
        if os.path.exists(path):
            files[path] = False
    for serial, (line, cn) in kind.live.items():
        path = os.path.join(layout.issued, serial + ".pem")
        if line.status == "V" and entries.entry_name(cn, serial) in kind.staying and os.path.exists(path):
            files[path] = True
            break
    found = []
    with tempfile.TemporaryDirectory(prefix="perimeter-") as folder:
        bundle = os.path.join(folder, "bundle.pem")
        with open(bundle, "wb") as stream:
            stream.write(read_bytes(os.path.realpath(layout.ca_certificate)) + b"\n" + (kind.snapshot.crl_bytes or b""))
        for path, accepted in files.items():
            try:
                answer = openssl(["verify", "-crl_check", "-CAfile", bundle, path])
            except OpensslFailed as error:
                answer = str(error)
            if accepted and not answer.strip().endswith("OK"):
                found.append("openssl no longer accepts %s, which stays: %s" % (path, answer.strip()))
            if not accepted and "revoked" not in answer:
                found.append("openssl still accepts %s: %s" % (path, answer.strip()))
    return found


def _still_connected(kind: VpnCertificates, made: Plan) -> list[str]:
    if not kind.params["kill_sessions"]:
        return []
    names = {}
    for action in made.actions:
        if action.kind == entries.KIND and action.action in ("disable", "remove"):
            cn, _colon, serial = action.entry.rpartition(":")
            if not kind._stays(cn, serial):
                names[cn] = action.entry
    deadline = time.monotonic() + PATIENCE
    while names and set(names) & set(kind.sessions) and time.monotonic() < deadline:
        time.sleep(0.2)
        kind.sessions = kind._read_sessions()
    found = ["%s: its session still runs" % entry for cn, entry in names.items() if cn in kind.sessions]
    if names and any("can't be known" in text for text in kind.deaf):
        found += kind.deaf
    return found
