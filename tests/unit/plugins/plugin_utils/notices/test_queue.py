# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is told of what, and that nothing that waits keeps the rest waiting. The servers here are made up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.recorder import COUNTS, Recorder
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices import events, sending
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices.channel import Unavailable
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices.sending import Rules, Sent, Subscription
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices.wording import Message

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SHARED = {"web1": ["acme"], "db1": ["globex"]}


class Server:
    """Takes all but those whose text has one of its words: for these it hangs up."""

    def __init__(self, *poison: str) -> None:
        self.poison = poison
        self.got: list[Message] = []
        self.tries = 0

    def send(self, message: Message) -> str:
        self.tries += 1
        if any(word in message.text for word in self.poison):
            raise Unavailable("hung up")
        self.got.append(message)
        return ""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path / "ledger.sqlite3")
    made.create()
    return made


def ran(
    ledger: Ledger,
    outcome: str | None = "blocked",
    hosts: dict[str, list[str]] | None = None,
    at: datetime = NOW,
    *,
    failed: str = "",
    playbook: str = "move.yml",
    gate: dict[str, Any] | None = None,
) -> str:
    ticks = iter(range(10_000))
    recorder = Recorder(ledger, now=lambda: at + timedelta(milliseconds=next(ticks)))
    label = {"fr": "Migration", "en": "Migration"}
    recorder.start(
        {
            "playbook": playbook, "check_mode": False, "operator": {"name": "ada"},
            "scope": {"category": "migration", "label": label, "contract": "out"}, "gate": gate or {},
        }
    )  # fmt: skip
    hosts = hosts or {"web1": ["acme"]}
    for host, owners in hosts.items():
        recorder.host(host, owners)
    zero = dict.fromkeys(COUNTS, 0)
    recorder.finish(outcome, {host: {**zero, "ok": 1, "failed": int(host == failed)} for host in hosts}, 0)
    return recorder.run_id


def send(ledger: Ledger, server: Any, at: datetime = NOW, **more: Any) -> Sent:
    its = {"events": events.EVENTS, "clients": None, "language": "en", **more}
    return sending.send(ledger, [Subscription("ops", server, **its)], Rules(), at + timedelta(seconds=1))


def told(ledger: Ledger, client: str) -> list[Message]:
    server = Server()
    its = Subscription(client, server, events.EVENTS, [client], "en")
    sending.send(ledger, [its], Rules(), NOW + timedelta(minutes=1))
    return server.got


def test_another_clients_failure_is_no_news_for_this_one(ledger: Ledger) -> None:
    ran(ledger, None, SHARED, failed="db1", playbook="infogerance.perimeter.reconcile")
    assert told(ledger, "acme") == []
    [message] = told(ledger, "globex")
    assert (message.data["event"], message.data["outcome"]) == ("failed_reconcile", "failed")


def test_who_has_agreed_is_not_told_that_nobody_has(ledger: Ledger) -> None:
    gate = {"clients": [{"client": "acme", "passed": True}, {"client": "globex", "passed": False}]}
    ran(ledger, "blocked", SHARED, gate=gate)
    assert told(ledger, "acme") == []
    assert [message.data["event"] for message in told(ledger, "globex")] == ["blocked"]


def test_the_reason_of_an_emergency_is_told_to_those_whose_contract_it_is_outside_of(ledger: Ledger) -> None:
    clients = [
        {"client": "acme", "contract": "in", "passed": True}, {"client": "globex", "contract": "out", "passed": True},
    ]  # fmt: skip
    ran(ledger, None, SHARED, gate={"clients": clients, "emergency": "globex is down"})
    assert told(ledger, "acme") == []
    assert [message.data["emergency"] for message in told(ledger, "globex")] == ["globex is down"]


def test_a_message_at_which_the_server_hangs_up_does_not_keep_the_others_waiting(ledger: Ledger) -> None:
    server = Server("bad1", "bad2")
    for number, host in enumerate(["bad1", "bad2", "web1"]):
        ran(ledger, hosts={host: ["acme"]}, at=NOW + timedelta(seconds=number))
    moment = NOW + timedelta(seconds=5)
    for _turn in range(3):
        done = send(ledger, server, moment)
        moment += timedelta(minutes=5)
    assert ["web1" in message.text for message in server.got] == [True]
    assert len(done.waiting) == 2
    # Nor does it later on, when both have failed for a day.
    for _turn in range(100):
        send(ledger, server, moment)
        moment += timedelta(minutes=15)
    assert server.tries < 40
    ran(ledger, hosts={"web2": ["acme"]}, at=moment)
    for _turn in range(25):
        send(ledger, server, moment)
        moment += timedelta(minutes=15)
    assert len(server.got) == 2


def test_nothing_is_sent_that_could_not_be_kept(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ran(ledger)
    server = Server()

    def full(_self: Ledger, _timeout: float | None = None) -> NoReturn:
        raise LedgerError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "transaction", full)
        for _turn in range(3):
            with pytest.raises(LedgerError, match="full"):
                send(ledger, server)
    assert server.tries == 0
    assert len(send(ledger, server).sent) == 1


@pytest.mark.parametrize("spoilt", ["", "[]", "null", '{"ops": 1}', '{"ops": {"until": "9", "times": "x"}}'])
def test_a_spoilt_file_of_waits_costs_an_early_try_and_no_more(ledger: Ledger, spoilt: str) -> None:
    ran(ledger)
    ledger.path.with_name(ledger.path.name + ".notices.json").write_text(spoilt)
    assert len(send(ledger, Server()).sent) == 1


def test_what_nobody_sent_in_time_is_named(ledger: Ledger) -> None:
    server = Server()
    ran(ledger)
    assert len(send(ledger, server).sent) == 1
    # The timer was off for a month.
    missed = ran(ledger, hosts={"web2": ["acme"]}, at=NOW + timedelta(days=3))
    done = send(ledger, server, NOW + timedelta(days=30))
    assert done.given_up == [f"ops: blocked {missed}"]
    assert send(ledger, server, NOW + timedelta(days=31)).given_up == []
    assert len(server.got) == 1


def test_a_channel_that_is_new_is_not_told_of_what_was_before_it(ledger: Ledger) -> None:
    ran(ledger, at=NOW - timedelta(days=20))
    done = send(ledger, Server())
    assert (done.sent, done.given_up) == ([], [])


def test_a_ledger_has_one_sender_by_whatever_name(ledger: Ledger, tmp_path: Path) -> None:
    ran(ledger)
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "other.sqlite3"
    link.symlink_to(ledger.path)
    other: list[Sent] = []

    class Asking(Server):
        def send(self, message: Message) -> str:
            other.append(send(Ledger(link), Server()))
            return super().send(message)

    assert len(send(ledger, Asking()).sent) == 1
    assert [done.busy for done in other] == [True]


def test_a_notice_in_french_is_french(ledger: Ledger) -> None:
    server = Server()
    hosts = {f"web{number:02}": ["acme"] for number in range(21)}
    ran(ledger, hosts=hosts)
    send(ledger, server, language="fr")
    assert "Client\u00a0: acme\n" in server.got[0].text
    assert "web19 et 1 autre\n" in server.got[0].text
