# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access reviews: what was signed, what differs since, and nothing more than that."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.access_review import lists, signing_off, standing
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.access_review.signing_off import Signature
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.verification import verify

START = datetime(2026, 9, 1, 9, tzinfo=UTC)
ALICE: dict[str, Any] = {"name": "alice", "keys": ["ssh-ed25519 AAAA alice"], "groups": ["adm"]}
BOB: dict[str, Any] = {"name": "bob", "keys": ["ssh-ed25519 BBBB bob"]}
NAMES = st.text(min_size=1, max_size=6)
ENTRIES = st.lists(
    st.fixed_dictionaries({"name": NAMES, "groups": st.lists(NAMES, max_size=2)}),
    max_size=6,
    unique_by=lambda entry: entry["name"],
)  # fmt: skip


def web(*accounts: dict[str, Any], host: str = "web1") -> dict[str, Any]:
    return {host: lists.of_host(host, {"ssh_accounts": list(accounts)})}


class Book:
    """A ledger in which days pass."""

    def __init__(self, path: Path) -> None:
        self.ledger = Ledger(path / "ledger.sqlite3")
        self.ledger.create()

    def sign(self, day: int, hosts: dict[str, Any], client: str = "acme", left_out: Any = (), **more: Any) -> None:
        given = {"reviewer": "Jeanne", "decision": "confirmed", "by": "ada", "note": None, "every_days": 90, **more}
        signing_off.sign_off(self.ledger, client, hosts, Signature(**given), START + timedelta(days=day), left_out)

    def note(self, day: int, hosts: dict[str, Any], client: str = "acme") -> int:
        return signing_off.note(self.ledger, {client: hosts}, START + timedelta(days=day))

    def standing(self, day: int, client: str | None = "acme", until: str = "9999") -> Any:
        today = (START + timedelta(days=day)).date()
        with self.ledger.reading() as connection:
            found = standing.standings(connection, until, client, today)
        return found if client is None else found[0] if found else None


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


@given(ENTRIES, st.randoms())
def test_the_order_of_a_list_and_fields_without_value_do_not_count(entries: list[dict[str, Any]], random: Any) -> None:
    mixed = [{**entry, "expires": None} for entry in entries]
    random.shuffle(mixed)
    assert lists.of_host("h", {"ssh_accounts": entries}) == lists.of_host("h", {"ssh_accounts": mixed})


@given(ENTRIES, ENTRIES)
def test_what_differs_is_named_and_nothing_else(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    old, new = ({each["name"]: each for each in entries} for entries in (before, after))
    found = lists.difference(web(*before)["web1"], web(*after)["web1"])
    expected = {
        "added": sorted(set(new) - set(old)),
        "removed": sorted(set(old) - set(new)),
        "altered": sorted(name for name in old if name in new and old[name] != new[name]),
    }
    told = {key: found[0][key] for key in expected} if found else {"added": [], "removed": [], "altered": []}
    assert told == expected


def test_dates_count_as_they_are_written_and_keys_are_not_kept() -> None:
    written = lists.of_host("h", {"ssh_accounts": [{**ALICE, "expires": "2027-06-30"}]})
    parsed = lists.of_host("h", {"ssh_accounts": [{**ALICE, "expires": date(2027, 6, 30)}]})
    assert written == parsed
    assert "AAAA" not in str(written)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("alice", "h: access_ssh_accounts must be a list, not str"),
        (["alice"], "h: access_ssh_accounts: entry 1 must be a mapping, not str"),
        ([{"name": "a", "keys": {1, 2}}], "h: access_ssh_accounts holds a value of type set"),
    ],
)
def test_a_list_that_is_none_is_named(value: Any, said: str) -> None:
    with pytest.raises(lists.ListError, match=said):
        lists.of_host("h", {"ssh_accounts": value})


def test_a_review_is_current_until_a_list_changes_or_its_time_is_over(book: Book) -> None:
    assert book.standing(0) is None
    book.note(0, web(ALICE))
    assert book.standing(0)["state"] == "never"
    book.sign(1, web(ALICE))
    found = book.standing(1)
    assert (found["state"], found["reviewer"], found["recorded_by"]) == ("current", "Jeanne", "ada")
    assert (found["counts"], found["due"], found["compared_at"]) == ({"ssh_accounts": 1}, "2026-12-01", None)
    assert book.note(2, web(ALICE)) == 0
    assert book.standing(2)["compared_at"].startswith("2026-09-03")
    assert book.note(3, web(ALICE, BOB)) == 1
    found = book.standing(3)
    assert (found["state"], found["changed"][0]["added"]) == ("changed", ["bob"])
    # As it was at an earlier day, and as it is once the time is over.
    assert book.standing(3, until="2026-09-03T12:00:00.000000Z")["state"] == "current"
    assert book.standing(92)["state"] == "overdue"
    assert book.standing(92)["changed"]
    # Changed back is not changed.
    book.note(4, web(ALICE))
    assert book.standing(4)["state"] == "current"


def test_a_new_review_takes_the_place_of_the_one_before_and_an_objection_is_no_consent(book: Book) -> None:
    book.sign(0, web(ALICE))
    book.note(1, web(ALICE, BOB))
    book.sign(2, web(ALICE, BOB), decision="objected", note="bob has left")
    found = book.standing(2)
    assert (found["state"], found["note"], found["changed"]) == ("objected", "bob has left", [])
    book.sign(3, web(ALICE))
    assert book.standing(3)["state"] == "current"


def test_a_server_that_came_later_was_reviewed_by_nobody(book: Book) -> None:
    book.sign(0, web(ALICE))
    book.note(1, {**web(ALICE), **web(BOB, host="web2")})
    [change] = book.standing(1)["changed"]
    assert (change["host"], change["new"], change["added"]) == ("web2", True, ["bob"])


def test_a_list_too_long_to_name_is_still_told_by_its_digest(book: Book) -> None:
    many = [{"name": f"user{number}"} for number in range(lists.NAMED_ENTRIES + 1)]
    book.sign(0, web(*many))
    book.note(1, web(*many[:-1], {"name": "other"}))
    [change] = book.standing(1)["changed"]
    assert (change["added"], change["before"], change["after"]) == (None, 501, 501)


def test_each_client_stands_for_itself_and_the_chain_holds(book: Book) -> None:
    book.sign(0, web(ALICE))
    book.sign(0, web(BOB, host="db1"), client="globex", every_days=1)
    assert [(each["client"], each["state"]) for each in book.standing(5, client=None)] == [
        ("acme", "current"),
        ("globex", "overdue"),
    ]
    assert "globex" not in str(book.standing(5))
    with book.ledger.reading() as connection:
        assert not verify(connection).first


def test_what_does_not_change_costs_one_row_a_client(book: Book) -> None:
    hosts = {name: web(ALICE, host=name)[name] for name in ("a", "b", "c")}
    assert book.note(0, hosts) == 3
    for day in range(1, 5):
        assert book.note(day, hosts) == 0
    with book.ledger.reading() as connection:
        assert connection.execute("SELECT count(*) FROM records").fetchone()[0] == 4 + 4


def test_a_list_that_was_taken_away_whole_is_a_change(book: Book) -> None:
    book.sign(0, web(ALICE, BOB))
    assert book.note(1, {"web1": {}}) == 1
    [change] = book.standing(1)["changed"]
    assert (change["removed"], change["before"], change["after"]) == (["alice", "bob"], 2, None)
    assert book.note(2, {"web1": {}}) == 0
    # A server that never had any is nobody's business.
    assert book.note(3, {"web9": {}}, client="globex") == 0
    assert book.standing(3, client="globex") is None


def test_servers_that_a_review_left_out_stand_by_their_own_last_one(book: Book) -> None:
    both = {**web(ALICE), **web(BOB, host="web2")}
    book.sign(0, both, every_days=30)
    book.sign(20, web(ALICE), left_out=["web2"])
    found = book.standing(21)
    assert (found["state"], found["hosts"], found["counts"]) == ("current", ["web1", "web2"], {"ssh_accounts": 2})
    [earlier] = found["earlier"]
    assert (earlier["host"], earlier["reviewer"], earlier["due"]) == ("web2", "Jeanne", "2026-10-01")
    assert found["due"] == "2026-10-01"
    assert book.standing(31)["state"] == "overdue"
    book.note(22, {**web(ALICE), **web(ALICE, BOB, host="web2")})
    [change] = book.standing(22)["changed"]
    assert (change["host"], change["added"], change["new"]) == ("web2", ["alice"], False)
    # Left out once more: still the first.
    book.sign(25, web(ALICE), left_out=["web2"])
    assert book.standing(26)["earlier"][0]["signed_at"].startswith("2026-09-01")
    assert book.standing(26)["changed"]
    # And no longer there: nobody's.
    book.sign(28, web(ALICE))
    assert (book.standing(60)["state"], book.standing(60)["earlier"]) == ("current", [])


def test_an_objection_to_a_server_stays_when_a_later_review_leaves_it_out(book: Book) -> None:
    book.sign(0, web(BOB, host="web2"), decision="objected", note="bob has left")
    book.sign(1, web(ALICE), left_out=["web2"])
    assert book.standing(1)["state"] == "objected"
