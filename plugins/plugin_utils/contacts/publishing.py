# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Publish files into a directory or a git working tree: each whole or not at all, and only when it changed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.report.writing import write_changed

_TIMEOUT = 60
_BRANCH_AHEAD = ("rev-list", "--count", "@{upstream}..HEAD")


class PublishingError(RuntimeError):
    """The page could not be published; the message says where and why."""


@dataclass
class Published:
    """written: files that changed. commit: the new one, if any. pushed: whether it went."""

    written: list[str] = field(default_factory=list)
    commit: str | None = None
    pushed: bool = False


def into_directory(folder: Path, files: Mapping[str, str], mode: int, *, pretend: bool = False) -> Published:
    """Write what differs. Raises PublishingError."""
    done = Published()
    try:
        # By the umask, not for its owner alone: the files' mode says who reads the page.
        if not pretend:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PublishingError(f"{folder} cannot be made: {error.strerror or error}") from None
    for name, text in files.items():
        path = folder / name
        try:
            if write_changed(path, text, pretend=pretend, mode=mode):
                done.written.append(str(path))
        except OSError as error:
            raise PublishingError(f"{path} cannot be written: {error.strerror or error}") from None
    return done


def into_repository(
    folder: Path,
    below: str,
    files: Mapping[str, str],
    mode: int,
    message: str,
    author: tuple[str, str],
    *,
    push: bool,
    pretend: bool = False,
) -> Published:
    """Write what differs into a git working tree, and commit these files alone; others' staged changes stay staged.

    push: also what an earlier run could not push. Raises PublishingError.
    """
    top = Path(_git(folder, "rev-parse", "--show-toplevel").strip()).resolve()
    # Below what was named, which may be a folder inside the working tree.
    target = (folder / below).resolve()
    if target != top and top not in target.parents:
        raise PublishingError(f"{below!r} leads out of the repository {top}")
    if ".git" in target.relative_to(top).parts:
        raise PublishingError(f"{below!r} leads into the repository's own files")
    try:
        _git(top, "symbolic-ref", "--quiet", "HEAD")
    except PublishingError:
        # A commit there would be lost with the next checkout.
        raise PublishingError(f"the repository {top} is on no branch: check one out") from None
    done = into_directory(target, files, mode, pretend=pretend)
    if pretend:
        return done
    paths = [str(target / name) for name in files]
    _git(top, "add", "--intent-to-add", "--", *paths)
    # Against the last commit, not against what was written: a commit that failed is made up for.
    if _git(top, "status", "--porcelain", "--", *paths).strip():
        identity = {"GIT_AUTHOR_NAME": author[0], "GIT_AUTHOR_EMAIL": author[1]}
        identity |= {"GIT_COMMITTER_NAME": author[0], "GIT_COMMITTER_EMAIL": author[1]}
        _git(top, "commit", "--quiet", "--message", message, "--", *paths, more=identity)
        done.commit = _git(top, "rev-parse", "HEAD").strip()
    if push and (done.commit or _git(top, *_BRANCH_AHEAD).strip() != "0"):
        _git(top, "push", "--quiet")
        done.pushed = True
    return done


def _git(folder: Path, *words: str, more: Mapping[str, str] | None = None) -> str:
    environment = {**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", **(more or {})}
    environment["GIT_LITERAL_PATHSPECS"] = "1"
    # A repository named by the caller's environment is not the one that was asked for.
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        environment.pop(name, None)
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            timeout=_TIMEOUT,
            check=False,
        )
    except FileNotFoundError:
        raise PublishingError("git is not installed on the controller") from None
    except subprocess.TimeoutExpired:
        raise PublishingError(f"git {words[0]} in {folder} did not end within {_TIMEOUT} s") from None
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split())[-400:]
        raise PublishingError(f"git {words[0]} in {folder}: {said or f'exit code {done.returncode}'}")
    return done.stdout
