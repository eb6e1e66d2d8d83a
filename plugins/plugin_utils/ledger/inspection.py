# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read Ansible's playbook objects for the callback: names only, never a variable's value that nobody asked for."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.infogerance.perimeter.plugins.plugin_utils.ledger import clients
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope import resolution
from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.resolution import RunFacts

if TYPE_CHECKING:
    from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.gate import Target

_TEMPLATE = re.compile(r"\{\{|\{%|\{#")
_IN_COLLECTION = re.compile(r"ansible_collections/([^/]+)/([^/]+)/playbooks/(.+)\.ya?ml\Z")
# These never return entry points, so their results need not be unpacked; an async job's result comes through one.
_CORE = "ansible.builtin."
_CARRIER = "ansible.builtin.async_status"


@dataclass(frozen=True)
class TaskLabel:
    """How a task is named in the ledger. name is None when the name may hold a secret."""

    name: str | None
    location: str
    action: str
    role: str | None
    core: bool
    check_mode: bool = False

    def described(self) -> dict[str, Any]:
        """The fields of a task's row."""
        return {"name": self.name, "location": self.location, "action": self.action, "role": self.role}


def has_template(text: str) -> bool:
    """Whether Ansible would put variables' values into this text."""
    return _TEMPLATE.search(text) is not None


def playbook_name(path: str) -> str:
    """`namespace.collection.name` for a collection's playbook, else the file's name."""
    match = _IN_COLLECTION.search(path)
    return ".".join((match[1], match[2], match[3].replace("/", "."))) if match else Path(path).name


def label(task: Any, base: Path) -> TaskLabel:
    """Read at the task's start. The strategy has put values into the name by then, so the name is taken as written."""
    written = task.get_ds()
    name = written.get("name") if isinstance(written, Mapping) else None
    if not isinstance(name, str) or has_template(name) or task.no_log is not False:
        name = None
    action = str(getattr(task, "resolved_action", None) or task.action)
    role = task._role.get_name() if getattr(task, "_role", None) else None
    return TaskLabel(
        name=str(name) if name else None,
        location=_relative(task.get_path(), base),
        action="(templated)" if has_template(action) else action,
        role=None if role is None or has_template(str(role)) else str(role),
        core=action.startswith(_CORE) and action != _CARRIER,
        # A template has no value yet, and then it counts as a task that changes things.
        check_mode=getattr(task, "check_mode", None) is True,
    )


def unknown_label(task: Any, base: Path) -> TaskLabel:
    """For a task whose start was not seen: its name is not to be trusted."""
    return TaskLabel(None, _relative(task.get_path(), base), "(unknown)", None, False)


def host_clients(play: Any, host: Any, names: list[str]) -> list[str]:
    """The clients of one host, from its variables and groups. names: all hosts of the play, to resolve them once."""
    from ansible.errors import AnsibleError

    # Asked with its play, Ansible copies every variable once more. So it is asked so only when the play may have a say.
    own = play if _may_say(play, clients.VARIABLE) else None
    try:
        variables = play.get_variable_manager().get_vars(
            play=own, host=host, include_hostvars=False, _hosts=names, _hosts_all=names
        )
    except AnsibleError:
        # The play itself will fail of it; its groups can still say whose host it is.
        variables = {}
    value = variables.get(clients.VARIABLE)
    if isinstance(value, str) and has_template(value):
        value = _rendered(play, value, host)
    return clients.clients_of(value, [group.get_name() for group in host.get_groups()])


def _may_say(play: Any, name: str) -> bool:
    """Whether the play itself, and not the inventory or the command line, may give this variable a value."""
    return bool(play.roles or play.get_vars_files()) or name in play.get_vars()


def run_facts(playbook: Any, path: str, options: Mapping[str, Any]) -> RunFacts:
    """What the scope is resolved from, before the first task."""
    plays = playbook.get_plays()
    extra = plays[0].get_variable_manager().extra_vars if plays else {}
    play_vars: list[Any] = []
    tags: set[str] = set()
    roles: set[str] = set()
    modules: set[str] = set()
    groups: set[str] = set()
    only, skip = list(options.get("tags") or ["all"]), list(options.get("skip_tags") or [])
    for play in plays:
        value = play.get_vars().get(resolution.VARIABLE)
        play_vars.append(_rendered(play, value) if isinstance(value, str) and has_template(value) else value)
        groups |= _groups(play)
        for role in _roles(play):
            roles.add(str(role.get_name()))
        for task in _tasks(play):
            if not task.evaluate_tags(only, skip, all_vars={}):
                continue
            tags |= {str(tag) for tag in task.tags if str(tag).startswith(resolution.TAG_PREFIX)}
            modules |= {str(task.action), str(getattr(task, "resolved_action", None) or task.action)}
            # include_role brings its role in only during the run, but the name is written here.
            included = getattr(task, "_role_name", None)
            if isinstance(included, str) and not has_template(included):
                roles.add(included)
    value = extra.get(resolution.VARIABLE)
    if isinstance(value, str) and has_template(value) and plays:
        value = _rendered(plays[0], value)
    return RunFacts(
        extra_var=value,
        play_vars=tuple(play_vars),
        tags=frozenset(tags),
        playbook=frozenset({playbook_name(path), Path(path).name}),
        roles=frozenset(roles),
        modules=frozenset(modules),
        host_groups=frozenset(groups),
    )


def targets(playbook: Any) -> list[Target]:
    """Every host that the plays name before the first task, with its clients and groups. Told once, by its first play.

    Hosts that come to be known only during the run are told by their play's start.
    """
    found: dict[str, Target] = {}
    for play in playbook.get_plays():
        hosts = {host.get_name(): host for host in _hosts(play)}
        for name, host in hosts.items():
            if name not in found:
                found[name] = target(play, host, list(hosts))
    return list(found.values())


def delegates(playbook: Any, options: Mapping[str, Any], known: Container[str]) -> list[Target]:
    """Clients' hosts that are not `known`, to which a selected task is delegated by a name that is the same everywhere.

    A name that differs from host to host has no value before the task. The inventory must know the host.
    """
    only, skip = list(options.get("tags") or ["all"]), list(options.get("skip_tags") or [])
    found: dict[str, Target] = {}
    for play in playbook.get_plays():
        for task in _tasks(play):
            name = task.delegate_to
            if isinstance(name, str) and has_template(name):
                name = _rendered(play, name)
            if not isinstance(name, str) or name in known or name in found:
                continue
            host = play.get_variable_manager()._inventory.hosts.get(name)
            if host is not None and task.evaluate_tags(only, skip, all_vars={}):
                made = target(play, host, [name])
                if made.clients:
                    found[name] = made
    return list(found.values())


def target(play: Any, host: Any, names: list[str]) -> Target:
    """One host of a play. names: all hosts of the play."""
    from ansible_collections.infogerance.perimeter.plugins.plugin_utils.scope.gate import Target

    groups = frozenset(str(group.get_name()) for group in host.get_groups())
    return Target(host.get_name(), tuple(host_clients(play, host, names)), groups)


def play_variable(playbook: Any, name: str) -> Any:
    """The first play's value of a variable that is read by name, its template resolved."""
    for play in playbook.get_plays():
        value = play.get_vars().get(name)
        if value is not None:
            return _rendered(play, value) if isinstance(value, str) and has_template(value) else value
    return None


def targeted_hosts(play: Any) -> list[Any]:
    """The hosts of a play's batch, as Ansible's inventory resolves them."""
    return list(play.get_variable_manager()._inventory.get_hosts(play.hosts))


def _groups(play: Any) -> set[str]:
    return {str(group.get_name()) for host in _hosts(play) for group in host.get_groups()}


def _hosts(play: Any) -> list[Any]:
    patterns = play.hosts if isinstance(play.hosts, list) else [play.hosts]
    if any(not isinstance(pattern, str) for pattern in patterns):
        return []
    from ansible.errors import AnsibleError

    patterns = [_rendered(play, pattern) if has_template(pattern) else pattern for pattern in patterns]
    if any(not isinstance(pattern, str) or has_template(pattern) for pattern in patterns):
        return []
    try:
        return list(play.get_variable_manager()._inventory.get_hosts(patterns))
    except AnsibleError:
        return []


def _roles(play: Any) -> Iterator[Any]:
    for role in play.get_roles():
        yield role
        yield from role.get_all_dependencies()


def _tasks(play: Any) -> Iterator[Any]:
    for blocks in (play.pre_tasks, play.tasks, play.post_tasks):
        yield from _flat(blocks)
    for role in _roles(play):
        yield from _flat(role.get_task_blocks())


def _flat(items: Any) -> Iterator[Any]:
    for item in items or []:
        if hasattr(item, "block"):
            for part in (item.block, item.rescue, item.always):
                yield from _flat(part)
        else:
            yield item


def _rendered(play: Any, text: str, host: Any = None) -> Any:
    """A template's value, or the template itself when it has none yet."""
    from ansible.errors import AnsibleError
    from ansible.template import Templar

    try:
        variables = play.get_variable_manager().get_vars(play=play, host=host, include_hostvars=False)
        return Templar(loader=play.get_loader(), variables=variables).template(text)
    except AnsibleError:
        return text


def _relative(path: str | None, base: Path) -> str:
    if not path:
        return "(unknown)"
    try:
        return str(Path(path).relative_to(base))
    except ValueError:
        return path
