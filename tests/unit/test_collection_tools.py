# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tools that judge the rest: each must fail when it should."""

from __future__ import annotations

import fnmatch
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import pythons
import sanity
import scenarios
import setup
import stages
import tree


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script, encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_shim_that_answers_command_not_found_is_no_python(tmp_path: Path) -> None:
    shim = program(tmp_path / "python3.13", "#!/bin/sh\necho 'python3.13: command not found' >&2\nexit 127\n")
    assert pythons.ask(shim) is None


def test_a_python_without_ensurepip_is_not_usable(tmp_path: Path) -> None:
    crippled = program(
        tmp_path / "python3.12", f"#!/bin/sh\nexec {sys.executable} -c 'raise ImportError(\"ensurepip\")'\n"
    )
    assert pythons.ask(crippled) is None


def test_a_shim_that_works_is_known_by_the_program_behind_it(tmp_path: Path) -> None:
    shim = program(tmp_path / "shims" / "python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    found = pythons.ask(shim)
    assert found is not None
    assert found.version == sys.version_info[:2]
    assert found.path == Path(sys.executable)


def test_the_search_path_for_ansible_test_names_no_shim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "shims" / "python3.9", "#!/bin/sh\nexit 127\n")
    monkeypatch.setenv("PATH", f"{tmp_path}/shims:/usr/bin:/bin")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    folders = pythons.search_path(tmp_path / "first").split(os.pathsep)
    assert folders[0] == str(tmp_path / "first")
    assert str(tmp_path / "shims") not in folders
    assert "/usr/bin" in folders


def test_the_stamp_follows_the_wanted_versions() -> None:
    pyproject = b"""[dependency-groups]
controller = ["a>=1"]
team = ["t"]
report = ["r"]
metrics = ["m"]
browser = ["s"]
dev = ["b>=%d"]
other = ["c"]
"""
    first, second = (setup.wanted(pyproject % number) for number in (1, 2))
    assert first == ["a>=1", "t", "r", "m", "s", "b>=1"]
    assert setup.fingerprint(first) == setup.fingerprint(setup.wanted(pyproject % 1))
    assert setup.fingerprint(first) != setup.fingerprint(second)


def test_setup_starts_under_the_oldest_python_of_this_machine() -> None:
    oldest = pythons.usable()[-1]
    done = subprocess.run(
        [oldest.path, tree.ROOT / "tools" / "setup.py", "--help"], capture_output=True, text=True, check=True
    )
    assert "--force" in done.stdout


def test_the_get_pip_names_are_read_from_the_installed_ansible_test() -> None:
    import ansible_test

    names = sanity.get_pip_names(Path(ansible_test.__path__[0]))
    assert names, "ansible-test names its bootstrap script otherwise now: adapt tools/sanity.py"
    for name, address in names.items():
        assert name.startswith("get_pip_")
        assert name.endswith(".py")
        assert address.startswith("https://")
        assert "%s" not in address


def test_the_get_pip_stand_in_is_never_written_over_a_real_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sanity, "reachable", lambda address: False)
    import ansible_test

    cache = tmp_path / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True)
    names = list(sanity.get_pip_names(Path(ansible_test.__path__[0])))
    (cache / names[0]).write_text("the real one", encoding="ascii")
    sanity.provide_get_pip()
    assert (cache / names[0]).read_text(encoding="ascii") == "the real one"
    (cache / names[0]).unlink()
    sanity.provide_get_pip()
    assert "Stand-in" in (cache / names[0]).read_text(encoding="ascii")


def test_the_get_pip_stand_in_is_not_written_where_the_download_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sanity, "reachable", lambda address: True)
    sanity.provide_get_pip()
    assert list(tmp_path.rglob("get_pip*")) == []


def test_a_copied_tree_holds_the_named_files_only(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "stale.txt").write_text("stale", encoding="ascii")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("kept", encoding="ascii")
    tree.copy(tmp_path, ["galaxy.yml", "meta/runtime.yml"])
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"galaxy.yml", "meta/runtime.yml", ".git/HEAD"}
    assert not (tmp_path / "old").exists()


def test_a_copied_file_changes_only_when_its_source_has(tmp_path: Path) -> None:
    tree.copy(tmp_path, ["galaxy.yml"])
    inode = (tmp_path / "galaxy.yml").stat().st_ino
    tree.copy(tmp_path, ["galaxy.yml"])
    assert (tmp_path / "galaxy.yml").stat().st_ino == inode
    (tmp_path / "galaxy.yml").write_text("changed", encoding="ascii")
    tree.copy(tmp_path, ["galaxy.yml"])
    assert (tmp_path / "galaxy.yml").read_bytes() == (tree.ROOT / "galaxy.yml").read_bytes()


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("=========== 12 passed in 0.31s ===========", True),
        ("1 failed, 11 passed, 2 skipped in 4.02s", True),
        ("3 passed in 61.00s (0:01:01)", True),
        ("passed", False),
        ("lint: ruff: ok (0.1 s)", False),
    ],
)
def test_a_closing_line_of_pytest_is_recognised(line: str, counts: bool) -> None:
    assert bool(stages.CLOSING.match(line)) is counts


def test_a_failed_stage_fails_the_whole_and_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Makefile").write_text(
        "bad:\n\t@echo '1 failed in 0.10s'; exit 1\ngood:\n\t@echo '2 passed in 0.20s'\n", encoding="ascii"
    )
    monkeypatch.setattr(tree, "ROOT", tmp_path)
    assert stages.main(["bad", "good"]) == 1
    output = capsys.readouterr().out
    assert output.rstrip().endswith("2 passed in 0.20s")
    assert "1 failed in 0.10s" in output.split("summary")[1]
    assert stages.main(["good"]) == 0


def test_a_stage_that_runs_beside_others_is_waited_for_and_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Makefile").write_text(
        ".PHONY: slow quick alone\n"
        "slow:\n\t@while [ ! -e quick ]; do sleep 0.05; done; touch slow; echo '1 failed in 0.10s'; exit 1\n"
        "quick:\n\t@touch quick\n"
        "alone:\n\t@test -e slow; echo '2 passed in 0.20s'\n",
        encoding="ascii",
    )
    monkeypatch.setattr(tree, "ROOT", tmp_path)
    assert stages.main(["+slow", "quick", "=alone"]) == 1
    summary = capsys.readouterr().out.split("summary")[1]
    assert "alone        ok" in summary
    assert "slow         FAILED" in summary
    assert "1 failed in 0.10s" in summary
    # Nobody waits for it but the end.
    assert stages.main(["+slow", "quick"]) == 1


def test_a_molecule_run_that_met_no_host_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "extensions" / "molecule" / "default").mkdir(parents=True)
    (tmp_path / "extensions" / "molecule" / "default" / "molecule.yml").write_text("---\n", encoding="ascii")
    monkeypatch.setattr(tree, "ROOT", tmp_path)
    python = program(tmp_path / "bin" / "python", "")
    monkeypatch.setattr(sys, "executable", str(python))
    program(tmp_path / "bin" / "molecule", "#!/bin/sh\necho 'PLAY RECAP'\n")
    assert scenarios.main([]) == 0
    program(tmp_path / "bin" / "molecule", "#!/bin/sh\necho 'skipping: no hosts matched'\n")
    assert scenarios.main([]) == 1


def test_every_folder_of_tests_is_collected() -> None:
    with (tree.ROOT / "pyproject.toml").open("rb") as source:
        skipped = tomllib.load(source)["tool"]["pytest"]["ini_options"]["norecursedirs"]
    folders = {
        part for path in (tree.ROOT / "tests").rglob("test_*.py") for part in path.relative_to(tree.ROOT).parts[:-1]
    }
    # A pattern there is held against each folder's name alone, wherever it stands.
    assert [name for name in folders if any(fnmatch.fnmatch(name, pattern) for pattern in skipped)] == []
