# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's page in Debian's Chromium, headless, with a ledger that holds hostile names."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import browser as tools
import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.access_review import lists, signing_off
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.recorder import COUNTS, Recorder
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import Ledger
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.branding import Brand
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.making import make
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.period import parse
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.loading import load
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.terms_checks import parse as terms_of

AXE = """
const done = arguments[arguments.length - 1];
axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}).then((found) =>
  done(found.violations.map((each) => each.id + ": " + each.nodes.map((node) => node.target).join(" | "))));
"""
# Each one sets a mark that the tests look for, should it ever run.
HOSTILE = (
    "</script><script>window.ran=1</script>",
    '"><img src=x onerror="window.ran=1">',
    "<svg/onload=window.ran=1>",
    "javascript:window.ran=1",
    "'\"`]]><style>*{display:none}</style>{{7*7}}",
)


def write(ledger: Ledger, number: int, hosts: dict[str, list[str]], **more: Any) -> None:
    """One intervention of half an hour, number days into November."""
    moment = datetime(2026, 11, 1, 8, tzinfo=UTC) + timedelta(days=number)
    ticks, seconds = iter(range(10_000)), iter([0.0, *[1800.0] * 10_000])
    recorder = Recorder(
        ledger, now=lambda: moment + timedelta(milliseconds=next(ticks)), monotonic=lambda: next(seconds)
    )
    category = load().categories[more.get("category", "routine_maintenance")]
    scope = {"category": category.name, "label": dict(category.label), "contract": category.contract}
    recorder.start(
        {
            "playbook": more.get("playbook", "site.yml"),
            "check_mode": False,
            "operator": {"name": more.get("operator", "ada")},
            "scope": {**scope, **more.get("scope", {})},
            "gate": more.get("gate", {}),
        }
    )
    for host, clients in hosts.items():
        recorder.host(host, clients)
        recorder.task(host, "changed", {"name": more.get("task", "Upgrade"), "action": "a", "location": "site.yml:1"})
        if "result" in more:
            recorder.entry_points(host, more["result"])
    counts = {host: {**dict.fromkeys(COUNTS, 0), "ok": 1, "changed": 1} for host in hosts}
    recorder.finish(more.get("outcome"), counts, 0)


def looked(names: tuple[str, ...] = ()) -> dict[str, Any]:
    """A look that found a declared account, one that nobody knows, and accounts of these names."""
    rows: list[dict[str, Any]] = [
        {"kind": "ssh_account", "entry": "alice", "person": "alice.martin", "standing": "declared", "root": True},
        {"kind": "privileged_ip", "entry": "192.0.2.7", "standing": "declared", "expires": "2026-12-05"},
        {"kind": "ssh_account", "entry": "zoe", "standing": "unmanaged", "reason": "not declared"},
    ]
    rows += [
        {"kind": name, "entry": name, "person": name, "standing": "obsolete", "reason": name, "expires": "2026-12-24"}
        for name in names
    ]
    removed = [
        {"action": "remove", "kind": "ssh_account", "entry": name, "reason": "not declared"} for name in ("bob", *names)
    ]
    return {"entry_point_kind": "ssh_accounts", "plan_id": "ab", "ways_in": rows, "applied": removed}


def rests_on(client: str, agreement: str | None, emergency: str | None = None) -> dict[str, Any]:
    """What the gate recorded of a run out of contract."""
    return {"clients": [{"client": client, "contract": "out", "agreement": agreement}], "emergency": emergency}


def agreed(name: str, **more: Any) -> dict[str, Any]:
    """A quote of four hours for migrations."""
    accepted = {"accepted_by": name, "accepted_on": "2026-10-05"}
    return {"id": name, "kind": "quote", "categories": ["migration"], "hours": 4, **accepted, **more}


def reviewed(ledger: Ledger, client: str, host: str, reviewer: str, *later: str) -> None:
    """A list that this person confirmed in October, with these accounts added since."""
    accounts = [{"name": "alice"}, {"name": reviewer}]
    signature = signing_off.Signature(reviewer, "confirmed", "ada", reviewer if later else None, 90)
    first = {host: lists.of_host(host, {"ssh_accounts": accounts})}
    signing_off.sign_off(ledger, client, first, signature, datetime(2026, 10, 12, tzinfo=UTC))
    second = {host: lists.of_host(host, {"ssh_accounts": [*accounts, *({"name": name} for name in later)]})}
    signing_off.note(ledger, {client: second}, datetime(2026, 11, 20, tzinfo=UTC))


def pages_of(
    ledger: Ledger,
    folder: Path,
    formats: tuple[str, ...] = ("html",),
    language: str = "fr",
    agreements: dict[str, list[dict[str, Any]]] | None = None,
) -> list[Path]:
    """The overview first, then a page for each client."""
    clients = {client: {"agreements": its} for client, its in (agreements or {}).items()}
    made = make(
        ledger,
        parse("2026-11"),
        None,
        language,
        formats,
        brand=Brand("Example hosting"),
        whole_fleet=True,
        terms=terms_of({"version": 1, "clients": clients}) if agreements else None,
        categories=load().categories,
    )
    assert made.warnings == ()
    for name, text in made.files.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return [folder / name for name in sorted(made.files)]


@pytest.fixture(scope="session")
def installed() -> None:
    """The browser and axe-core."""
    tools.ensure()


@pytest.fixture(scope="module")
def chromium(installed: None) -> Iterator[Any]:
    """A browser that logs what its pages complain of, and can reach nothing."""
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    profile = tempfile.mkdtemp(prefix="ipb-")
    options = Options()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,900"):
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={profile}")
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    # axe looks at every cell of the longest page, and the machine may be busy.
    driver.set_script_timeout(180)
    yield driver
    driver.quit()
    shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two clients, sixty interventions of the first, and every name hostile at the second."""
    folder = tmp_path_factory.mktemp("pages")
    ledger = Ledger(folder / "ledger.sqlite3")
    for number in range(28):
        category = "migration" if number % 4 == 0 else "routine_maintenance"
        gate = (
            rests_on("acme", None if number == 4 else "Q-1", "panne" if number == 8 else None)
            if number % 4 == 0
            else {}
        )
        write(ledger, number, {f"web{number % 3}": ["acme"]}, category=category, operator=f"op{number:02d}", gate=gate)
        write(ledger, number, {"db1": ["acme"]}, outcome="interrupted" if number == 5 else None)
    write(ledger, 28, {"web0": ["acme"], "web1": ["acme"]}, result=looked())
    bad = "".join(HOSTILE)
    labels = {"fr": HOSTILE[0], "en": HOSTILE[0] + HOSTILE[1]}
    for place, name in enumerate(HOSTILE):
        write(
            ledger, place, {name: [bad]}, playbook=name, operator=name, task=name, scope={"label": labels},
            result=looked(HOSTILE), outcome=name, gate=rests_on(bad, name, name), category="migration",
        )  # fmt: skip
    reviewed(ledger, "acme", "web0", "Jeanne Martin", "paul")
    reviewed(ledger, bad, HOSTILE[0], HOSTILE[1], *HOSTILE)
    return pages_of(
        ledger,
        folder,
        agreements={
            "acme": [
                agreed("Q-1", hours="3.75"), agreed("Q-2", valid_until="2026-11-10"),
                agreed("Q-3", amount="1500.00", accepted_on="2027-01-01"),
            ],
            bad: [agreed(name) for name in HOSTILE],
        },
    )  # fmt: skip


@pytest.fixture
def opened(chromium: Any) -> Callable[..., Any]:
    """Opens a page and returns the browser."""

    def go(page: Path, fragment: str = "") -> Any:
        chromium.get("about:blank")
        chromium.get_log("browser")
        chromium.get(page.as_uri() + fragment)
        return chromium

    return go


@pytest.fixture
def barriers() -> Callable[..., list[str]]:
    """What axe-core finds on an opened page, in one theme."""

    def find(driver: Any, theme: str) -> list[str]:
        driver.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)
        driver.execute_script(tools.AXE.read_text(encoding="utf-8"))
        found: list[str] = driver.execute_async_script(AXE)
        return found

    return find
