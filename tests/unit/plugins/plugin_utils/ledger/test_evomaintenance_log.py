# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""evomaintenance's log, as its script writes it, with all that it gets wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import importing, reading
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.evomaintenance_log import Noted, begun, parse
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.loading import load

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def written(
    message: str = "Restarted nginx",
    head: str = "2026-11-23T09:35:49+0000",
    begin: str = "2026 Nov 23 09:02",
    user: str = "ada",
    host: str = "web1 (web1.example.org)",
    tail: str = "",
) -> str:
    """One record."""
    return (
        f"*********** {head} ***************\nHost      : {host}\nUser      : {user}\nIP        : 192.0.2.7\n"
        f"Begin     : {begin}\nEnd       : 2026 Nov 23 09:35\nMessage   : {message}\n"
        f"Hooks     : commit=1 db=0 api=1 mail=1\n{tail}"
    )


def test_a_record_is_read_with_all_its_fields() -> None:
    tail = "Mailto    : a@example.org\n/etc/.git : 1a2b3c4\n 2 files changed\n"
    (noted,) = parse(written("two\nlines, it's", tail=tail).splitlines(keepends=True)).records
    assert noted == Noted(
        line=1,
        logged="2026-11-23T09:35:49+0000",
        host="web1",
        fqdn="web1.example.org",
        user="ada",
        address="192.0.2.7",
        begun=datetime(2026, 11, 23, 9, 2, tzinfo=UTC),
        begin_text="2026 Nov 23 09:02",
        ended=datetime(2026, 11, 23, 9, 35, 49, tzinfo=UTC),
        message="two\nlines, it's",
        hooks="commit=1 db=0 api=1 mail=1",
        commits=("/etc/.git 1a2b3c4",),
    )


# As raw text of a file: lines end at line feeds, and nothing looks like a real head.
MESSAGES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")) | st.just("\n"), max_size=200)


@given(st.lists(MESSAGES, max_size=5))
def test_any_message_comes_back_as_it_was_written(messages: list[str]) -> None:
    text = "".join(written(message) for message in messages)
    parsed = parse(text.split("\n"))
    assert parsed.faults == []
    assert [noted.message for noted in parsed.records] == [message.strip() for message in messages]


def test_a_message_that_quotes_a_head_and_the_hooks_line_is_one_record() -> None:
    message = "see\nHooks     : commit=0 db=0 api=0 mail=0\n*********** 2026-11-23T09:35:49+0000 ***************\nend"
    parsed = parse(written(message).splitlines())
    assert [noted.message for noted in parsed.records] == [message]


@pytest.mark.parametrize(
    ("text", "ended", "expected"),
    [
        ("2026 Nov 23 09:02", "2026-11-23T09:35:49+00:00", "2026-11-23T08:02:00+00:00"),
        ("2026 Nov  3 09:02", "2026-11-23T09:35:49+00:00", "2026-11-03T08:02:00+00:00"),
        ("2026 2026-11-23 09:02", "2026-11-23T09:35:49+00:00", "2026-11-23T08:02:00+00:00"),
        ("2027 Dec 31 23:50", "2027-01-01T00:10:00+00:00", "2026-12-31T22:50:00+00:00"),
        ("2026", "2026-11-23T09:35:49+00:00", None),
        ("2026 Abc 1 10:00", "2026-11-23T09:35:49+00:00", None),
        ("2026 Feb 30 10:00", "2026-11-23T09:35:49+00:00", None),
        ("", "2026-11-23T09:35:49+00:00", None),
    ],
)
def test_the_beginning_has_the_servers_zone_and_never_lies_after_the_end(
    text: str, ended: str, expected: str | None
) -> None:
    found = begun(text, datetime.fromisoformat(ended), ZoneInfo("Europe/Paris"))
    assert (found and found.isoformat()) == expected


def test_damaged_records_are_told_and_the_others_are_read() -> None:
    good = written()
    no_hooks = good.replace("Hooks ", "Hoks ")
    no_user = good.replace("User      : ada\n", "")
    parsed = parse((good + no_hooks + no_user + good).splitlines())
    assert [noted.line for noted in parsed.records] == [1, 24]
    assert parsed.faults == [
        "line 9: the record has no line 'Hooks'",
        "line 17: the record has no line 'User' in its place",
    ]


def test_a_record_that_is_being_written_is_left_for_the_next_time() -> None:
    parsed = parse((written() + written()[:-60]).splitlines())
    assert (len(parsed.records), parsed.faults, parsed.unfinished) == (1, [], True)


def take(ledger: Ledger, path: Path, clients: dict[str, list[str]]) -> importing.Imported:
    """Import one file."""
    catalogue = load()
    return importing.from_evomaintenance(
        ledger,
        [path],
        NOW,
        owners=lambda noted: (noted.host, clients.get(noted.host, [])),
        category=catalogue.categories[catalogue.default],
        operator={"name": "importer"},
    )


def test_importing_again_adds_only_what_is_new(tmp_path: Path) -> None:
    ledger, log = Ledger(tmp_path / "l"), tmp_path / "evomaintenance.log"
    # The same words twice in one second are two records.
    log.write_text(written() + written() + written("No terminal", begin="2026 ", user=""))
    owned = {"web1": ["acme"]}
    assert take(ledger, log, owned).rows == 12
    assert (take(ledger, log, owned).rows, take(ledger, log, owned).known) == (0, 3)
    with log.open("a") as more:
        more.write(written("Later\nand longer", head="2026-11-23T10:35:49+0000", begin="2026 Nov 23 10:02"))
    assert take(ledger, log, owned).rows == 4
    with ledger.reading() as connection:
        runs = reading.interventions(connection, "2026", "2027", "acme")
    assert [run["note"] for run in runs] == ["Restarted nginx"] * 2 + ["No terminal", "Later\nand longer"]
    assert [run["complete"] for run in runs] == [True, True, False, True]
    assert [run["duration_seconds"] for run in runs] == [2029.0, 2029.0, None, 2029.0]
    assert {run["origin"] for run in runs} == {"evomaintenance"}
    assert [run["operator"] for run in runs] == ["ada", "ada", "(unknown)", "ada"]


def test_a_host_without_a_client_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(written() + written(host="db1"))
    ledger = Ledger(tmp_path / "l")
    with pytest.raises(importing.ImportRefused, match="whose hosts are these.*: db1"):
        take(ledger, log, {"web1": ["acme"]})
    assert not ledger.path.exists()
