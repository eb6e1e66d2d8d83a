# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus's text format, for node_exporter's textfile collector. Pure but for the one write."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.metrics.measuring import PREFIX, Sample


def render(samples: Iterable[Sample]) -> str:
    """The samples, those of one gauge together, each gauge with its help and type."""
    lines: list[str] = []
    for gauge, group in groupby(samples, key=lambda sample: sample.gauge):
        name = PREFIX + gauge.name
        lines += [f"# HELP {name} {gauge.help}", f"# TYPE {name} gauge"]
        for sample in group:
            labels = ",".join(f'{key}="{_escaped(value)}"' for key, value in sample.labels.items())
            lines.append(f"{name}{{{labels}}} {_number(sample.value)}" if labels else f"{name} {_number(sample.value)}")
    return "".join(line + "\n" for line in lines)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def write(path: Path, text: str, mode: int) -> None:
    """Replace the file in one step; the collector never meets half of it. The directory must be there.

    Raises OSError. The name ends in `.prom` only once the file is whole: the collector reads nothing else.
    """
    handle, fresh = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        os.replace(fresh, path)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise
