# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file with one address a line, in a marked block that is ours: allow lists of web servers and the like."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.module_utils.addresses import lenient

from .command import attempt, find, later, must
from .daemon import Daemon
from .kept_file import Replaced, folder_of, read_text
from .protocol import LISTED, READY, Change, Command, Outside, Sink, SinkError, SinkState, Undo

__all__ = ["Block", "LineFile", "Template"]

SUFFIX = " infogerance.perimeter"


class Template:
    """How an address stands in a line: ``allow {address};``."""

    def __init__(self, text: str) -> None:
        if text.count("{address}") != 1 or "\n" in text or not text.isprintable():
            raise SinkError("template: %r must hold {address} once, in one line" % text)
        self.before, self.after = text.split("{address}")
        blanks = re.compile(r"\s+")
        parts = [r"\s+".join(re.escape(w) for w in blanks.split(part)) for part in (self.before, self.after)]
        self._pattern = re.compile(r"\s*%s(\S+?)%s\s*(?:#.*)?\Z" % (parts[0].lstrip(), parts[1].rstrip()))
        if not self.before.strip():
            self._pattern = re.compile(r"\s*(\S+?)%s\s*(?:#.*)?\Z" % parts[1].rstrip())

    def render(self, address: str) -> str:
        """The line for an address."""
        return self.before + address + self.after

    def read(self, line: str) -> str | None:
        """The canonical address of a line of this form, or None."""
        match = self._pattern.match(line)
        found = lenient(match.group(1)) if match else None
        return str(found) if found is not None else None


class Block:
    """A marked block in a text. What is outside is never changed by a byte."""

    def __init__(self, comment: str) -> None:
        self.begin = "%s BEGIN%s" % (comment, SUFFIX)
        self.end = "%s END%s" % (comment, SUFFIX)

    def split(self, text: str) -> tuple[str, list[str] | None, str]:
        """Before, the block's lines (None: no block), after. Raises SinkError for a block that does not close."""
        lines = text.splitlines(keepends=True)
        begins = [n for n, line in enumerate(lines) if line.strip() == self.begin]
        ends = [n for n, line in enumerate(lines) if line.strip() == self.end]
        if not begins and not ends:
            return "", None, text
        if len(begins) != 1 or len(ends) != 1 or begins[0] > ends[0]:
            raise SinkError("its marked block is damaged: mend %r and %r by hand" % (self.begin, self.end))
        inner = [line.rstrip("\n") for line in lines[begins[0] + 1 : ends[0]]]
        return "".join(lines[: begins[0]]), inner, "".join(lines[ends[0] + 1 :])

    def join(self, before: str, inner: list[str], after: str) -> str:
        """The text with this block."""
        return "".join([before, self.begin, "\n"] + [line + "\n" for line in inner] + [self.end, "\n", after])


class LineFile(Sink):
    """Generic: ``file``, ``template``, ``comment``, and the commands ``validate`` and ``reload``."""

    backend = "line_file"
    default_file = ""
    default_template = ""
    daemon: Daemon | None = None

    def __init__(self, settings: Mapping[str, Any], memory: Mapping[str, Any]) -> None:
        super().__init__(settings, memory)
        self.path = str(settings.get("file") or self.default_file)
        template = settings.get("template") or self.default_template
        if not self.path or not template:
            raise SinkError("%s: file and template are needed" % self.name)
        self.template = Template(str(template))
        self.block = Block(str(settings.get("comment") or "#"))
        self.validate = _words(settings.get("validate"), "validate")
        self.reload = _words(settings.get("reload"), "reload")
        ports = settings.get("ports")
        self.flow_ports = frozenset(ports) if ports else self.flow_ports

    @property
    def exclusive(self) -> bool:
        return True

    # -- reading ----------------------------------------------------------------------------

    def observe(self) -> SinkState:
        """Our block is the sink; lines of the same form outside are reported."""
        text = read_text(self.path)
        before, inner, after = self._split(text or "")
        ours = frozenset(a for a in map(self.template.read, inner or ()) if a is not None)
        outside = [
            Outside(address, "%s, outside the block" % self.path)
            for line in (before + after).splitlines()
            for address in (self.template.read(line),)
            if address is not None
        ]
        shape = READY if inner is not None and inner == self._render(ours) else "block differs"
        if text is None:
            shape = "missing"
        elif inner is None:
            shape = "no block"
        notes = self.notes()
        read = self.has_read()
        if read is None:
            notes.append("the service is not running: the file alone was looked at")
        state = {"file": shape, "live": READY if read is not False else "not reloaded since the file changed"}
        return SinkState(file={LISTED: ours}, live=None, shape=state, outside=outside, notes=notes)

    def has_read(self) -> bool | None:
        """Whether the service has read the file as it is now; None where nothing runs."""
        if self.daemon is not None:
            return self.daemon.has_read(self.path, self.memory)
        if self.reload and self.memory.get("loaded"):
            return bool(self.memory["loaded"] == _digest(self.path))
        return True

    def notes(self) -> list[str]:
        """What else a person should know of this sink."""
        return []

    def _split(self, text: str) -> tuple[str, list[str] | None, str]:
        try:
            return self.block.split(text)
        except SinkError as error:
            raise SinkError("%s: %s" % (self.path, error)) from None

    def _render(self, addresses: frozenset[str]) -> list[str]:
        return [self.template.render(a) for a in sorted(addresses)]

    # -- writing ----------------------------------------------------------------------------

    def test(self) -> None:
        """Raise SinkError where the service's own test of its configuration fails."""
        if self.validate:
            must(self.validate)

    def load(self) -> None:
        """Make the service read the file, and see that it did. Raises SinkError."""
        if self.reload:
            must(self.reload)
            self.memory["loaded"] = _digest(self.path)

    def check(self, state: SinkState, change: Change) -> None:
        """A configuration that is broken already would hide our own mistake, and fail the reload."""
        if not os.path.isdir(folder_of(folder_of(self.path))):
            raise SinkError("%s does not exist" % folder_of(folder_of(self.path)))
        self.test()

    def load_command(self) -> list[str]:
        """The command that makes the service read the file; empty where nothing runs."""
        return self.reload

    def way_back(self, state: SinkState, change: Change) -> tuple[list[str], list[Command]]:
        command = self.load_command()
        return [self.path], [later(command)] if command else []

    def apply(self, state: SinkState, change: Change) -> Undo:
        """Write, test, reload; whatever fails, the old file comes back and the service reads it."""
        files = Replaced()

        def undo() -> None:
            files.back()
            self.load()

        try:
            text = read_text(self.path) or ""
            before, _inner, after = self._split(text)
            ours = change.applied_to(state.file or {})[LISTED]
            files.write(self.path, self.block.join(before, self._render(ours), after))
            self.test()
        except SinkError:
            # Nothing was reloaded: the service never saw the new file.
            files.back()
            raise
        try:
            self.load()
        except SinkError as error:
            try:
                undo()
            except SinkError as second:
                raise SinkError("%s; the old file is back; reading it failed, too: %s" % (error, second)) from None
            raise SinkError("%s; the old file is back and was read" % error) from None
        return undo


def _digest(path: str) -> str:
    import hashlib

    text = read_text(path)
    return hashlib.sha256((text or "").encode("utf-8", "surrogateescape")).hexdigest()


def _words(command: Any, option: str) -> list[str]:
    if not command:
        return []
    try:
        words = shlex.split(str(command))
    except ValueError as error:
        raise SinkError("%s: %s" % (option, error)) from None
    if not words or find(words[0]) is None:
        raise SinkError("%s: %s is not installed on this server" % (option, words[0] if words else "''"))
    return words


def read_by(argv: list[str], path: str) -> bool:
    """True where the output of a service's own listing of its files names the path."""
    done = attempt(argv)
    return path in done.stdout or path in done.stderr
