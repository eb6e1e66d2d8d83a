# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command that a finding names hits the one file that was found, whatever its name holds."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.family import shown
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.remedy import (
    comment_out,
    drop_lines,
    on_path,
    remove,
    word,
)

NAMES = st.binary(min_size=1, max_size=40).filter(lambda b: b"/" not in b and b"\0" not in b and b not in (b".", b".."))


def shell(command: str) -> bytes:
    return subprocess.run(["/bin/sh", "-ec", command], check=True, capture_output=True).stdout


@settings(max_examples=60, deadline=None)
@given(name=NAMES)
@example(name=b"ends in a line break\n")
@example(name=b"\xff '\"$(touch pwned)`; rm -rf *\n")
@example(name=b"-rf")
@example(name=b"%s\\n\\000")
def test_only_the_named_file_goes(name: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = os.fsencode(folder) + b"/" + name
        others = {b"other", b"touch", b"ends in a line break"} - {name}
        for one in [path, *(os.fsencode(folder) + b"/" + o for o in others)]:
            Path(os.fsdecode(one)).write_bytes(b"")
        shell(remove(os.fsdecode(path)))
        assert set(os.listdir(os.fsencode(folder))) == others


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30))
@example(text="-\x1f")
def test_a_word_reaches_the_command_as_it_is(text: str) -> None:
    # $(...) cuts off final line breaks: no account or group has any.
    assert shell(f"printf %s {word(text)}").decode().rstrip("\n") == text.rstrip("\n")


def test_lines_are_dropped_or_turned_into_comments(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("one AAAA+/x=\ntwo AAAB\nthree AAAA+/x= again\n")
    shell(comment_out(str(file), 2))
    assert file.read_text() == "one AAAA+/x=\n# two AAAB\nthree AAAA+/x= again\n"
    shell(drop_lines(str(file), "AAAA+/x="))
    assert file.read_text() == "# two AAAB\n"


def test_a_piece_that_sed_would_understand_is_refused() -> None:
    with pytest.raises(ValueError, match="escaping"):
        drop_lines("/x", "a.*")


def test_what_a_user_owns_is_changed_as_the_user() -> None:
    assert on_path(["rm", "--"], "/home/a/x", "alice") == "runuser -u alice -- rm -- /home/a/x"


@given(st.text())
def test_what_is_shown_can_be_printed(text: str) -> None:
    assert shown(text).isprintable()


def test_escape_sequences_and_odd_bytes_show_as_hexadecimal() -> None:
    assert shown("a\x1b[31mb\n\udcff é") == "a\\x1b[31mb\\x0a\\xff é"
