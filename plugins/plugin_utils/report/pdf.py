# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page as PDF, by WeasyPrint: no browser runs on the controller, nothing is loaded, and the file is tagged.

WeasyPrint lays the page out by Debian's Pango. It takes the page's still form: no script, one language, all open.
"""

from __future__ import annotations

INSTALL = "pip install weasyprint (and, on Debian: apt install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0)"


class PdfMissing(RuntimeError):
    """WeasyPrint, or what it needs of the system, is not there. Says how to get it."""


def to_pdf(page: str) -> bytes:
    """The still page as a tagged PDF. The same page gives the same bytes."""
    try:
        import weasyprint
    except (ImportError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise PdfMissing(f"a PDF needs WeasyPrint ({reason}): {INSTALL}") from error

    def nothing(url: str, *_rest: object, **_more: object) -> dict[str, object]:
        # What is in the page already is no address to fetch.
        if url.startswith("data:"):
            return dict(weasyprint.default_url_fetcher(url))
        raise ValueError("a report loads nothing")

    document = weasyprint.HTML(string=page, url_fetcher=nothing, media_type="print")
    return bytes(document.write_pdf(pdf_tags=True))
