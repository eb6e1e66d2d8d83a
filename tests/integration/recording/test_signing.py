# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads signed by a real ssh-keygen: who signed what, what was tampered with, and that no key ever loses a run."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import record, signing, ssh_signatures
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.record import Entry
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.signing import SignedHead
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError
from tests.integration.team.rows import forge

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
CHANGE = "- hosts: web1\n  gather_facts: false\n  tasks: [{name: Change, ansible.builtin.command: 'true'}]\n"


def key(path: Path, passphrase: str = "", kind: str = "ed25519") -> Path:
    """A new key pair; the private one's path."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", path], check=True)
    return path


def allowed(path: Path, *lines: tuple[str, str, Path]) -> Path:
    """An allowed_signers file of (principal, options, key)."""
    path.write_text("".join(f"{who} {how} {key.with_name(key.name + '.pub').read_text()}" for who, how, key in lines))
    return path


def add(ledger: Ledger, count: int, run: str) -> None:
    """Rows to sign."""
    ledger.create()
    with ledger.transaction() as transaction:
        at = record.stamp(NOW)
        transaction.add(Entry(f"{run}:{n}", run, record.TASK, at, {"n": n}) for n in range(count))


def seen(ledger: Ledger, signers: Path | None = None, **how: Any) -> list[SignedHead]:
    """What is said of the signatures."""
    with ledger.reading() as connection:
        return signing.signed_heads(connection, signers, **how)[0]


@pytest.fixture
def ada(tmp_path: Path) -> Path:
    return key(tmp_path / "ada")


@pytest.fixture
def signers(tmp_path: Path, ada: Path) -> Path:
    return allowed(tmp_path / "allowed_signers", ("ada@example.org", f'namespaces="{ssh_signatures.NAMESPACE}"', ada))


@pytest.fixture
def ledger(tmp_path: Path, ada: Path) -> Ledger:
    """Five rows, and their signature as the sixth."""
    made = Ledger(tmp_path / "ledger.sqlite3")
    add(made, 5, "one")
    assert signing.sign(made, ada, NOW) == 5
    return made


def test_a_signed_head_is_told_with_its_signer_and_the_chain_stays_whole(
    ledger: Ledger, signers: Path, ada: Path
) -> None:
    assert ledger.verify().faults == []
    (head,) = seen(ledger, signers)
    assert (head.row, head.place, head.signer, head.fault) == (5, 6, "ada@example.org", "")
    shown = subprocess.run(["ssh-keygen", "-l", "-f", ada], capture_output=True, text=True, check=True).stdout
    assert head.key in shown
    # Nothing new, nothing to sign; then the next rows.
    assert signing.sign(ledger, ada, NOW) is None
    add(ledger, 2, "two")
    with ledger.reading() as connection:
        assert signing.signed_heads(connection, signers)[1] == {head.writer: 2}
    assert signing.sign(ledger, ada, NOW) == 8
    with ledger.reading() as connection:
        (newest,), unsigned = signing.signed_heads(connection, signers)
    assert (newest.row, newest.fault, unsigned) == (8, "", {head.writer: 0})
    assert [each.row for each in seen(ledger, signers, everything=True)] == [5, 8]


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_other_kinds_of_key_sign_too(ledger: Ledger, tmp_path: Path, kind: str) -> None:
    other = key(tmp_path / "other", kind=kind)
    add(ledger, 1, "two")
    assert signing.sign(ledger, other, NOW) == 7
    heads = seen(ledger, allowed(tmp_path / "both", ("bob@example.org", "", other)))
    assert [head.signer for head in heads] == [None, "bob@example.org"]


def test_two_people_sign_one_chain(ledger: Ledger, tmp_path: Path, ada: Path) -> None:
    bob = key(tmp_path / "bob")
    # Bob signs what Ada has signed, and Ada need not sign Bob's signature for it to count.
    assert signing.sign(ledger, bob, NOW) == 6
    both = allowed(tmp_path / "both", ("ada@example.org", "", ada), ("bob@example.org", "", bob))
    assert [(head.row, head.signer) for head in seen(ledger, both)] == [(5, "ada@example.org"), (6, "bob@example.org")]


def replayed(ledger: Ledger) -> None:
    """The signature of row 5 once more, said to be of the newest row."""
    add(ledger, 3, "two")
    (body,) = sqlite3.connect(ledger.path).execute("SELECT body FROM records WHERE kind = 'signed'").fetchone()
    with ledger.transaction() as transaction:
        entry = Entry("again", "signed", record.SIGNED, record.stamp(NOW), {**json.loads(body), "row": 9})
        transaction.add([entry])


def of_another_writer(ledger: Ledger) -> None:
    """A good signature of another chain in this one, at the same number."""
    other = Ledger(ledger.path.with_name("other.sqlite3"))
    add(other, 5, "one")
    signing.sign(other, ledger.path.with_name("ada"), NOW)
    (body,) = sqlite3.connect(other.path).execute("SELECT body FROM records WHERE kind = 'signed'").fetchone()
    forge(ledger, f"UPDATE records SET body = '{body}' WHERE seq = 6", chain_from=6)


def chained_anew(ledger: Ledger) -> None:
    """A row that was signed is another one, and the chain is whole again."""
    forge(ledger, "UPDATE records SET body = '{\"n\":99}' WHERE seq = 3", chain_from=3)
    assert ledger.verify().faults == []


def at_another_time(ledger: Ledger) -> None:
    forge(ledger, "UPDATE records SET at = '2020-01-01T00:00:00.000000Z' WHERE seq = 6", chain_from=6)


def cut_off(ledger: Ledger) -> None:
    """What was signed is not there any more, only its signature."""
    forge(ledger, "DELETE FROM records WHERE seq = 5", "UPDATE records SET seq = 5 WHERE seq = 6", chain_from=5)


def of_no_key(ledger: Ledger) -> None:
    forge(ledger, "UPDATE records SET body = json_set(body, '$.signature[0]', '&') WHERE seq = 6", chain_from=6)


def without_fields(ledger: Ledger) -> None:
    forge(ledger, "UPDATE records SET body = '[1]' WHERE seq = 6", chain_from=6)


@pytest.mark.parametrize("named", [True, False], ids=["allowed_signers", "no allowed_signers"])
@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (replayed, "row 10 is no signature of row 9: it does not fit"),
        (of_another_writer, "row 6 is no signature of row 5: it does not fit"),
        (chained_anew, "row 6 is no signature of row 5: it does not fit"),
        (at_another_time, "row 6 is no signature of row 5: it does not fit"),
        (cut_off, "there is no such row before it"),
        (of_no_key, "this is no signature"),
        (without_fields, "this is no signature"),
    ],
)
def test_a_signature_in_a_wrong_place_is_named(
    ledger: Ledger, signers: Path, tamper: Callable[[Ledger], None], said: str, named: bool
) -> None:
    tamper(ledger)
    faults = [head.sentence for head in seen(ledger, signers if named else None) if head.fault]
    assert len(faults) == 1
    assert said in faults[0]


def test_an_older_signature_put_last_covers_no_more_than_it_did(ledger: Ledger, signers: Path, ada: Path) -> None:
    add(ledger, 3, "two")
    assert signing.sign(ledger, ada, NOW) == 9
    # Somebody removes the newer signature, edits what only it covered, and repeats the older one.
    (body,) = sqlite3.connect(ledger.path).execute("SELECT body FROM records WHERE seq = 6").fetchone()
    forge(
        ledger,
        "UPDATE records SET body = '{\"n\":99}' WHERE seq = 8",
        f"UPDATE records SET body = '{body}' WHERE seq = 10",
        chain_from=8,
    )
    assert ledger.verify().faults == []
    with ledger.reading() as connection:
        (head,), unsigned = signing.signed_heads(connection, signers)
    assert (head.row, head.place, head.fault) == (5, 10, "")
    assert list(signing.too_long_unsigned(unsigned, 0)) == [
        f"writer {head.writer}: 3 rows came after its last good signature, at most 0 may"
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('valid-before="20261101"', "was not valid then"),
        ('valid-after="20261201"', "was not valid then"),
        ('namespaces="git"', "is not allowed to sign for ledger-head@infogerance-perimeter"),
        ('valid-after="20261101",valid-before="20261201"', ""),
    ],
)
def test_a_key_counts_for_its_time_and_use(ledger: Ledger, tmp_path: Path, ada: Path, options: str, said: str) -> None:
    (head,) = seen(ledger, allowed(tmp_path / "limited", ("ada@example.org", options, ada)))
    assert said in head.fault
    assert (head.signer is None) == bool(said)


def test_a_key_that_nobody_allowed_is_told_by_its_fingerprint(ledger: Ledger, tmp_path: Path) -> None:
    other = key(tmp_path / "other")
    for file in (allowed(tmp_path / "another", ("ada@example.org", "", other)), allowed(tmp_path / "empty")):
        (head,) = seen(ledger, file)
        assert head.fault == f"the key {head.key} is not in allowed_signers"
    with pytest.raises(LedgerError, match="allowed_signers .*: No such file"):
        seen(ledger, tmp_path / "nowhere")


def test_what_was_chained_anew_is_not_signed_by_itself(ledger: Ledger, ada: Path) -> None:
    chained_anew(ledger)
    add(ledger, 1, "two")
    with pytest.raises(LedgerError, match="nothing is signed until somebody has looked"):
        signing.sign(ledger, ada, NOW + timedelta(days=1))


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An ssh-agent of one's own."""
    socket = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
    while not socket.exists():
        time.sleep(0.01)
    yield
    process.terminate()
    process.wait()


def test_an_agent_signs_for_a_locked_or_absent_key(
    agent: None, tmp_path: Path, ledger: Ledger, signers: Path, ada: Path
) -> None:
    subprocess.run(["ssh-add", "-q", ada], check=True)
    ada.unlink()
    add(ledger, 1, "two")
    assert signing.sign(ledger, ada.with_name("ada.pub"), NOW) == 7
    assert [head.signer for head in seen(ledger, signers)] == ["ada@example.org"]
    subprocess.run(["ssh-add", "-q", "-D"], check=True)
    add(ledger, 1, "three")
    with pytest.raises(LedgerError, match="signing key .*ada.pub: No private key found"):
        signing.sign(ledger, ada.with_name("ada.pub"), NOW)


def test_an_agent_that_does_not_answer_is_left_alone(
    tmp_path: Path, ledger: Ledger, ada: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setattr(ssh_signatures, "PATIENCE", 0.5)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "deaf"))
        deaf.listen()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "deaf"))
        ada.unlink()
        add(ledger, 1, "two")
        begun = time.monotonic()
        with pytest.raises(LedgerError, match="gave no answer within 0.5 s"):
            signing.sign(ledger, ada.with_name("ada.pub"), NOW)
        assert time.monotonic() - begun < 3
    assert ledger.verify().faults == []


def test_runs_are_signed_and_verify_says_by_whom(ground: Any, tmp_path: Path) -> None:
    ada = key(ground.path / "ada")
    signers = allowed(ground.path / "signers", ("ada@example.org", "", ada))
    for _time in range(2):
        ground.play(CHANGE, INFOGERANCE_PERIMETER_SIGN_KEY=str(ada))
    verify = ("infogerance.perimeter.ledger", "-e", "ledger_action=verify", "-e", f"ledger_allowed_signers={signers}")
    strict = ("-e", "ledger_max_unsigned=0", "-v")
    output = ground.run(*verify, *strict, **ground.unrecorded)
    assert '"signer": "ada@example.org"' in output
    for line in ada.read_text().splitlines()[1:-1]:
        assert line.encode() not in ground.ledger.read_bytes()
    # The signature is no part of the run.
    assert [run["complete"] for run in ground.interventions()] == [1, 1]
    # A run that nobody signed, and then one that somebody touched.
    ground.play(CHANGE)
    output = " ".join(ground.run(*verify, *strict, expect=2, **ground.unrecorded).split())
    assert "is not signed as it should be" in output
    assert "5 rows came after its last good signature" in output
    forge(Ledger(ground.ledger), "UPDATE records SET host = 'web9' WHERE seq = 2", chain_from=2)
    output = " ".join(ground.run(*verify, expect=2, **ground.unrecorded).split())
    assert "was tampered with or is damaged" in output
    assert "it does not fit" in output


@pytest.mark.parametrize("trouble", ["missing", "locked", "public"])
def test_no_trouble_with_a_key_costs_a_run_or_its_record(ground: Any, trouble: str) -> None:
    path = key(ground.path / "ada", "a passphrase" if trouble == "locked" else "")
    if trouble != "locked":
        path.unlink()
    given = path.with_name("ada.pub") if trouble == "public" else path
    # Somebody's screen and a program that would ask there: nobody may be asked.
    asks = ground.write("ask", f"#!/bin/sh\ntouch {ground.path}/asked\necho 'a passphrase'\n")
    asks.chmod(0o755)
    environ = {"SSH_ASKPASS": str(asks), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0", "SSH_AUTH_SOCK": ""}
    output = ground.play(CHANGE, INFOGERANCE_PERIMETER_SIGN_KEY=str(given), **environ)
    assert "recorded, not signed. signing key" in " ".join(output.split())
    assert not (ground.path / "asked").exists()
    run = ground.only()
    assert (run["outcome"], run["complete"]) == ("ok", 1)
    assert ground.query("SELECT 1 FROM records WHERE kind = 'signed'") == []
