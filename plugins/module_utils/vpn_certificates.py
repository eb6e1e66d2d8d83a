# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VPN certificates of one authority, and the OpenVPN servers that trust it, on the spine."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, Callable

from . import vpn_entries as entries
from . import vpn_report
from .connection import current
from .entry_point_module import Kind, ServerProblem
from .openvpn_management import Session
from .openvpn_servers import Server, load_servers, reached
from .pki import easy_rsa, openssl_ca, shellpki
from .pki.authority import Authority, AuthorityError, Change, Issued
from .pki.crl_policy import CURRENT, State
from .pki.index_file import Line, common_name
from .reconcile import Action, Declared, Guard, InvalidEntry, Observed, Plan, Policy
from .state_directory import StateDirectory

__all__ = ["BACKENDS", "VpnCertificates"]

BACKENDS = {"easy_rsa": easy_rsa.layout, "openssl_ca": openssl_ca.layout, "shellpki": shellpki.layout}
CRL_KIND = "vpn_crl"
FINAL = "none: a revoked certificate stays revoked; have a new one issued"
NAME = "vpn_certificates"


class VpnCertificates(Kind):
    """One authority."""

    name = NAME
    plumbing = (CRL_KIND,)

    def __init__(self, params: dict[str, Any], state: StateDirectory, moment: datetime | None = None) -> None:
        self.params = params
        self.state = state
        self._clock = moment
        self.rows: list[entries.Row] = []
        self.manage = entries.Manage()
        self.notes: list[str] = []
        self.issued: list[Issued] = []
        self.cut = 0
        self.made: Plan | None = None

    @property
    def now(self) -> str:
        return (self._clock or datetime.now(timezone.utc)).strftime("%Y-%m-%dT%H:%M:%SZ")

    # -- declared --------------------------------------------------------------------------------------------------

    def declare(self) -> Sequence[Declared]:
        params = self.params
        for row in params["certificates"]:
            for name in ("public_key", "allowed_ips"):
                if row.get(name):
                    raise InvalidEntry(str(row.get("cn")), name, "belongs to the backend wireguard")
        self.rows = entries.parse_rows(params["certificates"])
        self.manage = entries.parse_manage(params.get("manage"))
        if params["crl_renew_before"] < 1:
            raise InvalidEntry("policy", "crl_renew_before", "%d: at least one day" % params["crl_renew_before"])
        days = params["pki"].get("crl_days")
        if days is not None and not 2 <= days <= 3650:
            raise InvalidEntry("pki", "crl_days", "%d: between 2 and 3650" % days)
        password = params["pki"].get("ca_password")
        if password is not None and (not password or "\n" in password or "\0" in password):
            raise InvalidEntry("pki", "ca_password", "is empty or holds a line break")
        return []

    # -- observed --------------------------------------------------------------------------------------------------

    def observe(self) -> Sequence[Observed]:
        try:
            layout = BACKENDS[self.params["pki"]["backend"]](self.params["pki"])
            self.authority = Authority(layout, self.params["pki"].get("ca_password"), self.params["crl_renew_before"])
            self.snapshot = self.authority.read(self.now)
            self.signing = self.authority.can_sign()
        except AuthorityError as error:
            raise ServerProblem(str(error)) from None
        self.known = self._state()
        self._find_half_released()
        self.servers = load_servers(self.params["openvpn"], self.snapshot.ca)
        self.sessions = self._read_sessions()
        self.refusal = (
            None if self.signing else self.authority.refuse_to_sign(self.snapshot, Change(release=self.releasing))
        )
        self.resolved = entries.resolve_rows(self.rows, self.snapshot.lines, self.snapshot.now)
        self.wanted = {want.entry for want in self.resolved}
        self.staying = {want.entry for want in self.resolved if not self._lapsed(want)}
        found = self._certificates()
        self.lists = self._lists()
        return found + [
            Observed(CRL_KIND, path, {"state": state.word}, managed=True, fault=vpn_report.told(state))
            for path, (state, _mendable) in self.lists.items()
        ]

    def _find_half_released(self) -> None:
        """A hold that a killed run took back in the index, while the list still has it. Our state file knows which:
        without it, an index that merely lost a hold would look the same."""
        crl = self.snapshot.crl
        valid = {line.serial for line in self.snapshot.lines if line.status == "V"}
        begun = [serial for serial, row in self.known.items() if row.get("releasing") and serial in valid]
        self.releasing = [serial for serial in begun if crl is not None and serial in crl.revoked]
        if self.releasing and self.snapshot.crl_state.word in (CURRENT, "expiring"):
            why = "%s still holds %s" % (self.authority.layout.crl, ", ".join(self.releasing))
            self.snapshot = replace(self.snapshot, crl_state=State("outdated", why))

    def _read_sessions(self) -> dict[str, list[Session]]:
        """Sessions by common name. What can't be asked is an alarm, not an empty answer."""
        found: dict[str, list[Session]] = {}
        self.deaf: list[str] = []
        for server in self.servers:
            answer = server.sessions() if self.params["kill_sessions"] else None
            if isinstance(answer, str):
                self.deaf.append("%s: who is connected can't be known: %s" % (server.name, answer))
            for session in answer if isinstance(answer, list) else ():
                found.setdefault(session.common_name, []).append(session)
        return found

    def _state(self) -> dict[str, Any]:
        key = hashlib.sha256(self.snapshot.ca.public_key).hexdigest()
        known = self.state.read(NAME).get("authorities", {}).get(key, {}).get("certificates", {})
        return dict(known)

    def _lapsed(self, want: Declared) -> bool:
        """Declared, and yet to go: the planner decides so, too."""
        today = self.now[:10]
        left = {row["person"]: row["since"] for row in self.params["departed"]}
        return bool((want.expires and want.expires <= today) or left.get(want.person or "", "9999") <= today)

    def _certificates(self) -> list[Observed]:
        now = self.snapshot.now
        here = self._own_session()
        self.live: dict[str, tuple[Line, str | None]] = {}
        self.by_name: dict[str, list[str]] = {}
        rows = []
        revoked: list[tuple[Line, str | None]] = []
        self.expired: list[Line] = []
        for line in self.snapshot.lines:
            if entries.is_live(line, now):
                cn = common_name(line.subject)
                rows.append((line, cn))
                self.live[line.serial] = (line, cn)
                if cn is not None:
                    self.by_name.setdefault(cn, []).append(line.serial)
            elif line.status == "R":
                if self.sessions or line.serial in self.known:
                    revoked.append((line, common_name(line.subject)))
            else:
                self.expired.append(line)
        absent = {(row.cn, row.serial) for row in self.rows if row.absent}
        found = [self._certificate(line, cn, absent, here) for line, cn in rows]
        # Revoked, but a session still runs that nothing else may carry, or a killed run left its key behind: not gone.
        for line, cn in revoked:
            entry = entries.entry_name(cn, line.serial)
            connected = cn in self.sessions and cn not in self.by_name and line.expires > now
            if entry not in self.wanted and (connected or line.serial in self.known):
                managed = self._managed(cn, line.serial, absent)
                found.append(Observed(entries.KIND, entry, {"revoked": True}, managed=managed, final=FINAL))
                self.live[line.serial] = (line, cn)
        return found

    def _managed(self, cn: str | None, serial: str, absent: set[tuple[str, str | None]]) -> bool:
        return (
            serial in self.known
            or self.manage.covers(cn, serial)
            or (cn, serial) in absent
            or (cn is not None and (cn, None) in absent)
        )

    def _certificate(
        self, line: Line, cn: str | None, absent: set[tuple[str, str | None]], here: frozenset[str]
    ) -> Observed:
        entry = entries.entry_name(cn, line.serial)
        managed = self._managed(cn, line.serial, absent)
        known = self.known.get(line.serial, {})
        protected = None
        if entry not in self.staying:
            protected = self._protection(line, cn, managed, here)
        return Observed(
            entries.KIND,
            entry,
            {},
            managed=managed,
            protected=protected,
            disabled_since=self._disabled_since(line, cn),
            person=known.get("person"),
            staged=True,
            final=FINAL,
        )

    def _disabled_since(self, line: Line, cn: str | None) -> str | None:
        stays = entries.entry_name(cn, line.serial) in self.staying
        if line.held:
            since: str | None = (line.revoked or "")[:10]
        else:
            days = [server.disabled_since(cn, line.serial) for server in self.servers]
            closed = [day for day in days if day]
            # Who is to go must be closed everywhere; who stays is not let in where one server still closes it.
            since = min(closed) if closed and (stays or len(closed) == len(days)) else None
        alone = len(self.by_name.get(cn or "", [])) < 2 and not stays
        if since is not None and cn in self.sessions and alone:
            # Closed, but a session from before still runs: a killed run left it.
            return None
        return since

    def _own_session(self) -> frozenset[str]:
        """Common names whose tunnel carries the connection that we are run over."""
        if not self.sessions:
            return frozenset()
        address = current().address
        return frozenset(cn for cn, rows in self.sessions.items() for row in rows if address and address in row.tunnel)

    def _protection(self, line: Line, cn: str | None, managed: bool, here: frozenset[str]) -> str | None:
        for server in self.servers:
            if server.certificate is not None and server.certificate.serial == line.serial:
                return "is the certificate of the server %s" % server.name
        if line.serial == self.snapshot.ca.serial:
            return "is the authority's own certificate"
        if cn in self.params["server_names"]:
            return "is a server, by server_names"
        if cn is not None and cn in (socket.gethostname(), os.uname().nodename):
            return "carries this host's name"
        if cn in here:
            return "carries this connection"
        if not managed and not self.params["adopt"]:
            return None
        certificate = self.authority.find_certificate(line.serial, cn)
        if certificate is None:
            if not any(server.certificate for server in self.servers):
                return "its file is gone and no server was named in openvpn: it may be a server's"
            return None
        if certificate.is_ca:
            return "is a certificate authority"
        purposes = certificate.purposes & {"serverAuth", "OCSPSigning"}
        return "is made for %s" % " and ".join(sorted(purposes)) if purposes else None

    # -- revocation lists ------------------------------------------------------------------------------------------

    def _lists(self) -> dict[str, tuple[State, bool]]:
        """Each place that holds a list: its state, and whether we can mend it."""
        layout, snapshot = self.authority.layout, self.snapshot
        signs = self.signing is None and self.refusal is None
        found = {layout.crl: (snapshot.crl_state, signs)}
        good = signs or snapshot.crl_state.word in (CURRENT, "expiring")
        for server in self.servers:
            if server.config.crl is None:
                continue
            if server.config.crl_is_directory:
                found[server.config.crl] = self._directory(server)
                continue
            seen = server.seen_list()
            if isinstance(seen, str):
                state = State("closed", "%s: the daemon %s" % (server.config.crl, seen))
                place = layout.crl if self._same_place(server) else server.config.crl
                missing = not os.path.lexists(server.config.crl)
                found[place] = (State("missing", state.why) if missing else state, good and (missing or reached(seen)))
                continue
            if self._same_place(server) or seen is None:
                continue
            state = self.authority.judge_bytes(seen, server.config.crl, snapshot.ca, snapshot.lines, snapshot.now)[0]
            if (
                state.word in (CURRENT, "expiring")
                and seen != snapshot.crl_bytes
                and snapshot.crl_state.word == CURRENT
            ):
                state = State("stale", "%s is not the list of %s" % (server.config.crl, layout.crl))
            found[server.config.crl] = (state, good)
        return found

    def _same_place(self, server: Server) -> bool:
        crl = server.config.crl
        return crl is not None and os.path.realpath(crl) == os.path.realpath(self.authority.layout.crl)

    def _revoked_serials(self) -> list[str]:
        return [n.serial for n in self.snapshot.lines if n.status == "R" and n.expires > self.snapshot.now]

    def _directory(self, server: Server) -> tuple[State, bool]:
        folder = server.config.crl or ""
        try:
            names = set(os.listdir(folder))
        except OSError as error:
            return State("missing", "%s: %s" % (folder, error.strerror)), False
        absent = [serial for serial in self._revoked_serials() if str(int(serial, 16)) not in names]
        if absent:
            return State("incomplete", "%s lacks %s" % (folder, ", ".join(sorted(absent)[:10]))), True
        for serial in self._revoked_serials()[:1]:
            unseen = server.not_seen("serial_file", None, serial)
            if unseen:
                return State("closed", unseen), False
        return State(CURRENT, "%s names what is revoked" % folder), True

    # -- planning --------------------------------------------------------------------------------------------------

    def resolve(
        self, declared: Sequence[Declared], observed: Sequence[Observed], policy: Policy
    ) -> tuple[Sequence[Declared], Policy]:
        del declared, observed
        lines, now = self.snapshot.lines, self.snapshot.now
        wanted = list(self.resolved)
        if self.signing is not None:
            wanted = [self._not_issued(want) for want in wanted]
        for path, (state, mendable) in self.lists.items():
            wanted.append(Declared(CRL_KIND, path, {"state": CURRENT if mendable else state.word}))
        obsolete = policy.obsolete
        if obsolete == "remove" and self.signing == "locked":
            raise InvalidEntry(
                "pki", "ca_password", "the CA's key is encrypted: give its password, or obsolete: disable"
            )
        if self.signing == "offline":
            # Without the key nothing can be revoked here: close what can be closed, and say what to type elsewhere.
            closable = self.servers and all(s.config.clients or s.config.crl_is_directory for s in self.servers)
            if obsolete == "remove":
                obsolete = "disable"
            if not closable:
                obsolete = "report"
        return wanted, Policy(
            today=policy.today,
            obsolete=obsolete,
            grace=policy.grace,
            adopt=policy.adopt,
            protect=entries.split_names(policy.protect, lines, now),
            max_obsolete=policy.max_obsolete,
            allow_empty=policy.allow_empty,
            expect_plan=policy.expect_plan,
            restore=entries.split_names(policy.restore, lines, now),
            departed=policy.departed,
        )

    def _not_issued(self, want: Declared) -> Declared:
        if want.uncreatable is not None or ":" in want.entry:
            return want
        why = "the CA's key is %s: nothing can be issued" % (
            "not on this server" if self.signing == "offline" else "locked"
        )
        return Declared(want.kind, want.entry, {}, want.expires, want.person, None, True, why)

    def guards(self) -> Sequence[Guard]:
        empty = not any(not row.absent for row in self.rows)

        def not_empty(_made: Plan, _after: Any) -> str | None:
            # The lists of revocations are declared by us, so the planner never sees an empty list.
            if empty and not self.params["allow_empty"] and not self.params["restore"]:
                return (
                    "the declared list is empty: nearly always an inventory mistake (allow_empty: true if it is meant)"
                )
            return None

        return (not_empty,)

    def check(self, made: Plan) -> None:
        self.made = made
        going = self._serials(made, ("remove",))
        for entry, serial in self._serials(made, ("disable",)).items():
            if entry not in going:
                self._ways(serial, entry)
        if made.of("remove", entries.KIND) or self._holds(made):
            if self.signing == "locked":
                raise InvalidEntry("pki", "ca_password", "the CA's key is encrypted: give its password")
            if self.refusal:
                raise ServerProblem(self.refusal)
            for server in self.servers:
                if server.config.crl is None:
                    raise ServerProblem("%s has no crl-verify: a revoked client would still get in" % server.name)
            for state, mendable in self.lists.values():
                if state.word != CURRENT and not mendable:
                    raise ServerProblem("%s. Nothing was revoked: it would have no effect" % vpn_report.told(state))

    def _serials(self, made: Plan, names: tuple[str, ...]) -> dict[str, str]:
        return {
            action.entry: action.entry.rpartition(":")[2]
            for action in made.actions
            if action.kind == entries.KIND and action.action in names
        }

    def _ways(self, serial: str, entry: str, must: bool = True) -> list[tuple[Server, str | None]]:
        """How each server closes a certificate; None stands for a hold in the list.

        Raises ServerProblem where that is not possible either, unless the certificate is about to be revoked.
        """
        _line, cn = self.live[serial]
        shared = self._stays(cn, serial)
        ways = [
            (server, None if self.params["disable_by"] == "hold" else server.way(cn, shared)) for server in self.servers
        ]
        closed = bool(ways) and all(way is not None for _server, way in ways)
        holds = self.signing is None and self.params["disable_by"] != "server"
        if must and not closed and not holds:
            raise ServerProblem(
                "%s can't be disabled: %s, and a hold in the revocation list %s"
                % (
                    entry,
                    "another certificate of the name stays" if shared else "no server has a client-config-dir",
                    "needs the CA's key" if self.signing else "is ruled out by disable_by",
                )
            )
        return ways

    def _stays(self, cn: str | None, serial: str) -> bool:
        return any(
            other != serial and entries.entry_name(cn, other) in self.staying
            for other in self.by_name.get(cn or "", [])
        )

    def _holds(self, made: Plan) -> list[str]:
        """Serials to put on hold."""
        found = []
        going = self._serials(made, ("remove",))
        for entry, serial in self._serials(made, ("disable",)).items():
            if entry in going:
                continue
            ways = self._ways(serial, entry)
            if not ways or any(way is None for _server, way in ways):
                found.append(serial)
        return found

    # -- details ---------------------------------------------------------------------------------------------------

    def opens(self, entry: Observed) -> dict[str, Any]:
        line, _cn = self.live.get(entry.entry.rpartition(":")[2], (None, None))
        # A certificate ends by itself, whatever the list says.
        return {"certificate_expires": line.expires[:10]} if line is not None else {}

    def details(self) -> dict[str, Any]:
        return vpn_report.details(self)

    def report(self) -> list[dict[str, Any]]:
        """One row a certificate of the index, for the info module."""
        return vpn_report.rows(self)

    # -- applying --------------------------------------------------------------------------------------------------

    def apply(self, made: Plan, done: Callable[[Action], None]) -> None:
        from .vpn_changes import Changes

        Changes(self).carry_out(made, done)

    def verify(self, made: Plan) -> Sequence[str]:
        from .vpn_changes import prove

        return prove(self, made)
