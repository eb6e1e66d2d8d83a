# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one look at a host means: what is an alert now, what is over, and what was not seen. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.alerts.policy import CRITICALITIES, Policy
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import clean

# A check's own states; what is unknown is no judgement.
_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Judgement:
    """One cause. level: None when all is well, or when it is over for an alert that was open.

    seen: False when nothing was measured; then an open alert stays as it is. gone: why nobody will measure it again.
    """

    cause: str
    level: str | None = None
    value: float | None = None
    unit: str = ""
    limit: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    seen: bool = True
    gone: str | None = None


def cause_of(kind: str, name: str) -> str:
    """How a cause is written: `disk:/var`. As the ledger will spell it, so that it is known again."""
    return str(clean(f"{kind}:{name}"))


def judge(
    readings: Iterable[Mapping[str, Any]],
    unread: Iterable[Mapping[str, Any]],
    measured: Iterable[str],
    policy: Policy,
    open_causes: Iterable[str],
) -> list[Judgement]:
    """One judgement a cause, in order. open_causes: those of alerts that are open; they need to be better by a margin.

    measured: the kinds that were looked at. A cause of such a kind that was neither read nor unreadable is gone.
    """
    still = dict.fromkeys(open_causes)
    found: dict[str, Judgement] = {}
    for reading in readings:
        kind, name = str(reading["kind"]), str(reading["name"])
        cause = cause_of(kind, name)
        threshold = policy.threshold(kind, name)
        if threshold is None:
            if cause in still:
                found[cause] = Judgement(cause, gone="not_watched")
            continue
        if kind == "check":
            found[cause] = _of_check(cause, reading)
            continue
        value = reading.get("value")
        # What is no number, or none that can be compared, says nothing of how the server is.
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            found[cause] = Judgement(cause, seen=False)
            continue
        level = threshold.level(value)
        if level is None and cause in still and threshold.level(value, threshold.margin) is not None:
            # Better, but not by enough: it would be back in an hour.
            level = CRITICALITIES[0]
        found[cause] = Judgement(
            cause, level, float(value), str(reading.get("unit") or ""),
            threshold.limit(level) if level and threshold.limit(level) is not None else threshold.critical,
            {key: reading[key] for key in ("ends", "subject", "available_bytes", "size_bytes") if key in reading},
        )  # fmt: skip
    kinds = set(measured)
    blind = {str(row["kind"]) for row in unread}
    for cause in still:
        if cause in found:
            continue
        kind = cause.partition(":")[0]
        # Where anything of the kind could not be read, what is missing may be among it.
        sure = kind in kinds and kind not in blind
        found[cause] = Judgement(cause, seen=sure, gone="gone" if sure else None)
    return [found[cause] for cause in sorted(found)]


def _of_check(cause: str, reading: Mapping[str, Any]) -> Judgement:
    state = str(reading.get("state") or _UNKNOWN)
    # One line: a notice has one line an alert, and no check may write a second one.
    text = " ".join(str(clean(str(reading.get("text") or ""))).split())
    detail = {"text": text[:500], "perfdata": list(reading.get("perfdata") or [])[:20]}
    if state == _UNKNOWN:
        return Judgement(cause, detail=detail, seen=False)
    return Judgement(cause, state if state in CRITICALITIES else None, detail=detail)
