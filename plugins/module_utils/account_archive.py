# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive of one disabled account: what is needed to put it back exactly, written before anything is taken."""

from __future__ import annotations

import json
import os
import re
import stat
from typing import Any

from .account_database import Account, AccountDatabase, ToolFailed, command
from .atomic_files import read_bytes, write_atomic
from .entry_point_module import ServerProblem, stamp
from .key_files import read_key_file, write_key_file
from .parked import park, put_back

__all__ = ["archive_account", "put_account_back"]


def archive_account(view: Any, account: Account, existing: str | None) -> tuple[str, dict[str, Any]]:
    """Copy keys, password field, groups, jobs and sudo rules to an archive; its path and what is to be taken now.

    With an ``existing`` archive (a run that was killed, an account re-opened by hand) its rows are kept and new
    ones are added: the first state is the one to go back to.
    """
    old = _manifest(existing) if existing else None
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
            manifest[field] = old[field] + [row for row in manifest[field] if row not in old[field]]
    state.save_manifest(archive, manifest)
    return archive, taken


def _manifest(archive: str) -> dict[str, Any] | None:
    try:
        loaded = json.loads(read_bytes(os.path.join(archive, "manifest.json")).decode("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ServerProblem("the manifest in %s can't be read: %s" % (archive, error)) from None
    return dict(loaded)


def _key_files(view: Any, account: Account, save: Any) -> list[dict[str, Any]]:
    rows = []
    for number, path in enumerate(view.sshd.key_files(account.name, account.uid, account.home)):
        found = read_key_file(path, account.uid)
        if found.present and not found.problem and path not in view.shared_files:
            copy = save("keys.%d" % number, found.data)
            rows.append({"path": path, "copy": copy, "mode": found.mode, "uid": found.uid, "gid": found.gid})
    return rows


def _set_aside(view: Any, account: Account) -> list[dict[str, str]]:
    """Below the home, what can't be read safely (a linked .ssh, a directory for a file) is renamed, not followed."""
    rows = []
    home = account.home.rstrip("/")
    for path in view.sshd.key_files(account.name, account.uid, account.home):
        found = read_key_file(path, account.uid)
        if not found.problem or not path.startswith(home + "/") or view.home_problem(account):
            continue
        first = os.path.join(home, os.path.relpath(path, home).split("/")[0])
        aside = "%s.closed-%s" % (first, re.sub(r"\D", "", stamp()))
        if os.path.lexists(first) and not any(row["path"] == first for row in rows):
            rows.append({"path": first, "aside": aside})
    return rows


def _sudo(view: Any, account: Account, save: Any) -> list[dict[str, Any]]:
    paths = {view.sudoers.fragment(account.name)}
    paths |= {g.path for g in view.sudoers.grants() if g.who == account.name and g.alone}
    rows = []
    for number, path in enumerate(sorted(p for p in paths if os.path.isfile(p))):
        copy = save("sudo.%d" % number, read_bytes(path))
        rows.append({"path": path, "copy": copy, "mode": stat.S_IMODE(os.stat(path).st_mode)})
    return rows


def _allow_users(view: Any, name: str) -> list[dict[str, str]]:
    rows = []
    for path in dict.fromkeys(view.sshd.files()):
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            for line in stream:
                words = line.split()
                if words and words[0].lower() == "allowusers" and len(words) > 2:
                    rows += [{"path": path, "word": w} for w in words[1:] if w.split("@", 1)[0] == name]
    return rows


def put_account_back(view: Any, name: str, archive: str, whole: bool) -> None:
    """Give an account its password field and expiry back; with ``whole`` also keys, groups, jobs and sudo rules."""
    manifest = _manifest(archive)
    if manifest is None or manifest.get("what") != "disable":
        raise ServerProblem("restore %s: %s holds no complete archive" % (name, archive))
    account = AccountDatabase().accounts.get(name)
    if account is None or account.uid != manifest["uid"]:
        raise ServerProblem("restore %s: the account is not the one in %s" % (name, archive))
    # By standard input: a hash on the command line could be read by everybody.
    command(["chpasswd", "--encrypted"], text="%s:%s\n" % (name, manifest["shadow"]))
    if not whole:
        return
    for row in manifest["key_files"]:
        if not read_key_file(row["path"], account.uid).present:
            write_key_file(row["path"], read_bytes(row["copy"]), account.uid, account.gid, account.home)
    for row in manifest["set_aside"]:
        if os.path.lexists(row["aside"]) and not os.path.lexists(row["path"]):
            view.journal.moved(row["aside"], row["path"])
            os.rename(row["aside"], row["path"])
    present = AccountDatabase().groups
    for group in manifest["groups"]:
        if group in present:
            command(["gpasswd", "--add", name, group])
    for row in manifest["sudo"]:
        if not os.path.lexists(row["path"]):
            write_atomic(row["path"], read_bytes(row["copy"]), mode=row["mode"])
            try:
                command(["visudo", "-c", "-q"])
            except ToolFailed:
                os.unlink(row["path"])
                raise
    put_back(manifest["parked"])
    for row in manifest["allow_users"]:
        _allow_again(view, row["path"], row["word"])
    command(["usermod", "--expiredate", manifest["expires"] or "", name])


def _allow_again(view: Any, path: str, word: str) -> None:
    """Put a name back on the file's first AllowUsers line, and have sshd read it."""
    try:
        old = read_bytes(path).decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return
    found = re.search(r"^[ \t]*allowusers[ \t]+(.*?)[ \t]*$", old, re.IGNORECASE | re.MULTILINE)
    if found is None or word in found.group(1).split():
        return
    new = old[: found.end(1)] + " " + word + old[found.end(1) :]
    write_atomic(path, new.encode("utf-8", "surrogateescape"), mode=0o644)
    try:
        command([view.sshd.program, "-t", "-f", view.sshd.config])
    except ToolFailed:
        write_atomic(path, old.encode("utf-8", "surrogateescape"), mode=0o644)
        raise
    view.sshd.reload()
