# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README is true: what it lists exists, what exists is listed, what it shows can be called."""

from __future__ import annotations

import re
import subprocess

import tree
import yaml

README = (tree.ROOT / "README.md").read_text(encoding="utf-8")
NAME = "infogerance.perimeter."


def existing() -> set[tuple[str, str]]:
    """What a user can call, as (kind, name)."""
    tracked = subprocess.run(
        ["git", "ls-files", "plugins", "playbooks", "roles"], cwd=tree.ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    patterns = {
        "module": r"plugins/modules/([a-z]\w*)\.py",
        "callback": r"plugins/callback/([a-z]\w*)\.py",
        "filter": r"plugins/filter/([a-z]\w*)\.(?:py|yml)",
        "lookup": r"plugins/lookup/([a-z]\w*)\.py",
        "test": r"plugins/test/([a-z]\w*)\.(?:py|yml)",
        "playbook": r"playbooks/([a-z]\w*)\.yml",
        "role": r"roles/([a-z]\w*)/.*",
    }
    return {
        (kind, NAME + match.group(1))
        for kind, pattern in patterns.items()
        for path in tracked
        if (match := re.fullmatch(pattern, path))
    }


def listed() -> set[tuple[str, str]]:
    table = README.partition("<!-- content: begin -->")[2].partition("<!-- content: end -->")[0]
    return set(re.findall(r"^\| (\w+) \| `([\w.]+)` \|", table, re.MULTILINE))


def test_the_readme_lists_what_exists_and_nothing_else() -> None:
    assert listed() == existing()


def test_each_make_target_that_a_text_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (tree.ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    targets |= {"lint", "types", "sanity", "unit", "integration", "molecule"}
    for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md"):
        text = (tree.ROOT / name).read_text(encoding="utf-8")
        named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
        assert named - targets == set(), name


def test_each_relative_link_leads_somewhere() -> None:
    for path in sorted(tree.ROOT.glob("*.md")) + sorted(tree.ROOT.glob("docs/*.md")):
        links = re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text(encoding="utf-8"))
        assert [link for link in links if not (path.parent / link).exists()] == [], path.name


def test_the_yaml_examples_are_yaml() -> None:
    examples = re.findall(r"^```yaml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert examples
    for example in examples:
        yaml.safe_load(example)


def test_the_tarball_in_the_install_command_is_the_current_version() -> None:
    version = yaml.safe_load((tree.ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"]
    assert f"infogerance-perimeter-{version}.tar.gz" in README
