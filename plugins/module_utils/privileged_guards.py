# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a plan for privileged IPs must not be applied: who would be locked out, and how many would lose access. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .addresses import Coverage, Network
from .firewalls.protocol import ABSENT, LISTS, Change, Sink, SinkState
from .reconcile import TAKES, Action, Limit
from .sink_states import networks_of

__all__ = ["locked_out", "too_many_losers"]


def locked_out(
    sinks: Sequence[Sink],
    states: Mapping[str, SinkState],
    changes: Mapping[str, Change],
    reach: Mapping[Network, str],
    strict_controller: bool,
) -> str | None:
    """Addresses of ``reach`` that a changed sink would not cover, or None.

    A firewall must cover ``must_reach`` and, with ``strict_controller``, the controller; any other sink, and a
    controller that is only to be kept, is held to what was covered before.
    """
    told = []
    for sink in sinks:
        change, state = changes[sink.name], states[sink.name]
        if not change:
            continue
        for side in (state.file, state.live):
            if side is None:
                continue
            before = Coverage(networks_of(t for slot in sink.slots for t in side.get(slot, ())))
            coming = Coverage(networks_of(t for texts in change.applied_to(side).values() for t in texts))
            for network, why in reach.items():
                strict = sink.gates and (why == "must_reach" or strict_controller)
                if network in coming or not (strict or network in before) or sink.refuses(network):
                    continue
                controller = why == "controller"
                who = "the controller's address as this server sees it" if controller else "an address of must_reach"
                text = "%s, %s, would not be covered in %s: declare it" % (network, who, sink.name)
                if text not in told:
                    told.append(text)
    return "; ".join(told) or None


def too_many_losers(actions: Sequence[Action], population: int, limit: Limit) -> str | None:
    """An entry that moves to a lesser list or leaves a sink loses access, too: it counts."""
    losers = set()
    for action in actions:
        if (
            action.kind == "privileged_ip"
            and action.action == "update"
            and any(new == ABSENT or (new == LISTS[0] and LISTS[1] in str(old)) for old, new in action.changes.values())
        ):
            losers.add(action.entry)
    going = losers | {a.entry for a in actions if a.kind == "privileged_ip" and a.action in TAKES}
    if losers and len(going) > limit.of(population):
        return "%d of %d addresses would lose access in a sink, max_obsolete (%s) allows %d" % (
            len(going),
            population,
            limit,
            limit.of(population),
        )
    return None
