# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a revocation list good, or better than another. Pure: facts in, one word and a sentence out.

An OpenVPN server locks everybody out with a list that is expired, not yet valid, damaged or unreadable, and lets
everybody in with a list of another authority or none at all. So the word matters.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from .der import Revocations
from .index_file import Line

__all__ = ["ALARMING", "CURRENT", "State", "judge", "lost_revocations", "plus_days", "worse_than"]

CURRENT = "current"
#: What clients meet with a list in this state.
ALARMING = {
    "missing": "a running server goes on with the list it has, and can't start again",
    "empty": "OpenVPN refuses every client, or lets every client in, by its version",
    "damaged": "OpenVPN refuses every client",
    "expired": "OpenVPN refuses every client",
    "not yet valid": "OpenVPN refuses every client",
    "foreign": "OpenVPN only warns and lets revoked clients in",
    "closed": "OpenVPN can't read it: it refuses every client or goes on with an old list",
    "incomplete": "revoked clients are let in",
    "stale": "clients revoked since are let in",
    "outdated": "clients that were let in again are refused",
}


class State(NamedTuple):
    """``word`` is ``current``, ``expiring`` or a key of ALARMING; ``why`` says it in a sentence."""

    word: str
    why: str


def judge(
    crl: Revocations, ca_subject: bytes, signed: bool, lines: Iterable[Line], now: str, margin_days: int
) -> State:
    """Is this list fit for service? ``signed``: its signature was verified with the authority's certificate."""
    if crl.issuer != ca_subject or not signed:
        return State("foreign", "was not signed by this authority")
    if crl.updated > now:
        return State("not yet valid", "is valid from %s on only" % crl.updated)
    if crl.expires is not None and crl.expires <= now:
        return State("expired", "expired on %s" % crl.expires)
    absent = [n.serial for n in lines if n.status == "R" and n.expires > now and n.serial not in crl.revoked]
    if absent:
        return State("incomplete", "lacks what the index has revoked: %s" % _some(absent))
    if crl.expires is not None and crl.expires <= plus_days(now, margin_days):
        return State("expiring", "expires on %s" % crl.expires)
    return State(CURRENT, "expires on %s" % crl.expires)


def lost_revocations(crl: Revocations, lines: Iterable[Line], now: str, released: Collection[str] = ()) -> list[str]:
    """Serials that the list revokes and the index doesn't: a list made from this index would let them in again.

    Certificates that have expired since, and a hold that is being taken back, are no loss.
    """
    by_serial = {line.serial: line for line in lines}
    lost = []
    for serial in crl.revoked:
        line = by_serial.get(serial)
        if line is None or (line.status == "V" and line.expires > now and serial not in released):
            lost.append(serial)
    return lost


def worse_than(
    new: Revocations,
    old: Revocations,
    lines: Iterable[Line],
    now: str,
    released: Collection[str],
    kept: Collection[str],
) -> str | None:
    """Why ``new`` must not take the place of ``old``, or None. ``kept``: serials that must stay in."""
    by_serial = {line.serial: line for line in lines}
    forgotten = [
        serial
        for serial in old.revoked
        if serial not in new.revoked
        and serial not in released
        and not (serial in by_serial and by_serial[serial].expires <= now)
    ]
    if forgotten:
        return "it forgets what the old list revokes: %s" % _some(forgotten)
    locked = sorted(set(kept) & set(new.revoked))
    if locked:
        return "it revokes what must stay: %s" % _some(locked)
    if new.expires is not None and old.expires is not None and new.expires < min(old.expires, plus_days(now, 1)):
        return "it ends on %s, before the old list and within a day" % new.expires
    if new.number is not None and old.number is not None and new.number <= old.number:
        return "its number %d does not follow %d" % (new.number, old.number)
    return None


def plus_days(iso: str, days: int) -> str:
    """A time some days later; both ISO."""
    moment = datetime.strptime(iso, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    return (moment + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _some(serials: list[str]) -> str:
    return ", ".join(sorted(serials)[:10]) + (", ... (%d)" % len(serials) if len(serials) > 10 else "")
