# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSH accounts as a kind of entry point: observe the server, check the plan against it, apply, prove."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from .account_checks import check_list, check_plan
from .account_database import Account, AccountDatabase, ToolFailed
from .account_entries import DeclaredAccounts, Manage, Ways, declare, last_admin, parse_manage
from .account_report import access, names_account, not_controlled, opens, problems, readable
from .connection import Connection, connecting_key, current
from .entry_point_module import Kind, ServerProblem, confirm_arguments, policy_arguments, today
from .journal import Touched
from .key_files import KeyFile, read_key_file
from .parked import owned_files
from .processes import running
from .reconcile import Action, Declared, Guard, InvalidEntry, Key, Observed, Plan
from .sshd import Sshd, SshdProblem
from .state_directory import StateDirectory
from .sudoers import Grant, Sudoers, admin_groups, grants_all, render_rule

__all__ = ["SshAccounts", "arguments", "make", "which_entry"]


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


def make(params: dict[str, Any]) -> tuple[SshAccounts, StateDirectory]:
    """The kind for the spine."""
    state = StateDirectory(params["state_directory"])
    return SshAccounts(params, state, today()), state


def which_entry(params: Mapping[str, Any]) -> str:
    """The account that Ansible itself refuses, for the beginning of an error message; else empty."""
    from .wrong_row import wrong_row

    known = arguments()["accounts"]["options"]
    return wrong_row(params.get("accounts"), known, lambda row: str(row.get("name") or ""))


#: No server that this release meets lives before it: an earlier date is a clock that was never set.
EARLIEST = "2026-01-01"


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
        self.unfinished: dict[str, str] = {}

    # -- declare ----------------------------------------------------------------------------------------------

    def declare(self) -> Sequence[Declared]:
        self.manage = parse_manage(self.params.get("manage"))
        self.wanted = declare(self.params.get("accounts") or [], self.params.get("key_options") == "exact")
        return self.wanted.entries

    # -- observe ----------------------------------------------------------------------------------------------

    def observe(self) -> Sequence[Observed]:
        if not self.connection.known:
            raise ServerProblem("/proc can't be read: whose connection this is can't be known, so nobody is safe here")
        self.database = AccountDatabase()
        self.sshd = Sshd(self.params["sshd_config"], self.connection.address or "127.0.0.1", self.groups_of)
        loaded = self.state.read("ssh_accounts")
        self.registry = {
            "accounts": loaded.get("accounts", {}), "disabled": loaded.get("disabled", {}),
            "tombstones": loaded.get("tombstones", []),
        }  # fmt: skip
        self._check_clock()
        for tombstone in self.registry["tombstones"]:
            # A run killed right after userdel leaves both; the account is gone, so only the tombstone counts.
            if tombstone["name"] not in self.database.accounts:
                self.registry["disabled"].pop(tombstone["name"], None)
        self.grants = self.sudoers.grants()
        self.admin_groups = self._admin_groups()
        try:
            self.effective = self.sshd.effective()
            self.files = {a.name: self._key_files(a) for a in self.database.accounts.values()}
        except SshdProblem as error:
            raise ServerProblem(str(error)) from None
        self._find_shared_files()
        check_list(self)
        self.me = self._connecting_accounts()
        entries: list[Observed] = []
        chosen = [a for a in self.database.accounts.values() if self._of_interest(a)]
        self.running = running([a.uid for a in chosen if a.name in self.registry["disabled"]], self.subordinate)
        for account in chosen:
            entries += self._entries(account)
        entries += self._removed_to_restore()
        self.observed = {o.key: o for o in entries}
        return entries

    def _check_clock(self) -> None:
        """Expiry and grace are counted from today: on a server without the right time everybody would be let in."""
        seen = [str(row.get("since") or row.get("at") or "")[:10] for row in self._records()]
        newest = max([EARLIEST, *seen])
        if self.today < newest:
            raise ServerProblem(
                "the server's clock says %s, but %s has been (%s): set it first, dates decide who gets in"
                % (self.today, newest, os.path.join(self.state.root, "ssh_accounts.json"))
            )

    def _records(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = list(self.registry["tombstones"])
        for part in ("accounts", "disabled"):
            found += self.registry[part].values()
        return found

    def groups_of(self, name: str) -> frozenset[str]:
        """All groups of an account, its own one included; empty for an account that is not here."""
        account = self.database.accounts.get(name)
        if account is None:
            return frozenset()
        primary = self.database.primary_group(account)
        return frozenset(account.groups) | ({primary} if primary else set())

    def subordinate(self, uid: int) -> list[tuple[int, int]]:
        """The subordinate uids of the account with this uid."""
        account = next((a for a in self.database.accounts.values() if a.uid == uid), None)
        return self.database.subordinate(account) if account is not None else []

    def _admin_groups(self) -> frozenset[str]:
        named = admin_groups(self.grants)
        numbers = {name[1:] for name in named if name.startswith("#")}
        by_number = {name for name, (gid, _members) in self.database.groups.items() if str(gid) in numbers}
        return self.database.with_twins(named | by_number)

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
        lax = self.effective.one("strictmodes", "yes") == "no"
        for name, files in self.files.items():
            for found in files:
                # With StrictModes sshd refuses an account a file that belongs to another one.
                if found.present or (lax and found.problem):
                    users.setdefault(found.path, set()).add(name)
        self.shared_files = {path: sorted(names) for path, names in users.items() if len(names) > 1}

    def _of_interest(self, account: Account) -> bool:
        return (
            self.database.is_person(account)
            or account.name in self.wanted.rows
            or account.name in self.manage.names
            or account.uid in self.connection.uids
            or (account.uid == 0 and account.name != "root")
            or account.name in self.database.twice
            or account.password in ("usable", "empty")
            or any(f.problem or f.lines for f in self.files[account.name])
            or account.name in self.registry["accounts"]
        )

    def _connecting_accounts(self) -> frozenset[str]:
        by_uid = {a.name for a in self.database.accounts.values() if a.uid in self.connection.uids}
        return frozenset(by_uid | (self.connection.names & set(self.database.accounts)))

    def _entries(self, account: Account) -> list[Observed]:
        managed = self.is_managed(account)
        protected = self._protected(account)
        disabled = self.disabled_since(account)
        person = self.wanted.rows.get(account.name, {}).get("person")
        top = Observed(
            "ssh_account",
            account.name,
            {
                "uid": account.uid, "shell": account.shell, "comment": readable(account.comment),
                "home": readable(account.home), "group": self.database.primary_group(account),
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
                    row["options"].add(readable(line.options))
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
            # The rule compares as text; where it is the declared one, it shows as the declared value.
            shown: Any = rule
            if wanted and render_rule(account.name, wanted) == rule:
                shown = {k: wanted[k] for k in ("commands", "nopasswd", "runas")}
            rows.append(
                Observed(
                    "ssh_sudo", account.name, {"sudo": shown, "all": grants_all(rule)}, True, guarded, None, parent
                )
            )
        others: dict[str, list[Grant]] = {}
        for grant in self.grants:
            if names_account(grant, account) and grant.path != ours and account.uid != 0:
                others.setdefault(grant.path, []).append(grant)
        for path, grants in others.items():
            everything = any(g.everything for g in grants)
            rows.append(
                Observed(
                    "ssh_sudo",
                    "%s %s" % (account.name, path),
                    {"rules": [g.text for g in grants], "all": everything},
                    managed and grants[0].alone,
                    guarded,
                    None,
                    parent,
                )
            )
        return rows

    def is_managed(self, account: Account) -> bool:
        record = self.registry["accounts"].get(account.name)
        if record is not None:
            if record["uid"] == account.uid:
                return True
            self._note("%s: uid is %d, the state file says %d: not ours" % (account.name, account.uid, record["uid"]))
        person = self.database.is_person(account)
        return account.uid != 0 and self.manage.covers(account.name, account.uid, account.groups, person)

    def _protected(self, account: Account) -> str | None:
        if account.uid == 0:
            return "root's account" if account.name == "root" else "has root's uid"
        if account.name in self.database.twice:
            return "has more than one line in /etc/passwd: mend it by hand"
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

    def disabled_since(self, account: Account) -> str | None:
        """The date of stage one, if the account is really closed now: re-opened by hand is open."""
        record = self.registry["disabled"].get(account.name)
        if record is None or record.get("uid") != account.uid:
            return None
        keys = any(
            line.fingerprint
            for f in self.files.get(account.name, [])
            for line in f.lines
            if f.path not in self.shared_files
        )
        alive = self.terminate and self.running.get(account.uid)
        expired = account.expires is not None and account.expires <= self.today
        sudo = any(names_account(g, account) and g.alone for g in self.grants)
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
        if os.path.ismount(home):
            return "is a mount point"
        if any(o == home or o.startswith(home + "/") for o in others):
            return "is or holds the home of another account"
        return None

    # -- check ------------------------------------------------------------------------------------------------

    def check(self, made: Plan) -> None:
        check_plan(self, made)

    def new_home(self, name: str) -> str:
        """The home that a new account will have."""
        return str(self.wanted.rows[name].get("home") or os.path.join(self.database.home_base(), name))

    def tombstone(self, name: str) -> dict[str, Any] | None:
        """The last removed account of this name; None where there is none, or its place is another's."""
        here = self.database.accounts.get(name)
        found = (t for t in reversed(self.registry["tombstones"]) if t["name"] == name)
        return next((t for t in found if here is None or here.uid == t["uid"]), None)

    def guards(self) -> Sequence[Guard]:
        before = dict(self.observed) if hasattr(self, "observed") else {}
        open_by_password = [a.name for a in self.database.accounts.values() if a.password == "usable"]  # noqa: S105 - a state
        passwords = frozenset(name for name in open_by_password if self.sshd.password_login(name))
        everyone = any(g.who == "ALL" and g.everything for g in self.grants)
        guard = last_admin(Ways(self.admin_groups, passwords, everyone, self.sshd.lets_in, self.today))

        def check(made: Plan, after: Mapping[Key, Observed]) -> str | None:
            return guard(before, made, after)

        return [check]

    # -- apply, verify, tell ----------------------------------------------------------------------------------

    def touched(self, made: Plan) -> Touched:
        from .account_touched import touched

        return touched(self, made)

    def apply(self, made: Plan, done: Callable[[Action], None]) -> None:
        # Only a change needs it, and it is compiled on the server at every run.
        from .account_changes import AccountChanges

        changes = AccountChanges(self)
        try:
            changes.apply(made, done)
        except ToolFailed as error:
            raise ServerProblem(str(error)) from error
        finally:
            self.unfinished = changes.unfinished
            for note in changes.notes:
                self._note(note)

    def verify(self, made: Plan) -> Sequence[str]:
        gone = {t["name"]: t["uid"] for t in self.registry["tombstones"]}
        removed = [a.entry for a in made.of("remove", "ssh_account")]
        alive = running([gone[name] for name in removed if name in gone])
        open_still = ["%s still runs process %s" % (n, alive[gone[n]]) for n in removed if n in gone and alive[gone[n]]]
        resisted = ["%s" % text for text in self.unfinished.values()]
        return (
            resisted
            + open_still
            + ["%s is still in passwd" % name for name in removed if name in self.database.accounts]
        )

    def opens(self, entry: Observed) -> dict[str, Any]:
        account = self.database.accounts.get(entry.entry) if entry.kind == "ssh_account" else None
        return opens(self, account) if account is not None else {}

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
        """Who can get in now, and by which path."""
        return access(self, names)

    def not_controlled(self) -> list[str]:
        """Ways in that this module reads but doesn't reconcile."""
        return not_controlled(self)

    def problems(self) -> list[str]:
        """What is odd on the server, or in the way of the list."""
        return problems(self)
