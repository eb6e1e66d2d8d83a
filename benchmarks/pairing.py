# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time contenders side by side, and compare them round by round.

A machine's speed drifts. So the contenders of one round run right after each
other, each round in another order, and a ratio is always taken within a
round. Pure but for the clock: what runs is a callable given by the benchmark.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Timing:
    """One run: seconds on the wall, and seconds of processor time of the program and its children."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Goal:
    """A promise: `contender` takes at most `at_most` times what `against` takes."""

    contender: str
    against: str
    at_most: float


@dataclass(frozen=True)
class Contender:
    """Something to time. `rounds` limits it to the first rounds, for peers that take minutes."""

    name: str
    run: Callable[[], Timing]
    rounds: int | None = None


@dataclass(frozen=True)
class Spread:
    """Median, smallest and largest of some numbers, and how many there were."""

    median: float
    least: float
    most: float
    count: int


@dataclass
class Outcome:
    """The timings of all rounds: contender's name -> one timing for each round it took part in."""

    timings: dict[str, list[Timing]] = field(default_factory=dict)

    def seconds(self, name: str) -> Spread:
        return spread(timing.wall for timing in self.timings[name])

    def ratio(self, name: str, against: str, clock: str = "wall") -> Spread:
        """Ratios within the rounds that both took part in. `clock`: "wall" or "cpu"."""
        pairs = zip(self.timings[name], self.timings[against], strict=False)
        return spread(getattr(one, clock) / getattr(other, clock) for one, other in pairs)

    def met(self, goal: Goal) -> bool:
        return self.ratio(goal.contender, goal.against).median <= goal.at_most


def spread(numbers: Iterable[float]) -> Spread:
    """Raises statistics.StatisticsError for no numbers: a benchmark that measured nothing is an error."""
    values = sorted(numbers)
    return Spread(statistics.median(values), values[0], values[-1], len(values))


def order(names: list[str], number: int) -> list[str]:
    """Who runs when in round `number`: each place in turn, and every other round backwards."""
    turned = names[number % len(names) :] + names[: number % len(names)]
    return turned[::-1] if number % 2 else turned


def contest(contenders: Iterable[Contender], rounds: int, say: Callable[[str], None], warm_up: bool = True) -> Outcome:
    """Run `rounds` rounds. A contender's first run only warms caches and connections, and is not counted."""
    known: Mapping[str, Contender] = {contender.name: contender for contender in contenders}
    outcome = Outcome({name: [] for name in known})
    if warm_up:
        for contender in known.values():
            if contender.rounds is None:
                contender.run()
    for number in range(rounds):
        for name in order(list(known), number):
            limit = known[name].rounds
            if limit is not None and number >= limit:
                continue
            timing = known[name].run()
            outcome.timings[name].append(timing)
            say(f"round {number + 1}/{rounds}: {name}: {timing.wall:.2f} s (cpu {timing.cpu:.2f} s)")
    return outcome
