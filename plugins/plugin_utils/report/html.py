# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one HTML page that needs nothing else. Jinja2 with autoescape: names come from servers.

The page may run its own script and style, known by their hashes, and load nothing: its policy says so to the browser.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.branding import Brand
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.contents import Contents
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.tables import Table
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.voices import Pair, Voices
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.wording import LANGUAGES

if TYPE_CHECKING:
    pass

TEMPLATES = Path(__file__).parent / "template"
# Lines that a table has before the script takes over, and in the still form that becomes a PDF.
FIRST_LINES = 25
STILL_LINES = 400
_SCRIPT_WORDS = ("filter_all", "showing", "showing_none", "showing_filtered", "more_rows")


def to_html(
    template: str,
    report: Mapping[str, Any],
    contents: Contents,
    language: str,
    zone: tzinfo,
    brand: Brand,
    *,
    still: bool = False,
    up: str | None = None,
) -> str:
    """The page as text. template: its file. still: for paper, in one language and without a script. up: a link."""
    import jinja2
    from markupsafe import Markup, escape

    place = LANGUAGES.index(language)
    voices = Voices(zone)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def one(text: Pair | Sequence[str] | str) -> str:
        return text if isinstance(text, str) else text[place]

    def both(text: Pair | Sequence[str] | str) -> Markup:
        if isinstance(text, str) or still or text[0] == text[1]:
            return escape(one(text))
        return Markup("").join(
            Markup('<span lang="{}">{}</span>').format(name, said) for name, said in zip(LANGUAGES, text, strict=True)
        )

    def drawn(plot: Pair) -> Markup:
        # Shapes and text alone: charts.py lets nothing else pass.
        if still:
            return Markup(plot[place])  # noqa: S704
        return Markup("").join(
            Markup('<div lang="{}">').format(name) + Markup(svg) + Markup("</div>")  # noqa: S704
            for name, svg in zip(LANGUAGES, plot, strict=True)
        )

    def limit(table: Table, plain: bool) -> int:
        return STILL_LINES if still else len(table.rows) if plain else FIRST_LINES

    style, script = _style(), (TEMPLATES / "page.js").read_text(encoding="utf-8")
    data = {
        "title": [f"{title} – {subtitle}" for title, subtitle in zip(contents.title, contents.subtitle, strict=True)],
        "words": {key: voices.template(key) for key in _SCRIPT_WORDS},
        "tables": {table.name: _plain(table) for table in contents.scripted},
    }
    environment.globals.update(
        t=both,
        one=one,
        drawn=drawn,
        limit=limit,
        voices=voices,
        still=still,
        w=lambda key, **v: both(voices.word(key, **v)),
    )
    return environment.get_template(template).render(
        **contents.values,
        report=report,
        brand=brand,
        language=language,
        title=contents.title,
        subtitle=contents.subtitle,
        over=contents.over,
        spoken=contents.spoken,
        up=None if still else up,
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        data=Markup(_json(data)),  # noqa: S704 - has no "<" left
        policy=policy(style, None if still else script),
    )


def policy(style: str, script: str | None) -> str:
    """What the page may do: its own style and script by their hashes, images that are in it, and nothing else."""
    parts = ["default-src 'none'", "img-src data:", f"style-src '{_hash(style)}'"]
    if script is not None:
        parts.append(f"script-src '{_hash(script)}'")
    return "; ".join([*parts, "base-uri 'none'", "form-action 'none'"])


def _style() -> str:
    return "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in ("page.css", "print.css"))


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _json(value: Any) -> str:
    """JSON that cannot end its <script>: no "<" is left, nor a line end that scripts read otherwise."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _plain(table: Table) -> dict[str, Any]:
    return {
        "columns": [column.style for column in table.columns],
        "rows": table.rows,
        "order": table.order,
    }
