# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a plugin prints, the parser answers; what the guidelines say, it reads."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.module_utils.nagios_checks import commands_of
from ansible_collections.infogerance.perimeter.plugins.module_utils.nagios_output import parse, perfdata_of


def test_status_line_long_text_and_both_places_of_performance_data():
    told = parse(
        "DISK WARNING - free space: / 3326 MB (12%) | /=23950MB;22000;25000;0;27276\n"
        "/var 15272 MB (77%)\n/home 69357 MB (27%) | /var=68MB;88;93;0;98\n/home=69357MB;253404;253409;0;253414\n",
        1,
    )
    assert told["state"] == "warning"
    assert told["text"] == "DISK WARNING - free space: / 3326 MB (12%)"
    assert told["long_text"] == "/var 15272 MB (77%)\n/home 69357 MB (27%)"
    assert [(item["label"], item["value"], item["unit"], item["max"]) for item in told["perfdata"]] == [
        ("/", 23950.0, "MB", "27276"),
        ("/var", 68.0, "MB", "98"),
        ("/home", 69357.0, "MB", "253414"),
    ]
    assert told["unparsed"] == []


@pytest.mark.parametrize(
    ("code", "line", "state"),
    [
        (0, "whatever", "ok"),
        (1, "OK says the text, the code wins", "warning"),
        (2, "", "critical"),
        (3, "", "unknown"),
        (127, "sh: not found", "unknown"),
        (-9, "", "unknown"),
        (None, "LOAD CRITICAL: load average 12.0", "critical"),
        (None, "it is all ok", "unknown"),
        (None, "DISK OK - no WARNING", "ok"),
    ],
)
def test_the_exit_code_decides_and_without_one_the_first_status_word(code, line, state):
    assert parse(line, code)["state"] == state


@pytest.mark.parametrize(
    ("text", "label", "value", "unit"),
    [
        ("'it''s a label'=1", "it's a label", 1.0, ""),
        ("time=0.002s;;;0.000", "time", 0.002, "s"),
        ("used=84%;@80:90;~:95", "used", 84.0, "%"),
        ("count=-1.5e3c", "count", -1500.0, "c"),
        ("later=U;1;2", "later", None, ""),
    ],
)
def test_an_item_of_performance_data_is_read(text, label, value, unit):
    items, unparsed = perfdata_of(text)
    assert unparsed == []
    assert [(item["label"], item["value"], item["unit"]) for item in items] == [(label, value, unit)]


@pytest.mark.parametrize("text", ["a", "=1", "a=", "a=1;2;3;4;5;6", "a=1,5", "'open=1", "a=1e999", "a=nan"])
def test_what_is_no_item_is_kept_and_does_not_hide_the_next(text):
    items, unparsed = perfdata_of(text + " good=7")
    assert [item["label"] for item in items] == ["good"]
    assert unparsed == [text]


@given(st.text(), st.none() | st.integers())
def test_any_text_is_answered(text, code):
    told = parse(text, code)
    assert told["state"] in ("ok", "warning", "critical", "unknown")
    assert all(item["value"] is None or math.isfinite(item["value"]) for item in told["perfdata"])


LABEL = st.text(st.characters(exclude_characters="|\n\r\0", exclude_categories=["Cs"]), min_size=1)


@given(st.lists(st.tuples(LABEL, st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["", "%", "MB"]))))
def test_what_is_written_by_the_rules_is_read_back(items):
    written = " ".join("'%s'=%r%s;1;2;;" % (label.replace("'", "''"), value, unit) for label, value, unit in items)
    found, unparsed = perfdata_of(written)
    assert unparsed == []
    assert [(item["label"], item["value"], item["unit"]) for item in found] == items[:200]


@given(st.text())
def test_any_nrpe_file_is_answered(text):
    commands_of(text)


def test_commands_of_an_nrpe_file():
    text = "# command[no]=/bin/no\nallowed_hosts=192.0.2.1\ncommand[load]=/usr/lib/nagios/plugins/check_load -w 5\n"
    assert commands_of(text + "command[load]=/bin/later\n command[ disk ]=x\n") == [("load", "/bin/later")]
