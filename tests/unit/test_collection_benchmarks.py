# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic behind the figures that we publish."""

from __future__ import annotations

import statistics
from pathlib import Path

import pairing
import pytest
import record
from pairing import Contender, Goal, Outcome, Timing


def scripted(name: str, walls: list[float], rounds: int | None = None, log: list[str] | None = None) -> Contender:
    waiting = iter(walls)

    def run() -> Timing:
        if log is not None:
            log.append(name)
        wall = next(waiting)
        return Timing(wall, wall / 2)

    return Contender(name, run, rounds)


def test_ratios_are_taken_within_a_round_so_drift_cancels_out() -> None:
    outcome = pairing.contest([scripted("base", [9, 1, 2, 4]), scripted("ours", [9, 1.5, 3, 6])], 3, lambda text: None)
    ratio = outcome.ratio("ours", "base")
    assert (ratio.median, ratio.least, ratio.most, ratio.count) == (1.5, 1.5, 1.5, 3)
    assert outcome.seconds("base").median == 2


def test_the_first_run_only_warms_up_unless_told_otherwise() -> None:
    warm = pairing.contest([scripted("a", [100, 1, 1])], 2, lambda text: None)
    cold = pairing.contest([scripted("a", [100, 1])], 2, lambda text: None, warm_up=False)
    assert warm.seconds("a").most == 1
    assert cold.seconds("a").most == 100


def test_a_slow_peer_runs_in_the_first_rounds_only_and_is_paired_with_those() -> None:
    log: list[str] = []
    outcome = pairing.contest(
        [scripted("base", [1, 1, 2, 3, 4], log=log), scripted("slow", [10, 40], rounds=2, log=log)],
        4,
        lambda text: None,
    )
    assert log.count("slow") == 2
    assert outcome.ratio("slow", "base").count == 2
    assert outcome.ratio("slow", "base").most == 20


def test_no_contender_always_goes_first() -> None:
    firsts = {pairing.order(["a", "b", "c"], number)[0] for number in range(6)}
    assert firsts == {"a", "b", "c"}
    for number in range(6):
        assert sorted(pairing.order(["a", "b", "c"], number)) == ["a", "b", "c"]


def test_a_missed_goal_is_shown_as_missed() -> None:
    outcome = Outcome({"ours": [Timing(2.1, 1)], "ping": [Timing(1, 1)]})
    met, missed = Goal("ours", "ping", 2.1), Goal("ours", "ping", 2.0)
    assert outcome.met(met)
    assert not outcome.met(missed)
    shown = record.table([record.entry("x", "y", outcome, [met, missed], {})])
    assert "| ours / ping | 2.100 (2.100 - 2.100) | 1.000 | <= 2.1 | yes |" in shown
    assert "| ours / ping | 2.100 (2.100 - 2.100) | 1.000 | <= 2.0 | NO |" in shown


def test_a_benchmark_that_measured_nothing_is_an_error() -> None:
    with pytest.raises((statistics.StatisticsError, IndexError)):
        Outcome({"ours": []}).seconds("ours")


def test_single_figures_are_shown_with_their_goals() -> None:
    found = [
        {"name": "report", "values": [0.5, 0.25, 2.0], "unit": "s", "goal": "<= 1", "met": True},
        {"name": "verify", "values": [90000.0], "unit": "rows a second", "goal": ">= 100,000", "met": False},
        {"name": "size", "values": [812.5], "unit": "bytes", "goal": "", "met": True},
    ]
    shown = record.table([record.figures("x", "y", found)])
    assert "| report | 0.50 (0.25 - 2.00) s | <= 1 | yes |" in shown
    assert "| verify | 90,000 (90,000 - 90,000) rows a second | >= 100,000 | NO |" in shown
    assert "| size | 812 (812 - 812) bytes |  |  |" in shown


def test_results_are_added_and_the_table_shows_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(record, "README", tmp_path / "README.md")
    record.README.write_text(f"above\n{record.BEGIN}\nold\n{record.END}\nbelow\n", encoding="utf-8")
    for wall in (1.0, 7.0):
        record.append(record.entry("x", "y", Outcome({"ours": [Timing(wall, wall)]}), [], {}))
    record.write_readme()
    assert len(record.load(tmp_path / "results" / "x.json")) == 2
    text = record.README.read_text(encoding="utf-8")
    assert text.startswith("above\n")
    assert text.endswith("below\n")
    assert "7.00" in text
    assert "1.00" not in text
    assert "old" not in text


def test_the_published_tables_are_those_of_the_kept_results() -> None:
    kept = [row for path in sorted(record.RESULTS.glob("*.json")) for row in record.load(path)]
    inside = record.README.read_text(encoding="utf-8").partition(record.BEGIN)[2].partition(record.END)[0]
    assert inside.strip() == record.table(kept).strip()
