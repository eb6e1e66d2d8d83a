# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an authority keeps its files, read from its openssl.cnf. Pure: text and environment in, values out.

Only what ``openssl ca`` needs is understood: sections, ``name = value``, ``$name``, ``${name}``, ``$section::name``,
``$ENV::NAME``, quotes, comments and continued lines. Anything else that matters raises ConfigError.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["ConfigError", "parse_config", "resolve_section"]

_VARIABLE = re.compile(r"\$(?:\{([^}]+)\}|\(([^)]+)\)|((?:\w+::)?\w+))")
Sections = dict[str, dict[str, str]]


class ConfigError(ValueError):
    """The configuration can't be read surely."""


def parse_config(text: str, environment: Mapping[str, str]) -> Sections:
    """All sections with their values expanded. Names before the first section are in ``default``."""
    sections: Sections = {"default": {}}
    current = "default"
    for number, line in _logical_lines(text):
        if line.startswith("["):
            if "]" not in line:
                raise ConfigError("line %d: section without ]" % number)
            current = line[1 : line.index("]")].strip()
            sections.setdefault(current, {})
            continue
        if line.startswith(".include"):
            raise ConfigError("line %d: .include is not followed: name the files in pki instead" % number)
        name, equals, value = line.partition("=")
        if not equals:
            # x509-types fragments and site notes hold such lines; they name nothing that we look for.
            continue
        name = name.strip()
        section = current
        if "::" in name:
            section, name = name.split("::", 1)
            sections.setdefault(section, {})
        sections[section][name] = _expand(_unquote(value.strip()), section, sections, environment)
    return sections


def _logical_lines(text: str) -> list[tuple[int, str]]:
    lines: list[tuple[int, str]] = []
    pending = ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = pending + raw
        if line.endswith("\\") and not line.endswith("\\\\"):
            pending = line[:-1]
            continue
        pending = ""
        line = _without_comment(line).strip()
        if line:
            lines.append((number, line))
    return lines


def _without_comment(line: str) -> str:
    quote = ""
    for position, character in enumerate(line):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character == "#" and (position == 0 or line[position - 1] != "\\"):
            return line[:position]
    return line


def _unquote(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value


def _expand(value: str, section: str, sections: Sections, environment: Mapping[str, str]) -> str:
    def look_up(found: re.Match[str]) -> str:
        name = found.group(1) or found.group(2) or found.group(3)
        where, colons, rest = name.partition("::")
        if colons and where == "ENV":
            # An unset variable only matters where its value is used.
            return environment.get(rest, "")
        for place in (where,) if colons else (section, "default"):
            known = sections.get(place, {}).get(rest if colons else name)
            if known is not None:
                return known
        return ""

    return _VARIABLE.sub(look_up, value)


def resolve_section(sections: Sections, wanted: str | None = None) -> dict[str, str]:
    """The section of the authority: ``wanted``, or what ``default_ca`` names. Raises ConfigError."""
    name = wanted or sections.get("ca", {}).get("default_ca") or sections["default"].get("default_ca")
    if not name:
        raise ConfigError("names no default_ca")
    if name not in sections:
        raise ConfigError("has no section [%s]" % name)
    return sections[name]
