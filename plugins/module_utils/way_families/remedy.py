# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that a person can paste into root's shell: exact, quoted, and harmless where a user owns the place."""

from __future__ import annotations

import os
import re
import shlex

__all__ = ["comment_out", "drop_lines", "on_path", "remove", "word"]

_PLAIN = re.compile(r"[\x20-\x7e]*\Z")


def word(text: str) -> str:
    """One word for sh(1). Odd bytes are written in octal."""
    if _PLAIN.match(text):
        return shlex.quote(text)
    # A format that begins with a dash would be taken for an option.
    return '"$(printf -- %s)"' % shlex.quote(_octal(text))


def on_path(words: list[str], path: str, owner: str | None = None) -> str:
    """``words`` with the path behind them. ``owner`` runs it: what a user owns root should not touch by name."""
    front = (["runuser", "-u", owner, "--"] if owner else []) + words
    if _PLAIN.match(path):
        return shlex.join([*front, path])
    # A name may end in a line break, which $(...) would cut off.
    return "printf %s | xargs -0 %s" % (shlex.quote(_octal(path) + "\\000"), shlex.join(front))


def remove(path: str, owner: str | None = None) -> str:
    """Remove a file, or a link itself."""
    return on_path(["rm", "-f", "--"], path, owner)


def comment_out(path: str, number: int, owner: str | None = None, mark: str = "#") -> str:
    """Turn one line into a comment: other lines keep their numbers."""
    return on_path(["sed", "-i", "%ds/^/%s /" % (number, mark), "--"], path, owner)


def drop_lines(path: str, piece: str, owner: str | None = None) -> str:
    """Drop the lines that hold ``piece``: a text of letters, digits, ``+``, ``/`` and ``=`` only."""
    if not re.fullmatch(r"[A-Za-z0-9+/=]+", piece, re.ASCII):
        raise ValueError("%r needs escaping" % piece)
    return on_path(["sed", "-i", "\\#%s#d" % piece, "--"], path, owner)


def _octal(text: str) -> str:
    raw = os.fsencode(text)
    return "".join(chr(b) if 0x20 <= b < 0x7F and b not in b"\\%" else "\\%03o" % b for b in raw)
