# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plots as SVG text, drawn by Vega-Lite in the library vl-convert-python: no browser, no network, no styles inline.

Its SVG carries plain attributes only, which a strict Content-Security-Policy allows and the page's style sheet can
recolour for a dark screen. The same values give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.voices import Pair
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.wording import LANGUAGES

INSTALL = "pip install vl-convert-python"
# The page's style sheet knows these colours: what it has for each in the dark.
COLOURS = {"in": "#19746a", "out": "#b4560d", None: "#74808e"}
INK, GRID = "#3c4858", "#dfe4ea"
_LOCALES = {"fr": "fr-FR", "en": "en-GB"}
_TAGS = {"svg", "g", "path", "rect", "line", "text", "tspan", "defs", "clipPath", "title"}
_WIDTH = 470
_FONT = "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


class ChartsMissing(RuntimeError):
    """The library is not installed. Says how to get it."""


def unit_of(longest: float) -> tuple[str, float]:
    """The unit in which the longest duration reads well, and its seconds."""
    if longest >= 2 * 3600:
        return "hours", 3600.0
    return ("minutes", 60.0) if longest >= 120 else ("seconds", 1.0)


def over_time(
    bars: Sequence[tuple[Pair, Mapping[Any, float]]], contracts: Mapping[Any, Pair], titles: Mapping[str, Pair]
) -> Pair:
    """Stacked columns in both languages, one for each piece of the period. bars: its label, and seconds by contract."""
    unit, seconds = unit_of(max((sum(parts.values()) for _label, parts in bars), default=0))

    def spec(place: int) -> dict[str, Any]:
        rows = [
            {"order": order, "label": label[place], "contract": contracts[key][place], "value": parts[key] / seconds}
            for order, (label, parts) in enumerate(bars)
            for key in contracts
        ]
        step = max(1, -(-len(bars) // 8))
        return {
            "height": 190,
            "data": {"values": rows},
            "mark": {"type": "bar", "cornerRadiusTopLeft": 2, "cornerRadiusTopRight": 2},
            "encoding": {
                "x": {
                    "field": "order",
                    "type": "ordinal",
                    "scale": {"paddingInner": 0.25, "paddingOuter": 0.1},
                    "axis": {
                        "title": None,
                        "labelAngle": 0,
                        "ticks": False,
                        "values": list(range(0, len(bars), step)),
                        # A label is text of the data, never part of the expression.
                        "labelExpr": json.dumps([label[place] for label, _parts in bars]) + "[datum.value]",
                    },
                },
                "y": {"field": "value", "type": "quantitative", "axis": {"title": titles[unit][place]}},
                "color": _colours(contracts, place),
            },
        }

    return _drawn(spec)


def by_category(
    bars: Sequence[tuple[Pair, Any, float]], contracts: Mapping[Any, Pair], titles: Mapping[str, Pair]
) -> Pair:
    """Lying bars with their names above them. bars: label, contract, seconds. In both languages."""
    unit, seconds = unit_of(max((length for _label, _contract, length in bars), default=0))

    def spec(place: int) -> dict[str, Any]:
        rows = [
            {"order": order, "label": label[place], "contract": contracts[contract][place], "value": length / seconds}
            for order, (label, contract, length) in enumerate(bars)
        ]
        lying = {
            "field": "order",
            "type": "ordinal",
            "axis": None,
            "scale": {"paddingInner": 0.62, "paddingOuter": 0.5},
        }
        return {
            "height": {"step": 44},
            "data": {"values": rows},
            "layer": [
                {
                    "mark": {"type": "bar", "cornerRadiusEnd": 2},
                    "encoding": {
                        "y": lying,
                        "x": {"field": "value", "type": "quantitative", "axis": {"title": titles[unit][place]}},
                        "color": _colours(contracts, place),
                    },
                },
                {
                    "mark": {"type": "text", "align": "left", "dy": -16, "fontSize": 13, "limit": _WIDTH},
                    "encoding": {
                        "y": lying,
                        "x": {"datum": 0, "type": "quantitative"},
                        "text": {"field": "label", "type": "nominal"},
                        "color": {"value": INK},
                    },
                },
            ],
        }

    return _drawn(spec)


def _colours(contracts: Mapping[Any, Pair], place: int) -> dict[str, Any]:
    return {
        "field": "contract",
        "type": "nominal",
        "sort": [name[place] for name in contracts.values()],
        "scale": {
            "domain": [name[place] for name in contracts.values()],
            "range": [COLOURS[key] for key in contracts],
        },
        "legend": {"title": None, "orient": "top", "symbolType": "square", "offset": 10},
    }


def _drawn(spec: Any) -> Pair:
    try:
        import vl_convert
    except ImportError as error:
        raise ChartsMissing(f"vl-convert-python is missing, so the report has no plots: {INSTALL}") from error
    french, english = (
        _proven(
            vl_convert.vegalite_to_svg(
                {**spec(place), "width": _WIDTH, "config": _CONFIG, "background": "transparent"},
                format_locale=_LOCALES[language],  # type: ignore[arg-type]
            )
        )
        for place, language in enumerate(LANGUAGES)
    )
    return (french, english)


_CONFIG: Mapping[str, Any] = {
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "gridColor": GRID,
        "domainColor": GRID,
        "tickColor": GRID,
        "tickCount": 4,
        "domain": False,
        "labelPadding": 6,
    },
    "legend": {"labelColor": INK, "labelFontSize": 12},
}


def _proven(svg: str) -> str:
    """The SVG as it goes into the page: only shapes and text, and as wide as its place. Raises ValueError.

    Names from the ledger are in it. The library escapes them; a page that a client opens rests on more than that.
    """
    root = ElementTree.fromstring(svg)  # noqa: S314 - made here, a line above
    for node in root.iter():
        tag = node.tag.rpartition("}")[2]
        if tag not in _TAGS:
            raise ValueError(f"unexpected <{tag}> in a plot")
        for name in list(node.attrib):
            if name.startswith("on") or "href" in name or name == "style":
                raise ValueError(f"unexpected {name} in a plot")
            # The figure has its own name and a table: a reader is not led through every bar.
            # Clip paths are numbered anew in each plot, and two plots on a page would share them.
            if name.startswith("aria-") or name in {"role", "clip-path", "id"}:
                del node.attrib[name]
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag.endswith("}defs")]:
            parent.remove(child)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("aria-hidden", "true")
    ElementTree.register_namespace("", "http://www.w3.org/2000/svg")
    return ElementTree.tostring(root, encoding="unicode")
