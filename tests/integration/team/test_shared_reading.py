# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the local file says, the shared ledger says, to the same code with a reporter's rights; no password is told."""

from __future__ import annotations

import json
import re
import subprocess
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from postgres import OPERATOR_PASSWORD, REPORTER_PASSWORD, Database
from proxy import Proxy
from rows import add

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.access_review.lists import of_host
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.access_review.signing_off import Signature, sign_off
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import (
    announcements,
    by_hand,
    correcting,
    migrating,
    pushing,
    reading,
    record,
    shared,
    shared_url,
    signing,
)
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.configured import configured_store
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.recorder import Recorder
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.shared import SharedLedger
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger, LedgerError
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.ways_in import last_looks
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report import making, period
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.loading import load
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.terms_checks import parse as terms_of
from tests.integration.recording.conftest import Playground
from tests.unit.plugins.plugin_utils.report.conftest import Story, accounts

NOW = datetime(2026, 11, 26, tzinfo=UTC)


def lived(path: Path) -> Story:
    """A ledger with something of everything that a report reads."""
    path.mkdir(exist_ok=True)
    story = Story(path)
    way = {"kind": "ssh_key", "entry": "ada", "person": "Ada", "standing": "declared"}
    looked = accounts(applied=("bob",), obsolete=("eve",), counts={"obsolete": 1}, refused=["one too many"])
    looked["ways_in"] = [way]
    seen = {"web1": looked, "db1": accounts(obsolete=("mallory",))}
    both = {"web1": ["acme"], "db1": ["globex"], "both1": ["acme", "globex"]}
    story.run("2026-10-31T23:59:00+00:00", {"web1": ["acme"]})
    first = story.run("2026-11-02T08:00:00+00:00", both, results=seen)
    passed = [{"client": "acme", "passed": True, "contract": "out", "agreement": "TC-1"}]
    second = story.run(
        "2026-11-03T08:00:00+00:00", {"web1": ["acme"]}, "migration", failed="web1", gate={"clients": passed}
    )
    urgent = [{"client": "acme", "passed": True, "contract": "out", "agreement": None}]
    early = story.run("2026-10-20T08:00:00+00:00", {"web1": ["acme"]}, "migration", gate={"clients": urgent})
    noted = by_hand.annotation(ticket=None, quote="TC-1", note=None, added_seconds=None, client=None)
    by_hand.annotate(story.ledger, early, noted, by="ada", now=NOW)
    story.run("2026-11-04T08:00:00+00:00", {"db1": ["globex"]}, check_mode=True)
    said = by_hand.annotation(ticket="T-1", quote=None, note="As agreed,\nà 10 %", added_seconds=600.0, client=None)
    by_hand.annotate(story.ledger, first, said, by="ada", now=NOW)
    correcting.correct(
        story.ledger, second, by="ada", reason="waited", now=NOW, category=None, note="", duration_seconds=1800.0
    )
    lists = {"web1": of_host("web1", {"ssh_accounts": [{"name": "ada"}]})}
    signature = Signature(reviewer="Jeanne", decision="confirmed", by="ada", note=None, every_days=90)
    sign_off(story.ledger, "acme", lists, signature, NOW)
    announced = {"clients": ["acme"], "third_party": "Host", "kind": "maintenance", "reference": "M-1", "hosts": []}
    announced |= {"starts": "2026-11-20T20:00:00.000000Z", "ends": None, "summary": "", "cancelled": False}
    with story.ledger.transaction() as transaction:
        transaction.add(announcements.news(transaction.query, [announced], NOW, "ada"))
    # A play that asked for check mode itself.
    recorder = Recorder(story.ledger, now=lambda: NOW, run_id="pretended")
    recorder.start({"playbook": "audit.yml", "check_mode": False, "operator": {"name": "ada"}, "scope": {}})
    recorder.host("db1", ["globex"])
    recorder.result("db1", "ok", pretended=True)
    recorder.finish(None, None, 1)
    return story


@pytest.fixture
def story(database: Database, tmp_path: Path) -> Story:
    """That ledger, pushed."""
    made = lived(tmp_path / "one")
    assert pushing.push(made.ledger, database.operator).complete
    return made


@dataclass(frozen=True)
class Both:
    """The same rows in a file and in a shared ledger. Nobody changes them."""

    local: Ledger
    team: SharedLedger


@pytest.fixture(scope="module")
def both(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Both:
    database = postgres.database("same")
    made = lived(tmp_path_factory.mktemp("both"))
    assert pushing.push(made.ledger, database.operator).complete
    return Both(made.ledger, SharedLedger(database.reporter))


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"client": "acme"},
        {"client": "globex", "start": "2026-11-01", "end": "2026-12-01"},
        {"host": "db1"},
        {"run_id": "run2"},
        {"outcome": "failed"},
        {"contract": "out"},
        {"operator": "ada", "start": "2026-11-03T08:00:00.000000Z"},
        {"client": "nobody"},
    ],
    ids=str,
)
def test_the_same_interventions_come_out_of_both(both: Both, wanted: dict[str, str]) -> None:
    filters = reading.Wanted(**wanted)
    with both.local.reading() as local, both.team.reading() as team:
        here = reading.wanted(local, filters)
        there = reading.wanted(team, filters)
        assert reading.clients(team) == reading.clients(local) == ["acme", "globex"]
        for client in (None, "acme"):
            assert last_looks(team, "2027", client) == last_looks(local, "2027", client)
        assert reading.state(team, ["run1", "run2"]) == reading.state(local, ["run1", "run2"])
    assert there == here
    assert bool(here) == (wanted.get("client") != "nobody")


def test_a_run_whose_every_task_pretended_is_a_dry_run_in_the_shared_view_too(both: Both) -> None:
    rows = "SELECT run_id, check_mode, complete, outcome FROM interventions ORDER BY run_id"
    with both.local.reading() as local, both.team.reading() as team:
        found = [tuple(row) for row in team.execute(rows)]
        assert found == [tuple(row) for row in local.execute(rows)]
    assert ("pretended", 1, 1, "ok") in found


@pytest.mark.parametrize("client", [None, "acme"])
def test_the_report_is_the_same_to_the_byte(both: Both, client: str | None) -> None:
    month, fleet = period.parse("2026-11"), client is None
    agreement = {"id": "TC-1", "kind": "time_count", "categories": "all", "hours": 1}
    agreement |= {"accepted_by": "Jeanne", "accepted_on": "2026-01-05", "valid_from": "2026-11-01"}
    terms = terms_of({"version": 1, "clients": {"acme": {"agreements": [agreement]}}})
    how: dict[str, Any] = {"terms": terms, "categories": load().categories, "whole_fleet": fleet, "now": NOW}
    here = making.make(both.local, month, client, "fr", ("csv", "json"), **how)
    there = making.make(both.team, month, client, "fr", ("csv", "json"), **how)
    assert there.report["ledger"]["faults"] == []
    assert asdict(there) == asdict(here)
    assert there.report["summary"]["interventions"] > 1
    assert [review["client"] for review in there.report["access_reviews"]] == ["acme"]
    (balance,) = there.report["agreements"]
    # Half an hour of November, and what was noted for it from before.
    assert balance["used_seconds"] == 1800 + 900


def test_a_teams_report_has_every_controllers_runs_once(database: Database, tmp_path: Path, story: Story) -> None:
    other = Story(tmp_path / "two")
    (tmp_path / "two").mkdir()
    other.number = 100
    other.run("2026-11-20T08:00:00+00:00", {"web9": ["acme"]})
    # Rows that another ledger has sent already: as after an import on a second machine.
    again = lived(tmp_path / "three")
    for ledger in (other.ledger, again.ledger):
        assert pushing.push(ledger, database.operator).complete
    assert int(database.sql("SELECT count(*) FROM chained WHERE repeated")) > 0
    made = making.make(SharedLedger(database.reporter), period.parse("2026-11"), "acme", "en", ())
    assert made.report["ledger"]["faults"] == []
    with SharedLedger(database.reporter).reading() as team:
        found = [run["run_id"] for run in reading.wanted(team, reading.Wanted(start="2026-11", client="acme"))]
    assert found == ["run2", "run3", "run101"]


def test_what_was_done_to_the_shared_rows_is_in_the_report(story: Story, database: Database) -> None:
    def faults() -> str:
        made = making.make(SharedLedger(database.reporter), period.parse("2026-11"), "acme", "en", ())
        return "; ".join(made.report["ledger"]["faults"])

    seq = int(database.sql("SELECT seq FROM chained WHERE run_id = 'run2' AND kind = 'host' AND host = 'web1'"))
    database.tampered(f"UPDATE chained SET host = 'web7' WHERE seq = {seq}")
    assert f"row {seq} was changed" in faults()
    database.tampered(f"DELETE FROM chained WHERE seq = {seq}")
    assert f"row {seq} is missing" in faults()


def test_a_database_of_the_first_version_is_brought_forward_with_its_rows(
    database: Database, tmp_path: Path, postgres: Any
) -> None:
    made = lived(tmp_path / "one")
    assert pushing.push(made.ledger, database.operator).complete
    # Back to what the first version was.
    view = migrating.as_sql(None).partition("CREATE VIEW interventions AS")[2].partition(";")[0]
    database.sql(
        f"DROP INDEX chained_by_clients; DROP VIEW interventions; CREATE VIEW interventions AS {view};"
        " UPDATE alembic_version SET version_num = '0001'"
    )
    before = database.count
    with pytest.raises(shared.SharedError, match="its version is 0001, this release works with 0002"):
        shared.verify(database.reporter)
    assert "its version is 0001" in pushing.push(made.ledger, database.operator).problem
    database.sql(migrating.as_sql("0001") + ";\n".join(migrating.grants("operators", "reporters")))
    assert (database.count, shared.verify(database.reporter).faults) == (before, [])
    with made.ledger.reading() as local, SharedLedger(database.reporter).reading() as team:
        assert reading.wanted(team, reading.Wanted()) == reading.wanted(local, reading.Wanted())


def test_a_row_that_nobody_could_read_is_not_taken(database: Database, story: Story) -> None:
    writer = database.sql("SELECT DISTINCT writer FROM chained")
    last = int(database.sql("SELECT max(seq) FROM chained"))
    digest = database.sql(f"SELECT digest FROM chained WHERE seq = {last}")
    row = (writer, last + 1, "u", "r", "task", "2026-11-23T20:00:00.000000Z", None, "no JSON at all", digest)
    values = ", ".join("NULL" if value is None else f"'{value}'" for value in (*row, record.link(*row)))
    statement = (
        "SET ROLE ctl1; INSERT INTO chained (writer, seq, uid, run_id, kind, at, host, body, previous, digest)"
        f" VALUES ({values})"
    )
    with pytest.raises(AssertionError, match="invalid input syntax for type json"):
        database.sql(statement)
    assert shared.verify(database.reporter).faults == []


class Team(Playground):
    """A playground that has recorded and pushed, with the reporter's password in a passfile."""

    def __init__(self, path: Path, database: Database) -> None:
        super().__init__(path)
        self.database = database
        passfile = self.write("pgpass", f"127.0.0.1:*:*:reader:{REPORTER_PASSWORD}\n")
        passfile.chmod(0o600)
        self.url = database.url("reader", "", passfile=str(passfile))
        self.play(
            "- hosts: client_acme:client_globex\n  gather_facts: false\n"
            "  tasks: [{name: Change, ansible.builtin.command: 'true'}]\n",
            INFOGERANCE_PERIMETER_SHARED=database.operator,
            # On a busy machine two seconds are soon over.
            INFOGERANCE_PERIMETER_SHARED_WAIT="60",
        )
        # The local file must not be what answers.
        self.ledger.rename(self.path / "away.sqlite3")
        self.unrecorded["INFOGERANCE_PERIMETER_LEDGER"] = str(self.path / "nowhere.sqlite3")

    def ask(self, *arguments: str, expect: int = 0) -> str:
        """As `run`, unrecorded, with everything that Ansible can show; no password is in it."""
        output = self.run(*arguments, "-vvvv", expect=expect, **self.unrecorded)
        for secret in (REPORTER_PASSWORD, OPERATOR_PASSWORD):
            assert secret not in output
        return " ".join(output.split())


@pytest.fixture(scope="module")
def team(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Team:
    return Team(tmp_path_factory.mktemp("team"), postgres.database("together"))


MONTH = f"{datetime.now(UTC):%Y-%m}"


def test_the_reports_playbook_reads_it(team: Team) -> None:
    wanted = ("-e", f"report_period={MONTH}", "-e", "report_client=acme", "-e", "report_directory=reports")
    output = team.ask("infogerance.perimeter.report", *wanted, "-e", f"report_shared={team.url}")
    assert "web1 web2" in output
    (path,) = (team.path / "reports").glob("*.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    assert (content["summary"]["interventions"], content["ledger"]["faults"]) == (1, [])


def test_module_lookup_and_verify_read_it(team: Team) -> None:
    look = f"query('infogerance.perimeter.interventions', '{MONTH}', client='globex', shared=team)"
    team.write(
        "ask.yml",
        f"""
- hosts: localhost
  gather_facts: false
  vars: {{team: "{team.url}"}}
  tasks:
    - infogerance.perimeter.interventions_info: {{period: "{MONTH}", client: acme, shared: "{{{{ team }}}}"}}
      register: told
    - infogerance.perimeter.ledger_verify: {{shared: "{{{{ team }}}}"}}
      register: checked
    - ansible.builtin.copy:
        content: "{{{{ {{'told': told, 'checked': checked, 'looked': {look}}} | to_json }}}}"
        dest: "{{{{ playbook_dir }}}}/answer.json"
        mode: "0600"
""",
    )
    team.ask("ask.yml")
    text = (team.path / "answer.json").read_text(encoding="utf-8")
    assert REPORTER_PASSWORD not in text
    answer = json.loads(text)
    (run,) = answer["told"]["interventions"]
    assert [host["host"] for host in run["hosts"]] == ["web1", "web2"]
    assert answer["told"]["source"] == shared_url.parse(team.url).target
    assert (answer["checked"]["faults"], answer["checked"]["rows"]) == ([], team.database.count)
    assert [[host["host"] for host in run["hosts"]] for run in answer["looked"]] == [["db1"]]


def test_verify_compares_with_what_was_acknowledged_here(team: Team) -> None:
    verify = ("infogerance.perimeter.ledger", "-e", "ledger_action=verify", "-e", f"ledger_shared={team.url}")
    local = ("-e", f"ledger_path={team.path}/away.sqlite3")
    assert '"faults": []' in team.ask(*verify, *local)
    kept = team.database.sql("SELECT max(seq) FROM chained")
    team.database.tampered(f"CREATE TABLE aside AS SELECT * FROM chained WHERE seq = {kept}")
    try:
        team.database.tampered(f"DELETE FROM chained WHERE seq = {kept}")
        # Its own chain is whole, only shorter.
        assert '"faults": []' in team.ask(*verify)
        assert f"row {kept} is missing; this machine's ledger has it" in team.ask(*verify, *local, expect=2)
    finally:
        team.database.tampered("INSERT INTO chained SELECT * FROM aside; DROP TABLE aside")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("report_ledger=postgresql://reader:hidden-word@db.example.org/x",), "a shared ledger is given as 'shared'"),
        (("report_client=nobody", "report_shared={url}"), "Known clients: acme, globex"),
    ],
)
def test_what_cannot_be_read_is_said_without_the_password(team: Team, words: tuple[str, ...], said: str) -> None:
    given = [part for word in words for part in ("-e", word.format(url=team.url))]
    output = team.ask("infogerance.perimeter.report", "-e", f"report_period={MONTH}", *given, expect=2)
    assert said in output
    # What somebody typed on the command line, Ansible shows before anything of ours is asked.
    assert "hidden-word" not in output.partition("TASK [")[2]


@pytest.mark.parametrize(
    ("ledger", "shared_as", "said"),
    [
        (None, "mysql://reader:hidden-word@db.example.org/x", "a URL must begin with postgresql+psycopg://"),
        ("some.sqlite3", "postgresql://reader:hidden-word@db.example.org/x", "not both"),
        ("/srv/postgresql:/reader:hidden-word@db.example.org/x", None, "a shared ledger is given as 'shared'"),
    ],
)
def test_what_is_given_wrongly_is_named_before_anybody_is_asked(
    ledger: str | None, shared_as: str | None, said: str
) -> None:
    with pytest.raises(LedgerError, match=re.escape(said)) as told:
        configured_store(ledger, shared_as)
    assert "hidden-word" not in str(told.value)


def test_who_may_not_read_is_told_by_the_server(database: Database) -> None:
    for url, said in {
        database.operator: "permission denied",
        database.url("reader", "not-that"): "password authentication failed",
    }.items():
        with pytest.raises(LedgerError, match=said) as told, configured_store(None, url).reading() as connection:
            reading.clients(connection)
        assert not {OPERATOR_PASSWORD, "not-that"} & set(str(told.value).split())


def test_a_push_signs_and_the_shared_ledger_says_by_whom(database: Database, tmp_path: Path) -> None:
    ground = Playground(tmp_path)
    add(Ledger(ground.ledger), 5)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "ada"], check=True)
    ground.write("signers", f"ada@example.org {(tmp_path / 'ada.pub').read_text()}")
    text = f"""
- hosts: localhost
  gather_facts: false
  vars: {{operator: "{database.operator}", reporter: "{database.reporter}"}}
  tasks:
    - infogerance.perimeter.ledger_push: {{shared: "{{{{ operator }}}}", sign_key: no-such-key}}
      register: unsigned
    - infogerance.perimeter.ledger_push: {{shared: "{{{{ operator }}}}", sign_key: "{tmp_path}/ada"}}
      register: pushed
    - infogerance.perimeter.ledger_verify:
        {{shared: "{{{{ reporter }}}}", allowed_signers: "{tmp_path}/signers", max_unsigned: 0}}
      register: checked
    - ansible.builtin.copy:
        content: "{{{{ [unsigned, pushed, checked] | to_json }}}}"
        dest: "{{{{ playbook_dir }}}}/answer.json"
        mode: "0600"
"""
    output = ground.play(text, "-vvv", **ground.unrecorded)
    assert OPERATOR_PASSWORD not in output.partition("TASK [")[2]
    unsigned, pushed, checked = json.loads((tmp_path / "answer.json").read_text(encoding="utf-8"))
    # A key in trouble keeps no row from being sent.
    assert (unsigned["pushed"], unsigned["remaining"], unsigned["signed"]) == (5, 0, None)
    assert "there is no such file" in unsigned["notices"][0]
    assert (pushed["pushed"], pushed["signed"], pushed["notices"]) == (1, 5, [])
    (head,) = checked["signatures"]
    assert (head["row"], head["place"], head["signer"], head["fault"]) == (5, 6, "ada@example.org", "")
    # Who owns the database can chain anew, but not sign.
    database.tampered("UPDATE chained SET body = '{}' WHERE seq = 5")
    with SharedLedger(database.reporter).reading() as connection:
        assert [head.fault for head in signing.signed_heads(connection, tmp_path / "signers")[0]] == [""]
    forged = database.sql("SELECT previous FROM chained WHERE seq = 5")
    database.tampered(f"UPDATE chained SET digest = '{forged[::-1]}' WHERE seq = 5")
    with SharedLedger(database.reporter).reading() as connection:
        heads, left = signing.signed_heads(connection, tmp_path / "signers")
    assert [head.fault for head in heads] == ["it does not fit"]
    assert set(left.values()) == {5}


def test_a_silent_server_is_given_up_in_time(database: Database) -> None:
    with Proxy(None) as silent:
        url = database.url("reader", REPORTER_PASSWORD, silent.port, connect_timeout="2")
        begun = time.monotonic()
        with pytest.raises(shared.SharedError), SharedLedger(url).reading() as connection:
            reading.clients(connection)
        assert time.monotonic() - begun < 6
        assert silent.connections > 0
