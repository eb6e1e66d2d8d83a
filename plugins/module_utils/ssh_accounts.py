# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSH accounts as a kind of entry point: observe the server, check the plan against it, apply, prove."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from .account_changes import AccountChanges
from .account_database import Account, AccountDatabase, ToolFailed
from .account_entries import DeclaredAccounts, Manage, declare, last_admin, parse_manage
from .account_touched import touched
from .connection import Connection, connecting_key, current
from .entry_point_module import Kind, ServerProblem, confirm_arguments, policy_arguments
from .key_files import KeyFile, read_key_file
from .parked import owned_files
from .processes import running
from .reconcile import Action, Declared, Guard, InvalidEntry, Key, Observed, Plan
from .rollback import Touched
from .sshd import Sshd, SshdProblem
from .state_directory import StateDirectory
from .sudoers import Grant, Sudoers, admin_groups, grants_all, render_rule

__all__ = ["SshAccounts", "arguments"]


def arguments() -> dict[str, Any]:
    """Argument spec of ``ssh_accounts``."""
    sudo = {
        "commands": {"type": "list", "elements": "str", "default": ["ALL"]},
        "nopasswd": {"type": "bool", "default": False},
        "runas": {"type": "str", "default": "ALL"},
    }
    account = {
        "name": {"type": "str", "required": True},
        "keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
        "groups": {"type": "list", "elements": "str"},
        "sudo": {"type": "dict", "options": sudo},
        "shell": {"type": "path"},
        "comment": {"type": "str"},
        "uid": {"type": "int"},
        "home": {"type": "path"},
        "expires": {"type": "str"},
        "person": {"type": "str"},
        "system": {"type": "bool", "default": False},
    }
    manage = {
        "local_people": {"type": "bool", "default": False},
        "groups": {"type": "list", "elements": "str", "default": []},
        "uids": {"type": "list", "elements": "str", "default": []},
        "names": {"type": "list", "elements": "str", "default": []},
    }
    spec = {**policy_arguments(), **confirm_arguments()}
    spec.update(
        accounts={"type": "list", "elements": "dict", "required": True, "options": account},
        manage={"type": "dict", "options": manage},
        keep_groups={"type": "list", "elements": "str", "default": []},
        key_options={"type": "str", "choices": ["keep", "exact"], "default": "keep", "no_log": False},
        terminate={"type": "bool", "default": True},
        scan={"type": "list", "elements": "path", "default": []},
        scan_timeout={"type": "int", "default": 60},
        sshd_config={"type": "path", "default": "/etc/ssh/sshd_config"},
    )
    return spec


class SshAccounts(Kind):
    """Reads accounts, keys, groups and sudo rules; writes them through AccountChanges."""

    name = "ssh_accounts"

    def __init__(self, params: dict[str, Any], state: StateDirectory, today: str) -> None:
        self.params = params
        self.state = state
        self.today = today
        self.terminate = bool(params.get("terminate", True))
        self.default_shell = "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"
        self.wanted = DeclaredAccounts()
        self.manage = Manage()
        self.connection: Connection = current()
        self.sudoers = Sudoers()
        self.key: str | None = None
        self.notes: list[str] = []
        self.files: dict[str, list[KeyFile]] = {}

    # -- declare ----------------------------------------------------------------------------------------------

    def declare(self) -> Sequence[Declared]:
        self.manage = parse_manage(self.params.get("manage"))
        self.wanted = declare(self.params.get("accounts") or [], self.params.get("key_options") == "exact")
        return self.wanted.entries

    # -- observe ----------------------------------------------------------------------------------------------

    def observe(self) -> Sequence[Observed]:
        self.database = AccountDatabase()
        self.sshd = Sshd(self.params["sshd_config"], self.connection.address or "127.0.0.1")
        loaded = self.state.read("ssh_accounts")
        self.registry = {
            "accounts": loaded.get("accounts", {}), "disabled": loaded.get("disabled", {}),
            "tombstones": loaded.get("tombstones", []),
        }  # fmt: skip
        for tombstone in self.registry["tombstones"]:
            # A run killed right after userdel leaves both; the account is gone, so only the tombstone counts.
            if tombstone["name"] not in self.database.accounts:
                self.registry["disabled"].pop(tombstone["name"], None)
        self.grants = self.sudoers.grants()
        self.admin_groups = admin_groups(self.grants)
        try:
            self.effective = self.sshd.effective()
            self.files = {a.name: self._key_files(a) for a in self.database.accounts.values()}
        except SshdProblem as error:
            raise ServerProblem(str(error)) from None
        self._find_shared_files()
        self._check_names()
        self.me = self._connecting_accounts()
        entries: list[Observed] = []
        chosen = [a for a in self.database.accounts.values() if self._of_interest(a)]
        self.running = running([a.uid for a in chosen if a.name in self.registry["disabled"]])
        for account in chosen:
            entries += self._entries(account)
        entries += self._removed_to_restore()
        self.observed = {o.key: o for o in entries}
        return entries

    def _removed_to_restore(self) -> list[Observed]:
        """Removed accounts that the user wants back: they stand in the plan as long disabled ones."""
        rows = []
        for name in self.params["restore"]:
            if name in self.database.accounts:
                continue
            tombstone = next((t for t in reversed(self.registry["tombstones"]) if t["name"] == name), None)
            if tombstone is None:
                raise InvalidEntry(
                    name, "restore", "was neither disabled nor removed by this collection on this server"
                )
            since = tombstone["at"][:10]
            rows.append(Observed("ssh_account", name, {}, True, None, since, None, None, True))
        return rows

    def _key_files(self, account: Account) -> list[KeyFile]:
        paths = self.sshd.key_files(account.name, account.uid, account.home)
        return [read_key_file(path, account.uid) for path in paths]

    def _find_shared_files(self) -> None:
        users: dict[str, set[str]] = {}
        for name, files in self.files.items():
            for found in files:
                if found.present:
                    users.setdefault(found.path, set()).add(name)
        self.shared_files = {path: sorted(names) for path, names in users.items() if len(names) > 1}

    def _of_interest(self, account: Account) -> bool:
        return (
            self.database.is_person(account)
            or account.name in self.wanted.rows
            or account.name in self.manage.names
            or account.uid in self.connection.uids
            or account.password in ("usable", "empty")
            or any(f.problem or f.lines for f in self.files[account.name])
            or account.name in self.registry["accounts"]
        )

    def _connecting_accounts(self) -> frozenset[str]:
        by_uid = {a.name for a in self.database.accounts.values() if a.uid in self.connection.uids}
        return frozenset(by_uid | (self.connection.names & set(self.database.accounts)))

    def _entries(self, account: Account) -> list[Observed]:
        managed = self._managed(account)
        protected = self._protected(account)
        disabled = self._disabled_since(account)
        person = self.wanted.rows.get(account.name, {}).get("person")
        top = Observed(
            "ssh_account",
            account.name,
            {
                "uid": account.uid, "shell": account.shell, "comment": account.comment, "home": account.home,
                "expires": account.expires, "closed": bool(account.expires and account.expires <= self.today),
            },
            managed=managed, protected=protected, disabled_since=disabled, person=person, staged=True,
        )  # fmt: skip
        if disabled is not None:
            return [top]
        mine = account.name in self.me
        rows = [top] + self._key_entries(account, managed, mine)
        guarded = "%s carries this connection" % account.name if mine else None
        for group in account.groups:
            reason = "named by keep_groups" if group in self.params["keep_groups"] else guarded
            rows.append(
                Observed("ssh_group", "%s %s" % (account.name, group), {}, managed, reason, None, top.key, person)
            )
        rows += self._sudo_entries(account, managed, guarded)
        return rows

    def _key_entries(self, account: Account, managed: bool, mine: bool) -> list[Observed]:
        found: dict[str, dict[str, Any]] = {}
        for file in self.files[account.name]:
            for line in file.lines:
                if line.fingerprint is not None:
                    row = found.setdefault(line.fingerprint, {"options": set(), "files": set()})
                    row["options"].add(line.options)
                    row["files"].add(file.path)
        entries = []
        for fingerprint, row in found.items():
            entry = "%s %s" % (account.name, fingerprint)
            reason = self._key_protection(account, entry, fingerprint, row["files"], mine)
            attributes = {"options": sorted(row["options"]), "files": sorted(row["files"])}
            person = self.wanted.rows.get(account.name, {}).get("person")
            entries.append(
                Observed("ssh_key", entry, attributes, managed, reason, None, ("ssh_account", account.name), person)
            )
        return entries

    def _key_protection(
        self, account: Account, entry: str, fingerprint: str, files: set[str], mine: bool
    ) -> str | None:
        if fingerprint in self.params["protect"]:
            return "named by protect"
        shared = [path for path in files if path in self.shared_files]
        if shared:
            return "%s is read for several accounts: %s" % (shared[0], ", ".join(self.shared_files[shared[0]][:5]))
        if not mine or entry in self.wanted.keys:
            return None
        if self.key is None:
            self.key = connecting_key(self.connection) or ""
        if self.key == fingerprint:
            return "this connection came in with it"
        if not self.key:
            return "may carry this connection: no log tells which key of %s does" % account.name
        return None

    def _sudo_entries(self, account: Account, managed: bool, guarded: str | None) -> list[Observed]:
        rows: list[Observed] = []
        parent: Key = ("ssh_account", account.name)
        ours = self.sudoers.fragment(account.name)
        rule = self.sudoers.rule(account.name)
        if rule is not None:
            wanted = self.wanted.rows.get(account.name, {}).get("sudo")
            same = wanted and render_rule(account.name, wanted) == rule
            # The rule compares as text; where it is the declared one, it shows as the declared value.
            shown = {k: wanted[k] for k in ("commands", "nopasswd", "runas")} if same else rule
            rows.append(
                Observed(
                    "ssh_sudo", account.name, {"sudo": shown, "all": grants_all(rule)}, True, guarded, None, parent
                )
            )
        others: dict[str, list[Grant]] = {}
        for grant in self.grants:
            if grant.who == account.name and grant.path != ours and account.uid != 0:
                others.setdefault(grant.path, []).append(grant)
        for path, grants in others.items():
            everything = any(grants_all(g.text) for g in grants)
            rows.append(
                Observed(
                    "ssh_sudo",
                    "%s %s" % (account.name, path),
                    {"rules": [g.text for g in grants], "all": everything},
                    managed and grants[0].alone,
                    guarded,
                    None,
                    parent,
                )  # fmt: skip
            )
        return rows

    def _managed(self, account: Account) -> bool:
        record = self.registry["accounts"].get(account.name)
        if record is not None:
            if record["uid"] == account.uid:
                return True
            self._note("%s: uid is %d, the state file says %d: not ours" % (account.name, account.uid, record["uid"]))
        person = self.database.is_person(account)
        return account.uid != 0 and self.manage.covers(account.name, account.uid, account.groups, person)

    def _protected(self, account: Account) -> str | None:
        if account.uid == 0:
            return "root's account"
        if account.name in self.me:
            return "carries this connection"
        twins = [a.name for a in self.database.accounts.values() if a.uid == account.uid and a.name != account.name]
        if twins:
            return "shares its uid with %s" % ", ".join(twins)
        if not self.database.is_person(account) and account.name not in self.manage.names:
            return "system account (uid %d)" % account.uid
        if account.name == "nobody":
            return "system account (uid %d)" % account.uid
        return None

    def _disabled_since(self, account: Account) -> str | None:
        """The date of stage one, if the account is really closed now: re-opened by hand is open."""
        record = self.registry["disabled"].get(account.name)
        if record is None or record.get("uid") != account.uid:
            return None
        keys = any(
            line.fingerprint for f in self.files[account.name] for line in f.lines if f.path not in self.shared_files
        )
        alive = self.terminate and self.running.get(account.uid)
        expired = account.expires is not None and account.expires <= self.today
        sudo = any(g.who == account.name and g.alone for g in self.grants)
        if keys or alive or sudo or not expired or account.groups or account.password in ("usable", "empty"):
            return None
        return str(record["since"])

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def home_problem(self, account: Account) -> str | None:
        """Why the home must not be moved; None where it may."""
        try:
            found = os.lstat(account.home)
        except OSError:
            return "is missing"
        others = [a.home.rstrip("/") for a in self.database.accounts.values() if a.name != account.name]
        home = account.home.rstrip("/")
        if not stat.S_ISDIR(found.st_mode):
            return "is no directory"
        if found.st_uid != account.uid:
            return "belongs to uid %d" % found.st_uid
        if home.count("/") < 2:
            return "is a top-level directory"
        if any(o == home or o.startswith(home + "/") for o in others):
            return "is or holds the home of another account"
        return None

    # -- check ------------------------------------------------------------------------------------------------

    def _check_names(self) -> None:
        """Faults of the list that only this server can show."""
        by_uid = {a.uid: a.name for a in self.database.accounts.values()}
        former = {t["uid"]: t for t in self.registry["tombstones"]}
        for name in self.database.remote_names(list(self.wanted.rows)):
            raise InvalidEntry(name, "name", "comes from a directory service on this server, not from /etc/passwd")
        for name, row in self.wanted.rows.items():
            here = self.database.accounts.get(name)
            if row.get("system"):
                if here is None:
                    raise InvalidEntry(name, "system", "there is no such account on this server")
                continue
            if here is not None and not self.database.is_person(here):
                raise InvalidEntry(
                    name, "name", "is a system account here (uid %d); system: true manages its keys only" % here.uid
                )
            if here is None and name in self.database.groups and not row.get("gid"):
                raise InvalidEntry(
                    name, "name", "is a group on this server already; a new account would need that name"
                )
            uid = row.get("uid")
            if uid is not None and here is None:
                if uid in by_uid:
                    raise InvalidEntry(name, "uid", "%d is %s's on this server" % (uid, by_uid[uid]))
                if uid in former and former[uid]["name"] != name:
                    told = (uid, former[uid]["name"], former[uid]["at"][:10])
                    raise InvalidEntry(name, "uid", "%d was %s's until %s and is never given again" % told)
            if uid is not None and here is not None and here.uid != uid:
                raise InvalidEntry(
                    name, "uid", "is %d on this server, the list says %d; a uid is never changed" % (here.uid, uid)
                )
            if row.get("home") and here is not None and here.home != row["home"]:
                raise InvalidEntry(
                    name,
                    "home",
                    "is %s on this server, the list says %s; homes are not moved" % (here.home, row["home"]),
                )
            for group in row.get("groups") or []:
                if group not in self.database.groups:
                    raise InvalidEntry(name, "groups", "there is no group %s on this server" % group)
            if row.get("shell") and not os.access(row["shell"], os.X_OK):
                raise InvalidEntry(name, "shell", "%s can't be run on this server" % row["shell"])

    def check(self, made: Plan) -> None:
        for action in made.actions:
            name = action.entry.split(" ", 1)[0]
            if action.kind == "ssh_account" and action.action == "create":
                self._check_new_home(name)
            if action.kind == "ssh_account" and action.action == "update" and name in self.me:
                shell = action.changes.get("shell", (None, None))[1]
                if shell and os.path.basename(shell) in ("nologin", "false"):
                    raise InvalidEntry(name, "shell", "%s would close the account that carries this connection" % shell)
            if action.kind == "ssh_key":
                for file in self.files.get(name, []):
                    if file.problem:
                        raise InvalidEntry(name, "keys", file.problem)
                    if file.path in self.shared_files and action.action != "remove":
                        raise InvalidEntry(name, "keys", "%s is read for several accounts" % file.path)
                if not self.sshd.key_file_patterns(name):
                    raise InvalidEntry(
                        name, "keys", "sshd reads no key file for this account (AuthorizedKeysFile none)"
                    )
            if action.kind == "ssh_sudo" and action.action in ("create", "update") and not _has_visudo():
                raise InvalidEntry(name, "sudo", "sudo is not installed on this server")

    def _check_new_home(self, name: str) -> None:
        row = self.wanted.rows[name]
        home = row.get("home") or "/home/%s" % name
        try:
            found = os.lstat(home)
        except OSError:
            return
        if not stat.S_ISDIR(found.st_mode) or row.get("uid") != found.st_uid:
            told = "%s exists already and belongs to uid %d: a new account would take over what a former one left"
            raise InvalidEntry(name, "home", told % (home, found.st_uid))

    def guards(self) -> Sequence[Guard]:
        before = dict(self.observed) if hasattr(self, "observed") else {}
        passwords = frozenset(
            a.name for a in self.database.accounts.values() if a.password == "usable" and self._password_login(a)
        )
        guard = last_admin(self.admin_groups, passwords)

        def check(made: Plan, after: Mapping[Key, Observed]) -> str | None:
            return guard(before, made, after)

        return [check]

    def _password_login(self, account: Account) -> bool:
        if self.effective.one("passwordauthentication", "yes") != "yes":
            return False
        return account.uid != 0 or self.effective.one("permitrootlogin") == "yes"

    # -- apply, verify, tell ----------------------------------------------------------------------------------

    def touched(self, made: Plan) -> Touched:
        return touched(self, made)

    def apply(self, made: Plan, done: Callable[[Action], None]) -> None:
        changes = AccountChanges(self)
        try:
            changes.apply(made, done)
        except ToolFailed as error:
            raise ServerProblem(str(error)) from error
        finally:
            for note in changes.notes:
                self._note(note)

    def verify(self, made: Plan) -> Sequence[str]:
        gone = {t["name"]: t["uid"] for t in self.registry["tombstones"]}
        removed = [a.entry for a in made.of("remove", "ssh_account")]
        alive = running([gone[name] for name in removed if name in gone])
        open_still = ["%s still runs process %s" % (n, alive[gone[n]]) for n in removed if n in gone and alive[gone[n]]]
        return open_still + ["%s is still in passwd" % name for name in removed if name in self.database.accounts]

    def details(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "access": self.access(
                [o.entry for o in self.observed.values() if o.kind == "ssh_account" and self._worth_telling(o)]
            ),
            "access_not_controlled": self.not_controlled(),
            "problems": self.problems(),
            "notes": list(self.notes),
        }
        if self.params.get("scan"):
            gone = [int(t["uid"]) for t in self.registry["tombstones"]]
            told["files_left"] = owned_files(gone, self.params["scan"], self.params["scan_timeout"])
        return told

    def _worth_telling(self, found: Observed) -> bool:
        return found.entry not in self.wanted.rows or found.disabled_since is not None

    def access(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Who can get in now, and by which path: read from the server, not from the plan."""
        chosen = [self.database.accounts[n] for n in names if n in self.database.accounts]
        alive = running([a.uid for a in chosen if a.uid >= self.database.uid_min])
        return [self._access_row(a, alive.get(a.uid, [])) for a in chosen]

    def _access_row(self, account: Account, pids: Sequence[int]) -> dict[str, Any]:
        expired = account.expires is not None and account.expires <= self.today
        keys = [
            {
                "fingerprint": line.fingerprint, "file": file.path, "comment": line.comment,
                "certificate_authority": line.is_ca, "expired": line.expired(self.today), "options": line.options,
            }
            for file in self.files[account.name] for line in file.lines if line.fingerprint
        ]  # fmt: skip
        rooted = ["group %s" % g for g in account.groups if g in self.admin_groups or g in ROOT_GROUPS]
        rooted += ["%s:%d" % (g.path, g.line) for g in self.grants if g.who == account.name]
        password = account.password in ("usable", "empty") and self._password_login(account)
        live = [k for k in keys if not k["expired"]]
        return {
            "account": account.name, "uid": account.uid,
            "person": self.wanted.rows.get(account.name, {}).get("person"),
            "open": bool((live or password) and not expired) or bool(pids),
            "expires": account.expires, "password": password, "keys": keys, "root": rooted,
            "processes": len(pids), "shell": account.shell, "managed": self._managed(account),
            "disabled_since": self._disabled_since(account),
        }  # fmt: skip

    def not_controlled(self) -> list[str]:
        """Ways in that this module reads but doesn't reconcile."""
        told = []
        for name in (
            "authorizedkeyscommand",
            "trustedusercakeys",
            "authorizedprincipalsfile",
            "authorizedprincipalscommand",
        ):
            value = self.effective.one(name, "none")
            if value != "none":
                told.append("sshd %s %s" % (name, value))
        if self.effective.one("permitemptypasswords") == "yes":
            told.append("sshd permitemptypasswords yes")
        told += ["%s comes from a directory service" % name for name in self.database.remote_accounts()]
        told += [
            "%s holds a certificate authority for %s" % (f.path, n)
            for n, files in self.files.items()
            for f in files
            if any(k.is_ca for k in f.lines)
        ]
        return told

    def problems(self) -> list[str]:
        """What a competent reader would want to know although nothing can be done about it here."""
        told = []
        for name, files in self.files.items():
            for file in files:
                if file.problem:
                    told.append("%s: %s" % (name, file.problem))
                bad = [number for number, line in enumerate(file.lines, 1) if line.problem]
                if bad:
                    told.append(
                        "%s: %s: line %s: no key that sshd could use; kept"
                        % (name, file.path, ", ".join(map(str, bad[:20])))
                    )
        for path, names in self.shared_files.items():
            told.append("%s is read for several accounts: %s" % (path, ", ".join(names[:5])))
        for name, row in self.wanted.rows.items():
            account = self.database.accounts.get(name)
            if account is not None:
                told += self._declared_but_closed(account, row)
        return told

    def _declared_but_closed(self, account: Account, row: dict[str, Any]) -> list[str]:
        told = []
        if not account.can_open_a_shell and row.get("keys"):
            told.append("%s: shell %s stops commands, not port forwarding or SFTP" % (account.name, account.shell))
        if account.expires and account.expires <= self.today and not row.get("expires"):
            told.append("%s: declared, but expired on the server since %s" % (account.name, account.expires))
        group_names = set(account.groups) | {n for n, (gid, _m) in self.database.groups.items() if gid == account.gid}
        allow, groups = self.effective.words("allowusers"), self.effective.words("allowgroups")
        if (
            allow
            and not self.sshd.per_user
            and not any(_plain(w) == account.name or "*" in w or "?" in w for w in allow)
        ):
            told.append("%s: declared, but not in sshd's AllowUsers" % account.name)
        if groups and not self.sshd.per_user and not (group_names & set(groups)) and not any("*" in g for g in groups):
            told.append("%s: declared, but in no group of sshd's AllowGroups" % account.name)
        return told


#: Groups that are as good as root on the distributions we know, beside those that sudo names.
ROOT_GROUPS = ("docker", "lxd", "disk", "shadow", "sudo", "wheel", "root")


def _plain(word: str) -> str:
    return word.split("@", 1)[0]


def _has_visudo() -> bool:
    return any(
        os.access(os.path.join(p, "visudo"), os.X_OK) for p in ("/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin")
    )
