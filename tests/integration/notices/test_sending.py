# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notices through real servers over TLS: each once, none lost, whatever the server does."""

from __future__ import annotations

import email
import email.policy
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.recorder import COUNTS, Recorder
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.verification import verify
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices import channel as channels
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices import events, sending
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices.channel import ChannelError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices.sending import Rules, Sent, Subscription
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices.smtp import Smtp
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices.webhook import Webhook

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path / "ledger.sqlite3")
    made.create()
    return made


def ran(ledger: Ledger, outcome: str | None = "blocked", at: datetime = NOW, **more: Any) -> str:
    """One intervention for acme and globex."""
    ticks = iter(range(10_000))
    recorder = Recorder(ledger, now=lambda: at + timedelta(milliseconds=next(ticks)))
    clients = [{"client": "acme", "passed": outcome != "blocked"}]
    recorder.start(
        {
            "playbook": more.get("playbook", "move.yml"),
            "check_mode": False,
            "operator": {"name": "ada"},
            "scope": {"category": "migration", "label": {"fr": "Migration", "en": "Migration"}, "contract": "out"},
            "gate": {"clients": clients, "emergency": more.get("emergency")},
        }
    )
    hosts = more.get("hosts", {"web1": ["acme"], "db1": ["globex"]})
    for host, owners in hosts.items():
        recorder.host(host, owners)
        for name in more.get("removed", ()):
            recorder.entry_points(
                host,
                {
                    "entry_point_kind": "ssh_accounts",
                    "plan_id": "ab",
                    "applied": [{"action": "remove", "kind": "ssh_account", "entry": name, "reason": "not declared"}],
                },
            )
    counts = {host: {**dict.fromkeys(COUNTS, 0), "ok": 1} for host in hosts}
    recorder.finish(outcome, counts, 0)
    return recorder.run_id


def mail(port: int, keys: Path, **more: Any) -> Smtp:
    fields: dict[str, Any] = {
        "host": "localhost", "port": port, "tls": "starttls", "sender": "perimeter@example.org",
        "recipients": ["ops@example.org"], "user": None, "password": None, "ca_file": str(keys / "ca.pem"), **more,
    }  # fmt: skip
    return Smtp("ops", **fields)


def web(port: int, keys: Path, **more: Any) -> Webhook:
    fields: dict[str, Any] = {
        "url": f"https://localhost:{port}/hook?secret=AAA", "token": "BBB", "ca_file": str(keys / "ca.pem"), **more,
    }  # fmt: skip
    return Webhook("ops", **fields)


def send(ledger: Ledger, channel: Any, at: datetime = NOW, rules: Rules | None = None, **more: Any) -> Sent:
    its = {"events": events.EVENTS, "clients": None, "language": "fr", **more}
    return sending.send(ledger, [Subscription("ops", channel, **its)], rules or Rules(), at)


def parsed(content: bytes) -> Any:
    return email.message_from_bytes(content, policy=email.policy.default)


def test_a_mail_says_what_happened_in_the_readers_language(
    ledger: Ledger, mailbox: Any, smtp_port: int, keys: Path
) -> None:
    run = ran(ledger, "ok", removed=("bob", "évé"), emergency="panne électrique\nBcc: x@example.org")
    done = send(ledger, mail(smtp_port, keys, user="u", password="p"))
    assert done.problems == {}
    assert (len(done.sent), done.waiting, mailbox.logins[0]) == (2, [], (b"u", b"p"))
    removed, emergency = (parsed(content) for content in mailbox.mails)
    assert removed["Subject"] == "[infogerance] Accès fermés – acme, globex"
    assert removed["Auto-Submitted"] == "auto-generated"
    text = removed.get_content()
    assert "web1\u00a0: Compte SSH évé" in text
    assert run in text
    assert emergency["Bcc"] is None
    assert "Raison\u00a0: panne électrique Bcc: x@example.org" in emergency.get_content()
    english = send(ledger, mail(smtp_port, keys), language="en", clients=["globex"], events=["removed"])
    # The same channel's name: sent already.
    assert english.sent == []
    with ledger.reading() as connection:
        assert not verify(connection).first


def test_a_client_is_told_nothing_of_another(ledger: Ledger, hook: Any, keys: Path) -> None:
    ran(ledger, "ok", removed=("bob",))
    ran(ledger, "blocked", hosts={"db1": ["globex"]})
    assert len(send(ledger, web(hook.port, keys), clients=["acme"], language="en").sent) == 1
    [got] = hook.got
    assert got["body"]["hosts"] == ["web1"]
    assert "globex" not in json.dumps(got)
    assert "db1" not in json.dumps(got)
    assert got["body"]["subject"] == "[infogerance] Ways in closed – acme"
    assert got["headers"]["Authorization"] == "Bearer BBB"


@pytest.mark.parametrize("kind", ["smtp", "webhook"])
def test_a_server_that_is_down_loses_nothing_and_is_not_asked_again_at_once(
    kind: str, ledger: Ledger, mailbox: Any, smtp_port: int, hook: Any, keys: Path, quiet_port: int
) -> None:
    first, second = ran(ledger), ran(ledger, "ok", emergency="x", at=NOW + timedelta(seconds=1))
    make = mail if kind == "smtp" else web
    up = smtp_port if kind == "smtp" else hook.port
    got = mailbox.mails if kind == "smtp" else hook.got
    down = send(ledger, make(quiet_port, keys))
    assert [each.split()[-1] for each in down.waiting] == [first, second]
    assert "refused" in down.problems["ops"].lower()
    # Up again, but the wait is not over; then it is.
    assert len(send(ledger, make(up, keys), NOW + timedelta(seconds=30)).waiting) == 2
    assert got == []
    assert len(send(ledger, make(up, keys), NOW + timedelta(minutes=2)).sent) == 2
    assert len(got) == 2
    assert send(ledger, make(up, keys), NOW + timedelta(minutes=3)).sent == []


def test_the_wait_doubles_to_six_hours_and_what_is_too_old_is_named_once(
    ledger: Ledger, keys: Path, quiet_port: int
) -> None:
    ran(ledger)
    moment, waits = NOW, []
    for _round in range(12):
        problem = send(ledger, mail(quiet_port, keys), moment).problems["ops"]
        waiting = send(ledger, mail(quiet_port, keys), moment + timedelta(seconds=1)).problems["ops"]
        assert waiting.startswith(problem)
        until = datetime.fromisoformat(waiting.rsplit("after ", 1)[1])
        waits.append((until - moment.replace(second=0)).total_seconds() / 60)
        moment = until + timedelta(minutes=1)
    assert [round(wait) for wait in waits] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]
    late = NOW + timedelta(days=7, hours=2)
    assert len(send(ledger, mail(quiet_port, keys), late).given_up) == 1
    again = send(ledger, mail(quiet_port, keys), late)
    assert (again.given_up, again.waiting, again.sent) == ([], [], [])


@pytest.mark.parametrize("kind", ["smtp", "webhook"])
def test_a_server_that_nobody_vouches_for_gets_nothing(
    kind: str, ledger: Ledger, mailbox: Any, smtp_port: int, hook: Any, keys: Path
) -> None:
    ran(ledger)
    make, port = (mail, smtp_port) if kind == "smtp" else (web, hook.port)
    other = {"ca_file": str(keys / "other.pem")}
    host = {"host": "127.0.0.1"} if kind == "smtp" else {"url": f"https://127.0.0.1:{port}/"}
    for more, at in ((other, NOW), (host, NOW + timedelta(hours=1))):
        done = send(ledger, make(port, keys, **more), at)
        assert done.sent == []
        assert "certificate is not trusted" in done.problems["ops"]
    assert mailbox.mails == []
    assert mailbox.logins == []
    assert hook.got == []


def test_a_server_with_tls_from_the_first_byte_is_proved_before_it_hears_a_word(
    ledger: Ledger, mailbox: Any, start_smtp: Any, served: ssl.SSLContext, keys: Path
) -> None:
    ran(ledger)
    login = {"tls": "implicit", "user": "u", "password": "p"}
    expired = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    expired.load_cert_chain(keys / "expired.pem", keys / "localhost.key")
    port, late = start_smtp(ssl_context=served), start_smtp(ssl_context=expired)
    for number, (where, more) in enumerate(
        ((port, {"ca_file": str(keys / "other.pem")}), (port, {"host": "127.0.0.1"}), (late, {}))
    ):
        done = send(ledger, mail(where, keys, **login, **more), NOW + timedelta(hours=number))
        assert done.sent == []
        assert "certificate is not trusted" in done.problems["ops"]
    # One that speaks no TLS is not spoken to without it.
    done = send(ledger, mail(start_smtp(), keys, **login), NOW + timedelta(hours=5))
    assert (done.sent, list(done.problems)) == ([], ["ops"])
    assert (mailbox.mails, mailbox.logins) == ([], [])
    done = send(ledger, mail(port, keys, **login), NOW + timedelta(hours=12))
    assert (len(done.sent), done.problems, mailbox.logins) == (1, {}, [(b"u", b"p")])
    assert len(mailbox.mails) == 1


def test_a_server_that_offers_no_starttls_gets_neither_mail_nor_password(
    ledger: Ledger, mailbox: Any, start_smtp: Any, keys: Path
) -> None:
    # As after somebody on the way took it out of the server's answer.
    ran(ledger)
    done = send(ledger, mail(start_smtp(), keys, user="u", password="p"))
    assert done.sent == []
    assert "STARTTLS" in done.problems["ops"]
    assert (mailbox.mails, mailbox.logins) == ([], [])


@pytest.mark.parametrize(
    ("status", "alone"), [(500, False), (503, False), (429, False), (400, True), (404, True), (302, True)]
)
def test_what_the_webhook_answers_decides_whether_others_wait(
    status: int, alone: bool, ledger: Ledger, hook: Any, keys: Path
) -> None:
    ran(ledger)
    ran(ledger, "ok", emergency="x", at=NOW + timedelta(seconds=1))
    hook.status = status
    done = send(ledger, web(hook.port, keys))
    assert (len(done.waiting), len(hook.got)) == ((2, 2) if alone else (2, 1))
    assert done.problems == {"ops": f"answered {status}"}
    assert {each["body"]["id"] for each in hook.got} == {each["headers"]["Idempotency-Key"] for each in hook.got}
    hook.status = 200
    assert len(send(ledger, web(hook.port, keys), NOW + timedelta(hours=1)).sent) == 2


@pytest.mark.parametrize(("answer", "sent"), [("550 no", 0), ("451 later", 0), ("250 OK", 1)])
def test_what_the_mail_server_answers_is_heeded(
    answer: str, sent: int, ledger: Ledger, mailbox: Any, smtp_port: int, keys: Path
) -> None:
    ran(ledger)
    mailbox.answer = answer
    done = send(ledger, mail(smtp_port, keys))
    assert (len(done.sent), len(done.waiting)) == (sent, 1 - sent)
    mailbox.answer = "250 OK"
    send(ledger, mail(smtp_port, keys), NOW + timedelta(hours=1))
    assert len(mailbox.mails) == 1


def test_a_recipient_who_is_refused_is_named_and_the_others_get_it_once(
    ledger: Ledger, mailbox: Any, smtp_port: int, keys: Path
) -> None:
    ran(ledger)
    some = mail(smtp_port, keys, recipients=["ops@example.org", "nobody@example.org"])
    done = send(ledger, some)
    assert (len(done.sent), done.problems) == (1, {"ops": "refused for nobody@example.org"})
    assert send(ledger, some).sent == []
    assert len(mailbox.mails) == 1
    ran(ledger, hosts={"web9": ["acme"]})
    done = send(ledger, mail(smtp_port, keys, recipients=["nobody@example.org"]))
    assert (done.sent, done.problems) == ([], {"ops": "all recipients were refused (550)"})


class Dripping(threading.Thread):
    """A server that takes a connection and then does one thing with it, for ever."""

    def __init__(self, how: str) -> None:
        super().__init__(daemon=True)
        self.how = how
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]

    def run(self) -> None:
        while True:
            try:
                peer, _address = self.listener.accept()
            except OSError:
                return
            with peer:
                if self.how == "close":
                    continue
                try:
                    for _each in range(600):
                        if self.how == "drip":
                            peer.sendall(b"2")
                        time.sleep(0.1)
                except OSError:
                    pass


@pytest.mark.parametrize("kind", ["smtp", "webhook"])
@pytest.mark.parametrize("how", ["silent", "drip", "close"])
def test_a_server_that_is_slow_or_hangs_up_does_not_hold_anybody_up(
    how: str, kind: str, ledger: Ledger, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ansible_collections.infogerance.perimeter.plugins.plugin_utils.notices import smtp, webhook

    ran(ledger)
    for module in (smtp, webhook):
        monkeypatch.setattr(module, "WAIT_SECONDS", 1.0)
    monkeypatch.setattr(channels.deadline.__wrapped__, "__defaults__", (2.0,))
    server = Dripping(how)
    server.start()
    began = time.monotonic()
    done = send(ledger, (mail if kind == "smtp" else web)(server.port, keys))
    server.listener.close()
    assert time.monotonic() - began < 10
    assert (done.sent, len(done.waiting)) == ([], 1)


def test_a_server_that_dies_in_the_middle_of_a_message_gets_it_again_under_the_same_id(
    ledger: Ledger, hook: Any, keys: Path
) -> None:
    ran(ledger)
    keys_seen: list[str] = []

    def die(handler: Any) -> None:
        keys_seen.append(handler.headers["Idempotency-Key"])
        handler.connection.shutdown(socket.SHUT_RDWR)

    hook.before = die
    assert len(send(ledger, web(hook.port, keys)).waiting) == 1
    hook.before = None
    assert len(send(ledger, web(hook.port, keys), NOW + timedelta(hours=1)).sent) == 1
    assert hook.got[-1]["headers"]["Idempotency-Key"] == keys_seen[0]


def _sender(path: str, port: int, ca: str, start: Any, results: Any) -> None:
    channel = web(port, Path(ca).parent)
    start.wait()
    done = send(Ledger(path), channel)
    results.put((len(done.sent), done.busy))


def test_two_senders_at_once_send_each_notice_once(ledger: Ledger, hook: Any, keys: Path) -> None:
    for number in range(8):
        ran(ledger, at=NOW + timedelta(seconds=number), hosts={f"web{number}": ["acme"]})
    hook.before = lambda _handler: time.sleep(0.05)
    context = get_context("fork")
    start, results = context.Barrier(4), context.Queue()
    processes = [
        context.Process(target=_sender, args=(str(ledger.path), hook.port, str(keys / "ca.pem"), start, results))
        for _each in range(4)
    ]
    for process in processes:
        process.start()
    told = [results.get(timeout=60) for _each in processes]
    for process in processes:
        process.join()
    assert sum(sent for sent, _busy in told) == 8
    assert len({each["body"]["id"] for each in hook.got}) == len(hook.got) == 8


def test_a_sender_that_is_killed_leaves_no_lock_and_loses_nothing(ledger: Ledger, hook: Any, keys: Path) -> None:
    for number in range(6):
        ran(ledger, at=NOW + timedelta(seconds=number), hosts={f"web{number}": ["acme"]})
    reached = threading.Event()

    def stall(_handler: Any) -> None:
        if len(hook.got) == 2:
            reached.set()
            time.sleep(1)

    hook.before = stall
    context = get_context("fork")
    process = context.Process(
        target=_sender, args=(str(ledger.path), hook.port, str(keys / "ca.pem"), context.Barrier(1), context.Queue())
    )
    process.start()
    assert reached.wait(30)
    process.kill()
    process.join()
    hook.before = None
    time.sleep(1.2)
    done = send(ledger, web(hook.port, keys))
    assert (done.busy, len(done.sent)) == (False, 4)
    # The one in flight came twice, under one id; every other once.
    ids = [each["body"]["id"] for each in hook.got]
    assert (len(ids), len(set(ids))) == (7, 6)


def test_the_same_again_is_held_back_and_counted(ledger: Ledger, hook: Any, keys: Path) -> None:
    for hour in range(5):
        ran(ledger, "failed", NOW + timedelta(hours=hour), playbook="infogerance.perimeter.reconcile")
        send(ledger, web(hook.port, keys), NOW + timedelta(hours=hour, minutes=1))
    assert len(hook.got) == 1
    ran(ledger, "failed", NOW + timedelta(hours=25), playbook="infogerance.perimeter.reconcile")
    send(ledger, web(hook.port, keys), NOW + timedelta(hours=25, minutes=1))
    assert [each["body"]["held_back"] for each in hook.got] == [0, 4]
    assert "retenu 4 fois" in hook.got[1]["body"]["text"]
    # Another host is another matter.
    ran(ledger, "failed", NOW + timedelta(hours=26), playbook="infogerance.perimeter.reconcile", hosts={"w": ["acme"]})
    assert len(send(ledger, web(hook.port, keys), NOW + timedelta(hours=27)).sent) == 1


def test_what_is_old_or_went_well_is_no_news(ledger: Ledger, hook: Any, keys: Path) -> None:
    ran(ledger, "ok")
    ran(ledger, "failed")
    ran(ledger, "blocked", NOW - timedelta(days=8))
    done = send(ledger, web(hook.port, keys))
    assert (done.sent, done.given_up, hook.got) == ([], [], [])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"recipients": []}, "field 'recipients' is missing"),
        ({"sender": "Ada <ada@example.org>"}, "must be a bare address"),
        ({"recipients": ["a@example.org\nBcc: b@example.org"]}, "no e-mail address"),
        ({"tls": "none", "host": "mail.example.org"}, "for a server on this machine"),
        ({"tls": "none", "user": "u", "password": "p"}, "without a password"),
        ({"user": "u"}, "belong together"),
        ({"ca_file": "/nowhere"}, "field 'ca_file'"),
    ],
)
def test_a_wrong_channel_is_named_before_anything_is_sent(more: dict[str, Any], said: str, keys: Path) -> None:
    with pytest.raises(ChannelError, match=said):
        mail(25, keys, **more)


@pytest.mark.parametrize("url", ["http://h/", "https://u:p@h/", "https://h/\r\nX: y", "ftp://h", "https://h:x/"])
def test_a_webhook_is_https_without_a_password_in_it(url: str, keys: Path) -> None:
    with pytest.raises(ChannelError) as caught:
        web(443, keys, url=url)
    assert url not in str(caught.value)


def test_the_playbook_sends_and_says_what_waits(
    ledger: Ledger, mailbox: Any, smtp_port: int, keys: Path, quiet_port: int, tmp_path: Path
) -> None:
    ran(ledger, at=datetime.now(UTC) - timedelta(minutes=1))
    good = {
        "name": "ops", "kind": "smtp", "host": "localhost", "port": smtp_port, "sender": "p@example.org",
        "recipients": ["o@example.org"], "ca_file": str(keys / "ca.pem"), "user": "u", "password": "PLANTED1",
    }  # fmt: skip
    bad = {"name": "hook", "kind": "webhook", "url": f"https://localhost:{quiet_port}/PLANTED2", "token": "PLANTED3"}
    variables = tmp_path / "channels.json"
    variables.write_text(json.dumps({"notices_channels": [good, bad], "notices_ledger": str(ledger.path)}))
    playbook = [str(Path(sys.executable).with_name("ansible-playbook")), "infogerance.perimeter.notices", "-vvv"]
    run = subprocess.run(
        [*playbook, "-e", f"@{variables}"], capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "HOME": str(tmp_path), "ANSIBLE_LOCALHOST_WARNING": "0"},
    )  # fmt: skip
    assert run.returncode == 2, run.stdout + run.stderr
    assert "1 notices wait" in run.stdout
    assert len(mailbox.mails) == 1
    for secret in ("PLANTED1", "PLANTED2", "PLANTED3"):
        assert secret not in run.stdout + run.stderr
        for file in tmp_path.glob("ledger*"):
            assert secret.encode() not in file.read_bytes()
