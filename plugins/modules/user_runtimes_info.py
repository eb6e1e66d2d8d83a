#!/usr/bin/python
# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: user_runtimes_info
short_description: What users of a server run in their own space, whose it is, and how old its locks are
version_added: 0.1.0
description:
  - What a distribution's packages bring is the provider's to update. What users install below their homes is theirs.
    This finds the second - containers without root, Composer, Node.js, Python and Ruby with their projects, PHP-FPM
    pools and cron jobs of users.
  - Reads only, with low priority, within a time. No program of a user's is started, no link of a user's is followed,
    and only the files named in C(docs/user_runtimes.md) are opened. Of these, versions and counts come out and nothing
    else.
  - Two processes look, one at known places and one through the homes. What hangs or breaks costs the rest of its half
    only, and is told.
author:
  - infogerance.perimeter contributors (@infogerance)
extends_documentation_fragment:
  - infogerance.perimeter.attributes
  - infogerance.perimeter.attributes.info_module
options:
  ecosystems:
    description: What to look for.
    type: list
    elements: str
    choices: [containers, composer, node, python, ruby, php_fpm, cron]
    default: [containers, composer, node, python, ruby, php_fpm, cron]
  paths:
    description:
      - Directories to search beside the homes of users and C(/var/www), such as C(/data/apps). The directory itself and
        those above it must be root's.
    type: list
    elements: path
    default: []
  exclude:
    description: Names of accounts that are not looked at.
    type: list
    elements: str
    default: []
  max_seconds:
    description: Seconds after which what was not looked at yet is left out, and told in RV(limits).
    type: int
    default: 60
  max_depth:
    description: How deep directories are searched.
    type: int
    default: 12
  max_files:
    description: How many files are passed, in all. Half of it is shared out alike among the places to search.
    type: int
    default: 1000000
seealso:
  - module: infogerance.perimeter.ways_in_info
"""

EXAMPLES = r"""
- name: Look at what users run
  infogerance.perimeter.user_runtimes_info:
  register: runtimes

- name: Who has locks older than a year?
  ansible.builtin.debug:
    msg: "{{ item.account }}: {{ item.path }} ({{ item.lock_age_days }} days)"
  loop: "{{ runtimes.runtimes | selectattr('lock_age_days', 'gt', 365) }}"
  when: runtimes is success
"""

RETURN = r"""
runtimes:
  description: What users run, by account, ecosystem and path. Of one kind and account at most 100 are told.
  returned: success
  type: list
  elements: dict
  contains:
    ecosystem:
      description: The ecosystem, as in O(ecosystems).
      type: str
    kind:
      description: What it is; docs/user_runtimes.md lists all kinds.
      type: str
    path:
      description: Where it is. Bytes that can't be printed show as C(\xNN).
      type: str
    account:
      description: Whose it is - the owner of the file.
      type: str
    what:
      description: The name of the project, container, pool or version manager; the number of jobs of a crontab.
      type: str
    version:
      description: Its version as far as a file tells; for a project the version of the language that it asks for.
      type: str
    base:
      description: V(system) where it runs on a package of the distribution, V(own) where on a copy of the user's.
      type: str
    locked_by:
      description: What fixes the versions - the lock file, or a container's image. Null where nothing does.
      type: str
    locked_at:
      description: When that was written, or the image was made (UTC).
      type: str
    lock_age_days:
      description: The same in whole days.
      type: int
    installed_at:
      description: When what it fixes, or the version itself, was last put in place (UTC).
      type: str
    running:
      description: Whether it runs now; null where that can't be told.
      type: bool
    detail:
      description: More, in words.
      type: str
    responsible:
      description: Always V(client). What is in user space is the client's to update.
      type: str
  sample:
    - account: alice
      base: system
      detail: podman
      ecosystem: containers
      installed_at: "2026-11-25T22:52:35Z"
      kind: container
      lock_age_days: 0
      locked_at: "2026-11-25T22:52:34Z"
      locked_by: localhost/shop:1.4
      path: /home/alice/.local/share/containers/storage/vfs-containers/containers.json
      responsible: client
      running: false
      version: localhost/shop:1.4
      what: web
by_account:
  description: Account to the number of its rows.
  returned: success
  type: dict
  sample: {alice: 10}
unread:
  description: What may tell of a runtime and could not be looked at, and why.
  returned: success
  type: list
  elements: dict
  sample:
    - {account: bob, path: /home/bob/composer.lock, why: is not a regular file}
    - {account: bob, path: /home/bob/linked/composer.lock, why: "is a second name of another's file"}
    - {account: bob, path: /home/bob/requirements.txt, why: is a symbolic link}
limits:
  description: Bounds that were reached, parts that broke off, and what was therefore not looked at. Empty when all was.
  returned: success
  type: list
  elements: str
  sample:
    - "files called package.json of bob: 400 more than the 100 told"
files_passed:
  description: How many files and directories the search passed.
  returned: success
  type: int
  sample: 48
counts:
  description: Numbers of rows by ecosystem, in all, and of locks older than a year. The ledger keeps these.
  returned: success
  type: dict
  sample: {ecosystem_containers: 2, ecosystem_composer: 1, ecosystem_node: 2, ecosystem_python: 2, ecosystem_ruby: 1,
           ecosystem_php_fpm: 1, ecosystem_cron: 1, runtimes: 10, old_locks: 1, unread: 0, limits: 0}
observation_kind:
  description: Always V(user_runtimes). By it the callback knows what to keep.
  returned: success
  type: str
  sample: user_runtimes
"""

import os
import time
from collections import Counter

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.infogerance.perimeter.plugins.module_utils.user_runtimes.survey import ECOSYSTEMS, survey
from ansible_collections.infogerance.perimeter.plugins.module_utils.user_runtimes.user_space import UserSpace
from ansible_collections.infogerance.perimeter.plugins.module_utils.way_families.reading import Bounds

YEAR = 365


def argument_spec():
    return {
        "ecosystems": {"type": "list", "elements": "str", "choices": list(ECOSYSTEMS), "default": list(ECOSYSTEMS)},
        "paths": {"type": "list", "elements": "path", "default": []},
        "exclude": {"type": "list", "elements": "str", "default": []},
        "max_seconds": {"type": "int", "default": 60},
        "max_depth": {"type": "int", "default": 12},
        "max_files": {"type": "int", "default": 1000000},
    }


def result_of(made):
    counts = Counter("ecosystem_" + row["ecosystem"] for row in made.runtimes)
    old = sum((row["lock_age_days"] or 0) > YEAR for row in made.runtimes)
    counts.update(runtimes=len(made.runtimes), old_locks=old, unread=len(made.unread), limits=len(made.limits))
    return {
        "runtimes": made.runtimes,
        "by_account": dict(Counter(row["account"] or "" for row in made.runtimes)),
        "unread": made.unread,
        "limits": made.limits,
        "files_passed": made.walked,
        "counts": dict(counts),
        "observation_kind": "user_runtimes",
    }


def main():
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    params = module.params
    for name in ("max_seconds", "max_depth", "max_files"):
        if params[name] < 1:
            module.fail_json(msg="%s: %d is less than 1" % (name, params[name]))
    paths = []
    for path in params["paths"]:
        # Two slashes at the beginning are one.
        paths.append(os.path.normpath("/" + path.lstrip("/")))
        if not path.startswith("/") or paths[-1].split("/")[1] in ("", "proc", "sys", "dev", "run"):
            module.fail_json(msg="paths: %s is not a directory to search" % path)
    # Others come first on this server.
    os.nice(10)
    bounds = Bounds(time.monotonic() + params["max_seconds"], params["max_depth"], params["max_files"])
    try:
        space = UserSpace(
            bounds, [os.path.normpath("/" + path.lstrip("/")) for path in params["paths"]], params["exclude"]
        )
    except OSError as error:
        module.fail_json(msg="the account files can't be read: %s" % error)
    module.exit_json(**result_of(survey(space, params["ecosystems"])))


if __name__ == "__main__":
    main()
