# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The language of sudoers(5), as far as it says who may do what. Pure: text in, values out.

Read generously: a rule that is reported and doesn't apply on this host costs a look, a rule that is missed costs
the server. What would make somebody root for certain is read strictly (``everything``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

__all__ = ["Rule", "SudoersText", "expand", "gives_everything", "grants_all", "read_sudoers"]

_ALIAS = re.compile(r"(User|Runas|Host|Cmnd|Cmd)_Alias\b\s*(.*)\Z", re.ASCII | re.DOTALL)
_INCLUDE = re.compile(r"[@#](include|includedir)[ \t]+(.+)\Z", re.ASCII)
_TAG = re.compile(r"(?:[A-Z_]+\s*:|[A-Z_]+=\S+\s)\s*", re.ASCII)
_DEEPEST = 32


@dataclass(frozen=True)
class Rule:
    """One rule: ``users`` and ``commands`` as they are written, aliases not followed."""

    line: int
    users: tuple[str, ...]
    commands: str
    text: str


@dataclass
class SudoersText:
    """One file. ``aliases`` maps (kind, name) to items; ``includes`` are (directive, path) in their order.

    ``more`` tells that the file holds something beside rules: defaults, aliases, includes.
    """

    rules: list[Rule] = field(default_factory=list)
    aliases: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    includes: list[tuple[str, str]] = field(default_factory=list)
    more: bool = False


def read_sudoers(text: str) -> SudoersText:
    """Read one file. What is no rule of the language is passed over, as sudo reports it and goes on."""
    made = SudoersText()
    for number, line in _logical(text):
        include = _INCLUDE.match(line)
        alias = _ALIAS.match(line)
        if include:
            made.includes.append((include.group(1), _unquote(include.group(2).strip())))
            made.more = True
        elif re.match(r"Defaults([@:!>\s]|\Z)", line):
            made.more = True
        elif alias:
            made.more = True
            kind = "Cmnd" if alias.group(1) == "Cmd" else alias.group(1)
            for part in _split(alias.group(2), ":"):
                name, equals, items = part.partition("=")
                if equals:
                    made.aliases[(kind, name.strip())] = tuple(i.strip() for i in _split(items, ","))
        else:
            left, equals, right = _partition(line, "=")
            who, hosts = _users_and_hosts(left)
            if equals and who and hosts:
                made.rules.append(Rule(number, who, right.strip(), line))
    return made


def expand(items: Iterable[str], aliases: Mapping[tuple[str, str], tuple[str, ...]], kind: str) -> list[str]:
    """The items with their aliases followed. What is excluded (``!``) is left out; it grants nothing."""
    found: list[str] = []
    _follow([(item, 0) for item in items], aliases, kind, found)
    return found


def _follow(
    items: list[tuple[str, int]], aliases: Mapping[tuple[str, str], tuple[str, ...]], kind: str, found: list[str]
) -> None:
    while items:
        item, depth = items.pop(0)
        if item.startswith("!"):
            # "!!" is a yes again.
            rest = item.lstrip("!").strip()
            if (len(item) - len(item.lstrip("!"))) % 2:
                continue
            item = rest
        if (kind, item) in aliases and depth < _DEEPEST:
            items[:0] = [(inner, depth + 1) for inner in aliases[(kind, item)]]
            continue
        name = _unquote(item)
        if name and name not in found:
            found.append(name)


def gives_everything(commands: str, aliases: Mapping[tuple[str, str], tuple[str, ...]] | None = None) -> bool:
    """True where the right side of a rule gives every command as root."""
    known = aliases or {}
    root = True
    for item in _split(commands, ","):
        # A second host list ("ALL : mail = ...") starts anew; what stands before it is what counts here.
        word = re.split(r"\s:\s", item.strip(), maxsplit=1)[0].strip()
        runas = re.match(r"\(([^)]*)\)\s*", word)
        if runas:
            users = [u.strip() for u in _split(runas.group(1).split(":")[0], ",")]
            root = bool({"ALL", "root", "#0"} & set(expand(users, known, "Runas")))
            word = word[runas.end() :]
        while True:
            tag = _TAG.match(word)
            if tag is None:
                break
            word = word[tag.end() :]
        if root and "ALL" in expand([word.strip()], known, "Cmnd"):
            return True
    return False


def grants_all(rule: str) -> bool:
    """True where one rule, its aliases not known, gives every command as root."""
    return gives_everything(_partition(rule, "=")[2])


def _logical(text: str) -> list[tuple[int, str]]:
    rows, held, start = [], "", 0
    for number, raw in enumerate(text.split("\n"), 1):
        start = start if held else number
        # sudo takes lines that end by carriage return and line feed.
        piece = raw[:-1] if raw.endswith("\r") else raw
        if piece.endswith("\\"):
            held += piece[:-1]
            continue
        line = _without_comment(held + piece).strip()
        held = ""
        if line:
            rows.append((start, line))
    last = _without_comment(held).strip()
    return rows + ([(start, last)] if last else [])


def _without_comment(line: str) -> str:
    if re.match(r"\s*#include(dir)?[ \t]", line):
        return line
    quoted, position = False, 0
    while position < len(line):
        char = line[position]
        if char == "\\":
            position += 1
        elif char == '"':
            quoted = not quoted
        elif char == "#" and not quoted:
            before = line[:position].rstrip()
            # "#1001" is a uid where a name may stand, and a comment elsewhere.
            if not (re.match(r"#-?\d", line[position:]) and (not before or before[-1] in ",(:!%")):
                return line[:position]
        position += 1
    return line


def _pieces(text: str, separator: str) -> Iterable[int]:
    """Where the separator stands outside quotes, parentheses and escapes."""
    quoted, inside, position = False, 0, 0
    while position < len(text):
        char = text[position]
        if char == "\\":
            position += 1
        elif char == '"':
            quoted = not quoted
        elif not quoted and char == separator and not inside:
            yield position
        elif not quoted and char in "()":
            inside += 1 if char == "(" else -1
        position += 1


def _split(text: str, separator: str) -> list[str]:
    found, start = [], 0
    for position in _pieces(text, separator):
        found.append(text[start:position])
        start = position + 1
    return found + [text[start:]]


def _partition(text: str, separator: str) -> tuple[str, str, str]:
    for position in _pieces(text, separator):
        return text[:position], separator, text[position + 1 :]
    return text, "", ""


def _users_and_hosts(left: str) -> tuple[tuple[str, ...], str]:
    """The list of users and the rest: they part at the first blank that no comma or ``!`` stands beside."""
    items = [item.strip() for item in _split(left, ",")]
    users: list[str] = []
    for number, item in enumerate(items):
        words = _words(re.sub(r"!\s+", "!", item))
        if not words:
            return (), ""
        users.append(words[0])
        if len(words) > 1:
            return tuple(users), " ".join(words[1:] + items[number + 1 :])
    return (), ""


def _words(text: str) -> list[str]:
    return re.findall(r"(?:\\.|\"[^\"]*\"|[^\s\"\\])+", text)


def _unquote(text: str) -> str:
    plain = text.replace('"', "")
    plain = re.sub(r"\\x([0-9a-fA-F]{2})", lambda found: chr(int(found.group(1), 16)), plain)
    return re.sub(r"\\(.)", r"\1", plain)
