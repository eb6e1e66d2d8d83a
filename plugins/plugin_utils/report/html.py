# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one HTML page that needs nothing else. Jinja2 with autoescape: names come from servers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.speaking import Speaker

# More would make a page of thousands of lines; the JSON file has them all.
_TASKS_SHOWN = 12


def to_html(report: Mapping[str, Any], speaker: Speaker) -> str:
    """The page as text."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    summary = report["summary"]
    time_in, time_out = summary["seconds_in_contract"], summary["seconds_out_of_contract"]
    share = round(100 * time_in / (time_in + time_out), 1) if time_in + time_out else None
    return environment.get_template("page.html.j2").render(
        report=report,
        summary=summary,
        say=speaker,
        word=speaker.word,
        share=share,
        runs=[_shown(run) for run in reversed(report["interventions"])],
    )


def _shown(run: Mapping[str, Any]) -> dict[str, Any]:
    """One line for each task, with the hosts it changed or failed on."""
    groups: dict[tuple[str, str], list[str]] = {}
    for task in run["tasks"]:
        name = task["name"] or task["action"]
        groups.setdefault((name, task["status"]), []).append(task["host"])
    tasks = [{"name": name, "status": status, "hosts": sorted(set(hosts))} for (name, status), hosts in groups.items()]
    return {**run, "shown_tasks": tasks[:_TASKS_SHOWN], "more_tasks": max(0, len(tasks) - _TASKS_SHOWN)}
