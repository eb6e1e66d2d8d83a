# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A family that ends before its time costs the rest of its own, and is told."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families import apart
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families import survey as module
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.family import Closing, Finding


def _found(kind: str) -> Finding:
    return Finding(kind, "/x", "because", Closing("true"))


def _killed(_ctx: Any) -> Iterator[Finding]:
    yield _found("first")
    os.kill(os.getpid(), signal.SIGKILL)
    yield _found("second")


def _broken(_ctx: Any) -> Iterator[Finding]:
    yield _found("first")
    raise ValueError("odd")


def _hangs(_ctx: Any) -> Iterator[Finding]:
    yield _found("first")
    time.sleep(60)


def _whole(_ctx: Any) -> Iterator[Finding]:
    yield _found("other")


@pytest.mark.parametrize(
    ("part", "told"), [(_killed, "ssh: was killed"), (_broken, "broke off: ValueError: odd"), (_hangs, "did not end")]
)
def test_what_a_part_found_before_stays_and_its_end_is_told(
    monkeypatch: pytest.MonkeyPatch, part: Any, told: str
) -> None:
    monkeypatch.setattr(module, "FAMILIES", {"ssh": (part,), "accounts": (_whole,)})
    monkeypatch.setattr(apart, "PATIENCE", 0.5)
    ctx: Any = SimpleNamespace(bounds=SimpleNamespace(ends=time.monotonic()), tell=None)
    made = module.survey(ctx, ["ssh", "accounts"])
    assert [row["kind"] for row in made.findings] == ["first", "other"]
    assert len(made.limits) == 1
    assert told in made.limits[0]


def test_a_survey_that_ends_by_itself_reaches_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FAMILIES", {"ssh": (_whole,)})
    ctx: Any = SimpleNamespace(bounds=SimpleNamespace(ends=time.monotonic()), tell=None)
    assert module.survey(ctx, ["ssh"]).limits == []
