# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out a plan on SSH accounts. Every step can be run again: a killed run is finished by the next one.

What is taken away is in the archive, described by a durable manifest, before it is taken.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from functools import partial
from typing import Any, Callable

from .account_archive import (
    archive_account,
    open_without_archive,
    put_account_back,
    read_manifest,
    why_not_restored,
)
from .account_database import Account, AccountDatabase, ToolFailed, command
from .account_report import names_account
from .atomic_files import fault_point, write_atomic
from .authorized_keys import edit, render
from .entry_point_module import ServerProblem, stamp
from .key_files import read_key_file, remove_key_file, write_key_file
from .parked import leftovers, unlink_parked
from .processes import end_all
from .reconcile import TAKES, Action, Plan
from .sshd import drop_from_allow_users
from .sudoers import render_rule

__all__ = ["AccountChanges"]


class AccountChanges:
    """Applies one plan. ``view`` is the kind's last observation (SshAccounts): database, sshd, sudoers, state."""

    def __init__(self, view: Any) -> None:
        self.view = view
        self.state = view.state
        self.registry: dict[str, Any] = view.registry
        self.notes: list[str] = []
        #: What was to be taken away and resisted, by entry: the text says where.
        self.unfinished: dict[str, str] = {}
        self._handled: set[tuple[str, str, str]] = set()

    def apply(self, made: Plan, done: Callable[[Action], None]) -> None:
        """Run the plan's actions in order. Raises ServerProblem where one that adds fails; see ``unfinished``."""
        steps: dict[tuple[str, str], Callable[[Action], None]] = {
            ("adopt", "ssh_account"): self._adopt,
            ("create", "ssh_account"): lambda a: self._create(a, made, done),
            ("update", "ssh_account"): self._update,
            ("enable", "ssh_account"): self._enable,
            ("restore", "ssh_account"): self._restore,
            ("disable", "ssh_account"): self._disable,
            ("remove", "ssh_account"): self._remove,
            ("create", "ssh_key"): lambda a: self._keys(a, made, done),
            ("update", "ssh_key"): lambda a: self._keys(a, made, done),
            ("remove", "ssh_key"): lambda a: self._keys(a, made, done),
            ("create", "ssh_group"): self._join,
            ("remove", "ssh_group"): self._leave,
            ("create", "ssh_sudo"): self._grant,
            ("update", "ssh_sudo"): self._grant,
            ("remove", "ssh_sudo"): self._withdraw,
        }
        self._announce(made)
        for action in made.actions:
            if (action.action, action.kind, action.entry) in self._handled or action.entry in self.unfinished:
                continue
            try:
                steps[(action.action, action.kind)](action)
            except (ToolFailed, ServerProblem, OSError) as error:
                text = "%s %s: %s" % (action.action, action.entry, error)
                if action.action not in TAKES:
                    # Whoever was to come in isn't in: nobody is let go on the strength of it.
                    raise ServerProblem(text) from error
                # One account that resists must not keep the others open, nor have them opened again.
                self.unfinished[action.entry] = text
                continue
            if (action.action, action.kind, action.entry) not in self._handled:
                done(action)
            fault_point("apply:done")

    def _announce(self, made: Plan) -> None:
        """Write down what will be ours before it is made: a run killed half-way must not forget it."""
        taken = {int(t["uid"]) for t in self.registry["tombstones"]}
        database: AccountDatabase = self.view.database
        for action in made.of("create", "ssh_account"):
            uid = self.view.wanted.rows[action.entry].get("uid") or database.free_uid(taken)
            taken.add(uid)
            self.registry["accounts"][action.entry] = {"uid": uid, "how": "created", "since": stamp()}
        for action in made.of("adopt", "ssh_account"):
            uid = database.accounts[action.entry].uid
            self.registry["accounts"][action.entry] = {"uid": uid, "how": "adopted", "since": stamp()}
        if made.of("create", "ssh_account") or made.of("adopt", "ssh_account"):
            self._save()

    def _save(self) -> None:
        self.state.write("ssh_accounts", self.registry)
        fault_point("state:written")

    def _account(self, name: str) -> Account:
        account: Account = self.view.database.accounts[name]
        return account

    # -- accounts ---------------------------------------------------------------------------------------------

    def _adopt(self, action: Action) -> None:
        """Adoption is a line in the state file, written by _announce."""

    def _create(self, action: Action, made: Plan, done: Callable[[Action], None]) -> None:
        name, row = action.entry, self.view.wanted.rows[action.entry]
        uid = self.registry["accounts"][name]["uid"]
        children = [a for a in made.of("create") if a.parent == action.key]
        groups = [a.entry.split(" ", 1)[1] for a in children if a.kind == "ssh_group"]
        # "*", not "!": without PAM sshd refuses even a key where the password is locked by "!".
        argv = ["useradd", "--create-home", "--uid", str(uid), "--password", "*"]
        argv += ["--shell", row.get("shell") or self.view.default_shell]
        argv += ["--comment", row["comment"]] if row.get("comment") else []
        home = self.view.new_home(name)
        argv += ["--home-dir", home]
        argv += ["--expiredate", row["expires"]] if row.get("expires") not in (None, "never") else []
        argv += ["--groups", ",".join(groups)] if groups else []
        self.view.journal.made(home)
        command(argv + [name])
        fault_point("useradd:done")
        self._settle(action, done)
        for child in children:
            if child.kind == "ssh_group":
                self._settle(child, done)
        # useradd chose the number of the account's own group.
        fresh = self.view.database.learn(name)
        keys = [a for a in children if a.kind == "ssh_key"]
        # A skeleton home may bring keys of its own: what is not declared does not come along.
        for path in self.view.sshd.key_files(name, fresh.uid, fresh.home):
            if read_key_file(path, fresh.uid).present and path.startswith(fresh.home.rstrip("/") + "/"):
                remove_key_file(path, fresh.uid)
        if keys:
            lines = b"".join(render(self.view.wanted.keys[a.entry]) for a in keys)
            path = self.view.sshd.key_files(name, fresh.uid, fresh.home)[0]
            present = read_key_file(path, fresh.uid)
            write_key_file(path, edit(present.data, add=[lines]), fresh.uid, fresh.gid, fresh.home)
            for child in keys:
                self._settle(child, done)

    def _settle(self, action: Action, done: Callable[[Action], None]) -> None:
        self._handled.add((action.action, action.kind, action.entry))
        done(action)

    def _update(self, action: Action) -> None:
        argv = ["usermod"]
        for attribute, option in (("shell", "--shell"), ("comment", "--comment"), ("expires", "--expiredate")):
            if attribute in action.changes:
                argv += [option, action.changes[attribute][1] or ""]
        command(argv + [action.entry])

    def _enable(self, action: Action) -> None:
        name, row = action.entry, self.view.wanted.rows[action.entry]
        record = self.registry["disabled"].get(name, {})
        expires = row.get("expires") if row.get("expires") != "never" else None
        if read_manifest(record.get("archive")) is None:
            self.notes.append(open_without_archive(name))
        else:
            self.notes += put_account_back(self.view, name, record["archive"], whole=False)
            self.notes.append("%s is enabled; crontab, at jobs and former keys stay in %s" % (name, record["archive"]))
        command(["usermod", "--expiredate", expires or "", name])
        self.registry["disabled"].pop(name, None)
        uid = self._account(name).uid
        self.registry["tombstones"] = [t for t in self.registry["tombstones"] if (t["name"], t["uid"]) != (name, uid)]
        self._save()

    def _restore(self, action: Action) -> None:
        name = action.entry
        record = self.registry["disabled"].get(name)
        tombstone = self.view.tombstone(name)
        problem = why_not_restored(self.view, name, record, tombstone)
        if problem:
            raise ServerProblem(problem)
        if tombstone is not None:
            # First of all it is a disabled account again: a run killed from here on is finished by the next.
            record = {
                "archive": tombstone["disabled_archive"], "uid": tombstone["uid"], "since": tombstone["at"][:10],
                "why": "restore",
            }  # fmt: skip
            self._recreate(tombstone, record)
        if record is None:
            raise ServerProblem("restore %s: nothing tells what was taken" % name)
        self.notes += put_account_back(self.view, name, record["archive"], whole=True)
        self.registry["disabled"].pop(name, None)
        uid = AccountDatabase().accounts[name].uid
        self.registry["accounts"].setdefault(name, {"uid": uid, "how": "restored", "since": stamp()})
        self.registry["tombstones"] = [t for t in self.registry["tombstones"] if t["name"] != name or t["uid"] != uid]
        self._save()
        self.view.database = AccountDatabase()

    def _recreate(self, tombstone: dict[str, Any], record: dict[str, Any]) -> None:
        name, account = tombstone["name"], tombstone["account"]
        database = AccountDatabase()
        argv = ["useradd", "--no-create-home", "--uid", str(account["uid"]), "--home-dir", account["home"]]
        argv += ["--shell", account["shell"], "--comment", account["comment"], "--gid", str(account["gid"])]
        argv += ["--password", "!*", "--expiredate", "1970-01-02"]
        if account["group"] == name and name not in database.groups:
            command(["groupadd", "--gid", str(account["gid"]), name])
        if name not in database.accounts:
            command([*argv, name])
        fault_point("restore:recreated")
        self.registry["disabled"][name] = record
        self._save()
        archive = tombstone.get("home_archive")
        if archive and os.path.isdir(archive) and not os.path.lexists(account["home"]):
            self.view.journal.moved(archive, account["home"])
            os.rename(archive, account["home"])
        self.view.database = AccountDatabase()

    def _disable(self, action: Action) -> None:
        account = self._account(action.entry)
        record = self.registry["disabled"].get(account.name) or {}
        if record.get("uid") != account.uid:
            # Of an earlier owner of the name: this one must never get the other's password or groups.
            record = {}
        archive, manifest = archive_account(self.view, account, record.get("archive"))
        # Intent first: a killed run leaves a trace that leads to the archive.
        self.registry["disabled"][account.name] = {
            "archive": archive, "uid": account.uid, "since": record.get("since") or self.view.today,
            "why": action.reason,
        }  # fmt: skip
        self._save()
        trouble: list[str] = []
        # Expiry is the only lock that holds with and without PAM; the rest makes sure that nothing acts in its name.
        lock = ["usermod", "--lock", "--expiredate", "1970-01-02"]
        try:
            command([*lock, "--groups", "", account.name])
        except ToolFailed:
            # A damaged /etc/group must not keep the door open.
            command([*lock, account.name])
            for group in account.groups:
                self._attempt(trouble, partial(command, ["gpasswd", "--delete", account.name, group]))
        fault_point("disable:expired")
        if self.view.terminate:
            # Before its files are touched: whoever is still at work could move them about meanwhile.
            left = end_all(account.uid, account.name, self.view.database.subordinate(account))
            if left:
                trouble.append("processes %s do not end" % left)
            _archive, manifest = archive_account(self.view, account, archive)
        self._close(account, manifest, trouble)
        if trouble:
            raise ServerProblem("; ".join(trouble))
        for grant in self.view.grants:
            if names_account(grant, account) and not grant.alone:
                self.notes.append("%s:%d still names %s: %s" % (grant.path, grant.line, account.name, grant.text[:200]))

    def _close(self, account: Account, manifest: dict[str, Any], trouble: list[str]) -> None:
        for row in manifest["key_files"]:
            self._attempt(trouble, partial(remove_key_file, row["path"], account.uid))
            fault_point("disable:keys")
        for row in manifest["set_aside"]:
            if os.path.lexists(row["path"]):
                self._attempt(trouble, partial(self._set_aside, row["path"], row["aside"]))
        for row in manifest["sudo"]:
            self._attempt(trouble, partial(self.view.sudoers.take, row["path"]))
        for row in manifest["parked"]:
            self._attempt(trouble, partial(unlink_parked, [row]))
        for path in self.view.sshd.files():
            self._drop_from_allow_users(path, account.name)

    def _set_aside(self, path: str, aside: str) -> None:
        self.view.journal.moved(path, aside)
        os.rename(path, aside)

    @staticmethod
    def _attempt(trouble: list[str], step: Callable[[], object]) -> None:
        """One step of closing an account; the others are taken although it fails."""
        try:
            step()
        except (ToolFailed, OSError) as error:
            trouble.append(str(error))

    def _drop_from_allow_users(self, path: str, name: str) -> None:
        """The account is closed by now: a file that resists is told, and no more."""
        try:
            with open(path, encoding="utf-8", errors="surrogateescape", newline="") as stream:
                old = stream.read()
            new = drop_from_allow_users(old, name)
            if new is None:
                return
            write_atomic(path, new.encode("utf-8", "surrogateescape"), mode=0o644)
            try:
                command([self.view.sshd.program, "-t", "-f", self.view.sshd.config])
            except ToolFailed:
                write_atomic(path, old.encode("utf-8", "surrogateescape"), mode=0o644)
                raise
        except (ToolFailed, OSError) as error:
            self.notes.append("AllowUsers in %s still names %s: %s" % (path, name, error))

    def _remove(self, action: Action) -> None:
        account = self._account(action.entry)
        record = self.registry["disabled"].get(account.name, {})
        left = (
            end_all(account.uid, account.name, self.view.database.subordinate(account)) if self.view.terminate else []
        )
        if left:
            raise ServerProblem("remove %s: processes %s do not end" % (account.name, left))
        archive = record.get("removing") or self.state.new_archive("ssh_accounts", account.name)
        self.registry["disabled"][account.name] = dict(record, removing=archive, uid=account.uid)
        self._save()
        home = self._archive_home(account, archive)
        tombstone = {
            "name": account.name, "uid": account.uid, "at": stamp(), "archive": archive, "home_archive": home,
            "disabled_archive": record.get("archive"), "what": "remove", "account": self._describe(account),
            "leftovers": [],
        }  # fmt: skip
        self.state.save_manifest(archive, tombstone)
        # The tombstone first: a run killed right after userdel must still know how to bring the account back.
        kept = [t for t in self.registry["tombstones"] if t["archive"] != archive]
        self.registry["tombstones"] = [*kept, tombstone]
        self._save()
        command(["userdel", account.name])
        fault_point("userdel:done")
        self.registry["disabled"].pop(account.name, None)
        self.registry["accounts"].pop(account.name, None)
        # userdel takes some of it along (subordinate ids): only now it shows what stays.
        tombstone["leftovers"] = leftovers(account)
        self._save()
        self.notes += ["%s left behind %s" % (account.name, text) for text in tombstone["leftovers"]]

    def _describe(self, account: Account) -> dict[str, Any]:
        group = next((n for n, (gid, _m) in self.view.database.groups.items() if gid == account.gid), "")
        return {
            "uid": account.uid, "gid": account.gid, "group": group, "home": account.home, "shell": account.shell,
            "comment": account.comment,
        }  # fmt: skip

    def _archive_home(self, account: Account, archive: str) -> str | None:
        """Move the home aside by one rename: to the archive, or to a root-only directory on its own file system."""
        for place in (os.path.join(archive, "home"), self._beside_home(account, archive)):
            if os.path.isdir(place):
                return place
        problem = self.view.home_problem(account)
        if problem:
            if problem != "is missing":
                self.notes.append("%s: home %s stays: it %s" % (account.name, account.home, problem))
            return None
        place = os.path.join(archive, "home")
        try:
            try:
                self.view.journal.moved(account.home, place)
                os.rename(account.home, place)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                place = self._beside_home(account, archive)
                self._private(os.path.dirname(place))
                self.view.journal.moved(account.home, place)
                os.rename(account.home, place)
        except OSError as error:
            # A mount point, a network or read-only file system: the uid is never given again, so it can stay.
            self.notes.append("%s: home %s stays: %s" % (account.name, account.home, error.strerror or error))
            return None
        fault_point("home:moved")
        return place

    @staticmethod
    def _private(folder: str) -> None:
        """Make a directory of root's alone. Raises OSError where somebody else's has its name."""
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        found = os.lstat(folder)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o077:
            raise OSError(errno.EPERM, "%s is not a directory of root with mode 0700" % folder)

    @staticmethod
    def _beside_home(account: Account, archive: str) -> str:
        parent = os.path.dirname(account.home.rstrip("/"))
        return os.path.join(parent, ".infogerance-perimeter", os.path.basename(archive))

    # -- keys, groups, sudo -----------------------------------------------------------------------------------

    def _keys(self, action: Action, made: Plan, done: Callable[[Action], None]) -> None:
        """All key actions of one name for one account: one write per file."""
        name = action.entry.split(" ", 1)[0]
        account = self._account(name)
        batch = [a for a in made.of(action.action, "ssh_key") if a.parent == action.parent]
        files = [read_key_file(p, account.uid) for p in self.view.sshd.key_files(name, account.uid, account.home)]
        drop = {a.entry.split(" ", 1)[1] for a in batch} if action.action != "create" else set()
        add = []
        for one in batch if action.action != "remove" else []:
            line = self.view.wanted.keys[one.entry]
            if action.action == "update" or not any(k.fingerprint == line.fingerprint for f in files for k in f.lines):
                add.append(render(line))
        if drop:
            self._archive_lines(name, files, drop)
        for number, found in enumerate(files):
            data = edit(found.data, drop, add if number == 0 else ())
            if data != found.data:
                write_key_file(found.path, data, account.uid, account.gid, account.home)
                fault_point("keys:written")
        for one in batch:
            self._settle(one, done)

    def _archive_lines(self, name: str, files: list[Any], drop: set[str]) -> None:
        touched = [f for f in files if any(line.fingerprint in drop for line in f.lines)]
        archive = self.state.new_archive("ssh_keys", name)
        rows = []
        for number, found in enumerate(touched):
            rows.append({"path": found.path, "copy": self.state.save(archive, "keys.%d" % number, found.data)})
        manifest = {"what": "keys", "name": name, "at": stamp(), "files": rows, "fingerprints": sorted(drop)}
        self.state.save_manifest(archive, manifest)

    def _join(self, action: Action) -> None:
        name, group = action.entry.split(" ", 1)
        command(["gpasswd", "--add", name, group])

    def _leave(self, action: Action) -> None:
        name, group = action.entry.split(" ", 1)
        command(["gpasswd", "--delete", name, group])

    def _grant(self, action: Action) -> None:
        self.view.sudoers.put(action.entry, render_rule(action.entry, self.view.wanted.rows[action.entry]["sudo"]))

    def _withdraw(self, action: Action) -> None:
        name, _blank, path = action.entry.partition(" ")
        path = path or self.view.sudoers.fragment(name)
        archive = self.state.new_archive("ssh_sudo", name)
        with open(path, "rb") as stream:
            copy = self.state.save(archive, "fragment", stream.read())
        self.state.save_manifest(archive, {"what": "sudo", "name": name, "at": stamp(), "path": path, "copy": copy})
        self.view.sudoers.take(path)
