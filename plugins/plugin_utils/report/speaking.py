# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dates, durations and words in one language. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report import reasons
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.wording import MONTHS, SHORT_MONTHS, WORDING

_THIN = "\u202f"
_HARD = "\u00a0"
# In French a line must not end before these signs, nor after an opening quote.
_PAIRED = re.compile(r" (?=[:;?!%»])|(?<=«) ")


class Speaker:
    """Says things in one language (`fr` or `en`) and one time zone."""

    def __init__(self, language: str, zone: tzinfo) -> None:
        self.language = language
        self._zone = zone
        self._words = WORDING[language]

    @property
    def colon(self) -> str:
        """As it stands after a word; French sets it apart."""
        return f"{_HARD}:" if self.language == "fr" else ":"

    def word(self, key: str, **values: Any) -> str:
        """The text of a key. A missing key is a mistake in this collection: KeyError."""
        # What is put in was recorded or declared: it stays as it is.
        return self.template(key).format(**values)

    def counted(self, key: str, number: float, **values: Any) -> str:
        """The text for one, or the one for many, as the language counts: in French, less than two is one."""
        one = number < 2 if self.language == "fr" else number == 1
        return self.word(f"{key}_one" if one else f"{key}_many", **values)

    def template(self, key: str) -> str:
        """The text of a key with its placeholders, for who fills them in later."""
        return self._set(self._words[key])

    def _set(self, text: str) -> str:
        if self.language != "fr":
            return text
        return _PAIRED.sub(_HARD, text).replace("'", "\u2019")

    def known(self, group: str, value: Any) -> str:
        """The word for a value such as an action, or the value itself when there is none."""
        word = self._words.get(f"{group}_{value}")
        return self._set(word) if word else str(value).replace("_", " ")

    def day(self, moment: date) -> str:
        """23 novembre 2026; 23 November 2026."""
        first = "1er" if self.language == "fr" and moment.day == 1 else str(moment.day)
        return f"{first}{_HARD}{MONTHS[self.language][moment.month - 1]} {moment.year}"

    def short_day(self, moment: date) -> str:
        """23 nov.; 23 Nov."""
        return f"{moment.day}{_HARD}{SHORT_MONTHS[self.language][moment.month - 1]}"

    def short_month(self, moment: date) -> str:
        """nov. 2026; Nov 2026."""
        return f"{SHORT_MONTHS[self.language][moment.month - 1]}{_HARD}{moment.year}"

    def span(self, first: date, last: date) -> str:
        """A whole month or year by its name, else both days."""
        whole_month = first.day == 1 and (first.year, first.month) == (last.year, last.month)
        if whole_month and (last + timedelta(days=1)).day == 1:
            return f"{MONTHS[self.language][first.month - 1]} {first.year}"
        if (first.month, first.day, last.month, last.day, first.year) == (1, 1, 12, 31, last.year):
            return str(first.year)
        if first == last:
            return self.day(first)
        return self.word("from_to", first=self.day(first), last=self.day(last))

    def moment(self, stamp: str | None) -> str:
        """A stored stamp as a short date and time in the zone."""
        if not stamp:
            return ""
        try:
            local = self._local(stamp)
        except (ValueError, OverflowError):
            # Servers tell times, too: what is none is shown as it was told, and keeps nobody from the rest.
            return stamp
        if self.language == "fr":
            return local.strftime("%d/%m/%Y %H:%M")
        return local.strftime("%Y-%m-%d %H:%M")

    def local_day(self, stamp: str) -> str:
        """A stored stamp's day in the zone, as 2027-06-30."""
        return self._local(stamp).date().isoformat()

    def reason(self, text: str) -> str:
        """Why something was done: modules tell it in English."""
        return reasons.in_french(text) if self.language == "fr" else text

    def date_of(self, stamp: str) -> str:
        """A stored stamp as a short date in the zone."""
        return self.moment(stamp).split(" ", maxsplit=1)[0]

    def duration(self, seconds: float | None) -> str:
        """1 h 05 min; 3 min 20 s; 2.1 s. A dash when it is not known."""
        if seconds is None:
            return "–"
        if seconds < 10:
            text = f"{seconds:.1f}"
            return f"{text.replace('.', ',') if self.language == 'fr' else text}{_HARD}s"
        whole = round(seconds)
        if whole < 60:
            return f"{whole}{_HARD}s"
        if whole < 3600:
            return f"{whole // 60}{_HARD}min{_HARD}{whole % 60:02d}{_HARD}s"
        return f"{whole // 3600}{_HARD}h{_HARD}{whole % 3600 // 60:02d}{_HARD}min"

    def number(self, value: int) -> str:
        """With thousands set apart."""
        return f"{value:,}".replace(",", _THIN if self.language == "fr" else ",")

    def label(self, run: Mapping[str, Any]) -> str:
        """The category's label, as it was when the run was recorded."""
        labels = run["label"]
        return str(labels.get(self.language) or labels.get("en") or run["category"] or self.word("unclassified"))

    def contract(self, value: str | None) -> str:
        """In or out of contract."""
        return self.word(value) if value in {"in", "out"} else self.word("unclassified")

    def _local(self, stamp: str) -> datetime:
        return datetime.fromisoformat(stamp).astimezone(self._zone)
