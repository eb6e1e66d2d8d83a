# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contact page in a real browser: both languages, no barrier, and nothing declared ever runs."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.contacts import page, procedure
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.branding import Brand

TODAY = date(2026, 11, 25)
SCRIPT = "</script><script>window.ran=1</script><img src=x onerror='window.ran=1'>"


@pytest.fixture
def contacts(tmp_path: Path) -> Path:
    """A page whose every free text is hostile."""
    people = [
        {"id": side, "side": side, "name": f"{side} {SCRIPT}", "role": SCRIPT, "phone": "+33 1 99 00 12 34"}
        for side in procedure.SIDES
    ]
    cases: list[dict[str, Any]] = [
        {"case": case, "note": SCRIPT, "windows": [{"steps": [{"contact": side, "by": "phone"}]}]}
        for case, (side, _always) in procedure.REQUIRED.items()
    ]
    days = {"days": ["mon", "tue"], "from": "08:00", "to": "18:00"}
    steps = [{"contact": "client", "by": "phone"}, {"contact": "provider", "by": "phone", "after_minutes": 90}]
    label = {"fr": f"Livraison {SCRIPT}", "en": f"Delivery {SCRIPT}"}
    cases.append({"case": "own", "side": "client", "label": label, "windows": [{**days, "steps": steps}]})
    declared = {"client": "acme", "reviewed_on": "2026-01-02", "contacts": people, "cases": cases}
    made = tmp_path / "contacts.html"
    made.write_text(page.html(procedure.parse(declared, TODAY), TODAY, Brand("Example hosting")), encoding="utf-8")
    return made


def test_the_contact_page_is_read_in_both_languages_by_everybody(opened: Any, barriers: Any, contacts: Path) -> None:
    driver = opened(contacts)

    def heads() -> list[str]:
        return [node.text for node in driver.find_elements("tag name", "h3") if node.is_displayed()]

    assert heads()[0] == "Incident : un service est coupé ou perturbé"
    assert len(heads()) == 10
    assert driver.find_element("css selector", "[role=alert]").is_displayed()
    assert "après 1 h 30 sans réponse" in driver.find_element("id", "case-own-table").text
    driver.find_element("css selector", "[data-language=en]").click()
    assert heads()[0] == "Incident: a service is down or disturbed"
    assert "Mon, Tue, 08:00 to 18:00" in driver.find_element("id", "case-own-table").text
    links = driver.find_elements("css selector", "#people a")
    assert {link.get_attribute("href") for link in links} == {"tel:+33199001234"}
    assert driver.execute_script("return window.ran") is None
    assert [line["message"] for line in driver.get_log("browser") if "favicon" not in line["message"]] == []
    for theme in ("dark", "light"):
        assert barriers(driver, theme) == []
    if shot := os.environ.get("CONTACT_PAGE_SHOT"):
        driver.save_screenshot(shot)
    driver.set_window_size(390, 844)
    try:
        wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert driver.execute_script(wide) <= 0
    finally:
        driver.set_window_size(1280, 900)
