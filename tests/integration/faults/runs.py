# Copyright (c) 2026, infogerance.perimeter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible does with tasks, and how runs end: each as a fault that the ledger must get right."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.integration.faults.arena import Arena, Count, effect, play

MANY = 16


@dataclass(frozen=True)
class Fault:
    """name: as the table shows it. try_it: brings the fault about and counts. long: not in every test run."""

    name: str
    try_it: Callable[[Arena], Count]
    long: bool = False


def of_play(text: str, expect: int = 0) -> Callable[[Arena], Count]:
    """One run of a playbook."""

    def try_it(arena: Arena) -> Count:
        arena.play(text, expect=expect)
        return arena.count(1)

    return try_it


def several_playbooks(arena: Arena) -> Count:
    for name in ("a", "b", "c"):
        arena.write(f"{name}.yml", play(effect(f"E{name}")))
    arena.run("a.yml", "b.yml", "c.yml")
    return arena.count(3)


def roles_and_includes(arena: Arena) -> Count:
    arena.write("roles/one/tasks/main.yml", f"- {effect('Erole')}\n")
    arena.write("included.yml", f"- {effect('Eincluded')}\n")
    arena.play(
        play(
            "{ansible.builtin.include_role: {name: one}}",
            "{ansible.builtin.import_role: {name: one, tasks_from: main}, vars: {tag: 1}}",
            "{ansible.builtin.include_tasks: included.yml}",
            "{ansible.builtin.include_role: {name: one}, loop: [2, 3], loop_control: {loop_var: tag}}",
        )
    )
    return arena.count(1)


def killed(how: signal.Signals) -> Callable[[Arena], Count]:
    """A run that is stopped in its third task."""

    def try_it(arena: Arena) -> Count:
        last = effect("E3", then="touch {{ playbook_dir }}/marker && sleep 60")
        # The two before it ran on both hosts, and were committed at the next task's start.
        arena.stop(play(effect("E1"), effect("E2"), last), how)
        arena.reap()
        return arena.count(1)

    return try_it


def many_at_once(arena: Arena) -> Count:
    arena.write("many.yml", play(*(effect(f"E{number}") for number in range(3))))
    started = [arena.start("many.yml", "-e", f"tag={number}") for number in range(MANY)]
    outputs = [process.communicate(timeout=240)[0] for process in started]
    assert [process.returncode for process in started] == [0] * MANY, outputs
    return arena.count(MANY)


def rebooted(arena: Arena) -> Count:
    """The controller goes down: the next run has another boot id. Told by the stored process, as after a real boot."""
    from tests.integration.faults.clock import other_boot

    last = effect("E2", then="touch {{ playbook_dir }}/marker && sleep 60")
    arena.write("sleep.yml", play(effect("E1"), last))
    process = arena.start("sleep.yml")
    try:
        deadline = time.monotonic() + 60
        while not (arena.path / "marker").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        # Still alive, as far as pid and start time go: only the boot id tells.
        other_boot(arena.ledger)
        return arena.count(1)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


LOOP = play(effect("Eloop", "loop: [1, 2, 3]"), effect("Euntil", "register: r, until: r.attempts == 2, delay: 0"))
HANDLERS = f"""
- hosts: client_acme
  gather_facts: false
  tasks:
    - {effect("E1", "notify: Eh1")}
    - {{ansible.builtin.meta: flush_handlers}}
    - {effect("E2", "notify: [Eh1, Eh2]")}
  handlers:
    - {effect("Eh1", each=True)}
    - {effect("Eh2", each=True)}
"""
RESCUE = f"""
- hosts: client_acme
  gather_facts: false
  tasks:
    - block:
        - {effect("E1")}
        - {effect("E2", then="false")}
      rescue:
        - {effect("E3")}
      always:
        - {effect("E4")}
    - {effect("E5", "ignore_errors: true", then="false")}
"""
TEMPLATE = play(effect("E1")) + play(effect("E2"), hosts='"{{ nobody_set_this }}"')
TASK_TEMPLATE = play(effect("E1"), "{name: Bad, ansible.builtin.debug: {msg: '{{ nobody_set_this }}'}}")

RUNS = [
    Fault("nothing wrong", of_play(play(effect("E1"), effect("E2")))),
    Fault("strategy free", of_play(play(effect("E1"), effect("E2"), effect("E3"), more="  strategy: free\n"))),
    Fault("async, polled", of_play(play(effect("E1", "async: 30, poll: 1"), effect("E2")))),
    Fault(
        "async, collected later",
        of_play(
            play(
                effect("E1", "async: 30, poll: 0, register: job"),
                "{name: Collect, ansible.builtin.async_status: {jid: '{{ job.ansible_job_id }}'}, register: r,"
                " until: r.finished, retries: 60, delay: 1}",
                effect("E2"),
            )
        ),
    ),
    Fault("loops and retries", of_play(LOOP)),
    Fault("handlers, flushed and at the end", of_play(HANDLERS)),
    Fault("rescue, always, ignored errors", of_play(RESCUE)),
    Fault("delegate_to, run_once", of_play(play(effect("E1", "delegate_to: db1"), effect("E2", "run_once: true")))),
    Fault("serial", of_play(play(effect("E1"), effect("E2"), hosts="client_acme:db1", more="  serial: 1\n"))),
    Fault("include_role, import_role, include_tasks", roles_and_includes),
    Fault("a host fails", of_play(play(effect("E1", then="test {{ inventory_hostname }} = web1"), effect("E2")), 2)),
    Fault("a host cannot be reached", of_play(play(effect("E1"), hosts="web1:dead1"), 4)),
    Fault("template error in a task", of_play(TASK_TEMPLATE, 2)),
    Fault("template error in a play", of_play(TEMPLATE, 4)),
    Fault("several playbooks in one command", several_playbooks),
    Fault("SIGINT", killed(signal.SIGINT)),
    Fault("SIGTERM", killed(signal.SIGTERM)),
    Fault("SIGHUP", killed(signal.SIGHUP)),
    Fault("SIGKILL", killed(signal.SIGKILL)),
    Fault("reboot of the controller", rebooted),
    Fault(f"{MANY} runs at once", many_at_once),
]
