# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client reads, in French and in English. Every key exists in both."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report import (
    words_en,
    words_fr,
    words_seen_en,
    words_seen_fr,
    words_watch_en,
    words_watch_fr,
)

LANGUAGES = ("fr", "en")

WORDING: Mapping[str, Mapping[str, str]] = {
    "fr": {**words_fr.WORDS, **words_watch_fr.WORDS, **words_seen_fr.WORDS},
    "en": {**words_en.WORDS, **words_watch_en.WORDS, **words_seen_en.WORDS},
}

MONTHS: Mapping[str, tuple[str, ...]] = {
    "fr": (
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ),
    "en": (
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
}

SHORT_MONTHS: Mapping[str, tuple[str, ...]] = {
    "fr": ("janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."),
    "en": tuple(month[:3] for month in MONTHS["en"]),
}
