# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive of one disabled account: what is needed to put it back exactly, written before anything is taken."""

from __future__ import annotations

import json
import os
import secrets
import stat
from typing import Any, Callable

from .account_database import Account, AccountDatabase, ToolFailed, command
from .atomic_files import read_bytes, remove_file, write_atomic
from .entry_point_module import ServerProblem, stamp
from .key_files import read_key_file, write_key_file
from .parked import park, put_back
from .sshd import allowed_words

__all__ = ["archive_account", "open_without_archive", "put_account_back", "read_manifest", "why_not_restored"]

Save = Callable[[str, bytes], str]


def archive_account(view: Any, account: Account, existing: str | None) -> tuple[str, dict[str, Any]]:
    """Copy keys, password field, groups, jobs and sudo rules to an archive; its path and what is to be taken now.

    With an ``existing`` archive (a run that was killed, an account re-opened by hand) its rows are kept and new
    ones are added: the first state is the one to go back to.
    """
    old = read_manifest(existing)
    archive = existing if old is not None and existing else view.state.new_archive("ssh_accounts", account.name)
    state, offset = view.state, len(os.listdir(archive))

    def save(name: str, data: bytes) -> str:
        return str(state.save(archive, "%d.%s" % (offset, name), data))

    manifest = {
        "what": "disable", "name": account.name, "uid": account.uid, "at": stamp(),
        "shadow": view.database.shadow_hash(account.name), "expires": account.expires, "groups": list(account.groups),
        "key_files": _key_files(view, account, save), "set_aside": _set_aside(view, account),
        "sudo": _sudo(view, account, save), "parked": park(account, save),
        "allow_users": _allow_users(view, account.name),
    }  # fmt: skip
    taken = dict(manifest)
    if old is not None:
        for field in ("shadow", "expires", "groups", "at"):
            manifest[field] = old[field]
        for field in ("key_files", "set_aside", "sudo", "parked", "allow_users"):
            manifest[field] = old[field] + _new_rows(old[field], manifest[field])
    state.save_manifest(archive, manifest)
    return archive, taken


def _new_rows(old: list[dict[str, Any]], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that the archive doesn't have; a second copy of the same bytes goes again."""
    fresh = []
    for row in rows:
        same = [o for o in old if {**o, "copy": None} == {**row, "copy": None}]
        if "copy" in row:
            same = [o for o in same if read_bytes(o["copy"]) == read_bytes(row["copy"])]
        if not same:
            fresh.append(row)
        elif "copy" in row and row["copy"] not in [o["copy"] for o in old]:
            remove_file(row["copy"])
    return fresh


def read_manifest(archive: str | None) -> dict[str, Any] | None:
    """The manifest of a disabled account's archive; None where it is gone, damaged or of something else."""
    if archive is None:
        return None
    try:
        loaded = json.loads(read_bytes(os.path.join(archive, "manifest.json")).decode("utf-8"))
    except (OSError, ValueError):
        return None
    return loaded if isinstance(loaded, dict) and loaded.get("what") == "disable" else None


def _key_files(view: Any, account: Account, save: Save) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number, path in enumerate(view.sshd.key_files(account.name, account.uid, account.home)):
        found = read_key_file(path, account.uid)
        if found.present and not found.problem and path not in view.shared_files:
            copy = save("keys.%d" % number, found.data)
            rows.append({"path": path, "copy": copy, "mode": found.mode, "uid": found.uid, "gid": found.gid})
    return rows


def _set_aside(view: Any, account: Account) -> list[dict[str, str]]:
    """Below the home, what can't be read safely (a linked .ssh, a directory for a file) is renamed, not followed."""
    rows: list[dict[str, str]] = []
    home = account.home.rstrip("/")
    for path in view.sshd.key_files(account.name, account.uid, account.home):
        found = read_key_file(path, account.uid)
        if not found.problem or not path.startswith(home + "/") or view.home_problem(account):
            continue
        first = os.path.join(home, os.path.relpath(path, home).split("/", 1)[0])
        # Not to be guessed: the owner could have put something there, and the rename would fail.
        aside = "%s.closed-%s" % (first, secrets.token_hex(8))
        if os.path.lexists(first) and not any(row["path"] == first for row in rows):
            rows.append({"path": first, "aside": aside})
    return rows


def _sudo(view: Any, account: Account, save: Save) -> list[dict[str, Any]]:
    paths = {view.sudoers.fragment(account.name)}
    paths |= {g.path for g in view.grants if g.who in (account.name, "#%d" % account.uid) and g.alone}
    rows = []
    for number, path in enumerate(sorted(p for p in paths if os.path.isfile(p))):
        copy = save("sudo.%d" % number, read_bytes(path))
        rows.append({"path": path, "copy": copy, "mode": stat.S_IMODE(os.stat(path).st_mode)})
    return rows


def _allow_users(view: Any, name: str) -> list[dict[str, str]]:
    rows = []
    for path in view.sshd.files():
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            for line in stream:
                words = allowed_words(line)
                if len(words) > 1:
                    rows += [{"path": path, "word": w} for w in words if w.split("@", 1)[0] == name]
    return rows


def why_not_restored(
    view: Any, name: str, record: dict[str, Any] | None, tombstone: dict[str, Any] | None
) -> str | None:
    """What stands in the way of bringing an account back; None where nothing does. Reads only."""
    archive = (record or {}).get("archive") or (tombstone or {}).get("disabled_archive")
    manifest = read_manifest(archive)
    if manifest is None:
        return "its archive %s is gone or damaged" % archive
    copies = [row["copy"] for field in ("key_files", "sudo", "parked") for row in manifest[field]]
    lost = [path for path in copies if not os.path.isfile(path)]
    if lost:
        return "its archive lacks %s" % ", ".join(lost)
    if tombstone is None:
        return None
    account, database = tombstone["account"], view.database
    owner = next((a.name for a in database.accounts.values() if a.uid == account["uid"]), name)
    if owner != name:
        return "its uid %d is %s's now" % (account["uid"], owner)
    group = database.groups.get(account["group"])
    holder = next((n for n, (gid, _members) in database.groups.items() if gid == account["gid"]), None)
    if group is None and (account["group"] != name or holder is not None):
        return "its group %s (%d) is gone%s" % (
            account["group"] or "without a name", account["gid"], ", the number is %s's" % holder if holder else "",
        )  # fmt: skip
    if group is not None and group[0] != account["gid"]:
        return "its group %s has the number %d now, not %d" % (account["group"], group[0], account["gid"])
    home = tombstone.get("home_archive")
    if home and os.path.isdir(home):
        if os.path.lexists(account["home"]):
            return "its home's place %s is taken" % account["home"]
        if not os.path.isdir(os.path.dirname(account["home"].rstrip("/"))):
            return "the directory above its home %s is gone" % account["home"]
    return None


def open_without_archive(name: str) -> str:
    """Unlock an account whose archive is gone: with its password as far as the lock has kept it."""
    field = AccountDatabase().shadow_hash(name).lstrip("!")
    # "*" opens by key only: "!" would keep a key out where sshd works without PAM.
    command(["chpasswd", "--encrypted"], text="%s:%s\n" % (name, field or "*"))
    return "%s: its archive is gone: nothing but the declared entries comes back" % name


def put_account_back(view: Any, name: str, archive: str, whole: bool) -> list[str]:
    """Give an account its password field and expiry back; with ``whole`` also keys, groups, jobs and sudo rules.

    Returns what could not be put back.
    """
    manifest = read_manifest(archive)
    if manifest is None:
        raise ServerProblem("restore %s: %s holds no complete archive" % (name, archive))
    account = AccountDatabase().accounts.get(name)
    if account is None or account.uid != manifest["uid"]:
        raise ServerProblem("restore %s: the account is not the one in %s" % (name, archive))
    told = []
    field = manifest["shadow"]
    if field == "":
        field = "*"
        told.append("%s: had an empty password; it has none now, only keys" % name)
    # By standard input: a hash on the command line could be read by everybody.
    command(["chpasswd", "--encrypted"], text="%s:%s\n" % (name, field))
    if not whole:
        return told
    for row in manifest["set_aside"]:
        if os.path.lexists(row["aside"]) and not os.path.lexists(row["path"]):
            view.journal.moved(row["aside"], row["path"])
            os.rename(row["aside"], row["path"])
    for row in manifest["key_files"]:
        present = read_key_file(row["path"], account.uid)
        if present.problem:
            told.append("%s: keys of %s stay in the archive: %s" % (name, row["path"], present.problem))
        elif not present.present:
            write_key_file(row["path"], read_bytes(row["copy"]), account.uid, account.gid, account.home)
        elif present.data != read_bytes(row["copy"]):
            told.append("%s: %s is there already; the former one stays in the archive" % (name, row["path"]))
    groups = AccountDatabase().groups
    for group in manifest["groups"]:
        if group in groups:
            command(["gpasswd", "--add", name, group])
        else:
            told.append("%s: its group %s is gone from this server" % (name, group))
    for row in manifest["sudo"]:
        if not os.path.lexists(row["path"]):
            view.sudoers.give_back(row["path"], read_bytes(row["copy"]), row["mode"])
    put_back(manifest["parked"])
    for row in manifest["allow_users"]:
        try:
            _allow_again(view, row["path"], row["word"])
        except (ToolFailed, OSError) as error:
            told.append("%s: AllowUsers in %s lacks %s: %s" % (name, row["path"], row["word"], error))
    command(["usermod", "--expiredate", manifest["expires"] or "", name])
    return told


def _allow_again(view: Any, path: str, word: str) -> None:
    """Put a name back on the file's first AllowUsers line, and have sshd read it."""
    try:
        old = read_bytes(path).decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return
    lines = old.splitlines(keepends=True)
    rows = [number for number, line in enumerate(lines) if allowed_words(line)]
    if not rows or any(word in allowed_words(lines[number]) for number in rows):
        return
    text = lines[rows[0]].rstrip()
    start = text.find(" #") if " #" in text else len(text)
    lines[rows[0]] = text[:start] + " " + word + text[start:] + lines[rows[0]][len(text) :]
    new = "".join(lines)
    write_atomic(path, new.encode("utf-8", "surrogateescape"), mode=0o644)
    try:
        command([view.sshd.program, "-t", "-f", view.sshd.config])
    except ToolFailed:
        write_atomic(path, old.encode("utf-8", "surrogateescape"), mode=0o644)
        raise
    view.sshd.reload()
