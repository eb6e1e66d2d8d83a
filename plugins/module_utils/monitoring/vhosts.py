# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The web servers' virtual hosts, from the files of nginx and Apache as Debian lays them out.

Sources: nginx's configuration (``server``, ``listen``, ``server_name``, ``include``), Apache's ``<VirtualHost>``,
``ServerName``, ``ServerAlias`` and ``SSLEngine``. Nothing else of the files is kept.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator

from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.reading import Reader

from .item import Item

__all__ = ["apache_hosts", "nginx_hosts", "nginx_tokens", "vhosts"]

_TOKEN = re.compile(r"#[^\n]*|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[{};]|(?:[^\s{};\"'\\]|\\.)+", re.DOTALL)
_MOST_FILES = 5000
_MOST_DEPTH = 8

_LATE = "vhosts: max_seconds was reached: not all files were read"

#: One server block: names, ports, whether it speaks TLS, and the file.
Block = tuple[list[str], list[int], bool, str]


def vhosts(reader: Reader) -> list[Item]:
    """The virtual hosts, by name and server; a host of several blocks has the ports of all."""
    programs = {process.comm for process in reader.processes.processes.values()}
    found: list[Item] = []
    nginx = _nginx_files(reader, "/etc/nginx/nginx.conf", 0, [_MOST_FILES])
    found += _items("nginx", nginx_hosts(nginx), "nginx" in programs)
    blocks: list[Block] = []
    for seen in reader.files("/etc/apache2/sites-enabled", ending=".conf") if not reader.over else ():
        blocks += apache_hosts(seen.text, seen.path)
        if reader.over:
            reader.limit(_LATE)
            break
    return found + _items("apache", blocks, "apache2" in programs)


def _items(server: str, blocks: Iterable[Block], running: bool) -> list[Item]:
    by_name: dict[str, tuple[set[int], bool, str]] = {}
    for names, ports, tls, path in blocks:
        for name in names:
            known = by_name.setdefault(name.lower(), (set(), False, path))
            known[0].update(ports)
            by_name[name.lower()] = (known[0], known[1] or tls, known[2])
    state = "active" if running else "stopped"
    return [
        Item("vhost", name, server=server, ports=tuple(sorted(ports)), tls=tls, state=state, path=path)
        for name, (ports, tls, path) in sorted(by_name.items())
    ]


def nginx_tokens(text: str) -> Iterator[str]:
    """The words of a configuration, without comments and quotes. A brace in quotes keeps them: it is only a text."""
    for token in _TOKEN.findall(text):
        if not token.startswith("#"):
            bare = token[1:-1] if token[0] in "\"'" and len(token) > 1 else token
            yield token if bare in ("{", "}", ";") else bare


def _nginx_files(reader: Reader, path: str, depth: int, left: list[int]) -> Iterator[tuple[str, str]]:
    """(word, file) of a file with what it includes put in."""
    if reader.over:
        reader.limit(_LATE)
        return
    left[0] -= 1
    if left[0] < 0 or depth >= _MOST_DEPTH:
        reader.limit(
            "vhosts: of nginx %d files are read, included over %d levels: not all were" % (_MOST_FILES, _MOST_DEPTH)
        )
        return
    seen = reader.look(path)
    if seen is None:
        return
    words: list[str] = []
    for token in nginx_tokens(seen.text):
        words.append(token)
        if token not in (";", "{", "}"):
            continue
        if words[0] == "include" and len(words) == 3:
            pattern = os.path.normpath(os.path.join("/etc/nginx", words[1]))
            for name in _expanded(reader, pattern):
                yield from _nginx_files(reader, name, depth + 1, left)
        else:
            for word in words:
                yield word, path
        words = []


def _expanded(reader: Reader, pattern: str) -> list[str]:
    folder, last = os.path.split(pattern)
    if not re.search(r"[*?[]", last):
        return [pattern]
    return [os.path.join(folder, name) for name in reader.names(folder) if fnmatch.fnmatchcase(name, last)]


def nginx_hosts(words: Iterable[tuple[str, str]]) -> list[Block]:
    """The server blocks of a whole configuration."""
    found: list[Block] = []
    stack: list[str] = []
    line: list[str] = []
    # The one that is open, if any.
    block: list[Block] = []
    for word, path in words:
        if word == "{":
            stack.append(line[0] if line else "")
            if stack[-1] == "server" and "upstream" not in stack:
                block = [([], [], False, path)]
            line = []
        elif word == "}":
            if stack and stack.pop() == "server" and block:
                names, ports, tls, where = block.pop()
                found.append((names, ports or [80], tls, where))
            line = []
        elif word == ";":
            if block and line and stack and stack[-1] == "server":
                block = [_directive(block[0], line)]
            line = []
        else:
            line.append(word)
    return [block for block in found if block[0]]


def _directive(block: Block, line: list[str]) -> Block:
    names, ports, tls, path = block
    if line[0] == "server_name":
        for name in line[1:]:
            if re.fullmatch(r"[\w*.-]{1,253}", name, re.ASCII) and name not in ("_", "*"):
                # A dot before it stands for the name and all below it.
                names += [name[1:], "*" + name] if name.startswith(".") else [name]
    elif line[0] == "listen" and len(line) > 1 and not line[1].startswith("unix:"):
        port = re.search(r"(?:\A|:)(\d{1,5})\Z", line[1])
        ports.append(int(port.group(1)) if port else 80)
        tls = tls or "ssl" in line[2:]
    return names, ports, tls, path


def apache_hosts(text: str, path: str) -> list[Block]:
    """The virtual hosts of one file."""
    found: list[Block] = []
    block: Block | None = None
    for raw in text.replace("\\\n", " ").split("\n"):
        line = raw.strip()
        opened = re.match(r"<VirtualHost\s+([^>]+)>", line, re.IGNORECASE)
        if opened:
            ports = [int(port) for port in re.findall(r":(\d{1,5})(?=\s|\Z)", opened.group(1))]
            block = ([], ports, False, path)
        elif re.match(r"</VirtualHost>", line, re.IGNORECASE):
            if block is not None and block[0]:
                found.append(block)
            block = None
        elif block is not None:
            words = line.split()
            key = words[0].lower() if words else ""
            if key in ("servername", "serveralias"):
                names = [re.sub(r"\A\w+://|:\d+\Z", "", word.strip("\"'")) for word in words[1:]]
                block[0].extend(name for name in names if re.fullmatch(r"[\w*.-]{1,253}", name, re.ASCII))
            elif key == "sslengine" and len(words) > 1 and words[1].lower() == "on":
                block = (block[0], block[1], True, path)
    return found
