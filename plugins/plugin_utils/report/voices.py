# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each text in both languages at once, so that the page can change its language by itself. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report import reasons
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.speaking import Speaker
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.wording import LANGUAGES

# In the order of LANGUAGES.
Pair = tuple[str, str]
_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})")


class Voices:
    """Says everything in French and in English, in one time zone."""

    def __init__(self, zone: tzinfo) -> None:
        self._speakers = [Speaker(language, zone) for language in LANGUAGES]

    def say(self, speak: Callable[[Speaker], str]) -> Pair:
        """What both speakers make of it."""
        first, second = (speak(speaker) for speaker in self._speakers)
        return (first, second)

    def word(self, key: str, **values: Any) -> Pair:
        """The text of a key; a value that is a pair is put in by language."""
        french, english = (
            speaker.word(
                key, **{name: value[place] if isinstance(value, tuple) else value for name, value in values.items()}
            )
            for place, speaker in enumerate(self._speakers)
        )
        return (french, english)

    def counted(self, key: str, count: int) -> Pair:
        """The text of a key for so many."""
        return self.say(lambda speaker: speaker.counted(key, count, count=speaker.number(count)))

    def template(self, key: str) -> Pair:
        """The text of a key with its placeholders."""
        return self.say(lambda speaker: speaker.template(key))

    def known(self, group: str, value: Any) -> Pair:
        """The word for a value such as an action, or the value itself."""
        return self.say(lambda speaker: speaker.known(group, value))

    def moment(self, stamp: str | None) -> Pair:
        """A date and time."""
        return self.say(lambda speaker: speaker.moment(stamp))

    def date_of(self, stamp: str) -> Pair:
        """The day of a stamp."""
        return self.say(lambda speaker: speaker.date_of(stamp))

    def local_day(self, stamp: str) -> str:
        """The stamp's day here, as 2027-06-30: the same in both languages."""
        return self._speakers[0].local_day(stamp)

    def duration(self, seconds: float | None) -> Pair:
        """A duration."""
        return self.say(lambda speaker: speaker.duration(seconds))

    def number(self, value: int) -> Pair:
        """A number with thousands set apart."""
        return self.say(lambda speaker: speaker.number(value))

    def servers(self, count: int) -> Pair:
        """3 servers."""
        return self.counted("servers_count", count)

    def label(self, run: Mapping[str, Any]) -> Pair:
        """A category's label."""
        return self.say(lambda speaker: speaker.label(run))

    def contract(self, value: str | None) -> Pair:
        """In or out of contract."""
        return self.say(lambda speaker: speaker.contract(value))

    def day(self, iso: str | None) -> Pair:
        """A plain day such as 2027-06-30, as short as in tables."""
        if not iso:
            return ("", "")
        match = _DAY.match(iso)
        # Servers tell days, too: what is none is shown as it was told.
        return (f"{match[3]}/{match[2]}/{match[1]}", match[0]) if match else (iso, iso)

    def differences(self, text: str) -> Pair:
        """What differs from a declaration: the module tells it in English."""
        return (reasons.differences_in_french(text), text)

    def reason(self, text: str) -> Pair:
        """Why something was done."""
        return self.say(lambda speaker: speaker.reason(text))
