# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Share a whole number into whole parts that add up to it exactly. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction


def share(total: int, weights: Sequence[Fraction | int]) -> list[int]:
    """Parts in proportion to the weights; what is left over goes to the largest remainders, the first one first.

    Weights are not negative. When all are zero, they count as equal. No weights, no parts.
    """
    if not weights:
        return []
    exact = [Fraction(weight) for weight in weights]
    if any(weight < 0 for weight in exact):
        raise ValueError("a weight is negative")
    whole = sum(exact, Fraction(0))
    if whole == 0:
        exact, whole = [Fraction(1)] * len(exact), Fraction(len(exact))
    wanted = [total * weight / whole for weight in exact]
    parts = [part.numerator // part.denominator for part in wanted]
    order = sorted(range(len(parts)), key=lambda position: (parts[position] - wanted[position], position))
    for position in order[: total - sum(parts)]:
        parts[position] += 1
    return parts


def weights(
    sharing: str, clients: Sequence[str], hosts: Sequence[tuple[str, Sequence[str]]], busy: Mapping[str, int]
) -> list[Fraction]:
    """What each client weighs in a run: alike, by its hosts, or by the time that its hosts were at work.

    hosts: each with its clients; a host of several counts for each of them in part. Hosts of nobody do not count.
    """
    if sharing == "equal":
        return [Fraction(1)] * len(clients)
    found = dict.fromkeys(clients, Fraction(0))
    for host, owners in hosts:
        for owner in owners:
            found[owner] += Fraction(busy.get(host, 0) if sharing == "busy" else 1, len(owners))
    return [found[client] for client in clients]
