# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read fields of plain YAML content, or say which entry and field is wrong. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_CLOCK = re.compile(r"([01]\d|2[0-4]):([0-5]\d)\Z")


class TermsError(ValueError):
    """A file of clients' terms that cannot be used; the message names the client, the entry and the field."""


def mapping(value: Any, where: str, known: Sequence[str] | None = None) -> Mapping[str, Any]:
    """A mapping with text keys, and with none but the known ones."""
    if not isinstance(value, Mapping):
        raise TermsError(f"{where} must be a mapping, not {type(value).__name__}")
    for key in value:
        if not isinstance(key, str) or not key:
            raise TermsError(f"{where}: {key!r} is no name: write it in quotes")
        if known is not None and key not in known:
            raise TermsError(f"{where}: unknown field {key!r}; it may hold {', '.join(known)}")
    return value


def items(value: Any, where: str) -> Sequence[Any]:
    """A list; nothing at all is an empty one."""
    if value is None:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        raise TermsError(f"{where} must be a list, not {type(value).__name__}")
    return value


def text(fields: Mapping[str, Any], name: str, where: str, *, required: bool = False) -> str | None:
    """A text that is not blank."""
    value = fields.get(name)
    if value is None and not required:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise TermsError(f"{where}: field '{name}' is missing or empty" if not value else _not(where, name, "a text"))
    return value.strip()


def names(fields: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    """A text or a list of texts."""
    value = fields.get(name)
    given = [value] if isinstance(value, str) else items(value, f"{where}: field '{name}'")
    for item in given:
        if not isinstance(item, str) or not item.strip():
            raise TermsError(f"{where}: field '{name}' holds {item!r}, which is no name")
    return tuple(dict.fromkeys(item.strip() for item in given))


def choice(fields: Mapping[str, Any], name: str, where: str, allowed: Sequence[str], default: str | None) -> str:
    """One of the allowed words."""
    value = fields.get(name, default)
    # YAML reads a bare `off` as false; the words used here avoid that, so anything else is a mistake.
    if not isinstance(value, str) or value not in allowed:
        raise TermsError(f"{where}: field '{name}' must be one of {', '.join(allowed)}, not {value!r}")
    return value


def whole(fields: Mapping[str, Any], name: str, where: str, least: int, most: int) -> int | None:
    """A whole number within bounds."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise TermsError(f"{where}: field '{name}' must be a whole number from {least} to {most}, not {value!r}")
    return value


def number(fields: Mapping[str, Any], name: str, where: str, *, above: int = 0, most: int = 10**9) -> Decimal | None:
    """An exact decimal number. A YAML number is taken as it is written."""
    value = fields.get(name)
    if value is None:
        return None
    try:
        found = Decimal(str(value).strip()) if isinstance(value, (int, float, str, Decimal)) else None
    except InvalidOperation:
        found = None
    if found is None or isinstance(value, bool) or not found.is_finite() or not above < found <= most:
        raise TermsError(f"{where}: field '{name}' must be a number above {above} and at most {most}, not {value!r}")
    exponent = found.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -6:
        raise TermsError(f"{where}: field '{name}' has more than six decimals: {value!r}")
    return found


def day(fields: Mapping[str, Any], name: str, where: str) -> date | None:
    """A day, as YAML's own date or as text."""
    value = fields.get(name)
    return None if value is None else day_of(value, f"{where}: field '{name}'")


def day_of(value: Any, where: str) -> date:
    """One day."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and _DAY.match(value.strip()):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            pass
    raise TermsError(f"{where} must be a day such as 2026-11-23, not {value!r}")


def clock(fields: Mapping[str, Any], name: str, where: str) -> int | None:
    """A time of day as minutes since midnight, up to 24:00."""
    value = fields.get(name)
    if value is None:
        return None
    match = _CLOCK.match(value) if isinstance(value, str) else None
    minutes = int(match[1]) * 60 + int(match[2]) if match else 1441
    if minutes > 1440:
        # YAML 1.1 reads 08:30 without quotes as a number of base 60.
        raise TermsError(f"{where}: field '{name}' must be a time in quotes such as \"08:30\", not {value!r}")
    return minutes


def zone(fields: Mapping[str, Any], name: str, where: str) -> str | None:
    """A name of the time zone database."""
    value = text(fields, name, where)
    if value is None or value.upper() == "UTC":
        return value and "UTC"
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise TermsError(f"{where}: field '{name}': {value!r} is not in this machine's time zone database") from None
    return value


def _not(where: str, name: str, wanted: str) -> str:
    return f"{where}: field '{name}' is not {wanted}"
