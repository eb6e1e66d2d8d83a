# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be done to a PostgreSQL server to make it carry a shared ledger: roles, database, logins. No I/O.

The texts are for psql, run as the cluster's superuser. A password goes into them in its stored form only.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import scram
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger.store import LedgerError

OLDEST = 14
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}\Z")
_RESERVED = {"postgres", "public", "none", "user", "all", "replication", "sameuser", "samerole", "current_user"}

# A list of every right in the database that the grants may touch, in an order that does not depend on how it was made.
RIGHTS = """SELECT md5(COALESCE(string_agg(line, chr(10) ORDER BY line), '')) FROM (
  SELECT concat_ws(' ', c.relname, a.grantee::regrole, a.privilege_type) AS line
    FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'public'::regnamespace
  UNION ALL SELECT concat_ws(' ', t.attrelid::regclass, t.attname, a.grantee::regrole, a.privilege_type)
    FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid, aclexplode(t.attacl) a
    WHERE c.relnamespace = 'public'::regnamespace
  UNION ALL SELECT concat_ws(' ', 'schema', a.grantee::regrole, a.privilege_type)
    FROM pg_namespace n, aclexplode(COALESCE(n.nspacl, acldefault('n', n.nspowner))) a WHERE n.nspname = 'public'
  UNION ALL SELECT concat_ws(' ', 'database', a.grantee::regrole, a.privilege_type)
    FROM pg_database d, aclexplode(COALESCE(d.datacl, acldefault('d', d.datdba))) a WHERE d.datname = current_database()
) rights"""


class DatabasePlanError(LedgerError):
    """The declaration is wrong, or the server has something of that name that is not the ledger's."""


@dataclass(frozen=True)
class Login:
    """Somebody who may log in. password: None when a TLS certificate says who it is."""

    name: str
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Declared:
    """The database, the role that owns it, and the two groups with their logins."""

    database: str
    owner: str
    operators_role: str
    reporters_role: str
    operators: Sequence[Login] = ()
    reporters: Sequence[Login] = ()

    @property
    def groups(self) -> Mapping[str, Sequence[Login]]:
        """Group role -> its logins."""
        return {self.operators_role: self.operators, self.reporters_role: self.reporters}


@dataclass(frozen=True)
class Action:
    """said: for people. sql: a statement."""

    said: str
    sql: str = field(repr=False)


def logins(items: Sequence[Any], option: str) -> list[Login]:
    """Read a declared list. Raises DatabasePlanError that names entry and field, and never quotes a password."""
    found: list[Login] = []
    for number, item in enumerate(items, 1):
        where = f"{option}: entry {number}"
        if not isinstance(item, Mapping) or "name" not in item:
            raise DatabasePlanError(f"{where}: a name is needed")
        name = _checked(str(item["name"]), f"{where}: name")
        where += f" ({name})"
        if unknown := sorted(set(map(str, item)) - {"name", "password", "certificate"}):
            raise DatabasePlanError(f"{where}: {unknown[0]}: there is no such field")
        password, certificate = item.get("password"), bool(item.get("certificate"))
        if certificate == (password is not None):
            raise DatabasePlanError(f"{where}: either password, or certificate: true")
        if password is not None:
            try:
                scram.verifier(str(password), b"0" * 16, 1)
            except ValueError as error:
                raise DatabasePlanError(f"{where}: password: {error}") from None
        if any(login.name == name for login in found):
            raise DatabasePlanError(f"{where}: name: is there twice")
        found.append(Login(name, None if password is None else str(password)))
    return found


def check(declared: Declared) -> None:
    """Raises DatabasePlanError for names that clash or would need care in SQL."""
    names = {
        "database": declared.database,
        "owner": declared.owner,
        "operators_role": declared.operators_role,
        "reporters_role": declared.reporters_role,
    }
    for option, name in names.items():
        _checked(name, option)
    roles = [declared.owner, declared.operators_role, declared.reporters_role]
    if len(set(roles)) < 3:
        raise DatabasePlanError("owner, operators_role and reporters_role must be three roles")
    for option, people in (("operators", declared.operators), ("reporters", declared.reporters)):
        for login in people:
            if login.name in roles:
                raise DatabasePlanError(f"{option}: {login.name}: is the name of a role without a login")
    both = {login.name: login for login in declared.operators}
    for login in declared.reporters:
        if login.name in both and both[login.name] != login:
            raise DatabasePlanError(f"reporters: {login.name}: is an operator, too, with another password")


def hba(declared: Declared, networks: Sequence[str]) -> list[str]:
    """Lines for pg_hba.conf: the logins come from these networks, by TLS; nobody else comes to this database by TCP.

    Raises DatabasePlanError for what is no network.
    """
    places: list[str] = []
    for number, text in enumerate(networks, 1):
        try:
            places.append(str(ipaddress.ip_network(str(text))))
        except ValueError as error:
            raise DatabasePlanError(f"networks: entry {number}: {error}") from None
    people = {login.name: login for logins_ in declared.groups.values() for login in logins_}
    by_certificate = ",".join(sorted(name for name, login in people.items() if login.password is None))
    groups = ",".join(f"+{name}" for name in declared.groups)
    lines = [f"hostssl {declared.database} {by_certificate} {place} cert" for place in places if by_certificate]
    lines += [f"hostssl {declared.database} {groups} {place} scram-sha-256" for place in places]
    return [*lines, f"host {declared.database} all all reject"]


def look(declared: Declared) -> str:
    """One SELECT whose answer is what `plan` takes as `found`."""
    wanted = [
        declared.owner,
        *declared.groups,
        *(login.name for people in declared.groups.values() for login in people),
    ]
    listed = ", ".join(f"'{name}'" for name in dict.fromkeys(wanted))
    groups = ", ".join(f"'{name}'" for name in declared.groups)
    return f"""SELECT json_build_object(
      'version', current_setting('server_version_num')::int / 10000,
      'port', current_setting('port')::int,
      'database', (SELECT json_build_object('owner', r.rolname, 'encoding', pg_encoding_to_char(d.encoding))
        FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE d.datname = '{declared.database}'),
      'roles', (SELECT COALESCE(json_object_agg(rolname, json_build_object('login', rolcanlogin, 'stored', rolpassword,
        'strong', rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)), '{{}}')
        FROM pg_authid WHERE rolname IN ({listed})),
      'members', (SELECT COALESCE(json_agg(DISTINCT jsonb_build_array(g.rolname, m.rolname)), '[]')
        FROM pg_auth_members a JOIN pg_roles g ON g.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
        WHERE g.rolname IN ({groups})));
"""  # noqa: S608 - names that were checked


def plan(declared: Declared, found: Mapping[str, Any]) -> list[Action]:
    """The steps, in order; nothing when all is there. Raises DatabasePlanError before anything is done."""
    if found["version"] < OLDEST:
        raise DatabasePlanError(f"the server is PostgreSQL {found['version']}, the ledger needs {OLDEST} or newer")
    roles: Mapping[str, Any] = found["roles"]
    members = {(str(group), str(member)) for group, member in found["members"]}
    database = found["database"]
    for option, name in (
        ("owner", declared.owner),
        ("operators_role", declared.operators_role),
        ("reporters_role", declared.reporters_role),
    ):
        if name in roles and (roles[name]["login"] or roles[name]["strong"]):
            raise DatabasePlanError(
                f"{option}: the server has a role {name} already that can log in or has more rights"
            )
    if database and database["owner"] != declared.owner:
        raise DatabasePlanError(f"database: {declared.database} is there already and belongs to {database['owner']}")
    if database and database["encoding"] != "UTF8":
        raise DatabasePlanError(f"database: {declared.database} has the encoding {database['encoding']}, not UTF8")
    actions = [
        Action(f"create role {name}", f"CREATE ROLE {name} NOLOGIN")
        for name in (declared.owner, *declared.groups)
        if name not in roles
    ]
    made: set[str] = set()
    for option, (group, people) in zip(("operators", "reporters"), declared.groups.items(), strict=True):
        for login in people:
            if login.name not in made:
                ours = any((name, login.name) in members for name in declared.groups)
                actions += _login(login, roles.get(login.name), ours, option)
                made.add(login.name)
            if (group, login.name) not in members:
                actions.append(Action(f"let {login.name} be one of {group}", f"GRANT {group} TO {login.name}"))
    return actions


def undeclared(declared: Declared, found: Mapping[str, Any]) -> list[str]:
    """Members of the two groups that nobody declared, as `name in group`. They are told, never taken away."""
    known = {(group, login.name) for group, people in declared.groups.items() for login in people}
    members = {(str(group), str(member)) for group, member in found["members"]}
    return sorted(f"{member} in {group}" for group, member in members - known)


def creation(declared: Declared) -> str:
    """Makes the database. It cannot be part of a transaction."""
    return (
        f"CREATE DATABASE {declared.database} OWNER {declared.owner} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';\n"
        f"REVOKE ALL ON DATABASE {declared.database} FROM PUBLIC;\n"
    )


def together(actions: Sequence[Action]) -> str:
    """All of them or none. The stored form of a password is kept out of the server's log."""
    statements = "".join(f"{action.sql};\n" for action in actions)
    return f"SET log_statement = 'none';\nSET log_min_error_statement = 'panic';\nBEGIN;\n{statements}COMMIT;\n"


def schema(declared: Declared, migrations: str, grants: Sequence[str], *, keep: bool) -> str:
    """The migrations as the owner, then the rights. Prints `changed` or `same` last. keep: False rolls all back."""
    rights = "".join(f"{statement};\n" for statement in grants)
    groups = ", ".join(declared.groups)
    end = "COMMIT" if keep else "ROLLBACK"
    return f"""SET client_min_messages = 'warning';
BEGIN;
SELECT rights AS rights_before FROM ({RIGHTS}) t(rights) \\gset
GRANT USAGE, CREATE ON SCHEMA public TO {declared.owner};
SET LOCAL ROLE {declared.owner};
{migrations}
RESET ROLE;
{rights}REVOKE ALL ON DATABASE {declared.database} FROM PUBLIC;
GRANT CONNECT ON DATABASE {declared.database} TO {groups};
SELECT rights <> :'rights_before' AS differs,
  CASE WHEN rights <> :'rights_before' THEN 'changed' ELSE 'same' END AS said
  FROM ({RIGHTS}) t(rights) \\gset
\\if :differs
{end};
\\else
ROLLBACK;
\\endif
\\echo :said
"""  # noqa: S608 - names that were checked


def _login(login: Login, found: Mapping[str, Any] | None, ours: bool, option: str) -> list[Action]:
    if found is None:
        actions = [
            Action(f"create login {login.name}", f"CREATE ROLE {login.name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE")
        ]
    else:
        # A password that somebody else's program uses must not be changed.
        if not ours:
            raise DatabasePlanError(
                f"{option}: {login.name}: the server has this role already, and not for the ledger; choose another name"
            )
        if found["strong"]:
            raise DatabasePlanError(f"{option}: {login.name}: has more rights on this server than a ledger's login may")
        actions = [] if found["login"] else [Action(f"let {login.name} log in", f"ALTER ROLE {login.name} LOGIN")]
    stored = found["stored"] if found else None
    if login.password is None:
        if stored is not None:
            actions.append(Action(f"take the password of {login.name}", f"ALTER ROLE {login.name} PASSWORD NULL"))
    elif not scram.fits(login.password, stored):
        text = f"ALTER ROLE {login.name} PASSWORD '{scram.verifier(login.password)}'"
        actions.append(Action(f"set the password of {login.name}", text))
    return actions


def _checked(name: str, where: str) -> str:
    if not _NAME.match(name):
        raise DatabasePlanError(f"{where}: {name!r}: only lower-case letters, digits and underscores, 63 at most")
    if name in _RESERVED or name.startswith("pg_"):
        raise DatabasePlanError(f"{where}: {name!r} is a word of PostgreSQL's own")
    return name
