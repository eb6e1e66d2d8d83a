# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WireGuard peers on the spine: the first kind of VPN entry without certificates.

The file is changed first, then the running interface by ``wg syncconf``, which leaves other peers' sessions alone.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from typing import Any, Callable

from .atomic_files import fault_point, read_bytes, write_atomic
from .entry_point_module import Kind, ServerProblem
from .pki.authority import SAFE_NAME
from .pki.wireguard_config import ConfigDamaged, Peer, WireGuardConfig, canonical_networks, parse_wireguard, public_key
from .reconcile import Action, Declared, Guard, InvalidEntry, Observed, Plan, Policy, parse_date
from .state_directory import StateDirectory
from .vpn_entries import Manage, parse_manage

__all__ = ["WireGuardPeers"]

KIND, INTERFACE_KIND = "wireguard_peer", "wireguard_interface"
IN_STEP = "in step"
NAME = "vpn_certificates"


class WireGuardPeers(Kind):
    """The peers of one interface."""

    name = NAME
    plumbing = (INTERFACE_KIND,)

    def __init__(self, params: dict[str, Any], state: StateDirectory, today: str) -> None:
        self.params = params
        self.state = state
        self.today = today
        self.rows: dict[str, dict[str, Any]] = {}
        self.manage = Manage()
        self.cut = 0

    # -- declared --------------------------------------------------------------------------------------------------

    def declare(self) -> Sequence[Declared]:
        pki = self.params["pki"]
        path = pki.get("config")
        interface = pki.get("interface") or (os.path.basename(path).partition(".")[0] if path else "")
        if not re.match(r"[A-Za-z0-9_=+.-]{1,15}\Z", interface):
            raise InvalidEntry("pki", "interface", "%r is not the name of an interface" % interface)
        self.interface = str(interface)
        self.path = path or os.path.join(pki.get("directory") or "/etc/wireguard", self.interface + ".conf")
        self.manage = parse_manage(self.params.get("manage"))
        names: set[str] = set()
        owners: dict[str, str] = {}
        declared = []
        for position, row in enumerate(self.params["certificates"]):
            cn = row.get("cn") or "certificates[%d]" % position
            for name in ("serial", "csr"):
                if row.get(name):
                    raise InvalidEntry(cn, name, "means nothing with the backend wireguard")
            if not SAFE_NAME.match(cn):
                raise InvalidEntry(cn, "cn", "%r is no name for a peer: letters, digits, '.', '_', '@', '-'" % cn)
            if cn in names:
                raise InvalidEntry(cn, "cn", "is declared twice")
            names.add(cn)
            key, networks = self._row(cn, row)
            if key in self.rows:
                raise InvalidEntry(cn, "public_key", "is %s's, too" % self.rows[key]["cn"])
            self.rows[key] = {**row, "cn": cn, "networks": networks}
            if row.get("state") == "absent":
                continue
            for network in networks:
                # WireGuard gives an address to the last peer that asks for it, and says nothing.
                if owners.setdefault(network, cn) != cn:
                    raise InvalidEntry(cn, "allowed_ips", "%s is %s's, too" % (network, owners[network]))
            expires = parse_date(row["expires"], cn, "expires") if row.get("expires") else None
            declared.append(
                Declared(KIND, _entry(cn, key), {"allowed_ips": list(networks)}, expires, row.get("person"), None, True)
            )
        return declared

    def _row(self, cn: str, row: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
        if not row.get("public_key"):
            raise InvalidEntry(cn, "public_key", "is missing")
        try:
            key = public_key(row["public_key"])
        except ValueError as error:
            raise InvalidEntry(cn, "public_key", str(error)) from None
        try:
            networks = canonical_networks(row.get("allowed_ips") or [])
        except ValueError as error:
            raise InvalidEntry(cn, "allowed_ips", str(error)) from None
        if not networks and row.get("state") != "absent":
            raise InvalidEntry(cn, "allowed_ips", "is missing")
        for network in networks:
            if network in ("0.0.0.0/0", "::/0"):
                raise InvalidEntry(cn, "allowed_ips", "%s would send everybody's traffic to one peer" % network)
        return key, networks

    # -- observed --------------------------------------------------------------------------------------------------

    def observe(self) -> Sequence[Observed]:
        try:
            self.config = parse_wireguard(read_bytes(self.path))
        except OSError as error:
            raise ServerProblem("%s: %s" % (self.path, error.strerror or error)) from None
        except ConfigDamaged as error:
            raise ServerProblem("%s %s" % (self.path, error)) from None
        self.live = self._live()
        self.known: dict[str, Any] = dict(self.state.read(NAME).get("wireguard", {}).get(self.interface, {}))
        found = []
        for peer in self.config.peers:
            since = peer.disabled_since
            if since is not None and self.live is not None and peer.key in self.live:
                # Closed in the file, open on the interface: a killed run, or a hand.
                since = None
            found.append(self._observed(peer.key, peer.networks, since))
        inside = {peer.key for peer in self.config.peers}
        for key, networks in (self.live or {}).items():
            if key not in inside:
                found.append(self._observed(key, networks, None))
        if self.live is not None:
            step = self._step()
            found.append(
                Observed(
                    INTERFACE_KIND, self.interface, {"live": step}, managed=True, fault="the interface is %s" % step
                )
            )
        return found

    def _observed(self, key: str, networks: tuple[str, ...], since: str | None) -> Observed:
        row = self.rows.get(key, {})
        name = self._name(key)
        absent = row.get("state") == "absent"
        managed = absent or key in self.known or self.manage.covers(name, key)
        return Observed(
            KIND,
            _entry(name, key),
            {"allowed_ips": list(networks)},
            managed=managed,
            disabled_since=since,
            person=self.known.get(key, {}).get("person"),
            staged=True,
        )

    def _name(self, key: str) -> str:
        row = self.rows.get(key)
        if row is not None:
            return str(row["cn"])
        marked = next((peer.name for peer in self.config.peers if peer.key == key), None)
        return marked if marked and SAFE_NAME.match(marked) else "?"

    def _live(self) -> dict[str, tuple[str, ...]] | None:
        """Peers of the running interface; None where it is down."""
        if self.interface not in _wg(["show", "interfaces"]).split():
            return None
        found = {}
        for line in _wg(["show", self.interface, "dump"]).splitlines()[1:]:
            words = line.split("\t")
            if len(words) >= 4:
                networks = [] if words[3] == "(none)" else words[3].split(",")
                found[words[0]] = canonical_networks(networks)
        return found

    def _step(self) -> str:
        """Whether the interface does what the file says, apart from peers that are only live."""
        live = self.live or {}
        for peer in self.config.active():
            if peer.key not in live:
                return "without a peer of the file"
            if live[peer.key] != peer.networks:
                return "at odds with the file about addresses"
        if any(peer.key in live for peer in self.config.peers if peer.disabled_since is not None):
            return "open to a disabled peer"
        return IN_STEP

    def report(self) -> list[dict[str, Any]]:
        """One row a peer, for the info module."""
        rows = []
        peers = {peer.key: peer for peer in self.config.peers}
        for key in [*peers, *(key for key in self.live or {} if key not in peers)]:
            peer = peers.get(key)
            since = peer.disabled_since if peer else None
            rows.append(
                {
                    "entry": _entry(self._name(key), key),
                    "cn": self._name(key),
                    "public_key": key,
                    "allowed_ips": list(peer.networks if peer else (self.live or {})[key]),
                    "state": "disabled" if since else "live",
                    "since": since,
                    "managed": key in self.known,
                    "in_file": peer is not None,
                    "on_interface": None if self.live is None else key in self.live,
                }
            )
        return rows

    # -- planning --------------------------------------------------------------------------------------------------

    def resolve(
        self, declared: Sequence[Declared], observed: Sequence[Observed], policy: Policy
    ) -> tuple[Sequence[Declared], Policy]:
        wanted = list(declared)
        if self.live is not None:
            wanted.append(Declared(INTERFACE_KIND, self.interface, {"live": IN_STEP}))

        def spelled(names: frozenset[str]) -> frozenset[str]:
            more = {o.entry for o in observed if names & {o.entry.partition(":")[0], o.entry.partition(":")[2]}}
            return names | more

        return wanted, Policy(
            today=policy.today,
            obsolete=policy.obsolete,
            grace=policy.grace,
            adopt=policy.adopt,
            protect=spelled(policy.protect),
            max_obsolete=policy.max_obsolete,
            allow_empty=policy.allow_empty,
            expect_plan=policy.expect_plan,
            restore=spelled(policy.restore),
            departed=policy.departed,
        )

    def guards(self) -> Sequence[Guard]:
        empty = all(row.get("state") == "absent" for row in self.rows.values())

        def not_empty(*_anything: Any) -> str | None:
            if empty and not self.params["allow_empty"] and not self.params["restore"]:
                return (
                    "the declared list is empty: nearly always an inventory mistake (allow_empty: true if it is meant)"
                )
            return None

        return (not_empty,)

    def details(self) -> dict[str, Any]:
        alarms = []
        if self.live is None:
            alarms.append("the interface %s is down: only its file was compared" % self.interface)
        elif self._step() != IN_STEP:
            alarms.append("the interface %s is %s" % (self.interface, self._step()))
        if self.config.saves_itself:
            alarms.append("%s has SaveConfig: wg-quick will overwrite it with what is live" % self.path)
        return {"alarms": alarms, "notes": [], "sessions_cut": self.cut}

    # -- applying --------------------------------------------------------------------------------------------------

    def apply(self, made: Plan, done: Callable[[Action], None]) -> None:
        peers = {peer.key: peer for peer in self.config.peers}
        order = [peer.key for peer in self.config.peers]
        gone: set[str] = set()
        actions = [action for action in made.actions if action.kind == KIND]
        self._remember(actions)
        for action in actions:
            key = action.entry.partition(":")[2]
            row = self.rows.get(key, {})
            if action.action == "create" or (action.action == "restore" and key not in peers):
                peers[key] = Peer.new(key, row["networks"], row["cn"])
                order.append(key)
            elif action.action == "update":
                old = peers.get(key) or Peer.new(key, row["networks"], row["cn"])
                if key not in peers:
                    order.append(key)
                peers[key] = old.with_networks(row["networks"])
            elif action.action in ("enable", "restore"):
                peers[key] = _with_day(peers[key], None)
            elif action.action == "disable":
                if key not in peers:
                    # Only live: it is written down first, so that it can come back.
                    peers[key] = Peer.new(key, (self.live or {})[key], self._name(key))
                    order.append(key)
                peers[key] = _with_day(peers[key], self.today)
                gone.add(key)
            elif action.action == "remove":
                self._archive(action, peers.get(key))
                peers.pop(key, None)
                order = [other for other in order if other != key]
                gone.add(key)
        after = WireGuardConfig(self.config.head, tuple(peers[key] for key in order), self.config.saves_itself)
        if after.text() != self.config.text():
            write_atomic(self.path, after.text().encode("utf-8"), 0o600)
            fault_point("wireguard:file-written")
        self._sync(after, gone)
        for action in made.actions:
            done(action)

    def _sync(self, after: WireGuardConfig, gone: set[str]) -> None:
        if self.live is None:
            return
        ours = {peer.key for peer in after.peers} | gone
        others = _sections(_wg(["showconf", self.interface]), set(self.live) - ours)
        # wg gives no error for an empty list: it would put everybody out. So what must stay is counted first.
        text = after.for_wg(others)
        expected = len(after.active()) + len(set(self.live) - ours)
        if text.lower().count("publickey") != expected:
            raise ServerProblem(
                "%s: %d peers to hand to wg, %d expected" % (self.path, text.count("PublicKey"), expected)
            )
        _wg(["syncconf", self.interface, "/dev/stdin"], text)
        self.cut = len(gone & set(self.live))
        fault_point("wireguard:synced")

    def verify(self, made: Plan) -> Sequence[str]:
        gone = {a.entry.partition(":")[2] for a in made.actions if a.kind == KIND and a.action in ("disable", "remove")}
        return ["%s is still on the interface" % key for key in sorted(gone & set(self.live or {}))]

    def _archive(self, action: Action, peer: Peer | None) -> None:
        if peer is None:
            return
        archive = self.state.new_archive(NAME, action.entry.partition(":")[0])
        self.state.save(archive, "peer.conf", ("\n".join(peer.lines) + "\n").encode("utf-8"))
        self.state.save_manifest(archive, {"at": self.today, "what": "wireguard peer", "entry": action.entry})

    def _remember(self, actions: Sequence[Action]) -> None:
        state = self.state.read(NAME)
        known = state.setdefault("wireguard", {}).setdefault(self.interface, {})
        before = {key: dict(row) for key, row in known.items()}
        for action in actions:
            key = action.entry.partition(":")[2]
            if action.action == "update" and key not in known:
                continue
            row = known.setdefault(key, {"since": self.today, "how": action.action})
            if action.person:
                row["person"] = action.person
        if known != before:
            self.state.write(NAME, state)


def _entry(name: str, key: str) -> str:
    return "%s:%s" % (name, key)


def _with_day(peer: Peer, since: str | None) -> Peer:
    return Peer(peer.key, peer.networks, peer.lines, peer.name, since)


def _sections(text: str, keys: set[str]) -> list[str]:
    """The peers with these keys out of ``wg showconf``."""
    found: list[str] = []
    for block in re.split(r"(?m)^(?=\[)", text):
        key = re.search(r"(?m)^PublicKey\s*=\s*(\S+)", block)
        if block.startswith("[Peer]") and key and key.group(1) in keys:
            found += block.splitlines()
    return found


def _wg(words: Sequence[str], data: str | None = None) -> str:
    try:
        done = subprocess.run(
            ["wg", *words],
            input=(data or "").encode("utf-8"),
            capture_output=True,
            timeout=30,
            check=False,
        )
    except FileNotFoundError:
        raise ServerProblem("the wg command is not on this server") from None
    except subprocess.TimeoutExpired:
        raise ServerProblem("wg %s did not end within 30 s" % words[0]) from None
    if done.returncode != 0:
        raise ServerProblem("wg %s: %s" % (" ".join(words), done.stderr.decode("utf-8", "replace").strip()))
    return done.stdout.decode("utf-8", "replace")
