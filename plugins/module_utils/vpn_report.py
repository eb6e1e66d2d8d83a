# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the VPN modules tell beside the plan: alarms, numbers, commands for a CA elsewhere, one row a certificate."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from . import vpn_entries as entries
from .pki.crl_policy import ALARMING, CURRENT, State, plus_days
from .pki.index_file import common_name

if TYPE_CHECKING:
    from .vpn_certificates import VpnCertificates

__all__ = ["alarms", "details", "rows", "told"]


def details(kind: VpnCertificates) -> dict[str, Any]:
    """What the result tells beside the plan."""
    crl, now = kind.snapshot.crl, kind.snapshot.now
    expired = sorted(kind.expired, key=lambda line: line.expires, reverse=True)
    shown: dict[str, Any] = {
        "alarms": alarms(kind),
        "notes": list(kind.notes),
        "ca": {
            "backend": kind.authority.layout.backend,
            "common_name": kind.snapshot.ca.common_name,
            "expires": kind.snapshot.ca.not_after,
            "key": kind.signing or "usable",
        },
        "crl": {
            "path": kind.authority.layout.crl,
            "state": kind.snapshot.crl_state.word,
            "number": crl.number if crl else None,
            "expires": crl.expires if crl else None,
            "expires_in": _days_between(now, crl.expires) if crl and crl.expires else None,
            "revoked": len(crl.revoked) if crl else 0,
            "read_at": {path: state.word for path, (state, _mendable) in kind.lists.items()},
        },
        "index": {
            "lines": len(kind.snapshot.lines),
            "live": sum(len(serials) for serials in kind.by_name.values()),
            "revoked": sum(line.status == "R" for line in kind.snapshot.lines),
            "expired": len(expired),
        },
        "expired": [
            {"entry": entries.entry_name(common_name(line.subject), line.serial), "since": line.expires}
            for line in expired[:50]
        ],
        "sessions_cut": kind.cut,
    }
    if kind.issued:
        shown["issued"] = [
            {"cn": made.common_name, "serial": made.serial, "certificate": made.pem} for made in kind.issued
        ]
    if kind.signing == "offline":
        shown["commands"] = _commands(kind)
    return shown


def alarms(kind: VpnCertificates) -> list[str]:
    """What locks clients out or lets revoked ones in, now or soon."""
    found = [told(state) for state, _mendable in kind.lists.values() if state.word in ALARMING]
    soon = kind.snapshot.crl_state
    if soon.word == "expiring" and (kind.signing or kind.refusal):
        found.append("%s %s and can't be renewed here" % (kind.authority.layout.crl, soon.why))
    if kind.refusal:
        found.append(kind.refusal)
    lost = sorted(set(kind.known) - {line.serial for line in kind.snapshot.lines})
    if lost:
        found.append("the index no longer knows what it knew: %s" % ", ".join(lost[:10]))
    if kind.snapshot.ca.not_after <= plus_days(kind.snapshot.now, 90):
        found.append("the CA's certificate expires on %s" % kind.snapshot.ca.not_after)
    for server in kind.servers:
        if server.config.crl is None:
            found.append("%s has no crl-verify: revoked clients are let in" % server.name)
        if server.outdated:
            found.append(
                "%s was changed after its daemon started: what is said of it may not be in force" % server.name
            )
        if kind.params["kill_sessions"] and server.running and server.config.management is None:
            found.append("%s has no management interface: live sessions can't be seen or cut" % server.name)
        certificate = server.certificate
        if certificate is not None and certificate.not_after <= plus_days(kind.snapshot.now, 30):
            found.append("%s: the server's own certificate expires on %s" % (server.name, certificate.not_after))
    for cn in sorted({cn for cn, serials in kind.by_name.items() if len(serials) > 1} & set(kind.sessions)):
        if any(entries.entry_name(cn, serial) not in kind.staying for serial in kind.by_name[cn]):
            found.append("%s has several live certificates: which one its session uses can't be told" % cn)
    return found + kind.deaf


def _commands(kind: VpnCertificates) -> list[str]:
    layout = kind.authority.layout
    commands: list[str] = []
    for finding in kind.made.obsolete if kind.made is not None else ():
        cn, _colon, serial = finding.entry.rpartition(":")
        if finding.kind == entries.KIND and serial in kind.live:
            commands += layout.revoke_commands(serial, cn)
    if commands or kind.snapshot.crl_state.word != CURRENT:
        commands += list(layout.crl_commands)
    return commands


def rows(kind: VpnCertificates) -> list[dict[str, Any]]:
    """One row a certificate of the index, for the info module."""
    found = []
    for line in kind.snapshot.lines:
        cn = common_name(line.subject)
        since = kind._disabled_since(line, cn) if entries.is_live(line, kind.snapshot.now) else None
        state, day = "live", None
        if since is not None:
            state, day = "disabled", since
        elif line.status == "R" and not line.held:
            state, day = "revoked", (line.revoked or "")[:10]
        elif line.expires <= kind.snapshot.now:
            state, day = "expired", line.expires[:10]
        known = kind.known.get(line.serial, {})
        found.append(
            {
                "entry": entries.entry_name(cn, line.serial),
                "cn": cn,
                "serial": line.serial,
                "state": state,
                "since": day,
                "expires": line.expires,
                "reason": line.reason,
                "person": known.get("person"),
                "managed": line.serial in kind.known,
                "connected": cn in kind.sessions and state in ("live", "disabled"),
            }
        )
    return found


def told(state: State) -> str:
    """A list's state in one sentence, with what clients meet."""
    effect = ALARMING.get(state.word)
    return "revocation list %s: %s" % (state.word, state.why) + (" (%s)" % effect if effect else "")


def _days_between(start: str, end: str) -> int:
    return (datetime.fromisoformat(end[:-1]) - datetime.fromisoformat(start[:-1])).days
